package saslserver

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"gocyrus/lib/auth"
)

// TestPlain has the texts that Cyrus 3.6.1 logged for the same responses.
func TestPlain(t *testing.T) {
	srv := testServer(t, "allowplaintext: yes")
	for _, tc := range []struct {
		name, response    string
		authc, authz      string // when good
		log, user, client string // when bad
	}{
		{"good", "\x00alice\x00pwalice", "alice", "alice", "", "", ""},
		{"same authzid", "alice\x00alice\x00pwalice", "alice", "alice", "", "", ""},
		{"upper case", "\x00ALICE\x00pwalice", "alice", "alice", "", "", ""},
		{"own realm", "\x00alice@" + realm + "\x00pwalice", "", "",
			"SASL(-13): authentication failure: cross-realm login alice@" + realm + " denied", "alice@" + realm, "authentication failure"},
		{"administrator", "bob\x00cyrus\x00pwcyrus", "cyrus", "bob", "", "", ""},
		{"proxy", "bob\x00proxy\x00pwproxy", "proxy", "bob", "", "", ""},
		{"user may not", "bob\x00alice\x00pwalice", "", "",
			"SASL(-13): authentication failure: user alice is not allowed to proxy", "bob", "authentication failure"},
		{"wrong password", "\x00alice\x00bad", "", "",
			"SASL(-13): authentication failure: Password verification failed", "alice", "authentication failure"},
		{"wrong password for another", "bob\x00alice\x00bad", "", "",
			"SASL(-13): authentication failure: Password verification failed", "alice", "authentication failure"},
		{"unknown", "\x00nouser\x00bad", "", "",
			"SASL(-13): user not found: Password verification failed", "", "authentication failure"},
		{"empty password", "\x00alice\x00", "", "",
			"SASL(-13): authentication failure: Password verification failed", "alice", "authentication failure"},
		{"impossible name", "\x00al/ice\x00bad", "", "",
			"SASL(-13): authentication failure: bad userid authenticated", "", "authentication failure"},
		{"one part", "alice", "", "", "SASL(-5): bad protocol / cancel: sasl: invalid response", "", "bad protocol / cancel"},
		{"four parts", "\x00alice\x00pwalice\x00x", "", "", "SASL(-5): bad protocol / cancel: sasl: invalid response", "", "bad protocol / cancel"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, id, err := run(t, srv, "PLAIN", clear, []byte(tc.response))
			if tc.log == "" {
				ok(t, id, err, tc.authc, tc.authz)
				return
			}
			sameError(t, err, tc.log, tc.user, tc.client)
		})
	}
}

func TestPlainWithoutInitialResponse(t *testing.T) {
	ch, id, err := run(t, testServer(t, "allowplaintext: yes"), "PLAIN", clear, nil, []byte("\x00alice\x00pwalice"))
	ok(t, id, err, "alice", "alice")
	if ch[0] != "" {
		t.Errorf("challenge %q", ch[0])
	}
}

func TestLogin(t *testing.T) {
	srv := testServer(t, "allowplaintext: yes")
	ch, id, err := run(t, srv, "LOGIN", clear, nil, []byte("alice"), []byte("pwalice"))
	ok(t, id, err, "alice", "alice")
	if ch[0] != "Username:" || ch[1] != "Password:" {
		t.Errorf("challenges %q", ch)
	}
	_, id, err = run(t, srv, "LOGIN", clear, []byte("alice"), []byte("pwalice"))
	ok(t, id, err, "alice", "alice")
	_, _, err = run(t, srv, "LOGIN", clear, nil, []byte("alice"), []byte("bad"))
	sameError(t, err, "SASL(-13): authentication failure: checkpass failed", "alice", "authentication failure")
}

func TestExternal(t *testing.T) {
	srv := testServer(t, "")
	_, id, err := run(t, srv, "EXTERNAL", withCert("alice"), []byte{})
	ok(t, id, err, "alice", "alice")
	_, id, err = run(t, srv, "EXTERNAL", withCert("cyrus"), nil, []byte("bob"))
	ok(t, id, err, "cyrus", "bob")
	if id.State.ActsFor != "cyrus" {
		t.Errorf("acts for %q", id.State.ActsFor)
	}
	_, _, err = run(t, srv, "EXTERNAL", withCert("alice"), []byte("bob"))
	sameError(t, err, "SASL(-13): authentication failure: user alice is not allowed to proxy", "bob", "authentication failure")
}

func TestAnonymous(t *testing.T) {
	srv := testServer(t, "allowanonymouslogin: yes")
	_, id, err := run(t, srv, "ANONYMOUS", clear, []byte("me@x\r\n"))
	ok(t, id, err, "anonymous", "anonymous")
	if id.Trace != "me@x  " {
		t.Errorf("trace %q", id.Trace)
	}
}

func TestCheckPass(t *testing.T) {
	ctx := context.Background()
	srv := testServer(t, "allowplaintext: yes")
	id, err := srv.CheckPass(ctx, "Alice", "pwalice", clear)
	ok(t, id, err, "alice", "alice")
	_, err = srv.CheckPass(ctx, "alice", "bad", clear)
	sameError(t, err, "SASL(-13): authentication failure: checkpass failed", "alice", "authentication failure")
	_, err = srv.CheckPass(ctx, "nouser", "bad", clear)
	sameError(t, err, "SASL(-13): user not found: checkpass failed", "nouser", "authentication failure")
	if _, err = srv.CheckPass(ctx, "al/ice", "bad", clear); !errors.Is(err, auth.ErrUser) {
		t.Errorf("impossible name: %v", err)
	}
	if _, err = srv.CheckPass(ctx, "anonymous", "me@x", clear); !errors.Is(err, ErrAnonymous) {
		t.Errorf("anonymous: %v", err)
	}
	for name, pass := range map[string]string{"a NUL": "pwalice\x00", "endless": string(bytes.Repeat([]byte("a"), maxPassword+1))} {
		if _, err = srv.CheckPass(ctx, "alice", pass, clear); !errors.Is(err, BadAuth) {
			t.Errorf("password with %s: %v", name, err)
		}
	}
	if _, err = testServer(t, "").CheckPass(ctx, "alice", "pwalice", clear); !errors.Is(err, ErrLayer) {
		t.Errorf("in clear: %v", err)
	}
	id, err = testServer(t, "sasl_pwcheck_method: alwaystrue").CheckPass(ctx, "carol", "x", underT)
	ok(t, id, err, "carol", "carol")
}

// TestAuthorize checks who may act for whom, and userdeny.
func TestAuthorize(t *testing.T) {
	var asked []string
	deny := WithDeny(func(user, service string) bool {
		asked = append(asked, user+"/"+service)
		return user == "bob"
	})
	acl := WithACL(func(login *auth.State, user string) bool { return login.User == "alice" && user == "bob" })
	srv := testServer(t, "allowplaintext: yes\nloginuseacl: yes", deny)
	_, _, err := run(t, srv, "PLAIN", clear, []byte("\x00bob\x00pwbob"))
	sameError(t, err, "SASL(-14): authorization failure: user 'bob' is denied access to service 'imap'", "bob", "authorization failure")
	if len(asked) != 1 || asked[0] != "bob/imap" {
		t.Errorf("asked %q", asked)
	}
	_, id, err := run(t, srv, "PLAIN", clear, []byte("bob\x00cyrus\x00pwcyrus"))
	ok(t, id, err, "cyrus", "bob") // administrators are exempt
	_, id, err = run(t, testServer(t, "allowplaintext: yes\nloginuseacl: yes", acl), "PLAIN", clear, []byte("bob\x00alice\x00pwalice"))
	ok(t, id, err, "alice", "bob")
	if _, _, err = run(t, testServer(t, "allowplaintext: yes", acl), "PLAIN", clear, []byte("bob\x00alice\x00pwalice")); !errors.Is(err, BadAuth) {
		t.Errorf("loginuseacl off: %v", err)
	}
}
