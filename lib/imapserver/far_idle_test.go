package imapserver

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestFarIdleOn: a backend that is lost and back at once costs nothing: IDLE goes on,
// with news of what comes after.
func TestFarIdleOn(t *testing.T) {
	for _, more := range []string{"", "suppress_capabilities: IDLE\n"} {
		m := startMurder(t, more)
		m.front.opts.IdlePoll = 50 * time.Millisecond
		c := farIdle(t, m)
		c.must("IDLE", "+ idling")
		m.backs["be1.example.org"].breakUp(false)
		told := make(chan string)
		go func() {
			defer close(told)
			for s := ""; !strings.HasPrefix(s, "* 1 FETCH "); s = c.line() {
				if s != "" {
					told <- s
				}
			}
		}()
		other := login(t, m.dial, "alice")
		other.must("SELECT INBOX", "OK")
		// The session may still be on its way back to the mailbox.
		for i, heard := 0, false; !heard; i++ {
			other.must(fmt.Sprintf("STORE 1 FLAGS (k%d)", i%2), "OK")
			select {
			case s, more := <-told:
				heard = !more
				if more && !strings.HasPrefix(s, "* FLAGS (") && !strings.HasPrefix(s, "* OK [PERMANENTFLAGS (") {
					t.Errorf("%q before the news", s)
				}
			default:
			}
		}
		fmt.Fprint(c, "DONE\r\n")
		for s := ""; !strings.HasPrefix(s, "t OK"); s = c.line() {
			if s != "" && !strings.HasPrefix(s, "* ") {
				t.Fatalf("%q at the end of IDLE", s)
			}
		}
		c.must("FETCH 1 UID", "OK", "UID 1")
	}
}

// TestFarIdleEnds: a backend that stays away ends IDLE and not the session, and the DONE
// that the client has sent by then is no command.
func TestFarIdleEnds(t *testing.T) {
	m := startMurder(t, "")
	c := farIdle(t, m)
	c.must("IDLE", "+ idling")
	m.backs["be1.example.org"].breakUp(true)
	for s := ""; !strings.HasPrefix(s, "t NO Server(s) unavailable"); s = c.line() {
	}
	c.more("DONE\r\nt NOOP", "NO Server(s) unavailable")
	m.backs["be1.example.org"].breakUp(false)
	lines, tagged := c.ask("FETCH 1 UID")
	if !strings.HasPrefix(tagged, "OK") || strings.Contains(strings.Join(lines, "\n"), "BAD") {
		t.Errorf("%q, %s", lines, tagged)
	}
	// Later it is one that makes no sense.
	fmt.Fprint(c, "DONE\r\n")
	if s := c.line(); s != "* BAD Invalid tag" {
		t.Errorf("%q", s)
	}
}
