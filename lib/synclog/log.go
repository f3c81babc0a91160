package synclog

import (
	"slices"
	"sync/atomic"

	"gocyrus/lib/change"
	"gocyrus/lib/inflight"
	"gocyrus/lib/mboxname"
)

// Log is what one process writes. Its methods may be called from many goroutines.
type Log struct {
	opt        Options
	channels   []*channel
	notes      *inflight.Log
	suppressed atomic.Bool
	names      func(uniqueID string) (mboxname.Name, bool)
}

// New is the log of this process. No file is made before there is something to
// write.
func New(o Options) *Log {
	l := &Log{opt: o, notes: inflight.New(o.Notes)}
	if !o.On {
		return l
	}
	for _, name := range o.Channels {
		l.channels = append(l.channels, newChannel(name, o.path(name)))
	}
	return l
}

// SetNames says how the name of a mailbox is found, which some events do not have. It
// is called before the first use.
func (l *Log) SetNames(find func(uniqueID string) (mboxname.Name, bool)) { l.names = find }

// Suppress ends writing but for channels that are not suppressable: for a process
// whose changes come from a master. With sync_log_chain it does nothing.
func (l *Log) Suppress() {
	if !l.opt.Chain {
		l.suppressed.Store(true)
	}
}

// writes says whether lines go to a channel.
func (l *Log) writes(c *channel, suppressed bool) bool {
	return !suppressed || slices.Contains(l.opt.Unsuppressable, c.name)
}

// active says whether lines go anywhere.
func (l *Log) active() bool {
	suppressed := l.suppressed.Load()
	return slices.ContainsFunc(l.channels, func(c *channel) bool { return l.writes(c, suppressed) })
}

// Write logs lines, one after the other. They tell of what is done: who takes a log
// after the change finds them there.
func (l *Log) Write(lines ...Line) { l.write(lines, l.suppressed.Load()) }

func (l *Log) write(lines []Line, suppressed bool) {
	if slices.Contains(lines, "") {
		lines = slices.DeleteFunc(slices.Clone(lines), func(n Line) bool { return n == "" })
	}
	if len(lines) == 0 {
		return
	}
	for _, c := range l.channels {
		if l.writes(c, suppressed) {
			c.write(lines)
		}
	}
}

// Committed logs a commit.
func (l *Log) Committed(c *change.Commit) {
	if c.Name == "" || !l.active() {
		return
	}
	if len(c.Appended) > 0 {
		l.Write(Append(c.Name), Mailbox(c.Name))
		return
	}
	l.Write(Mailbox(c.Name))
}

// Close gives up what is open, after another try to write what could not be.
func (l *Log) Close() error {
	for _, c := range l.channels {
		c.close()
	}
	return l.notes.Close()
}
