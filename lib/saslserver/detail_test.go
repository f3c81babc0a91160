package saslserver

import (
	"context"
	"errors"
	"strings"
	"testing"

	"gocyrus/lib/auth"
	"gocyrus/lib/config"
	"gocyrus/lib/saslclient"
)

func TestDetail(t *testing.T) {
	srv := testServer(t, "allowplaintext: yes\nimapmagicplus: yes")
	id, err := srv.CheckPass(context.Background(), "alice+Work", "pwalice", clear)
	ok(t, id, err, "alice", "alice")
	if id.Detail != "+Work" {
		t.Errorf("LOGIN: detail %q", id.Detail)
	}
	for _, mech := range []string{"PLAIN", "CRAM-MD5", "SCRAM-SHA-256"} {
		id, err := exchange(t, srv, []string{mech}, saslclient.Credentials{AuthcID: "alice+Work", Password: "pwalice"}, clear)
		ok(t, id, err, "alice", "alice")
		if id.Detail != "+Work" {
			t.Errorf("%s: detail %q", mech, id.Detail)
		}
	}
	_, id, err = run(t, srv, "PLAIN", clear, []byte("bob+a\x00cyrus\x00pwcyrus"))
	ok(t, id, err, "cyrus", "bob")
	if id.Detail != "+a" {
		t.Errorf("proxy: detail %q", id.Detail)
	}
	virtual := testServer(t, "imapmagicplus: yes\nvirtdomains: userid")
	if bare, detail := virtual.splitDetail("alice+Work@example.org"); bare != "alice@example.org" || detail != "+Work" {
		t.Errorf("%q, %q", bare, detail)
	}
	if _, err := testServer(t, "allowplaintext: yes").CheckPass(context.Background(), "alice+Work", "pwalice", clear); !errors.Is(err, NoUser) {
		t.Errorf("imapmagicplus off: %v", err)
	}
}

// TestLMTP checks that lmtpd lets administrators in, and on its unix socket the
// mail system.
func TestLMTP(t *testing.T) {
	cfg, err := config.Parse(strings.NewReader("configdirectory: /var/lib/cyrus\nservername: "+realm+"\nallowplaintext: yes\nlmtp_admins: cyrus\n"), "x", "lmtp")
	if err != nil {
		t.Fatal(err)
	}
	rules, err1 := auth.OptionsFrom(cfg)
	opts, err2 := OptionsFrom(cfg, "lmtp")
	srv, err3 := New(opts, auth.New(rules), WithSecrets(users("alice", "cyrus")))
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	_, id, err := run(t, srv, "PLAIN", clear, []byte("\x00cyrus\x00pwcyrus"))
	ok(t, id, err, "cyrus", "cyrus")
	_, _, err = run(t, srv, "PLAIN", clear, []byte("\x00alice\x00pwalice"))
	sameError(t, err, "SASL(-13): authentication failure: only admins may authenticate", "alice", "authentication failure")
	socket := ConnState{External: "postman", SSF: 2}
	if got := strings.Join(srv.Mechanisms(socket), " "); got != "EXTERNAL" {
		t.Errorf("on the unix socket: %s", got)
	}
	_, id, err = run(t, srv, "EXTERNAL", socket, []byte{})
	ok(t, id, err, "postman", "postman")
}
