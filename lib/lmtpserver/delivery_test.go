package lmtpserver

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"gocyrus/lib/annotate"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/transcript"
)

// client is a session that a test drives by hand.
type client struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

func newClient(t testing.TB, dial func() net.Conn) *client {
	c := &client{t: t, Conn: dial()}
	c.r = bufio.NewReader(c)
	t.Cleanup(func() { c.Close() })
	c.expect("220")
	return c
}

// expect reads a reply and returns its last line.
func (c *client) expect(code string) string {
	c.t.Helper()
	c.SetReadDeadline(time.Now().Add(transcript.Timeout))
	for {
		line, err := c.r.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, code) {
			c.t.Fatalf("%q, %v; want %s", line, err, code)
		}
		if len(line) > 3 && line[3] != '-' {
			return line
		}
	}
}

func (c *client) ok(command string) {
	c.t.Helper()
	fmt.Fprintf(c, "%s\r\n", command)
	c.expect("2")
}

// send delivers text, whose lines end as they are, and returns the replies.
func (c *client) send(text string, to ...string) (replies []string) {
	c.t.Helper()
	c.ok("MAIL FROM:<sender@example.org>")
	for _, rcpt := range to {
		c.ok("RCPT TO:<" + rcpt + ">")
	}
	fmt.Fprint(c, "DATA\r\n")
	c.expect("354")
	fmt.Fprint(c, text+".\r\n")
	for range to {
		replies = append(replies, c.expect(""))
	}
	return replies
}

// content is the text of a mailbox's message.
func content(t testing.TB, srv *Server, n mboxname.Name, uid uint32) string {
	t.Helper()
	e, err := srv.site.List.Lookup(n)
	if err != nil {
		t.Fatal(err)
	}
	m, err := srv.site.Mailboxes.Open(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	msg, err := m.OpenFile(uid, false)
	if err != nil {
		t.Fatal(err)
	}
	defer msg.Close()
	return string(msg.Bytes())
}

func TestHeader(t *testing.T) {
	srv := testServer(t, "")
	c := newClient(t, dialer(t, srv, "unix"))
	c.ok("LHLO mx.example.org")
	c.ok("MAIL FROM:<bob> AUTH=bob")
	c.ok("RCPT TO:<alice>")
	fmt.Fprint(c, "DATA\r\n")
	c.expect("354")
	fmt.Fprint(c, "Return-Path: <forged@example.org>\nSubject: \xe4\r\n\r\n..\r\nbare\nline\r\n.\r\n")
	c.expect("250")
	const date = `\w{3}, [ \d]\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}`
	want := `^Return-Path: <bob@mail\.example\.com>
Received: from mx\.example\.org \(.*\)
	 \(authenticated user=bob bits=0\)
	 by mail\.example\.com \(Cyrus VERSION\) with LMTPA;
	 ` + date + `
X-Cyrus-Session-Id: localhost-\d+-\d+-\d+-\d+
X-Sieve: CMU Sieve 3\.0
Subject: X
Message-ID: <cmu-lmtpd-\d+-\d+-0@mail\.example\.com>
Date: ` + date + `

\.
bare
line
$`
	got := content(t, srv, "user.alice", 1)
	if !regexp.MustCompile(strings.ReplaceAll(want, "\n", "\r\n")).MatchString(got) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Where mail goes that is not for an INBOX.
func TestFolders(t *testing.T) {
	for _, tc := range []struct {
		name, rcpt, more string
		want             mboxname.Name
	}{
		{"a folder", "alice+Work", "", "user.alice.Work"},
		{"a path", "alice+Work/2024", "", "user.alice.Work.2024"},
		{"other case", "alice+work", "", "user.alice"},
		{"other case, fuzzy", "alice+work", "lmtp_fuzzy_mailbox_match: yes\n", "user.alice.Work"},
		{"a part of the path, fuzzy", "alice+WORK/2024/06", "lmtp_fuzzy_mailbox_match: yes\n", "user.alice.Work.2024"},
		{"no right to post", "alice+Private", "", "user.alice"},
		{"no such folder", "alice+None", "", "user.alice"},
		{"INBOX", "alice+INBOX", "", "user.alice"},
		{"wrong separator", "alice+Work.2024", "", "user.alice"},
		{"shared", "+shared/pub", "", "shared.pub"},
		{"shared by postuser", "bb+shared/pub", "postuser: bb\n", "shared.pub"},
		{"capitals", "ALICE+Work", "", "user.alice.Work"},
		{"a dot", "dave.smith@example.org", "", "user.dave^smith"},
		{"catch-all", "nobody", "lmtp_catchall_mailbox: alice\n", "user.alice"},
		{"source route", "@a,@b:alice@c", "", "user.alice"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := testServer(t, tc.more)
			newClient(t, dialer(t, srv, "unix")).send("Subject: x\r\n\r\n", tc.rcpt)
			if count(t, srv, tc.want) != 1 {
				t.Errorf("%s: not in %s", tc.rcpt, tc.want)
			}
		})
	}
}

// TestCatchAllMoving: mail of a user who is on the way to another server, or lives there, is
// not given to lmtp_catchall_mailbox.
func TestCatchAllMoving(t *testing.T) {
	for _, typ := range []string{"em", "emr", "er"} {
		srv := testServer(t, "lmtp_catchall_mailbox: alice\n")
		err := srv.site.List.Update(func(tx *mboxlist.Tx) error {
			e, err := tx.Lookup("user.bob")
			if err != nil {
				return err
			}
			e.Type, e.Server = typ, "be2.example.org"
			return tx.Put(e)
		})
		if err != nil {
			t.Fatal(err)
		}
		c := newClient(t, dialer(t, srv, "unix"))
		c.ok("LHLO test")
		c.ok("MAIL FROM:<a@example.org>")
		fmt.Fprint(c, "RCPT TO:<bob>\r\n")
		if got := c.expect(""); !strings.HasPrefix(got, "451 4.") {
			t.Errorf("%s: %s", typ, got)
		}
	}
}

// A snoozed folder takes no mail (lmtp_exclude_specialuse).
func TestExcludedUse(t *testing.T) {
	srv := testServer(t, "specialuse_extra: \\Snoozed\n")
	use := []mboxops.Annotation{{Entry: annotate.SpecialUse, Data: []byte(`\Snoozed`)}}
	if err := srv.site.Ops.Annotate(t.Context(), "alice", "user.alice.Work", false, use); err != nil {
		t.Fatal(err)
	}
	newClient(t, dialer(t, srv, "unix")).send("Subject: x\r\n\r\n", "alice+Work")
	if count(t, srv, "user.alice.Work") != 0 || count(t, srv, "user.alice") != 1 {
		t.Error("delivered to a snoozed folder")
	}
}

// A message is the same file for all recipients of a partition.
func TestManyRecipients(t *testing.T) {
	srv := testServer(t, "")
	c := newClient(t, dialer(t, srv, "unix"))
	big := "Subject: big\r\n\r\n" + strings.Repeat(strings.Repeat("y", 76)+"\r\n", 40000)
	for _, r := range c.send(big, "alice", "dave.smith", "+shared/pub", "alice+Work") {
		if !strings.HasPrefix(r, "250 2.1.5 Success") {
			t.Error(r)
		}
	}
	first := content(t, srv, "user.alice", 1)
	if !strings.HasSuffix(first, big[strings.Index(big, "yyy"):]) {
		t.Error("the message is not whole")
	}
	for _, n := range []mboxname.Name{"user.dave^smith", "shared.pub", "user.alice.Work"} {
		if content(t, srv, n, 1) != first {
			t.Errorf("%s has another message", n)
		}
	}
}

func TestDuplicates(t *testing.T) {
	srv := testServer(t, "")
	dial := dialer(t, srv, "unix")
	const one = "Message-ID: <1@x>\r\nDate: Tue, 4 Mar 2025 10:01:00 +0100\r\n\r\na\r\n"
	c := newClient(t, dial)
	// One recipient twice is one message; a folder that takes no mail is the
	// INBOX; another folder is another mailbox.
	c.send(one, "alice", "alice", "alice+Private", "alice+Work")
	c.send(one, "alice", "dave.smith")
	newClient(t, dial).send(one, "alice")
	// Another date, another message.
	c.send(strings.Replace(one, "4 Mar", "5 Mar", 1), "alice")
	for n, want := range map[mboxname.Name]int{"user.alice": 2, "user.alice.Work": 1, "user.dave^smith": 1} {
		if got := count(t, srv, n); got != want {
			t.Errorf("%s has %d messages, want %d", n, got, want)
		}
	}
}

// A mailbox may want its duplicates (annotation duplicatedeliver), and a site
// may (duplicatesuppression).
func TestWantedDuplicates(t *testing.T) {
	const one = "Message-ID: <1@x>\r\nDate: Tue, 4 Mar 2025 10:01:00 +0100\r\n\r\na\r\n"
	t.Run("mailbox", func(t *testing.T) {
		srv := testServer(t, "")
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
			tx.Header().Options |= indexfile.OptDupDeliver
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		c := newClient(t, dialer(t, srv, "unix"))
		c.send(one, "alice")
		c.send(one, "alice")
		if got := count(t, srv, "user.alice"); got != 2 {
			t.Errorf("%d messages, want 2", got)
		}
	})
	t.Run("site", func(t *testing.T) {
		srv := testServer(t, "duplicatesuppression: no\n")
		newClient(t, dialer(t, srv, "unix")).send(one, "alice", "alice")
		if got := count(t, srv, "user.alice"); got != 2 {
			t.Errorf("%d messages, want 2", got)
		}
	})
}

// Of one message that comes on many connections at once, each mailbox gets one.
func TestDuplicatesAtOnce(t *testing.T) {
	srv := testServer(t, "")
	dial := dialer(t, srv, "unix")
	rcpts := [][]string{{"alice", "dave.smith"}, {"dave.smith", "alice"}}
	var wg sync.WaitGroup
	for i := range 8 {
		c := newClient(t, dial)
		wg.Go(func() {
			for _, r := range c.send("Message-ID: <1@x>\r\nDate: Tue, 4 Mar 2025 10:01:00 +0100\r\n\r\n", rcpts[i%2]...) {
				if !strings.HasPrefix(r, "250") {
					t.Error(r)
				}
			}
		})
	}
	wg.Wait()
	for _, n := range []mboxname.Name{"user.alice", "user.dave^smith"} {
		if got := count(t, srv, n); got != 1 {
			t.Errorf("%s has %d messages, want 1", n, got)
		}
	}
}

// A message whose end does not come is nobody's.
func TestLost(t *testing.T) {
	srv := testServer(t, "")
	c := newClient(t, dialer(t, srv, "unix"))
	c.ok("MAIL FROM:<>")
	c.ok("RCPT TO:<alice>")
	fmt.Fprint(c, "DATA\r\n")
	c.expect("354")
	fmt.Fprint(c, "Subject: x\r\n\r\nhalf")
	c.Conn.(*net.UnixConn).CloseWrite()
	if rest, err := io.ReadAll(c.r); len(rest) > 0 || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
	if got := count(t, srv, "user.alice"); got != 0 {
		t.Errorf("%d messages", got)
	}
}

// SIGTERM ends a session without a word.
func TestTerminate(t *testing.T) {
	srv := testServer(t, "")
	ctx, cancel := context.WithCancel(context.Background())
	here, there := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer there.Close()
		srv.Serve(ctx, there)
	}()
	c := newClient(t, func() net.Conn { return here })
	cancel()
	if rest, err := io.ReadAll(c.r); len(rest) > 0 || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
	<-done
}

// FuzzSession checks that whatever line a client sends, in each state of a
// transaction, gets one reply or, as text of a message, none, and that the
// session can still be ended.
func FuzzSession(f *testing.F) {
	for _, s := range []string{"LHLO x", "MAIL FROM:<a@b> SIZE=1 BODY=8BITMIME AUTH=+41", "RCPT TO:<alice+Work> IGNOREQUOTA", "RCPT TO:<\"a\\\"b\"@[1.2.3]>",
		"DATA", "AUTH EXTERNAL =", "RSET", "VRFY x", "", " ", ".", "..", "\x00", "STARTTLS", "From: x", ": x", "RCPT TO:<@a:>", "RCPT TO:<+/>"} {
		f.Add(s)
	}
	srv := testServer(f, "autocreate_post: yes\nautocreate_quota: 0\nlmtp_fuzzy_mailbox_match: yes\n")
	dial := dialer(f, srv, "unix")
	f.Fuzz(func(t *testing.T, line string) {
		if strings.ContainsAny(line, "\n") || strings.EqualFold(strings.TrimRight(line, "\r"), "quit") {
			return
		}
		for _, before := range []string{"", "MAIL FROM:<>\r\n", "MAIL FROM:<>\r\nRCPT TO:<alice>\r\n", "MAIL FROM:<>\r\nRCPT TO:<alice>\r\nDATA\r\n"} {
			c := dial()
			c.SetDeadline(time.Now().Add(transcript.Timeout))
			go fmt.Fprintf(c, "%s%s\r\n.\r\n.\r\nQUIT\r\n", before, line)
			b, err := io.ReadAll(c)
			if !strings.HasSuffix(string(b), "221 2.0.0 bye\r\n") {
				t.Errorf("%q after %q: %q, %v", line, before, b, err)
			}
			c.Close()
		}
	})
}
