package popserver

import (
	"bufio"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/transcript"
)

// client is a session that a test drives by hand.
type client struct {
	t testing.TB
	net.Conn
	r        *bufio.Reader
	greeting string
}

func newClient(t testing.TB, dial func() net.Conn) *client {
	c := &client{t: t, Conn: dial()}
	c.r = bufio.NewReader(c)
	t.Cleanup(func() { c.Close() })
	c.greeting = c.line()
	return c
}

func (c *client) line() string {
	c.t.Helper()
	c.SetReadDeadline(time.Now().Add(transcript.Timeout))
	s, err := c.r.ReadString('\n')
	if err != nil {
		c.t.Fatalf("%q, %v", s, err)
	}
	return strings.TrimSuffix(s, "\r\n")
}

// ok sends a command that must succeed, and returns the first line.
func (c *client) ok(command string) string {
	c.t.Helper()
	fmt.Fprintf(c, "%s\r\n", command)
	s := c.line()
	if !strings.HasPrefix(s, "+OK") {
		c.t.Fatalf("%s: %s", command, s)
	}
	return s
}

// text reads a multi-line answer and undoes the dots.
func (c *client) text() string {
	var b strings.Builder
	for {
		s := c.line()
		if s == "." {
			return b.String()
		}
		b.WriteString(strings.TrimPrefix(s, ".") + "\r\n")
	}
}

func login(t testing.TB, dial func() net.Conn, user string) *client {
	c := newClient(t, dial)
	c.ok("USER " + user)
	c.ok("PASS secret")
	return c
}

func TestRetrieve(t *testing.T) {
	c := login(t, dialer(t, testServer(t, "allowplaintext: yes\n")), "alice")
	for i, want := range texts {
		c.ok(fmt.Sprintf("RETR %d", i+1))
		if got := c.text(); got != strings.TrimPrefix(want, "") {
			t.Errorf("message %d: %d octets, want %d", i+1, len(got), len(want))
		}
	}
}

func TestAPOP(t *testing.T) {
	dial := dialer(t, testServer(t, "sasl_pwcheck_method: auxprop\n"))
	c := newClient(t, dial)
	challenge := c.greeting[strings.LastIndex(c.greeting, "<"):]
	sum := md5.Sum([]byte(challenge + "secret"))
	c.ok("APOP alice " + hex.EncodeToString(sum[:]))
	c.ok("STAT")
	// The digest is good for its own challenge only.
	other := newClient(t, dial)
	fmt.Fprintf(other, "APOP alice %s\r\n", hex.EncodeToString(sum[:]))
	if got, want := other.line(), "-ERR [AUTH] authenticating: authentication failure"; got != want {
		t.Errorf("replayed: %s, want %s", got, want)
	}
}

// A connection that is lost deletes nothing, and is no login that popminpoll
// counts.
func TestLost(t *testing.T) {
	srv := testServer(t, "allowplaintext: yes\n")
	dial := dialer(t, srv)
	c := login(t, dial, "alice")
	c.ok("DELE 1")
	c.Close()
	login(t, dial, "alice").ok("LIST 1")
	view(t, srv, "user.alice", func(v *mailbox.View) {
		if n := v.Index().Len(); n != len(texts) || v.Header().POP3LastLogin != 0 {
			t.Errorf("%d messages, last login %d", n, v.Header().POP3LastLogin)
		}
	})
}

func TestQuit(t *testing.T) {
	srv := testServer(t, "allowplaintext: yes\npopuseimapflags: yes\n")
	before := uint32(time.Now().Unix())
	c := login(t, dialer(t, srv), "alice")
	c.ok("RETR 1")
	c.text()
	c.ok("DELE 2")
	c.ok("DELE 3")
	c.ok("QUIT")
	if _, err := c.r.ReadByte(); err != io.EOF {
		t.Errorf("after QUIT: %v", err)
	}
	view(t, srv, "user.alice", func(v *mailbox.View) {
		if got := v.Index().UIDs(); len(got) != 3 || got[0] != 1 || got[1] != 4 || got[2] != 5 {
			t.Errorf("UIDs %v, want 1 4 5", got)
		}
		if last := v.Header().POP3LastLogin; last < before {
			t.Errorf("last login %d, want %d or later", last, before)
		}
		recno, _ := v.Find(1)
		if v.Raw(recno).Flags()&indexfile.Seen == 0 {
			t.Error("message 1 is not seen")
		}
		recno, _ = v.Find(4)
		if v.Raw(recno).Flags()&indexfile.Seen != 0 {
			t.Error("message 4 is seen")
		}
	})
}

// TestQuitMoved: a client whose mailbox has gone to another server under its session hears
// that what it has deleted is still there; who deleted nothing has lost nothing.
func TestQuitMoved(t *testing.T) {
	for deletes, want := range map[bool]string{true: "-ERR [SYS/TEMP] some deleted messages not removed", false: "+OK"} {
		srv := testServer(t, "allowplaintext: yes\n")
		c := login(t, dialer(t, srv), "alice")
		if deletes {
			c.ok("DELE 2")
		}
		e, err := srv.site.List.Lookup("user.alice")
		if err != nil {
			t.Fatal(err)
		}
		if err := srv.site.Mailboxes.Freeze(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, "QUIT\r\n")
		if got := c.line(); got != want {
			t.Errorf("deletes %v: %s, want %s", deletes, got, want)
		}
	}
}

// pop3showafter hides what came before.
func TestShowAfter(t *testing.T) {
	srv := testServer(t, "allowplaintext: yes\n")
	e, err := srv.site.List.Lookup("user.alice")
	if err != nil {
		t.Fatal(err)
	}
	m, err := srv.site.Mailboxes.Open(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, tc := range []struct {
		after uint32
		opts  indexfile.Options
		want  string
	}{
		{1700000000, indexfile.OptPOP3NewUIDL, "+OK 0 0"},
		{1699999999, indexfile.OptPOP3NewUIDL, "+OK 5 375137"},
	} {
		err := m.Update(t.Context(), func(tx *mailbox.Tx) error {
			tx.Header().POP3ShowAfter, tx.Header().Options = tc.after, tc.opts
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := login(t, dialer(t, srv), "alice").ok("STAT"); got != tc.want {
			t.Errorf("show after %d: %s, want %s", tc.after, got, tc.want)
		}
	}
}

// Without pop3newuidl a UIDL is the UID alone.
func TestOldUIDL(t *testing.T) {
	srv := testServer(t, "allowplaintext: yes\n")
	e, err := srv.site.List.Lookup("user.alice")
	if err != nil {
		t.Fatal(err)
	}
	m, err := srv.site.Mailboxes.Open(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	err = m.Update(t.Context(), func(tx *mailbox.Tx) error {
		tx.Header().Options &^= indexfile.OptPOP3NewUIDL
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := login(t, dialer(t, srv), "alice").ok("UIDL 2"); got != "+OK 2 2" {
		t.Errorf("UIDL 2: %s", got)
	}
}

// Commands that were sent together are answered in order.
func TestPipelining(t *testing.T) {
	c := newClient(t, dialer(t, testServer(t, "allowplaintext: yes\n")))
	fmt.Fprint(c, "USER alice\r\nPASS x\r\nLIST 1\r\nLIST 2\r\nNOOP\r\nQUIT\r\n")
	for _, want := range []string{"+OK Name is a valid mailbox", "+OK Mailbox", "+OK 1 41", "+OK 2 18", "+OK", "+OK"} {
		if got := c.line(); !strings.HasPrefix(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// SIGTERM ends a session without a word, and nothing is deleted.
func TestTerminate(t *testing.T) {
	srv := testServer(t, "allowplaintext: yes\n")
	ctx, cancel := context.WithCancel(context.Background())
	here, there := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer there.Close()
		srv.Serve(ctx, there)
	}()
	c := newClient(t, func() net.Conn { return here })
	c.ok("USER alice")
	c.ok("PASS x")
	c.ok("DELE 1")
	cancel()
	if b, err := io.ReadAll(c.r); len(b) > 0 || err != nil {
		t.Errorf("after the end: %q, %v", b, err)
	}
	<-done
	view(t, srv, "user.alice", func(v *mailbox.View) {
		if n := v.Index().Len(); n != len(texts) {
			t.Errorf("%d messages", n)
		}
	})
}

// FuzzSession checks that whatever line a client sends, before login and after,
// gets an answer, and that the session can still be ended.
func FuzzSession(f *testing.F) {
	for _, s := range []string{"USER alice", "PASS x", "APOP a b", "AUTH PLAIN =", "AUTH", "CAPA", "LIST 1", "TOP 1 1", "UIDL",
		"RETR 4294967295", "DELE -1", "TOP 1", " ", "\x00", "STLS", "LIST \t1", "AUTH LOGIN"} {
		f.Add(s)
	}
	srv := testServer(f, "allowplaintext: yes\npopsubfolders: yes\n")
	dial := dialer(f, srv)
	f.Fuzz(func(t *testing.T, line string) {
		if strings.ContainsAny(line, "\n") || strings.EqualFold(strings.TrimSpace(line), "quit") {
			return
		}
		for _, before := range []string{"", "USER alice\r\n", "USER alice\r\nPASS x\r\n"} {
			c := dial()
			c.SetDeadline(time.Now().Add(transcript.Timeout))
			go fmt.Fprintf(c, "%s%s\r\n*\r\nQUIT\r\nQUIT\r\n", before, line)
			b, err := io.ReadAll(c)
			if !strings.Contains(string(b), "\r\n+OK\r\n") {
				t.Errorf("%q after %q: %q, %v", line, before, b, err)
			}
			c.Close()
		}
	})
}
