package mailbox

import (
	"fmt"
	"runtime"

	"gocyrus/lib/indexfile"
)

// parsers is how many messages of an AppendAllExact are read at the same time,
// and ahead how many are read before they are wanted. Each costs the memory of
// its cache record.
var parsers = min(runtime.GOMAXPROCS(0), 8)

const ahead = 64

// AppendAllExact is AppendExact of many, in ascending order of UIDs: messages that
// have to be read and parsed are so by several goroutines, while others are put
// in place.
func (tx *Tx) AppendAllExact(xs []Exact) error {
	if len(xs) == 1 {
		return tx.AppendExact(xs[0])
	}
	r := tx.m.store.readAhead(xs)
	defer r.stop()
	for i := range xs {
		c := <-r.next()
		if c.panic != nil {
			panic(c.panic)
		}
		if c.err == nil {
			c.err = tx.appendExact(&xs[i], c.rec, c.cache)
		}
		if c.err != nil {
			return fmt.Errorf("%s: uid %d: %w", tx.m.Name(), xs[i].UID, c.err)
		}
	}
	return nil
}

// contents is what content gave.
type contents struct {
	rec   *indexfile.Record
	cache []byte
	err   error
	panic any // to be raised where others of the update are
}

// read is content for another goroutine.
func (s *Store) read(x *Exact) (c contents) {
	defer func() { c.panic = recover() }()
	c.rec, c.cache, c.err = s.content(x)
	return c
}

// A reader reads messages ahead, in order.
type reader struct {
	order chan chan contents // of the messages, as they are wanted
	quit  chan struct{}
}

// readAhead starts to read the messages of xs.
func (s *Store) readAhead(xs []Exact) *reader {
	r := &reader{make(chan chan contents, ahead), make(chan struct{})}
	type job struct {
		x  *Exact
		to chan contents
	}
	jobs := make(chan job)
	for range parsers {
		go func() {
			for j := range jobs {
				j.to <- s.read(j.x)
			}
		}()
	}
	go func() {
		defer close(jobs)
		for i := range xs {
			to := make(chan contents, 1)
			select {
			case r.order <- to:
			case <-r.quit:
				return
			}
			select {
			case jobs <- job{&xs[i], to}:
			case <-r.quit:
				return
			}
		}
	}()
	return r
}

// next is where the next message will be.
func (r *reader) next() <-chan contents { return <-r.order }

// stop ends the reading; what is being read goes on until it is read.
func (r *reader) stop() { close(r.quit) }
