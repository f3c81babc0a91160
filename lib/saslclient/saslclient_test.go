package saslclient

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"

	"gocyrus/lib/tlsconf"
)

func TestChoose(t *testing.T) {
	secure := Conn{TLS: &tls.ConnectionState{CipherSuite: tls.TLS_AES_128_GCM_SHA256}}
	bound := secure
	bound.Binding = []tlsconf.Binding{{Type: "tls-unique", Data: []byte("x")}}
	exported := secure
	exported.Binding = []tlsconf.Binding{{Type: "tls-exporter", Data: []byte("x")}}
	ours := exported
	ours.Exporter = true
	alice := Credentials{AuthcID: "alice", Password: "x"}
	for _, tc := range []struct {
		name, offered string
		cred          Credentials
		conn          Conn
		want          string
	}{
		{"the strongest first", "PLAIN login CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256", alice, secure, "SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 PLAIN LOGIN"},
		{"no password in clear", "PLAIN LOGIN CRAM-MD5", alice, Conn{}, "CRAM-MD5"},
		{"unless that is well", "PLAIN LOGIN", alice, Conn{Clear: true}, "PLAIN LOGIN"},
		{"-PLUS wants binding", "SCRAM-SHA-256-PLUS SCRAM-SHA-256", alice, secure, "SCRAM-SHA-256"},
		{"-PLUS with binding", "SCRAM-SHA-256 SCRAM-SHA-256-PLUS", alice, bound, "SCRAM-SHA-256-PLUS SCRAM-SHA-256"},
		{"not in TLS 1.3", "SCRAM-SHA-256 SCRAM-SHA-256-PLUS", alice, exported, "SCRAM-SHA-256"},
		{"but with our own", "SCRAM-SHA-256 SCRAM-SHA-256-PLUS", alice, ours, "SCRAM-SHA-256-PLUS SCRAM-SHA-256"},
		{"for another user", "LOGIN CRAM-MD5 PLAIN", Credentials{AuthcID: "cyrus", AuthzID: "bob"}, secure, "PLAIN"},
		{"EXTERNAL wants a certificate", "EXTERNAL PLAIN", alice, secure, "PLAIN"},
		{"EXTERNAL", "EXTERNAL", Credentials{}, Conn{HasCert: true}, "EXTERNAL"},
		{"token", "OAUTHBEARER PLAIN", Credentials{AuthcID: "alice", Token: "t"}, secure, "OAUTHBEARER PLAIN"},
		{"token in clear", "OAUTHBEARER", Credentials{AuthcID: "alice", Token: "t"}, Conn{Clear: true}, ""},
		{"too weak", "PLAIN", alice, Conn{TLS: secure.TLS, MinSSF: 256}, ""},
		{"unknown ones", "NTLM DIGEST-MD5", alice, secure, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			offered := strings.Fields(tc.offered)
			if got := strings.Join(Choose(offered, tc.cred, tc.conn), " "); got != tc.want {
				t.Errorf("got %q; want %q", got, tc.want)
			}
			if _, err := New(offered, tc.cred, tc.conn); (err == nil) != (tc.want != "") || err != nil && !errors.Is(err, ErrNoMechanism) {
				t.Errorf("New: %v", err)
			}
		})
	}
}

// TestLyingServer checks that a server which does not know the password cannot
// pass for one that does.
func TestLyingServer(t *testing.T) {
	c, err := New([]string{"SCRAM-SHA-256"}, Credentials{AuthcID: "user", Password: "pencil"}, Conn{})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = c.Start()
	if err != nil || Proved(c) {
		t.Fatalf("start: %v, proved %v", err, Proved(c))
	}
	if _, err := c.Next([]byte("r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")); err == nil {
		t.Error("took a nonce that is not its own")
	}
	c, _ = New([]string{"SCRAM-SHA-256"}, Credentials{AuthcID: "user", Password: "pencil"}, Conn{})
	_, first, _ := c.Start()
	_, nonce, _ := strings.Cut(string(first), "r=")
	if _, err := c.Next([]byte("r=" + nonce + "x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1")); err == nil {
		t.Error("took one iteration, which gives the password away")
	}
	c, _ = New([]string{"SCRAM-SHA-256"}, Credentials{AuthcID: "user", Password: "pencil"}, Conn{})
	_, first, _ = c.Start()
	_, nonce, _ = strings.Cut(string(first), "r=")
	if _, err := c.Next([]byte("r=" + nonce + "x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Next([]byte("v=AAAA")); err == nil || Proved(c) {
		t.Errorf("took a wrong signature: %v", err)
	}
}

func TestCRAMMD5Vector(t *testing.T) {
	c := &cramMD5{user: "tim", password: "tanstaaftanstaaf"} // RFC 2195 section 3
	got, err := c.Next([]byte("<1896.697170952@postoffice.reston.mci.net>"))
	if err != nil || string(got) != "tim b913a602c7eda7a495b4e6e7334d3890" {
		t.Errorf("%s, %v", got, err)
	}
}
