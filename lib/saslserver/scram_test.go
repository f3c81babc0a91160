package saslserver

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/saslclient"
	"gocyrus/lib/sasldb"
	"gocyrus/lib/tlsconf"
)

// TestVectors are the exchanges of RFC 5802 section 5 and RFC 7677 section 3.
func TestVectors(t *testing.T) {
	for _, tc := range []struct {
		mech, nonce, salt                          string
		clientFirst, serverFirst, final, signature string
	}{
		{"SCRAM-SHA-1", "3rfcNHYJY1ZVvWVs7j", "QSXCR+Q6sek8bf92",
			"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
			"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
			"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
			"v=rmF9pqV8S7suAoZWja4dJRkFsKQ="},
		{"SCRAM-SHA-256", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", "W22ZaJ0SNY7soEsUEjb6gQ==",
			"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
			"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
			"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
			"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
	} {
		t.Run(tc.mech, func(t *testing.T) {
			salt, err := base64.StdEncoding.DecodeString(tc.salt)
			if err != nil {
				t.Fatal(err)
			}
			keys := make(map[string]sasldb.Keys)
			for _, h := range sasldb.Hashes {
				if keys[h.Mech], err = h.Derive("pencil", salt, 4096); err != nil {
					t.Fatal(err)
				}
			}
			srv := testServer(t, "", WithSecrets(memory{"user@" + realm: {Keys: keys}}))
			x, err := srv.Start(context.Background(), tc.mech, clear)
			if err != nil {
				t.Fatal(err)
			}
			x.step.(*scramServer).nonce = func() string { return tc.nonce }
			for i, step := range [][2]string{{tc.clientFirst, tc.serverFirst}, {tc.final, tc.signature}, {"", ""}} {
				ch, done, err := x.Next([]byte(step[0]))
				if err != nil || string(ch) != step[1] || done != (i == 2) {
					t.Fatalf("step %d: %q, %v, %v; want %q", i, ch, done, err, step[1])
				}
			}
			ok(t, x.Identity(), nil, "user", "user")
		})
	}
}

// exchange lets our client log in to our server.
func exchange(t *testing.T, srv *Server, offered []string, cred saslclient.Credentials, cs ConnState) (*Identity, error) {
	t.Helper()
	if slices.ContainsFunc(srv.Mechanisms(cs), func(m string) bool { return strings.HasSuffix(m, "-PLUS") }) {
		offered = append(offered, "OTHER-PLUS") // else the client would cry "hidden"
	}
	client, err := saslclient.New(offered, cred, saslclient.Conn{TLS: cs.TLS, Binding: cs.Binding, Clear: true, Exporter: true})
	if err != nil {
		return nil, err
	}
	mech, response, err := client.Start()
	if err != nil {
		return nil, err
	}
	x, err := srv.Start(context.Background(), mech, cs)
	if err != nil {
		return nil, err
	}
	for range 10 {
		ch, done, err := x.Next(response)
		if err != nil {
			return nil, err
		}
		if done {
			if !saslclient.Proved(client) {
				t.Error("the server has proved nothing")
			}
			return x.Identity(), nil
		}
		if response, err = client.Next(ch); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("endless")
}

func TestBothSides(t *testing.T) {
	srv := testServer(t, "allowplaintext: yes\nsasl_channel_binding: always")
	for _, cs := range []ConnState{clear, underT, bound} {
		for _, mech := range srv.Mechanisms(cs) {
			t.Run(mech, func(t *testing.T) {
				id, err := exchange(t, srv, []string{mech}, saslclient.Credentials{AuthcID: "alice", Password: "pwalice"}, cs)
				ok(t, id, err, "alice", "alice")
				if id.Mech != mech {
					t.Errorf("mechanism %s", id.Mech)
				}
				_, err = exchange(t, srv, []string{mech}, saslclient.Credentials{AuthcID: "alice", Password: "bad"}, cs)
				if !errors.Is(err, BadAuth) {
					t.Errorf("wrong password: %v", err)
				}
				_, err = exchange(t, srv, []string{mech}, saslclient.Credentials{AuthcID: "nouser", Password: "bad"}, cs)
				if !errors.Is(err, NoUser) || ClientText(err) != "authentication failure" {
					t.Errorf("unknown user: %v, client %q", err, ClientText(err))
				}
			})
		}
	}
	for _, mech := range []string{"PLAIN", "SCRAM-SHA-256"} {
		id, err := exchange(t, srv, []string{mech}, saslclient.Credentials{AuthcID: "cyrus", AuthzID: "bob", Password: "pwcyrus"}, underT)
		ok(t, id, err, "cyrus", "bob")
	}
}

// TestUnknownUserSCRAM checks that a stranger cannot tell a user who exists from
// one who does not by what the server says, at any step.
func TestUnknownUserSCRAM(t *testing.T) {
	srv := testServer(t, "")
	answers := func(user, final string) (first string, err error) {
		ch, _, err := run(t, srv, "SCRAM-SHA-256", clear, []byte("n,,n="+user+",r=abcdef"))
		if len(ch) != 1 {
			t.Fatalf("%s: %v", user, err)
		}
		x, _ := srv.Start(context.Background(), "SCRAM-SHA-256", clear)
		c, _, _ := x.Next([]byte("n,,n=" + user + ",r=abcdef"))
		nonce, _, _ := strings.Cut(strings.TrimPrefix(string(c), "r="), ",")
		_, _, err = x.Next([]byte(strings.ReplaceAll(final, "NONCE", nonce)))
		return ch[0], err
	}
	for _, final := range []string{
		"c=biws,r=NONCE,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		"c=biws,r=NONCE,p=AAAA",
		"c=biws,r=other,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		"c=AAAA,r=NONCE,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		"nonsense", "",
	} {
		first1, err1 := answers("alice", final)
		first2, err2 := answers("nouser", final)
		if err1 == nil || ClientText(err1) != ClientText(err2) {
			t.Errorf("%q: alice %v, nouser %v", final, err1, err2)
		}
		if len(first1) != len(first2) {
			t.Errorf("first answers differ: %q, %q", first1, first2)
		}
	}
	salt := func() string { f, _ := answers("nouser", "x"); _, s, _ := strings.Cut(f, ",s="); return s }
	if once, again := salt(), salt(); once != again {
		t.Error("the salt of an unknown user changes")
	}
}

func TestChannelBinding(t *testing.T) {
	srv := testServer(t, "sasl_channel_binding: always")
	cred := saslclient.Credentials{AuthcID: "alice", Password: "pwalice"}
	other := ConnState{TLS: bound.TLS, Binding: []tlsconf.Binding{{Type: "tls-exporter", Data: []byte("another")}}}
	client, err := saslclient.New([]string{"SCRAM-SHA-256-PLUS"}, cred, saslclient.Conn{TLS: other.TLS, Binding: other.Binding, Exporter: true})
	if err != nil {
		t.Fatal(err)
	}
	_, first, _ := client.Start()
	x, err := srv.Start(context.Background(), "SCRAM-SHA-256-PLUS", bound)
	if err != nil {
		t.Fatal(err)
	}
	ch, _, err := x.Next(first)
	if err != nil {
		t.Fatal(err)
	}
	final, err := client.Next(ch)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err = x.Next(final); !errors.Is(err, BadBind) {
		t.Errorf("somebody in the middle: %v", err)
	}
	for _, tc := range []struct {
		name, mech, first string
		conn              ConnState
		want              Code
	}{
		{"-PLUS without binding", "SCRAM-SHA-256-PLUS", "n,,n=alice,r=abcdef", bound, BadProt},
		{"-PLUS hidden from the client", "SCRAM-SHA-256", "y,,n=alice,r=abcdef", bound, BadBind},
		{"unknown binding", "SCRAM-SHA-256-PLUS", "p=tls-unique,,n=alice,r=abcdef", bound, BadBind},
		{"binding where there is none", "SCRAM-SHA-256", "p=tls-unique,,n=alice,r=abcdef", clear, BadBind},
	} {
		if _, _, err := run(t, srv, tc.mech, tc.conn, []byte(tc.first)); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v; want %v", tc.name, err, tc.want)
		}
	}
	// Libsasl's client names the mechanism without -PLUS.
	if _, _, err := run(t, srv, "SCRAM-SHA-256", bound, []byte("p=tls-exporter,,n=alice,r=abcdef")); !strings.Contains(err.Error(), "not done") {
		t.Errorf("binding with the plain name: %v", err)
	}
	if _, _, err := run(t, srv, "SCRAM-SHA-256", clear, []byte("y,,n=alice,r=abcdef")); !strings.Contains(err.Error(), "not done") {
		t.Errorf("y where nothing was offered: %v", err)
	}
}

// FuzzExchange feeds every mechanism hostile responses: it must not panic, log
// anybody in, or go on after an error.
func FuzzExchange(f *testing.F) {
	srv := testServer(f, "allowplaintext: yes\nsasl_channel_binding: always")
	mechs := srv.Mechanisms(bound)
	f.Add(0, []byte("n,,n=alice,r=abc"), []byte("c=biws,r=abc,p=AAAA"), []byte(""))
	f.Add(1, []byte("p=tls-exporter,a=x,n=alice,r=abc"), []byte("c=,r=,p="), []byte("x"))
	f.Add(9, []byte("\x00alice\x00bad"), []byte{}, []byte{})
	f.Add(6, []byte(nil), []byte("alice 00"), []byte{})
	f.Fuzz(func(t *testing.T, which int, a, b, c []byte) {
		x, err := srv.Start(context.Background(), mechs[uint(which)%uint(len(mechs))], bound)
		if err != nil {
			t.Fatal(err)
		}
		failed := false
		for _, r := range [][]byte{nil, a, b, c} {
			_, done, err := x.Next(r)
			if failed && err == nil {
				t.Error("went on after an error")
			}
			failed = failed || err != nil
			if err == nil && done && !strings.Contains(string(a)+string(b)+string(c), "pw") {
				t.Errorf("%s logged %+v in with %q %q %q", x.Mech(), x.Identity(), a, b, c)
			}
		}
	})
}
