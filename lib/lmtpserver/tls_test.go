package lmtpserver

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gocyrus/lib/servertest"
)

var anyCert = &tls.Config{InsecureSkipVerify: true}

func TestStartTLS(t *testing.T) {
	srv := testServer(t, servertest.WithTLS(t, "mail.example.com"))
	c := newClient(t, dialer(t, srv, "tcp"))
	fmt.Fprint(c, "LHLO x\r\n")
	if caps := c.lines(); !strings.Contains(caps, "250-STARTTLS\r\n") {
		t.Errorf("before TLS: %q", caps)
	}
	// What is sent ahead of the handshake is not heard.
	fmt.Fprint(c, "STARTTLS\r\nNOOP\r\n")
	c.expect("220 Begin TLS negotiation now")
	c.Conn = tls.Client(c.Conn, anyCert)
	c.r = bufio.NewReader(c)
	fmt.Fprint(c, "LHLO x\r\n")
	if caps := c.lines(); strings.Contains(caps, "STARTTLS") || !strings.Contains(caps, "250-AUTH PLAIN LOGIN\r\n") {
		t.Errorf("below TLS: %q", caps)
	}
	fmt.Fprint(c, "STARTTLS\r\n")
	c.expect("454 4.3.3 Already successfully executed STARTTLS")
	c.ok("AUTH PLAIN AGN5cnVzAHg=")
	c.send("Subject: x\r\n\r\n", "alice")
	got := content(t, srv, "user.alice", 1)
	if !regexp.MustCompile(`with LMTPSA\r\n\t \(version=TLSv1\.3 cipher=TLS_\w+ bits=\d+/\d+ verify=NO\);\r\n`).MatchString(got) {
		t.Errorf("Received: %s", got)
	}
}

// lines reads a reply whole.
func (c *client) lines() (all string) {
	c.t.Helper()
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatalf("%q, %v", line, err)
		}
		all += line
		if len(line) > 3 && line[3] != '-' {
			return all
		}
	}
}

// A user's Sieve script is not run, and does not keep his mail from him.
func TestSieveScript(t *testing.T) {
	srv := testServer(t, "")
	e, err := srv.site.List.Lookup("user.alice")
	if err != nil {
		t.Fatal(err)
	}
	dir := srv.site.Layout.SieveUserDir("alice", e.UniqueID)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("main.bc", filepath.Join(dir, "defaultbc")); err != nil {
		t.Fatal(err)
	}
	newClient(t, dialer(t, srv, "unix")).send("Subject: x\r\n\r\n", "alice")
	if got := count(t, srv, "user.alice"); got != 1 {
		t.Errorf("%d messages, want 1", got)
	}
}
