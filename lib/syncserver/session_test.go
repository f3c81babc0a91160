package syncserver

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/mboxname"
	"gocyrus/lib/message"
)

// greeting is all that a session says before it is spoken to.
func greeting(t *testing.T, c net.Conn) string {
	t.Helper()
	r := bufio.NewReader(c)
	var b strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(line)
		if strings.HasPrefix(line, "* OK ") {
			return b.String()
		}
	}
}

func TestGreeting(t *testing.T) {
	srv := testServer(t, "")
	const ok = "* OK mail.example.com Cyrus sync server VERSION\r\n"
	const caps = "* SASL PLAIN LOGIN\r\n* COMPRESS DEFLATE\r\n* SIEVE-MAILBOX\r\n* X-GOCYRUS-SYNC\r\n"
	if got := greeting(t, dialer(t, srv, "tcp")()); got != caps+ok {
		t.Errorf("tcp: %q", got)
	}
	// Who comes by the socket is known already.
	dial := dialer(t, srv, "unix")
	if got := greeting(t, dial()); got != ok {
		t.Errorf("unix: %q", got)
	}
	connect(t, dial).want("GET USER nobody", "OK success")
}

func TestBeforeLogin(t *testing.T) {
	srv := testServer(t, "")
	dial := dialer(t, srv, "tcp")
	for _, tc := range []struct{ command, answer string }{
		{"GET USER alice", "NO Please authenticate first"},
		{"APPLY MESSAGE (%{default 4b8bcbb1d0fc0e1a5a3b4cb2fd6d4e1ae7bd8e2d 6}\r\nEXIT\r\n)", "NO Please authenticate first"},
		{"RESTORE x", "NO Please authenticate first"},
		{"NOOP", "OK Noop completed"},
		{"noop x", "BAD Unexpected extra arguments to Noop"},
		{"RESTART", "OK Restarting"},
		{"COMPRESS", "BAD Missing required argument to Compress"},
		{"COMPRESS GZIP", "NO Unknown compression algorithm: GZIP"},
		{"AUTHENTICATE", "BAD Missing required argument to Authenticate"},
		{"AUTHENTICATE NOSUCH", "NO no mechanism available"},
		{"AUTHENTICATE (", "BAD Invalid mechanism"},
		{"", "BAD Null command"},
		{"XYZZY", "BAD IMAP_PROTOCOL_ERROR Unrecognized command"},
		// What an IMAP client tries first, and how it leaves.
		{"C01 CAPABILITY", "C01 BAD Unrecognized command"},
		{"Q01 LOGOUT", "Q01 OK Finished"},
	} {
		connect(t, dial).want(tc.command, tc.answer)
	}
	p := connect(t, dial)
	p.send("AUTHENTICATE PLAIN\r\n")
	if got := p.line(); got != "+ " {
		t.Errorf("challenge %q", got)
	}
	p.want("*", "BAD Client canceled authentication")
	p.want("AUTHENTICATE PLAIN "+plainResponse("alice"), "OK Success (no protection)")
	// A user who is no administrator may stay, and do nothing.
	for _, c := range []string{"GET USER alice", "NOOP", "EXIT", "", "RESTART", "C01 CAPABILITY"} {
		p.want(c, "NO Permission denied")
	}
}

func TestCompress(t *testing.T) {
	srv := testServer(t, "")
	p := signIn(t, dialer(t, srv, "tcp"))
	p.want("COMPRESS deflate", "OK deflate active")
	var out bytes.Buffer
	z, _ := flate.NewWriter(&out, 6)
	say := func(text string) {
		io.WriteString(z, text)
		z.Flush()
		p.send(out.String())
		out.Reset()
	}
	p.r = bufio.NewReader(flate.NewReader(p.r))
	for _, tc := range []struct{ command, answer string }{
		{"NOOP", "OK Noop completed"},
		{"COMPRESS DEFLATE", "NO Compression already active: DEFLATE"},
		{upload("default", messageOne), "OK success"},
		{"EXIT", "OK Finished"},
	} {
		say(tc.command + "\r\n")
		if got := p.line(); got != tc.answer {
			t.Errorf("%s: %q", tc.command, got)
		}
	}
}

// TestPipelined sends much at once: the answers come in order, and a command has
// what the ones before it have done.
func TestPipelined(t *testing.T) {
	srv := testServer(t, "")
	p := signIn(t, dialer(t, srv, "tcp"))
	var models []*model
	var commands strings.Builder
	for i := range 40 {
		n := mboxname.Inbox(fmt.Sprintf("user%d", i%10))
		if i >= 10 {
			n = n.Child(fmt.Sprintf("f%d", i))
		}
		m := newModel(n, fmt.Sprintf("pipelined%d", i))
		for k := range i % 5 {
			m.append(fmt.Sprintf("Subject: %d/%d\r\n\r\n", i, k))
		}
		models = append(models, m)
		commands.WriteString(m.messages(0) + "\r\n" + m.apply(0) + "\r\n")
		commands.WriteString("GET SIEVE\r\n") // no command
		commands.WriteString("GET FULLMAILBOX " + string(m.Name) + "\r\n")
	}
	commands.WriteString("RESTART\r\nGET FETCH x\r\nNOOP\r\nEXIT\r\n")
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(p.Conn, commands.String())
		sent <- err
	}()
	for i, m := range models {
		for _, want := range []string{"OK success", "OK success", "BAD IMAP_PROTOCOL_ERROR Failed to parse GET line", m.full(), "OK success"} {
			if got := p.line(); got != want {
				t.Fatalf("%d: got %q\nwant %q", i, got, want)
			}
		}
	}
	for _, want := range []string{"OK Restarting", "NO IMAP_PROTOCOL_BAD_PARAMETERS", "OK Noop completed", "OK Finished"} {
		if got := p.line(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

// TestSlowReader has a client that reads no answers for a while: what is under way
// stays within its bound, and all is answered in the end.
func TestSlowReader(t *testing.T) {
	srv := testServer(t, "")
	p := signIn(t, dialer(t, srv, "tcp"))
	m := newModel("user.alice", "slowreader")
	for k := range 300 {
		m.append(fmt.Sprintf("Subject: %d\r\n\r\n", k))
	}
	p.want(m.messages(0), "OK success")
	p.want(m.apply(0), "OK success")
	const times = 400 // of an answer of 100,000 octets: more than sockets hold
	go io.WriteString(p.Conn, strings.Repeat("GET FULLMAILBOX user.alice\r\n", times))
	want := m.full()
	for i := range times {
		if got := p.answer(); len(got) != 2 || got[0] != want {
			t.Fatalf("answer %d: %.300q", i, got)
		}
	}
}

// TestCutOff loses clients in the middle of things: nothing of what they sent
// ahead stays.
func TestCutOff(t *testing.T) {
	srv := testServer(t, "")
	dial := dialer(t, srv, "tcp")
	for _, tail := range []string{
		"APPLY MESSAGE (%{default 33bd3d8726d2cc27a5007a2859a856e792a7c010 133}\r\nFrom: a@ex",
		"APPLY MESSAGE (%{default 33bd3d8726d2cc27a5007a2859a856e792a7c010 4000000000}\r\nFrom: a@ex",
		"APPLY MAILBOX %(UNIQUEID x ACL {100+}\r\nabc",
		"GET USER",
		"",
	} {
		p := signIn(t, dial)
		p.want(upload("default", messageOne), "OK success")
		p.send(tail)
		p.Close()
	}
	waitEmpty(t, srv)
}

// waitEmpty waits until no session has anything staged.
func waitEmpty(t *testing.T, srv *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		var left []string
		for _, root := range srv.engine.opts.Partitions {
			l, _ := filepath.Glob(filepath.Join(root, stageDir, "*", "[0-9]*"))
			left = append(left, l...)
		}
		if len(left) == 0 {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("left: %v", left)
		case <-time.After(time.Millisecond):
		}
	}
}

// TestShutdown ends a session with SIGTERM.
func TestShutdown(t *testing.T) {
	srv := testServer(t, "")
	ctx, cancel := context.WithCancel(context.Background())
	here, there := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer there.Close()
		srv.Serve(ctx, there)
	}()
	p := connect(t, func() net.Conn { return here })
	cancel()
	if rest, err := io.ReadAll(p.r); string(rest) != "BYE shutting down\r\n" || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
	<-done
}

// TestClean removes what processes left that are gone, and nothing else.
func TestClean(t *testing.T) {
	root := t.TempDir()
	alive := newAreas(map[string]string{"default": root}, message.DefaultOptions())
	mine, err := alive.dir("default")
	if err != nil {
		t.Fatal(err)
	}
	defer alive.close()
	const dead, locked = "999999998", "999999997" // above the largest pid
	for _, d := range []string{dead, locked, "notanumber", "999999996"} {
		if err := os.MkdirAll(filepath.Join(root, stageDir, d, "1"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, stageDir, dead, lockFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := newAreas(map[string]string{"default": root}, message.DefaultOptions()).clean(); err != nil {
		t.Fatal(err)
	}
	left, _ := filepath.Glob(filepath.Join(root, stageDir, "*"))
	if len(left) != 2 || left[0] != mine || filepath.Base(left[1]) != "notanumber" {
		t.Errorf("left: %v", left)
	}
}

// FuzzSession checks that whatever line a client sends, in each state of a
// session, the session can still be ended, and that the mailbox that was there is
// as it was unless the line was a sound command.
func FuzzSession(f *testing.F) {
	for _, s := range []string{"GET USER alice", "GET MAILBOXES (user.alice x)", "GET UNIQUEIDS (fuzz)", "GET FULLMAILBOX user.alice", "GET META alice",
		"GET QUOTA user.alice", "GET ANNOTATION \"\"", "GET FETCH %(MBOXNAME user.alice PARTITION default UNIQUEID fuzzed GUID 33bd3d8726d2cc27a5007a2859a856e792a7c010 UID 1)",
		"APPLY RESERVE %(PARTITION default MBOXNAME (user.alice) GUID (33bd3d8726d2cc27a5007a2859a856e792a7c010))",
		"APPLY MESSAGE (%{default 33bd3d8726d2cc27a5007a2859a856e792a7c010 1}\r\nx)", "APPLY EXPUNGE %(MBOXNAME user.alice UNIQUEID fuzzed UID (1 2))",
		"APPLY RENAME %(OLDMBOXNAME user.alice NEWMBOXNAME user.b PARTITION default)", "APPLY UNMAILBOX ../../x", "APPLY SUB %(USERID ../x MBOXNAME a)",
		"APPLY SEEN %(USERID a UNIQUEID b LASTREAD 1 LASTUID 1 LASTCHANGE 1 SEENUIDS 1:*)", "APPLY FORCE %()", "APPLY CAPABILITIES (SIEVE-MAILBOX)",
		"APPLY ANNOTATION %(MBOXNAME \"\" ENTRY /x USERID \"\" VALUE {1+}\r\nx)", "APPLY UNUSER \"\"", "APPLY QUOTA %(ROOT a LIMIT 1)", "RESTORE MAILBOX %(MBOXNAME a)",
		"COMPRESS DEFLATE", "AUTHENTICATE PLAIN", "STARTTLS", "", " ", "\x00", "(", "GET (", "APPLY FORCE", "APPLY MAILBOX %(UNIQUEID)"} {
		f.Add(s)
	}
	m := newModel("user.alice", "fuzzed")
	m.append(messageOne)
	f.Add(m.apply(0))
	srv := testServer(f, "")
	dial := dialer(f, srv, "tcp")
	login := "AUTHENTICATE PLAIN " + plainResponse("repl") + "\r\n"
	f.Fuzz(func(t *testing.T, line string) {
		for _, before := range []string{"", login, login + m.messages(0) + "\r\n" + m.apply(0) + "\r\n"} {
			c := dial()
			c.SetDeadline(time.Now().Add(time.Minute))
			go func() {
				fmt.Fprintf(c, "%s%s\r\n*\r\n)\r\nNOOP\r\nEXIT\r\n", before, line)
				c.(*net.TCPConn).CloseWrite()
			}()
			b, err := io.ReadAll(c)
			if err != nil || !bytes.HasPrefix(b, []byte("* SASL ")) {
				t.Errorf("%q after %q: %q, %v", line, before, b, err)
			}
			c.Close()
		}
		if _, err := srv.site.List.Lookup("user.alice"); err != nil && !strings.Contains(strings.ToUpper(line), "APPLY") {
			t.Errorf("after %q: %v", line, err)
		}
	})
}
