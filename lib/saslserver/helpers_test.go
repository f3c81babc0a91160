package saslserver

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"strings"
	"testing"

	"gocyrus/lib/auth"
	"gocyrus/lib/config"
	"gocyrus/lib/sasldb"
	"gocyrus/lib/tlsconf"
)

// memory is a store of secrets for tests: user@realm to secret.
type memory map[string]*sasldb.Secret

func (m memory) Lookup(user, realm string) (*sasldb.Secret, error) {
	if s, ok := m[user+"@"+realm]; ok {
		return s, nil
	}
	return nil, sasldb.ErrNotFound
}

func (memory) FakeSalt(mech, user, realm string) []byte {
	sum := sha256.Sum256([]byte(mech + user + realm))
	return sum[:]
}

const realm = "mail.example.com"

// users have their name with "pw" before it as password.
func users(names ...string) memory {
	m := make(memory)
	for _, n := range names {
		m[n+"@"+realm] = &sasldb.Secret{Plain: "pw" + n, HasPlain: true}
	}
	return m
}

// testServer is a server with the given lines of imapd.conf and users alice,
// bob, cyrus (an administrator) and proxy.
func testServer(t testing.TB, lines string, more ...Option) *Server {
	t.Helper()
	text := "configdirectory: " + t.TempDir() + "\nservername: " + realm + "\nadmins: cyrus\nproxyservers: proxy\nfailedloginpause: 0\n" + lines
	cfg, err := config.Parse(strings.NewReader(text), "imapd.conf", "imap")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := auth.OptionsFrom(cfg)
	if err != nil {
		t.Fatal(err)
	}
	opts, err := OptionsFrom(cfg, "imap")
	if err != nil {
		t.Fatal(err)
	}
	srv, err := New(opts, auth.New(rules), append([]Option{WithSecrets(users("alice", "bob", "cyrus", "proxy"))}, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	return srv
}

var (
	clear  = ConnState{}
	underT = ConnState{TLS: &tls.ConnectionState{CipherSuite: tls.TLS_AES_256_GCM_SHA384}}
	bound  = ConnState{TLS: underT.TLS, Binding: []tlsconf.Binding{{Type: "tls-exporter", Data: []byte("exported")}}}
	unique = ConnState{TLS: underT.TLS, Binding: []tlsconf.Binding{{Type: "tls-unique", Data: []byte("finished")}}}
)

// run carries an exchange out with fixed responses, nil for none, and returns
// the challenges and the result.
func run(t testing.TB, srv *Server, mech string, cs ConnState, responses ...[]byte) (challenges []string, id *Identity, err error) {
	t.Helper()
	x, err := srv.Start(context.Background(), mech, cs)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range responses {
		ch, done, err := x.Next(r)
		if err != nil {
			if _, _, again := x.Next(nil); again == nil {
				t.Error("an exchange that failed goes on")
			}
			return challenges, nil, err
		}
		challenges = append(challenges, string(ch))
		if done {
			return challenges, x.Identity(), nil
		}
	}
	return challenges, nil, errors.New("not done")
}

func ok(t *testing.T, id *Identity, err error, authc, authz string) {
	t.Helper()
	if err != nil {
		t.Fatalf("error %v", err)
	}
	if id.AuthcID != authc || id.AuthzID != authz || id.State == nil || id.State.User != authz {
		t.Errorf("identity %+v, state %+v; want %s for %s", id, id.State, authc, authz)
	}
}

// sameError checks the text for the log, the name in it and the client's text.
func sameError(t *testing.T, err error, log, user, client string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v is not an *Error; want %s", err, log)
	}
	if e.Error() != log || e.User != user || e.Client() != client {
		t.Errorf("error %q of %q, client %q; want %q of %q, client %q", e.Error(), e.User, e.Client(), log, user, client)
	}
}
