package syncserver

import (
	"net"
	"regexp"
	"strings"
	"testing"
)

// exchange is one command of a hand-typed list and what a real server answered.
type exchange struct {
	command string
	answer  []string
	died    bool // the server did, of it
	login   bool // none: a new session
}

// rawList reads a list: C: sent, S: received. A line without either goes on with
// the answer before.
func rawList(text string) (list []exchange) {
	last := func() *exchange { return &list[len(list)-1] }
	for line := range strings.SplitSeq(strings.TrimRight(strings.ReplaceAll(text, "\r", ""), "\n"), "\n") {
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "C: "):
			c := line[len("C: "):]
			if esc, ok := strings.CutPrefix(c, "!"); ok {
				c = strings.ReplaceAll(esc, `\r\n`, "\r\n")
			}
			list = append(list, exchange{command: c})
		case line == "S: OK Success (no protection)":
			list = append(list, exchange{login: true})
		case strings.HasPrefix(line, "S: "):
			last().answer = append(last().answer, strings.TrimPrefix(line, "S: "))
		case line == "<EOF: server died>":
			last().died = true
		default:
			a := last().answer
			a[len(a)-1] += "\n" + line
		}
	}
	return list
}

// vary is what two servers have different of the same script.
var vary = regexp.MustCompile(`LAST_UPDATE [1-9][0-9]* GUID [0-9a-f]{40}`)

// cut are lines that the lists do not have in full.
const cut = 650

// sameAnswer compares an answer with a list's.
func sameAnswer(got, want []string) bool {
	g, w := strings.Join(got, "\n"), strings.Join(want, "\n")
	g, w = strings.ReplaceAll(g, "\r\n", "\n"), strings.ReplaceAll(w, "\nS: \n", "\n")
	if vary.ReplaceAllString(g, "") == vary.ReplaceAllString(w, "") {
		return true
	}
	if len(got) != len(want) {
		return false
	}
	for i := range got {
		if got[i] != want[i] && (len(want[i]) < cut || !strings.HasPrefix(got[i], want[i])) {
			return false
		}
	}
	return true
}

// TestRawApplyMailbox has APPLY MAILBOX in its corner cases. What differs from the
// real server's answers: where that dies, and with it all sessions of its process,
// the answer is a refusal; and a message whose octets are not those of its GUID is
// refused when it is sent, not when it is used.
func TestRawApplyMailbox(t *testing.T) {
	const refused = "NO Unknown error"
	answers := map[string]string{
		"APPLY MESSAGE (%{default ba044f63d634f8d81db20d955109d0a09c161f35 23}\r\nSubject: p4\r\n\r\nbody 4\r\n)": refused,
	}
	srv := testServer(t, "")
	dial := dialer(t, srv, "tcp")
	p := signIn(t, dial)
	prepareAlice(t, srv, p)
	for _, x := range rawList(fixture(t, "raw-apply-mailbox-361.txt")) {
		p = x.check(t, dial, p, func(x exchange) []string {
			if own, ok := answers[x.command]; ok {
				return []string{own}
			}
			if x.died {
				return []string{refused}
			}
			return x.answer
		})
	}
}

// check sends the command of x on p, or on a new session, which is returned, and
// compares the answer with what want says.
func (x exchange) check(t *testing.T, dial func() net.Conn, p *peer, want func(exchange) []string) *peer {
	t.Helper()
	if x.login {
		p.Close()
		return signIn(t, dial)
	}
	if got, want := p.do(x.command), want(x); !sameAnswer(got, want) {
		t.Errorf("%.200s\n got %q\nwant %q", x.command, got, want)
	}
	if x.command == "EXIT" {
		return signIn(t, dial)
	}
	return p
}

const messageOne = "From: a@example.org\r\nTo: b@example.org\r\nSubject: one\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n" +
	"Message-ID: <1@example.org>\r\n\r\nbody one\r\n"

// prepareAlice makes what the lists take for granted.
func prepareAlice(t *testing.T, srv *Server, p *peer) {
	t.Helper()
	p.want(upload("default", messageOne), "OK success")
	p.want("APPLY QUOTA %(ROOT user.alice LIMIT 1000 STORAGE 1000 MODSEQ 1)", "OK success")
	p.want(`APPLY MAILBOX %(UNIQUEID d2lo9zdz8tayfgjeez50kngd MBOXNAME user.alice SYNC_CRC 0 LAST_UID 1 HIGHESTMODSEQ 15 `+
		`RECENTUID 0 RECENTTIME 0 LAST_APPENDDATE 0 POP3_LAST_LOGIN 0 UIDVALIDITY 1 PARTITION default ACL "alice	lrswipkxtecdan	" OPTIONS P `+
		`RECORD (%(UID 1 MODSEQ 2 LAST_UPDATED 1795322174 FLAGS () INTERNALDATE 1704103200 SIZE 133 GUID 33bd3d8726d2cc27a5007a2859a856e792a7c010)))`, "OK success")
	p.want("APPLY SUB %(USERID alice MBOXNAME user.alice)", "OK success")
	p.want("APPLY SUB %(USERID alice MBOXNAME user.alice.Chain2)", "OK success")
}

// TestRawCommands has good and bad commands of all kinds, as three versions of the
// real server answer them.
func TestRawCommands(t *testing.T) {
	// What kills a real server, or what we answer otherwise.
	answers := map[string]string{
		"GET QUOTA %(ROOT user.alice)":              "NO IMAP_PROTOCOL_BAD_PARAMETERS",
		"GET FULLMAILBOX (user.alice.x)":            "NO IMAP_MAILBOX_NONEXISTENT No Such Mailbox",
		"RESTORE MAILBOX %(MBOXNAME user.nosuch.x)": "NO Unknown error",
		// Scripts are compiled where they run.
		`APPLY SIEVE %(USERID alice FILENAME bad.script LAST_UPDATE 1 CONTENT "this is not sieve")`: "OK success",
		// The test's server has no certificate.
		"STARTTLS": "BAD IMAP_PROTOCOL_ERROR Unrecognized command",
		// There is no archive to stage to.
		"APPLY CAPABILITIES (FOO sieve-mailbox REPLICATION-ARCHIVE)": "* ENABLED (sieve-mailbox)\nOK success",
	}
	srv := testServer(t, "")
	dial := dialer(t, srv, "tcp")
	p := signIn(t, dial)
	prepareAlice(t, srv, p)
	if err := srv.engine.scripts.Put(t.Context(), "alice", "main", []byte("keep;\n")); err != nil {
		t.Fatal(err)
	}
	if err := srv.engine.scripts.Activate(t.Context(), "alice", "main"); err != nil {
		t.Fatal(err)
	}
	for _, x := range rawList(fixture(t, "raw-commands-361.txt")) {
		p = x.check(t, dial, p, func(x exchange) []string {
			if own, ok := answers[x.command]; ok {
				return strings.Split(own, "\n")
			}
			if x.died {
				t.Errorf("%s: no answer of ours to what kills the real server", x.command)
			}
			return x.answer
		})
	}
}
