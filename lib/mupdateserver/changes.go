package mupdateserver

import (
	"context"
	"slices"
	"sync"
	"time"

	"gocyrus/lib/log"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
)

// changes is the list of changes that streams have still to tell of. It is
// shared: a stream has a place in it, and what all have passed is dropped.
type changes struct {
	every time.Duration

	mu      sync.Mutex
	items   []item
	first   uint64 // number of items[0]
	records map[mboxname.Name]*record
	streams map[*stream]struct{}
	limit   int // how many items there may be

	wake chan struct{} // there is something new
}

// item is one change.
type item struct {
	rec      *record
	from, to string // servers before and after
}

// record is the state of a mailbox after its last change, as a line without its
// tag: one encoding for all streams.
type record struct {
	name mboxname.Name
	line []byte
	last uint64 // number of its last item
}

// stream is the place of one session.
type stream struct {
	next  uint64              // number of the first item not told yet
	hosts map[string]struct{} // nil for all
	wake  func()              // has the session flush
	cut   func()              // breaks the connection
	lost  bool                // it fell too far behind
}

func newChanges(every time.Duration, limit int) *changes {
	return &changes{
		every: every, limit: limit,
		records: map[mboxname.Name]*record{}, streams: map[*stream]struct{}{}, wake: make(chan struct{}, 1),
	}
}

// add has s told of everything that is published from now on.
func (c *changes) add(s *stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.next = c.first + uint64(len(c.items))
	c.streams[s] = struct{}{}
}

// drop ends s, and says whether it was the last.
func (c *changes) drop(s *stream) (last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.streams, s)
	c.trim()
	return len(c.streams) == 0
}

// publish adds a change that was committed.
func (c *changes) publish(from string, e *mupdate.Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.streams) == 0 {
		return
	}
	rec := c.records[e.Name]
	if rec == nil {
		rec = &record{name: e.Name}
		c.records[e.Name] = rec
	}
	// A new array each time: a session may be sending the old one.
	rec.line = mupdate.AppendEntry(make([]byte, 0, 48+len(e.Name)+len(e.Location)+len(e.ACL)), e)
	rec.last = c.first + uint64(len(c.items))
	c.items = append(c.items, item{rec, from, e.Server()})
	if len(c.items) > c.limit {
		c.cutSlow()
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// cutSlow makes room at the cost of the streams that are farthest behind.
func (c *changes) cutSlow() {
	bound := c.first + uint64(c.limit/2)
	for s := range c.streams {
		if s.next < bound {
			log.Warning("a stream is more than %d changes behind, closing connection", c.limit/2)
			s.lost = true
			delete(c.streams, s)
			s.cut()
		}
	}
	c.trim()
}

// trim drops what all streams have passed.
func (c *changes) trim() {
	low := c.first + uint64(len(c.items))
	for s := range c.streams {
		low = min(low, s.next)
	}
	n := int(low - c.first)
	if n == 0 {
		return
	}
	for i := range c.items[:n] {
		if rec := c.items[i].rec; rec.last < low {
			delete(c.records, rec.name)
		}
	}
	c.items = slices.Delete(c.items, 0, n)
	c.first = low
	if len(c.items) == 0 && cap(c.items) > 1024 {
		c.items = nil
	}
}

// take appends the lines that s has to tell, and moves it on. ok is false when
// it was cut off.
//
// A mailbox that changed several times is told of once, as it is now and at the
// place of its last change. A stream of some servers only needs every change
// that concerns them, for the last one may be between two others.
func (c *changes) take(s *stream, lines [][]byte) (_ [][]byte, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.lost {
		return lines, false
	}
	for i, it := range c.items[s.next-c.first:] {
		if s.hosts == nil {
			if it.rec.last != s.next+uint64(i) {
				continue
			}
		} else if !s.wants(&it) {
			continue
		}
		lines = append(lines, it.rec.line)
	}
	s.next = c.first + uint64(len(c.items))
	return lines, true
}

func (s *stream) wants(it *item) bool {
	_, from := s.hosts[it.from]
	_, to := s.hosts[it.to]
	return from || to
}

// streaming says whether there is any stream.
func (c *changes) streaming() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.streams) > 0
}

// lookEvery is how often the list is looked at for what other processes changed.
const lookEvery = time.Second

// run has streams flush some time after something changed, until ctx ends. look
// publishes what other processes have changed.
func (c *changes) run(ctx context.Context, look func()) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if c.streaming() {
				look()
			}
			continue
		case <-c.wake:
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(c.every):
		}
		c.flush()
	}
}

// flush wakes every stream that has something to tell.
func (c *changes) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trim()
	end := c.first + uint64(len(c.items))
	for s := range c.streams {
		if s.next < end {
			s.wake()
		}
	}
}
