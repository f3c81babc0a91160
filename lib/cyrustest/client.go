package cyrustest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// AddUser makes a user: a password, and an INBOX by the administrator unless
// there is one.
func (s *Server) AddUser(name string) {
	s.t.Helper()
	if !s.real {
		s.SetPassword(name)
	}
	c := s.Login(Admin)
	defer c.Close()
	have, err := c.List("", "user/"+name, nil).Collect()
	if err != nil {
		s.t.Fatalf("LIST user/%s: %v", name, err)
	}
	if len(have) > 0 {
		return
	}
	if err := c.Create("user/"+name, nil).Wait(); err != nil {
		s.t.Fatalf("CREATE user/%s: %v", name, err)
	}
	if err := c.Logout().Wait(); err != nil {
		s.t.Fatal(err)
	}
}

// SetPassword gives a user of our server the password Password.
func (s *Server) SetPassword(name string) {
	s.t.Helper()
	args := []string{"-p", "-c"}
	if user, realm, ok := strings.Cut(name, "@"); ok {
		name, args = user, append(args, "-u", realm)
	}
	s.RunTool(Password, "saslpasswd2", append(args, name)...)
}

// RunTool runs one of the programs as the owner of the spool, with -C, wants
// status 0 and returns its standard output.
func (s *Server) RunTool(stdin, name string, args ...string) string {
	s.t.Helper()
	out, status, err := s.TryTool(stdin, name, args...)
	if err != nil || status != 0 {
		s.t.Fatalf("%s %s: status %d: %v\n%s", name, strings.Join(args, " "), status, err, out)
	}
	return out
}

// TryTool is RunTool for a program that may fail: it returns the exit status,
// and an error, the program's standard error, when that is not 0.
func (s *Server) TryTool(stdin, name string, args ...string) (out string, status int, err error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.Tool(name), append([]string{"-C", s.Conf}, args...)...)
	cmd.Dir = "/"
	cmd.Stdin = strings.NewReader(stdin)
	if os.Getuid() == 0 && s.owner.uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(s.owner.uid), Gid: uint32(s.owner.gid)}}
	}
	var b, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &complaints
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			s.t.Fatalf("%s: %v", name, err)
		}
		return b.String(), exit.ExitCode(), fmt.Errorf("%s: %w: %s", name, err, &complaints)
	}
	return b.String(), 0, nil
}

// Login opens a session of a user's. It ends with the test.
func (s *Server) Login(user string) *imapclient.Client {
	s.t.Helper()
	c, err := imapclient.DialInsecure(s.IMAP, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	if err := c.Login(user, Password).Wait(); err != nil {
		s.t.Fatalf("LOGIN %s: %v", user, err)
	}
	return c
}

// Append appends a message.
func (s *Server) Append(c *imapclient.Client, mailbox string, msg []byte, flags ...imap.Flag) *imap.AppendData {
	s.t.Helper()
	cmd := c.Append(mailbox, int64(len(msg)), &imap.AppendOptions{Flags: flags})
	if _, err := cmd.Write(msg); err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Close(); err != nil {
		s.t.Fatal(err)
	}
	data, err := cmd.Wait()
	if err != nil {
		s.t.Fatalf("APPEND to %s: %v", mailbox, err)
	}
	return data
}

// Message is a small message with a subject of its own and a Message-ID made
// of it.
func Message(subject string) []byte {
	id := strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f {
			return r
		}
		return '.'
	}, subject)
	return fmt.Appendf(nil, "From: sender@example.com\r\nTo: user@example.com\r\nSubject: %s\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\n"+
		"Message-ID: <%s@example.com>\r\n\r\nText of %s.\r\n", subject, id, subject)
}
