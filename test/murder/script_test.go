package murder

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/cyrustest"
	"gocyrus/test/internal/murder"
	"gocyrus/test/internal/rig"
)

// A run is one pass through the steps, in one Murder and by way of one frontend.
//
// A line of a step is "who: command": user who says the command in IMAP at the
// frontend. "who/2" is another session of that user, "who@be1" and "who@be1/2" are at
// that server.
// {N} and {N+} in a command are literals, synchronising or not, of a message of N
// octets, %V and %M the last UIDVALIDITY and HIGHESTMODSEQ that the session heard of.
// Words of a session's own are
//
//	until WORD     reads untagged answers up to one with WORD
//	IDLE, DONE     as they are
//
// Others begin with "!":
//
//	!deliver SUBJECT to RCPT ...    LMTP at the frontend
//	!pop3 USER: COMMAND; ...        POP3 at the frontend
//	!table                          what the master has
//	!settle                         waits for the slaves
//	!stop SEAT, !start SEAT         as an administrator does
type run struct {
	t        *testing.T
	m        *murder.Murder
	fe       *murder.Seat
	sessions map[string]*conn
	out      []string // of the step
}

func (x *run) note(format string, args ...any) {
	x.out = append(x.out, normal(x.m.Named(fmt.Sprintf(format, args...))))
}

// step runs the lines of one and returns what came of it: each line, marked, and its
// answers.
func (x *run) step(s step) []string {
	x.out = nil
	for line := range strings.Lines(s.script) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		x.out = append(x.out, command+line)
		x.line(line)
	}
	return x.out
}

// command marks the lines of a script among their answers.
const command = "> "

func (x *run) line(line string) {
	for _, s := range x.m.Seats() {
		line = strings.ReplaceAll(line, "$"+s.Name, s.IP)
	}
	if rest, ok := strings.CutPrefix(line, "!"); ok {
		x.special(rest)
		return
	}
	who, cmd, ok := strings.Cut(line, ": ")
	if !ok {
		x.t.Fatalf("a line of a step: %q", line)
	}
	c := x.session(who)
	var err error
	word, arg, _ := strings.Cut(cmd, " ")
	switch word {
	case "until":
		err = c.until(arg)
	case "IDLE":
		err = c.idle()
	case "DONE":
		err = c.done()
	default:
		err = c.ask(cmd)
	}
	for _, l := range inOrder(c.taken()) {
		x.note("%s", l)
	}
	if err != nil {
		// A server that breaks down is an outcome too; whoever speaks next connects
		// again.
		x.note("<%v>", err)
		c.Close()
		delete(x.sessions, who)
	}
}

func (x *run) session(who string) *conn {
	if c := x.sessions[who]; c != nil {
		return c
	}
	user, _, _ := strings.Cut(who, "/")
	user, seat, _ := strings.Cut(user, "@")
	at := x.fe
	if seat != "" {
		at = x.seat(seat)
	}
	imap, err := rig.Login(at.IMAP, user)
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() { imap.Close() })
	c := &conn{Conn: imap.Conn}
	x.sessions[who] = c
	return c
}

func (x *run) seat(name string) *murder.Seat {
	for _, s := range x.m.Seats() {
		if s.Name == name {
			return s
		}
	}
	x.t.Fatalf("there is no %s", name)
	return nil
}

func (x *run) special(line string) {
	word, arg, _ := strings.Cut(line, " ")
	switch word {
	case "deliver":
		subject, to, _ := strings.Cut(arg, " to ")
		rcpts := strings.Fields(to)
		for i, answer := range x.fe.Deliver(cyrustest.Message(subject), rcpts...) {
			x.note("%s: %s", rcpts[i], answer)
		}
	case "pop3":
		user, commands, _ := strings.Cut(arg, ": ")
		for _, answer := range x.fe.POP3(user, strings.Split(commands, "; ")...) {
			x.note("%s", answer)
		}
	case "table":
		for _, l := range x.m.Master.Table() {
			x.note("%s", l)
		}
	case "settle":
		x.m.Settled()
	case "stop":
		if err := x.seat(arg).Stop(); err != nil && x.seat(arg).Kind == murder.Ours {
			x.t.Errorf("%s: %v", arg, err)
		}
	case "start":
		x.seat(arg).Resume()
	default:
		x.t.Fatalf("a line of a step: %q", line)
	}
}

// inOrder sorts the lines about mailboxes, whose order means nothing.
func inOrder(lines []string) []string {
	slices.SortStableFunc(lines, func(a, b string) int {
		if about.MatchString(a) && about.MatchString(b) {
			return strings.Compare(a, b)
		}
		return 0
	})
	return lines
}

var about = regexp.MustCompile(`^\* (X?LIST|LSUB|STATUS|METADATA) `)

// normal takes out of an answer what differs from one run to the next.
func normal(line string) string {
	for _, v := range varying {
		line = v.re.ReplaceAllString(line, v.with)
	}
	return line
}

var varying = []struct {
	re   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`SESSIONID=<[^>]*>`), "SESSIONID=<>"},
	{regexp.MustCompile(`(X-Cyrus-Session-Id: ).*`), "$1"},
	{regexp.MustCompile(`\b(UIDVALIDITY|COPYUID|APPENDUID) \d{6,}`), "$1 V"},
	{regexp.MustCompile(`\b\d{9,10}(\.\d+)\b`), "V$1"}, // POP3's UIDL
	{regexp.MustCompile(`\b(HIGHESTMODSEQ|MODIFIED) \d+`), "$1 M"},
	{regexp.MustCompile(`\bMODSEQ \(\d+\)`), "MODSEQ (M)"},
	{regexp.MustCompile(`\b(QRESYNC) \(\d{6,}`), "$1 (V"},
	{regexp.MustCompile(`MAILBOXID \([^)]*\)`), "MAILBOXID (ID)"},
	{regexp.MustCompile(`(?i)(Completed) \(\d+\.\d+ secs?( \d+ calls)?\)`), "$1"},
	{regexp.MustCompile(`\d+\.\d{3} sec`), "T sec"},
	{regexp.MustCompile(`INTERNALDATE "[^"]*2026 [^"]*"`), "INTERNALDATE NOW"},
}
