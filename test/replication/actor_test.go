package replication

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"gocyrus/lib/cyrustest"
	"gocyrus/test/internal/rig"
)

// An actor makes changes on a server as its users and administrator do. A
// refusal fails the test.
type actor struct {
	t  testing.TB
	on *site
	in map[string]*rig.IMAP // sessions that are open, by user
	n  int                  // messages so far

	settle func() // brings a replica into step in the middle of a change
}

func newActor(t testing.TB, on *site) *actor {
	return &actor{t: t, on: on, in: map[string]*rig.IMAP{}, settle: func() {}}
}

// as is a session of a user's.
func (a *actor) as(user string) *rig.IMAP {
	a.t.Helper()
	if c := a.in[user]; c != nil {
		return c
	}
	c, err := rig.Login(a.on.IMAP, user)
	if err != nil {
		a.t.Fatalf("%s: %v", a.on.name, err)
	}
	a.in[user] = c
	return c
}

// do sends commands of a user's, each of which has to succeed.
func (a *actor) do(user string, commands ...string) {
	a.t.Helper()
	c := a.as(user)
	for _, cmd := range commands {
		if _, err := ok(c, cmd); err != nil {
			a.t.Fatalf("%s: %s: %v", a.on.name, user, err)
		}
	}
}

// admin is do as the administrator.
func (a *actor) admin(commands ...string) {
	a.t.Helper()
	a.do(cyrustest.Admin, commands...)
}

// leave ends all sessions.
func (a *actor) leave() {
	a.t.Helper()
	for user, c := range a.in {
		if err := bye(c); err != nil {
			a.t.Fatalf("%s: %s: LOGOUT: %v", a.on.name, user, err)
		}
	}
	clear(a.in)
}

// message is a message that no other is like, of about size octets more than
// the least.
func (a *actor) message(size int) string {
	a.n++
	m := cyrustest.Message(fmt.Sprintf("%s %s %d", a.t.Name(), a.on.name, a.n))
	line := []byte("The quick brown fox jumps over the lazy dog, and so on.\r\n")
	return string(append(m, bytes.Repeat(line, size/len(line))...))
}

// literal is a string of any octets in a command.
func literal(text string) string { return fmt.Sprintf("{%d+}\r\n%s", len(text), text) }

// append appends n messages to a mailbox; rest is flags and date, or empty.
func (a *actor) append(user, mailbox, rest string, n int) {
	a.t.Helper()
	if rest != "" {
		rest += " "
	}
	for range n {
		a.do(user, "APPEND "+quote(mailbox)+" "+rest+literal(a.message(0)))
	}
}

// deliver delivers one message.
func (a *actor) deliver(to ...string) {
	a.t.Helper()
	c, err := rig.DialLMTP(a.on.LMTP)
	if err != nil {
		a.t.Fatal(err)
	}
	defer c.Close()
	err = c.Deliver(a.message(100), to, func(rcpt, reply string) {
		if !strings.HasPrefix(reply, "250") {
			a.t.Fatalf("%s: delivery to %s: %s", a.on.name, rcpt, reply)
		}
	})
	if err == nil {
		err = c.Send("QUIT\r\n")
	}
	for err == nil {
		_, err = c.R.ReadByte()
	}
}

// pop runs a POP3 session of commands.
func (a *actor) pop(user string, commands ...string) {
	a.t.Helper()
	p := a.on.Dial(a.on.POP3)
	defer p.Close()
	all := append([]string{"USER " + user, "PASS " + cyrustest.Password}, commands...)
	if _, err := p.Line(); err != nil {
		a.t.Fatal(err)
	}
	for _, cmd := range append(all, "QUIT") {
		until := "+OK"
		if strings.HasPrefix(cmd, "RETR") {
			until = "."
		}
		if got, err := p.Command(cmd, until); err != nil {
			a.t.Fatalf("%s: %s: %q, %v", a.on.name, cmd, got, err)
		}
	}
	for {
		if _, err := p.Line(); err != nil {
			return
		}
	}
}
