package mupdateserver

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mupdate"
)

// keyed is an entry with the key of its name, by which both lists are ordered.
//
// QUIRK: Cyrus's slave merges by names and so loses mailboxes that stand in
// another order there ("a-b" beside "a.b").
type keyed struct {
	key   string
	entry mupdate.Entry
}

// copier makes a list what another one is, through the table.
type copier struct {
	table *table
	list  *mboxlist.List
}

// resync makes the list what the master says. What is equal is not written; what
// is gone goes last, so that a mailbox that was renamed is at no moment under
// neither name.
func (c *copier) resync(remote []keyed) error {
	byKey := func(a, b keyed) int { return strings.Compare(a.key, b.key) }
	if !slices.IsSortedFunc(remote, byKey) {
		slices.SortStableFunc(remote, byKey)
	}
	c.table.forget()
	var set, gone []mupdate.Entry
	next := 0
	err := eachAt(c.list, c.table.self, func(e mupdate.Entry) error {
		key := e.Name.DB()
		for next < len(remote) && remote[next].key < key {
			set = append(set, remote[next].entry)
			next++
		}
		if next == len(remote) || remote[next].key != key {
			gone = append(gone, mupdate.Entry{Name: e.Name})
			return nil
		}
		for next < len(remote)-1 && remote[next+1].key == key {
			next++ // told twice: the later one counts
		}
		if remote[next].entry != e {
			set = append(set, remote[next].entry)
		}
		next++
		return nil
	})
	if err != nil {
		return err
	}
	for ; next < len(remote); next++ {
		set = append(set, remote[next].entry)
	}
	return cmp.Or(c.apply(set), c.apply(gone))
}

// apply has the table store entries, in their order.
func (c *copier) apply(entries []mupdate.Entry) error {
	reqs := make([]request, len(entries))
	for i, e := range entries {
		reqs[i] = request{op: follow, entry: e, who: "mupdate"}
		c.table.submit(&reqs[i])
	}
	var err error
	for i := range reqs {
		<-reqs[i].done
		// One record that is damaged must not keep all others from being right;
		// it has been logged.
		if !errors.Is(reqs[i].err, mboxlist.ErrBadRecord) {
			err = cmp.Or(err, reqs[i].err)
		}
	}
	return err
}

// batch is what the stream told, as far as it is there.
type batch struct {
	events []mupdate.Event
	err    error // why there is no more
}

// maxEvents bounds a batch.
const maxEvents = 1000

// readBatches reads the stream until it ends or ctx does.
func readBatches(ctx context.Context, stream *mupdate.Stream, out chan<- batch) {
	for {
		var b batch
		for len(b.events) == 0 || len(b.events) < maxEvents && stream.Buffered() {
			ev, err := stream.Next()
			if err != nil {
				b.err = err
				break
			}
			b.events = append(b.events, ev)
		}
		select {
		case out <- b:
		case <-ctx.Done():
			return
		}
		if b.err != nil {
			return
		}
	}
}

// take applies a batch. A NOOP's answer stands behind all that it promises.
func (s *slave) take(f *follower, b batch) error {
	var entries []mupdate.Entry
	for _, ev := range b.events {
		if !ev.Synced {
			if usable(&ev.Entry) {
				entries = append(entries, ev.Entry)
			}
			continue
		}
		if err := s.apply(entries); err != nil {
			return err
		}
		entries = entries[:0]
		if err := s.release(); err != nil {
			return err
		}
		if err := f.answered(); err != nil {
			return err
		}
	}
	return s.apply(entries)
}
