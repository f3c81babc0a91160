package masterconf

import (
	"fmt"
	"math"
	"strings"
)

// Unlimited is the Maxchild of a service without a limit.
const Unlimited = math.MaxInt32

// safeForkRate is the Maxforkrate of what master keeps alive, where the file
// has none.
const safeForkRate = 10

// Entry is one line of a section. Only the fields of its section have a
// meaning; the others are zero.
type Entry struct {
	Section Section
	Name    string
	Line    int

	Cmd  string   // as written
	Args []string // Cmd split at blanks: no shell, no quotes

	Listen   string // SERVICES: socket path, port, or host and port
	Proto    string // SERVICES: "tcp" and so on; master disables a service with an unknown one
	Prefork  int    // SERVICES: idle processes kept
	Maxchild int    // SERVICES: most processes for one socket, or Unlimited
	Babysit  bool   // SERVICES: keep at least one process

	Maxfds      int // SERVICES, DAEMON: limit of open files; 0 leaves it alone
	Maxforkrate int // SERVICES, DAEMON: forks a second; 0 is no limit

	Period int // EVENTS: minutes; 0 with At -1 means once, at the start
	At     int // EVENTS: minutes after midnight, local time; -1 for none. It beats Period

	Wait bool // DAEMON: started before the services, and waited for

	Err   error    // an *Error: fatal when master starts, a warning when it reads the file again
	Notes []string // remarks for the debug log
}

// attributes are the key=value pairs of an entry.
type attributes map[string]string

func newEntry(s Section, name string, line int, a attributes) Entry {
	e := Entry{Section: s, Name: name, Line: line, Cmd: a["cmd"]}
	e.Args = strings.FieldsFunc(e.Cmd, func(r rune) bool { return strings.ContainsRune(blanks, r) })
	switch s {
	case Services:
		e.service(a)
	case Events:
		e.event(a)
	case Daemon:
		e.daemon(a)
	}
	if len(e.Args) == 0 || s == Services && e.Listen == "" {
		e.Err = &Error{Line: line, Text: fmt.Sprintf(missing[s], name)}
	}
	return e
}

var missing = [...]string{
	Start:    "unable to find command for %s",
	Services: "unable to find command or port for service '%s'",
	Events:   "unable to find command or port for event '%s'",
	Daemon:   "unable to find command or port for service '%s'",
}

func (e *Entry) service(a attributes) {
	e.Listen = a["listen"]
	e.Proto = "tcp"
	if v, ok := a["proto"]; ok {
		e.Proto = v
	}
	e.Prefork = e.number(a, "prefork", 0)
	e.Babysit = e.yes(a, "babysit")
	e.Maxforkrate = e.number(a, "maxforkrate", 0)
	e.Maxfds = e.number(a, "maxfds", 0)
	if e.Babysit && e.Prefork == 0 {
		e.Prefork = 1
	}
	if e.Babysit && e.Maxforkrate == 0 {
		e.Maxforkrate = safeForkRate
	}
	e.Maxchild = Unlimited
	if v, ok := a["maxchild"]; ok {
		// No default for a word here: Cyrus reads it as 0, which is a service
		// that never runs.
		if e.Maxchild = atoi(v); e.Maxchild < 0 {
			e.Maxchild = Unlimited
		}
	}
	if !strings.HasPrefix(e.Proto, "tcp") {
		e.Prefork = min(e.Prefork, 1)
		e.Maxchild = 1
		e.Babysit = false
	}
}

func (e *Entry) event(a attributes) {
	e.Period = e.number(a, "period", 0)
	e.At = -1
	if at := e.number(a, "at", -1); at >= 0 {
		if at/100 > 23 || at%100 > 59 {
			e.Notes = append(e.Notes, fmt.Sprintf("invalid at=%04d for event '%s', ignored", at, e.Name))
			return
		}
		e.At = at/100*60 + at%100
	}
}

func (e *Entry) daemon(a attributes) {
	e.Wait = e.yes(a, "wait")
	e.Maxfds = e.number(a, "maxfds", 0)
	if e.Maxforkrate = e.number(a, "maxforkrate", 0); e.Maxforkrate == 0 {
		e.Maxforkrate = safeForkRate
	}
}

func (e *Entry) number(a attributes, key string, def int) int {
	v, ok := a[key]
	if !ok {
		return def
	}
	if digits := strings.TrimPrefix(v, "-"); digits == "" || !isDigit(digits[0]) {
		e.Notes = append(e.Notes, fmt.Sprintf("value '%s' for '%s' does not look like a number.", v, key))
		return def
	}
	return atoi(v)
}

// yes reads a switch, which is off by default.
func (e *Entry) yes(a attributes, key string) bool {
	v, ok := a[key]
	if !ok {
		return false
	}
	switch {
	case v == "":
	case v[0] == '1', v[0] == 'y', v[0] == 't', strings.HasPrefix(v, "on"):
		return true
	case v[0] == '0', v[0] == 'n', v[0] == 'f', strings.HasPrefix(v, "of"):
		return false
	}
	e.Notes = append(e.Notes, fmt.Sprintf("cannot interpret value '%s' for key '%s'. use y/n.", v, key))
	return false
}

// atoi reads the digits that s begins with, as C does, held to 32 bits.
func atoi(s string) int {
	s = strings.TrimLeft(s, blanks)
	neg := strings.HasPrefix(s, "-")
	if neg || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	n := 0
	for i := 0; i < len(s) && isDigit(s[i]); i++ {
		n = min(n*10+int(s[i]-'0'), math.MaxInt32)
	}
	if neg {
		return -n
	}
	return n
}
