// Package log writes to syslog the lines a site greps for in Cyrus's log.
//
// A line's ident is the name of the cyrus.conf entry, or of the tool, with
// "prefix/" before it where a prefix is set, and the process id in brackets:
//
//	Nov 22 10:00:00 cyrus/imap[1234]: login: ...
//
// A session never waits for the log: what the log daemon cannot take at once is
// queued, within bounds, and a count of the lines lost beyond them is written
// when it can be. Control characters are escaped, so that nothing a peer sends
// can forge a line. What must stay secret is for callers to leave out.
package log

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A level is a severity of syslog(3).
type level int

const (
	levelCrit level = iota + 2
	levelErr
	levelWarning
	levelNotice
	levelInfo
	levelDebug
)

// Options say where lines go and under what name.
type Options struct {
	Facility string // as in syslog_facility, in any case; empty or unknown means DefaultFacility
	Prefix   string // syslog_prefix; the environment's CYRUS_SYSLOG_PREFIX beats it
	Stderr   bool   // write the same lines to standard error, with the host's name, instead
	Debug    bool   // let Debug through
	Socket   string // of the log daemon; empty means /dev/log
}

// DefaultFacility is used where the configuration names none. A build for a
// system that wants another sets it with -ldflags -X.
var DefaultFacility = "mail"

// logger is what Open makes. Only sink is shared and changes.
type logger struct {
	facility int
	ident    string // "cyrus/imap[1234]"
	host     string // not empty: lines for people, on standard error
	sink     sink
}

// sink takes one whole line. It does not wait and does not keep p.
type sink interface {
	send(p []byte)
	flush(time.Duration)
}

var (
	current atomic.Pointer[logger]
	debug   atomic.Bool
	buffers = sync.Pool{New: func() any { return new([]byte) }}
)

// Open names the process in the log. Lines written before are dropped. It may
// be called again, which replaces what was set before.
func Open(ident string, o Options) {
	prefix := os.Getenv("CYRUS_SYSLOG_PREFIX")
	if prefix == "" {
		prefix = o.Prefix
	}
	if prefix != "" {
		ident = prefix + "/" + ident
	}
	l := &logger{facility: facility(o.Facility), ident: fmt.Sprintf("%s[%d]", ident, os.Getpid())}
	if o.Stderr {
		l.host = "localhost"
		if h, err := os.Hostname(); err == nil && h != "" {
			l.host, _, _ = strings.Cut(h, ".")
		}
		l.sink = stderrSink{}
	} else {
		l.sink = newSocket(o.Socket)
	}
	debug.Store(o.Debug)
	current.Store(l)
}

// SetDebug lets Debug through, or stops it.
func SetDebug(on bool) { debug.Store(on) }

// Debugging says whether Debug writes anything: for callers whose arguments
// are not free.
func Debugging() bool { return debug.Load() && current.Load() != nil }

// Flush waits until queued lines are gone, for as long as limit. A program
// calls it before it exits.
func Flush(limit time.Duration) {
	if l := current.Load(); l != nil {
		l.sink.flush(limit)
	}
}

// Crit reports that the process cannot go on.
func Crit(format string, args ...any) { write(levelCrit, format, args) }

// Err reports a failure.
func Err(format string, args ...any) { write(levelErr, format, args) }

// Warning reports what an administrator should look at.
func Warning(format string, args ...any) { write(levelWarning, format, args) }

// Notice reports what is normal and matters: logins, deliveries.
func Notice(format string, args ...any) { write(levelNotice, format, args) }

// Info reports what is normal.
func Info(format string, args ...any) { write(levelInfo, format, args) }

// Debug reports what only a developer reads.
func Debug(format string, args ...any) {
	if debug.Load() {
		write(levelDebug, format, args)
	}
}

func write(lv level, format string, args []any) {
	l := current.Load()
	if l == nil {
		return
	}
	buf := buffers.Get().(*[]byte)
	*buf = l.line((*buf)[:0], lv, time.Now(), format, args)
	l.sink.send(*buf)
	buffers.Put(buf)
}

// maxText bounds the text of a line: log daemons cut at 8 KiB.
const maxText = 8000

// line appends the whole line. To the daemon it is in the form of the C
// library, where the daemon adds the host; on standard error it has the host
// and ends in a newline, as it would stand in a log file.
func (l *logger) line(b []byte, lv level, now time.Time, format string, args []any) []byte {
	if l.host == "" {
		b = fmt.Appendf(b, "<%d>", l.facility<<3|int(lv))
	}
	b = now.AppendFormat(b, time.Stamp)
	b = append(b, ' ')
	if l.host != "" {
		b = append(append(b, l.host...), ' ')
	}
	b = append(append(b, l.ident...), ": "...)
	start := len(b)
	b = fmt.Appendf(b, format, args...)
	if len(b) > start+maxText {
		b = append(b[:start+maxText], "..."...)
	}
	b = escape(b, start)
	if l.host != "" {
		b = append(b, '\n')
	}
	return b
}
