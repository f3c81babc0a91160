package saslserver

import (
	"fmt"
	"testing"

	"gocyrus/lib/auth"
)

// TestLogLines has the lines that Cyrus 3.6.1 wrote.
func TestLogLines(t *testing.T) {
	const host = "localhost [127.0.0.1]"
	for _, tc := range []struct{ got, want string }{
		{LogLogin(LoginEvent{Host: host, User: "alice", Mech: Plaintext, Session: "x-1"}),
			"login: localhost [127.0.0.1] alice plaintext User logged in SESSIONID=<x-1>"},
		{LogLogin(LoginEvent{Host: host, User: "alice", Mech: "PLAIN", TLS: true, Session: "x-1"}),
			"login: localhost [127.0.0.1] alice PLAIN+TLS User logged in SESSIONID=<x-1>"},
		{LogLogin(LoginEvent{Host: host, User: "cyrus", Mech: "PLAIN"}),
			"login: localhost [127.0.0.1] cyrus PLAIN User logged in"},
		{LogAnonymous(host, "me@x"), "login: localhost [127.0.0.1] anonymous me@x"},
		{LogBadLogin(FormIMAP, LoginEvent{Host: host, User: "alice", Mech: Plaintext}, fail(BadAuth, "alice", "checkpass failed")),
			"badlogin: localhost [127.0.0.1] plaintext (alice) [SASL(-13): authentication failure: checkpass failed]"},
		{LogBadLogin(FormIMAP, LoginEvent{Host: host, User: "nouser", Mech: Plaintext}, fail(NoUser, "nouser", "checkpass failed")),
			"badlogin: localhost [127.0.0.1] plaintext (nouser) [SASL(-13): user not found: checkpass failed]"},
		{LogBadLogin(FormIMAP, LoginEvent{Host: host, Mech: "PLAIN"}, fail(NoUser, "", "Password verification failed")),
			"badlogin: localhost [127.0.0.1] PLAIN (-notset-) [SASL(-13): user not found: Password verification failed]"},
		{LogBadLogin(FormIMAP, LoginEvent{Host: host, Mech: "BOGUS"}, fail(NoMech, "", "Couldn't find mech BOGUS")),
			"badlogin: localhost [127.0.0.1] BOGUS (-notset-) [SASL(-6): can't request information until later in exchange: Information that was requested is not yet available.]"},
		{LogBadLogin(FormIMAP, LoginEvent{Host: host, Mech: "SCRAM-SHA-256"}, fail(BadProt, "alice", "Nonce mismatch SCRAM-SHA-256 input")),
			"badlogin: localhost [127.0.0.1] SCRAM-SHA-256 (alice) [SASL(-5): bad protocol / cancel: Nonce mismatch SCRAM-SHA-256 input]"},
		{LogBadLogin(FormIMAP, LoginEvent{Host: host, User: "anonymous", Mech: Plaintext}, ErrAnonymous),
			"badlogin: localhost [127.0.0.1] anonymous login refused"},
		{LogBadLogin(FormIMAP, LoginEvent{Host: host, User: "al/ice", Mech: Plaintext}, fmt.Errorf("al/ice: %w", auth.ErrUser)),
			"badlogin: localhost [127.0.0.1] plaintext (al/ice) invalid user"},
		{LogBadLogin(FormPOP, LoginEvent{Host: host, Mech: "PLAIN"}, fail(BadAuth, "alice", "Password verification failed")),
			"badlogin: localhost [127.0.0.1] PLAIN (alice) [authentication failure]"},
		{LogBadLogin(FormPOP, LoginEvent{Host: host, Mech: "PLAIN"}, fail(NoUser, "", "Password verification failed")),
			"badlogin: localhost [127.0.0.1] PLAIN (-notset-) [user not found]"},
		{LogBadLogin(FormAPOP, LoginEvent{Host: host, User: "<1.2@h>", Mech: "APOP"}, fail(BadAuth, "alice", "login incorrect")),
			"badlogin: localhost [127.0.0.1] APOP (<1.2@h>) SASL(-13): authentication failure: login incorrect"},
		{LogBadLogin(FormSieve, LoginEvent{Host: host, Mech: "PLAIN"}, fail(BadAuth, "alice", "Password verification failed")),
			"badlogin: localhost [127.0.0.1] PLAIN authentication failure"},
		{LogBadLogin(FormLMTP, LoginEvent{Host: host, Mech: "PLAIN"}, fail(BadAuth, "alice", "only admins may authenticate")),
			"badlogin: localhost [127.0.0.1] PLAIN (alice) [SASL(-13): authentication failure: only admins may authenticate]"},
		{LogBadLogin(FormIMAP, LoginEvent{Host: host, User: "a\r\nlogin: forged", Mech: Plaintext}, fail(BadAuth, "a\r\nx", "checkpass failed")),
			"badlogin: localhost [127.0.0.1] plaintext (a??x) [SASL(-13): authentication failure: checkpass failed]"},
		{fail(BadAuth, "alice", "Password verification failed").Library(), "SASL Password verification failed"},
		{fail(NoMech, "", "Couldn't find mech BOGUS").Library(), "SASL Couldn't find mech BOGUS"},
		{fail(NoUser, "nouser", "checkpass failed").Library(), ""},
	} {
		if tc.got != tc.want {
			t.Errorf("got  %s\nwant %s", tc.got, tc.want)
		}
	}
}
