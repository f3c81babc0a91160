package main

import (
	"fmt"
	"strings"
	"time"
)

// sizes say how large everything is that rows work on.
type sizes struct {
	box, bigBox int   // messages in the two mailboxes of small messages
	mix         int   // messages in the mailbox as people have it
	huge        int   // octets of the one large message, before base64
	mailboxes   int   // for LIST
	status      int   // mailboxes for STATUS
	ops         int   // small operations in one lap
	copies      int   // messages that COPY and MOVE take
	logins      int   // in one lap
	idle        []int // idle connections, ascending
	sync        syncSizes
	murder      murderSizes
}

var (
	fullSizes  = sizes{10_000, 100_000, 1000, 20 << 20, 100_000, 100, 200, 1000, 200, []int{1000, 5000}, fullSync, fullMurder}
	quickSizes = sizes{1000, 5000, 100, 2 << 20, 2000, 20, 40, 100, 40, []int{50, 200}, quickSync, quickMurder}
)

// users is how many plain users there are, u00 to u49.
const users = 50

// userName names plain user i.
func userName(i int) string { return fmt.Sprintf("u%02d", i%users) }

// A row is one thing measured. It may yield several lines of the table.
type row struct {
	name    string // what -rows matches
	needs   []fixture
	rounds  int                // 0 means as many as the flags say
	unit    string             // of its values; "" means milliseconds an operation
	several bool               // it takes several servers of one kind, as Cyrus knows them and Dovecot does not
	run     func(l *lap) error // sets up, times, checks
}

// A lap is one run of a row on one server.
type lap struct {
	srv   server
	z     sizes
	round int
	spare float64 // the share of free memory that idle connections may take
	prof  *profiler
	lines []line            // what was measured, in order
	sums  map[string]uint32 // what must be octet for octet as Cyrus answers
	notes []string
}

// A line is one value of a lap, less being better.
type line struct {
	label string
	value float64
}

// time runs f and books its duration as part of ops operations under label.
// Laps that time several stretches under one label name the same ops each time.
func (l *lap) time(label string, ops int, f func() error) error {
	stop, err := l.prof.start(l.srv, label)
	if err != nil {
		return err
	}
	begin := time.Now()
	err = f()
	took := time.Since(begin)
	stop()
	if err != nil {
		return err
	}
	l.record(label, float64(took)/float64(time.Millisecond)/float64(ops))
	return nil
}

// record adds value to the line called label.
func (l *lap) record(label string, value float64) {
	for i := range l.lines {
		if l.lines[i].label == label {
			l.lines[i].value += value
			return
		}
	}
	l.lines = append(l.lines, line{label, value})
}

// asCyrus notes a checksum that ours must share with Cyrus.
func (l *lap) asCyrus(what string, crc uint32) {
	if l.sums == nil {
		l.sums = map[string]uint32{}
	}
	l.sums[what] = crc
}

// imap opens a session.
func (l *lap) imap(user string) (*imapConn, error) {
	return login(l.srv.Addr("imap"), user, false)
}

// selected opens a session with a mailbox selected.
func (l *lap) selected(user, mailbox string) (*imapConn, error) {
	c, err := l.imap(user)
	if err != nil {
		return nil, err
	}
	if _, err := c.do("SELECT "+mailbox, nil); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// expect returns an error unless got is want.
func expect[T comparable](what string, got, want T) error {
	if got != want {
		return fmt.Errorf("%s: %v, not %v: %w", what, got, want, errAnswer)
	}
	return nil
}

// k prints a count as people say it: 10k, 100k, 200.
func k(n int) string {
	if n >= 1000 && n%1000 == 0 {
		return fmt.Sprintf("%d,000", n/1000)
	}
	return fmt.Sprint(n)
}

// between returns what stands between two marks.
func between(s, from, to string) (string, bool) {
	_, s, ok := strings.Cut(s, from)
	if !ok {
		return "", false
	}
	s, _, ok = strings.Cut(s, to)
	return s, ok
}
