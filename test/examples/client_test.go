package examples

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/cyrustest"
)

// clientTime is how long a client may take for all its work.
const clientTime = 2 * time.Minute

// denied is curl's status for a refused login.
const denied = 67

// program is the path of an installed program, or the test is skipped.
func program(t *testing.T, name string) string {
	t.Helper()
	for _, p := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(p); err == nil {
			return path
		}
	}
	t.Skipf("%s is not installed", name)
	return ""
}

// run runs a program, wants status 0 and returns what it printed.
func run(t *testing.T, path string, args ...string) string {
	t.Helper()
	out, err := try(t, path, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", path, strings.Join(args, " "), err, out)
	}
	return out
}

func try(t *testing.T, path string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), clientTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// door is where clients connect: a machine whose certificate is for
// mail.example.com.
type door struct {
	t      *testing.T
	curl   string
	ip, ca string
}

func newDoor(t *testing.T, ip, ca string) *door {
	t.Helper()
	return &door{t, program(t, "curl"), ip, ca}
}

// ports of the protocols that URLs may begin with.
var urlPorts = map[string]string{"imap": "143", "imaps": "993", "pop3": "110", "pop3s": "995"}

// args are curl's for a request of a user's under TLS, whose certificate is
// checked.
func (d *door) args(user, scheme, path string, more []string) []string {
	const host = "mail.example.com"
	args := []string{"-sS", "--max-time", "60", "--ssl-reqd", "--cacert", d.ca, "-u", user,
		"--resolve", host + ":" + urlPorts[scheme] + ":" + d.ip}
	return append(append(args, more...), scheme+"://"+host+path)
}

// ask is a request of a user's, and its answer.
func (d *door) ask(user, scheme, path string, more ...string) string {
	d.t.Helper()
	return run(d.t, d.curl, d.args(user+":"+cyrustest.Password, scheme, path, more)...)
}

// refused wants a login refused.
func (d *door) refused(login, scheme string) {
	d.t.Helper()
	out, err := try(d.t, d.curl, d.args(login, scheme, "/", nil)...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != denied {
		d.t.Errorf("%s of %s: %v, want status %d\n%s", scheme, login, err, denied, out)
	}
}

// put appends a message to a mailbox.
func (d *door) put(user, scheme, mailbox, subject string) {
	d.t.Helper()
	file := filepath.Join(d.t.TempDir(), "message")
	if err := os.WriteFile(file, cyrustest.Message(subject), 0o644); err != nil {
		d.t.Fatal(err)
	}
	d.ask(user, scheme, "/"+mailbox, "-T", file)
}

// has wants messages with these subjects in an INBOX, in this order, by IMAP and
// by POP3 and with and without STARTTLS.
func (d *door) has(user string, subjects ...string) {
	d.t.Helper()
	for scheme, path := range map[string]string{"imap": "/INBOX;MAILINDEX=", "imaps": "/INBOX;MAILINDEX=", "pop3": "/", "pop3s": "/"} {
		for i, subject := range subjects {
			got := d.ask(user, scheme, path+string(rune('1'+i)))
			if !strings.HasSuffix(got, string(cyrustest.Message(subject))) {
				d.t.Errorf("%s of %s: message %d is not %q:\n%s", scheme, user, i+1, subject, got)
			}
		}
		if out, err := try(d.t, d.curl, d.args(user+":"+cyrustest.Password, scheme, path+string(rune('1'+len(subjects))), nil)...); err == nil {
			d.t.Errorf("%s of %s: one more message than %q:\n%s", scheme, user, subjects, out)
		}
	}
}

// cyradm is a session of the administrator's, of commands that print nothing.
func cyradm(t *testing.T, s *cyrustest.Server, host string, lines ...string) {
	t.Helper()
	cmd := exec.Command(s.Tool("cyradm"), "--norc", "--user", cyrustest.Admin, "--password", cyrustest.Password, host)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	out, err := cmd.CombinedOutput()
	if err != nil || prompt.ReplaceAllString(string(out), "") != "" {
		t.Errorf("cyradm: %v\n%s", err, out)
	}
}

// prompt is a line of a session, with the command as it was read.
var prompt = regexp.MustCompile(`(?m)^\S+> .*\n?`)

// waitFor waits until an address takes connections.
func waitFor(t *testing.T, addr string) {
	t.Helper()
	for deadline := time.Now().Add(cyrustest.Patience); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", addr, err)
		}
	}
}
