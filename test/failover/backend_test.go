package failover

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/cyrustest"
	"gocyrus/test/internal/murder"
	"gocyrus/test/internal/rig"
)

// literal is text as an argument.
func literal(text string) string { return fmt.Sprintf("{%d+}\r\n%s", len(text), text) }

// said says whether one of the untagged replies contains a text.
func said(r *rig.Reply, text string) bool {
	return slices.ContainsFunc(r.Untagged, func(u rig.Untagged) bool { return strings.Contains(u.Text, text) })
}

// backendKilled kills a backend under sessions that have it selected, that read a
// large body, that idle, that append, and beside one that has it not selected.
func backendKilled(t *testing.T, p *topology) {
	m := p.scene(t)
	fe, dead := m.doors[0], m.homes[0]
	large := "Subject: large\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 200_000)
	fe.Session("alice").Must("APPEND INBOX "+literal(string(cyrustest.Message("first"))), "APPEND INBOX.Keep "+literal(large))
	fe.Session("bob").Must("APPEND INBOX " + literal(string(cyrustest.Message("bob's"))))

	selected, idling, reading, appending := fe.Session("alice"), fe.Session("alice"), fe.Session("alice"), fe.Session("alice")
	stale := fe.Session("alice")
	selected.Must("SELECT INBOX")
	stale.Must("SELECT INBOX.Keep")
	idling.Must("SELECT INBOX")
	idle, err := idling.Start("IDLE")
	if err != nil {
		t.Fatal(err)
	}
	if line, err := idling.Line(); !strings.HasPrefix(line, "+") {
		t.Fatalf("IDLE: %q, %v", line, err)
	}
	reading.Must("SELECT INBOX.Keep")
	if _, err := reading.Start("FETCH 1 (BODY.PEEK[])"); err != nil {
		t.Fatal(err)
	}
	head, err := reading.Line()
	if err != nil || !strings.Contains(head, fmt.Sprintf("{%d}", len(large))) {
		t.Fatalf("FETCH: %q, %v", head, err)
	}
	half := string(cyrustest.Message("half")) + strings.Repeat("more\r\n", 50_000)
	if err := appending.Send(fmt.Sprintf("a APPEND INBOX.Keep {%d+}\r\n%s", len(half), half[:len(half)/2])); err != nil {
		t.Fatal(err)
	}
	bob := fe.Session("bob")
	bob.Must("SELECT INBOX", "STATUS shared1 (MESSAGES)")
	untouched := fe.Session("alice")

	dead.Kill()

	if line, err := idling.Line(); line != idle+" NO "+lostBackend+" to complete operation" {
		t.Errorf("IDLE ends with %q, %v", line, err)
	}
	octets := 0
	for buf := make([]byte, 1<<16); err == nil; {
		var n int
		reading.SetReadDeadline(time.Now().Add(rig.Patience))
		n, err = reading.R.Read(buf)
		octets += n
	}
	if e, ok := err.(interface{ Timeout() bool }); ok && e.Timeout() || octets >= len(large) {
		t.Errorf("FETCH: %d octets, %v", octets, err)
	}
	appending.Send(half[len(half)/2:] + "\r\n") // the session may be over
	if r, err := appending.Await("a"); err == nil && r.OK() {
		t.Errorf("APPEND to a dead backend: %v", r)
	}

	const away = "NO " + lostBackend
	for _, c := range []*murder.Session{selected, idling, stale} {
		c.Want(away, "NOOP", "FETCH 1 (FLAGS)")
	}
	elsewhere(t, bob)
	for _, c := range []*murder.Session{untouched, fe.Session("alice"), m.doors[1].Session("alice")} {
		c.Want(away, "SELECT INBOX", "STATUS INBOX (MESSAGES)", "APPEND INBOX "+literal(string(cyrustest.Message("no"))), "CREATE INBOX.No", "DELETE INBOX.Keep", "RENAME INBOX.Keep INBOX.No")
		c.Must("SELECT shared2", "NOOP", `LIST "" *`)
		if r := c.Ask(`LIST "" *`); !said(r, "INBOX.Keep") {
			t.Errorf("LIST: %v", r.Untagged)
		}
	}
	for _, fe := range m.doors {
		for i, want := range []string{"451", "250"} {
			if got := fe.Deliver(cyrustest.Message("while dead, by "+fe.Name), "alice", "bob")[i]; !strings.HasPrefix(got, want) {
				t.Errorf("%s: LMTP: %s, want %s", fe.Name, got, want)
			}
		}
		pop3(t, fe, "alice", "-ERR")
		pop3(t, fe, "bob", "+OK")
	}

	dead.Resume()
	// The messages are those that these know: they go on.
	for _, c := range []*murder.Session{selected, idling} {
		c.Must("NOOP", "FETCH 1 (FLAGS)")
	}
	// For one whose are not there is no way but the end.
	untouched.Must("APPEND INBOX.Keep " + literal(string(cyrustest.Message("later"))))
	if r, err := stale.Do("FETCH 1 (FLAGS)"); err == nil {
		t.Errorf("FETCH 1 of a mailbox that has changed meanwhile: %v", r)
	}
	bob.Must("STATUS shared1 (MESSAGES)", "NOOP", "COPY 1 shared1", "SELECT shared1")
	untouched.Must("SELECT INBOX", "CREATE INBOX.Yes", "DELETE INBOX.Yes")
	for _, fe := range m.doors {
		for i, got := range fe.Deliver(cyrustest.Message("alive, by "+fe.Name), "alice", "bob") {
			if !strings.HasPrefix(got, "250") {
				t.Errorf("%s: LMTP: recipient %d: %s", fe.Name, i, got)
			}
		}
		pop3(t, fe, "alice", "+OK")
	}
	has(t, fe, "alice", "INBOX", "first", "alive, by "+m.doors[0].Name, "alive, by "+m.doors[1].Name)
	has(t, fe, "alice", "INBOX.Keep", "large", "half?", "later")
	agreed(t, m.Murder)
}

// elsewhere is what works for bob, who has a mailbox of the living backend selected.
func elsewhere(t *testing.T, bob *murder.Session) {
	t.Helper()
	const away = "NO " + lostBackend
	bob.Must("NOOP", "FETCH 1 (BODY.PEEK[])", "STATUS shared2 (MESSAGES)", "UID SEARCH ALL", "STORE 1 +FLAGS (\\Seen)", "COPY 1 shared2")
	bob.Want(away, "STATUS shared1 (MESSAGES)", "COPY 1 shared1", "MOVE 1 shared1", "APPEND shared1 "+literal(string(cyrustest.Message("no"))))
	bob.Must("FETCH 1 (FLAGS)", "NOOP")
	if r := bob.Ask(`LIST "" * RETURN (STATUS (MESSAGES))`); !r.OK() || !said(r, `"." shared1`) || !said(r, `STATUS shared2 (`) || said(r, "STATUS shared1") {
		t.Errorf("LIST: %v", r)
	}
}

// pop3 wants an answer to PASS.
func pop3(t *testing.T, fe *murder.Seat, user, want string) {
	t.Helper()
	c, err := rig.Dial(fe.Server.POP3)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i, cmd := range []string{"", "USER " + user + "\r\n", "PASS secret\r\n"} {
		if err := c.Send(cmd); err != nil {
			t.Fatal(err)
		}
		line, err := c.Line()
		if expect := []string{"+OK", "+OK", want}[i]; err != nil || !strings.HasPrefix(line, expect) {
			t.Errorf("%s: POP3: %q: %q, %v; want %s", fe.Name, cmd, line, err, expect)
		}
	}
}

// has wants the messages of a mailbox, by their subjects, and no others; "?" at the
// end of one is that it may be there.
func has(t *testing.T, fe *murder.Seat, user, mailbox string, want ...string) {
	t.Helper()
	c := fe.Session(user)
	defer c.Close()
	c.Must("EXAMINE " + mailbox)
	times := map[string]int{}
	for _, u := range c.Ask("UID FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])").Untagged {
		for _, lit := range u.Literals {
			times[strings.TrimSpace(strings.TrimPrefix(string(lit), "Subject: "))]++
		}
	}
	for _, w := range want {
		name, perhaps := strings.CutSuffix(w, "?")
		if n := times[name]; n != 1 && !(perhaps && n == 0) {
			t.Errorf("%s: %s of %s has %q %d times", fe.Name, mailbox, user, name, n)
		}
		delete(times, name)
	}
	for name, n := range times {
		t.Errorf("%s: %s of %s has %q, %d times", fe.Name, mailbox, user, name, n)
	}
}

// backendKilledAt kills a backend at each word that it says to the master, in the
// middle of what it does for a client. Afterwards it was done or not, and nothing is
// left of it at the master.
func backendKilledAt(t *testing.T, p *topology) {
	m := p.scene(t, "home1")
	be, fe, link := m.homes[0], m.doors[0], m.links["home1"]
	for n, w := range words(moments...) {
		w = w.number(n)
		alice := w.prepare(fe, "alice")
		at := link.holdAt(" "+w.word+" ", w.how == "answered")
		tag, err := alice.Start(w.do)
		if err != nil {
			t.Fatal(err)
		}
		at(t, w.String())
		be.Kill()
		if w.how == "lost" {
			link.cut()
		}
		link.hold(false)
		if r, err := alice.Await(tag); err == nil && r.OK() {
			t.Errorf("%v, and acknowledged", w)
		}
		be.Resume()
		agreed(t, m.Murder)
		w.after(t, fe, "alice")
	}
}
