package murder

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/cyrustest"
	"gocyrus/test/internal/rig"
)

// A Session is an IMAP session that fails the test itself.
type Session struct {
	*rig.IMAP
	t testing.TB
}

// Session logs in. It ends with the test. A test that may fail to connect calls
// rig.Login(s.IMAP, user).
func (s *Seat) Session(user string) *Session {
	s.t.Helper()
	c, err := rig.Login(s.IMAP, user)
	if err != nil {
		s.t.Fatalf("%v: %v", s, err)
	}
	s.t.Cleanup(func() { c.Close() })
	return &Session{IMAP: c, t: s.t}
}

// Ask sends a command, its literals non-synchronising, and returns the answer.
func (c *Session) Ask(format string, args ...any) *rig.Reply {
	c.t.Helper()
	line := fmt.Sprintf(format, args...)
	r, err := c.Do(line)
	if err != nil {
		c.t.Fatalf("%.200s: %v", line, err)
	}
	return r
}

// Must sends commands, each of which must succeed.
func (c *Session) Must(lines ...string) {
	c.t.Helper()
	c.Want("OK", lines...)
}

// Want sends commands, whose tagged replies must begin with how.
func (c *Session) Want(how string, lines ...string) {
	c.t.Helper()
	for _, line := range lines {
		r := c.Ask("%s", line)
		if got := r.Status + " " + r.Text; !strings.HasPrefix(got, how) {
			c.t.Errorf("%.200s: %s; want %s", line, got, how)
		}
	}
}

// POP3 sends commands after USER and PASS and returns every answer, those of
// several lines as one, without the CRLFs at their ends.
func (s *Seat) POP3(user string, commands ...string) []string {
	s.t.Helper()
	c, err := rig.Dial(s.Server.POP3)
	if err != nil {
		s.t.Fatalf("%v: POP3: %v", s, err)
	}
	defer c.Close()
	var answers []string
	for _, command := range append([]string{"", "USER " + user, "PASS " + cyrustest.Password}, commands...) {
		if command != "" {
			err = c.Send(command + "\r\n")
		}
		if err != nil {
			s.t.Fatalf("%v: POP3: %v", s, err)
		}
		answer, err := c.Line()
		if err != nil {
			s.t.Fatalf("%v: POP3: %s: %v", s, command, err)
		}
		if long(command) && strings.HasPrefix(answer, "+OK") {
			for line := ""; line != "." && err == nil; {
				line, err = c.Line()
				answer += "\n" + line
			}
			if err != nil {
				s.t.Fatalf("%v: POP3: %s: %v", s, command, err)
			}
		}
		answers = append(answers, answer)
	}
	return answers[3:]
}

// long says whether a POP3 command's answer has several lines.
func long(command string) bool {
	word, arg, _ := strings.Cut(strings.ToUpper(command), " ")
	switch word {
	case "RETR", "TOP", "CAPA":
		return true
	case "LIST", "UIDL":
		return arg == ""
	}
	return false
}

// Eventually waits until cond holds.
func (m *Murder) Eventually(what string, cond func() bool) {
	m.t.Helper()
	for deadline := time.Now().Add(cyrustest.Patience); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			m.t.Fatalf("never: %s", what)
		}
	}
}

// Proxied logs in as a frontend does for a user.
func (s *Seat) Proxied(user string) *Session {
	s.t.Helper()
	c, err := rig.DialIMAP(s.IMAP)
	if err != nil {
		s.t.Fatalf("%v: %v", s, err)
	}
	s.t.Cleanup(func() { c.Close() })
	p := &Session{IMAP: c, t: s.t}
	p.Must("AUTHENTICATE PLAIN " + base64.StdEncoding.EncodeToString([]byte(user+"\x00"+Proxy+"\x00"+cyrustest.Password)))
	return p
}
