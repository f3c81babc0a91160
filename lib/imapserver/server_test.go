package imapserver

import (
	"bufio"
	"compress/flate"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/acl"
	"gocyrus/lib/servertest"
)

// TestCommandTable checks that each command can be found and run, and that all
// that is offered hangs on commands that exist.
func TestCommandTable(t *testing.T) {
	for name, c := range commands {
		if c.in == 0 || c.run == nil && name != "Uid" {
			t.Errorf("%s: states %b, no function", name, c.in)
		}
		if rest, uid := strings.CutPrefix(name, "UID "); uid {
			name = rest
		}
		if name != strings.ToUpper(name[:1])+strings.ToLower(name[1:]) {
			t.Errorf("%s is never found: names come in as Fetch", name)
		}
	}
}

// TestStartTLS checks what is offered before and in TLS, that a command sent
// ahead of the handshake is dropped, and that a password is refused before.
func TestStartTLS(t *testing.T) {
	dial := dialer(t, testServer(t, servertest.WithTLS(t, "mail.example.com")+"tls_required: yes\n"))
	c := &client{t, dial(), nil}
	c.r = bufio.NewReader(c)
	if s := c.line(); !strings.Contains(s, "STARTTLS") || !strings.Contains(s, "LOGINDISABLED") || strings.Contains(s, "AUTH=") {
		t.Errorf("greeting %s", s)
	}
	fmt.Fprintf(c, "a LOGIN alice secret\r\n")
	if s := c.line(); s != "a NO Login only available under a layer" {
		t.Errorf("LOGIN: %s", s)
	}
	fmt.Fprintf(c, "b STARTTLS\r\nevil NOOP\r\n")
	if s := c.line(); s != "b OK Begin TLS negotiation now" {
		t.Fatalf("STARTTLS: %s", s)
	}
	sec := tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true})
	if err := sec.Handshake(); err != nil {
		t.Fatal(err)
	}
	c = &client{t, sec, bufio.NewReader(sec)}
	fmt.Fprintf(c, "c STARTTLS\r\n")
	if s := c.line(); s != "c NO TLS already active" {
		t.Errorf("second STARTTLS: %s", s)
	}
	for _, s := range c.do("CAPABILITY") {
		if strings.Contains(s, "STARTTLS") || strings.Contains(s, "LOGINDISABLED") || !strings.Contains(s, "AUTH=PLAIN") {
			t.Errorf("in TLS: %s", s)
		}
	}
	c.do("LOGIN alice secret")
}

// TestCompress goes on under DEFLATE, with IDLE interrupting the wait.
func TestCompress(t *testing.T) {
	dial := dialer(t, testServer(t, ""))
	c := login(t, dial, "alice")
	c.do("SELECT INBOX")
	c.do("COMPRESS DEFLATE")
	w, _ := flate.NewWriter(c.Conn, flate.DefaultCompression)
	z := &client{t, compressed{c.Conn, w}, bufio.NewReader(flate.NewReader(c.r))}
	fmt.Fprintf(z, "i IDLE\r\n")
	if s := z.line(); s != "+ idling" {
		t.Fatal(s)
	}
	login(t, dial, "alice").do("APPEND INBOX {13+}\r\nSubject: a\r\n\r\n")
	if s := z.line(); s != "* 1 EXISTS" {
		t.Errorf("pushed %q", s)
	}
	fmt.Fprintf(z, "DONE\r\n")
	for z.line() != "i OK Completed" {
	}
	if s := z.do("NOOP"); len(s) > 0 {
		t.Errorf("told twice: %q", s)
	}
}

type compressed struct {
	net.Conn
	w *flate.Writer
}

func (c compressed) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if err == nil {
		err = c.w.Flush()
	}
	return n, err
}

// TestForeign checks that what others share is listed, and no longer when it is
// no longer shared.
func TestForeign(t *testing.T) {
	srv := testServer(t, "")
	c := login(t, dialer(t, srv), "bob")
	shown := func() string { return strings.Join(c.do(`LIST "" "Other Users/*"`), "\n") }
	if s := shown(); s != "" {
		t.Errorf("before: %s", s)
	}
	grant(t, srv, "user.alice", "bob", acl.Lookup|acl.Read)
	if s := shown(); s != `* LIST (\HasNoChildren) "/" "Other Users/alice"` {
		t.Errorf("shared: %s", s)
	}
	grant(t, srv, "user.alice", "bob", 0)
	if s := shown(); s != "" {
		t.Errorf("after: %s", s)
	}
}

// TestPipelining sends commands without waiting, and reads the answers in order.
func TestPipelining(t *testing.T) {
	dial := dialer(t, testServer(t, ""))
	c := dial()
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	var b strings.Builder
	b.WriteString("l LOGIN {5+}\r\nalice x\r\n")
	for i := range 500 {
		fmt.Fprintf(&b, "t%d NOOP\r\n", i)
	}
	b.WriteString("z LOGOUT\r\n")
	io.WriteString(c, b.String())
	out, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\r\n")
	if len(lines) != 504 || lines[503] != "z OK Completed" || lines[101] != "t99 OK Completed" {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

// TestShutdownFile checks that users are sent away and administrators are not.
func TestShutdownFile(t *testing.T) {
	srv := testServer(t, "")
	dial := dialer(t, srv)
	user, admin := login(t, dial, "alice"), login(t, dial, "cyrus")
	admin.do(`SETMETADATA "" (/shared/vendor/cmu/cyrus-imapd/shutdown "[going down")`)
	fmt.Fprintf(user, "a NOOP\r\n")
	for s := user.line(); s != "* BYE [ALERT] going down"; s = user.line() {
		if s != "a OK Completed" {
			t.Fatal(s)
		}
	}
	admin.do("NOOP")
}
