package etcdtable

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"gocyrus/lib/log"
	"gocyrus/lib/mupdate"
)

// pageSize is how many mailboxes are read at once.
const pageSize = 2000

// Read calls fn for all mailboxes as they are at one revision, in the order of
// their keys, which are names as mailboxes.db spells them. The Revision that it
// returns is that one; it may be later than the last change.
func (t *Table) Read(ctx context.Context, fn func(key string, e mupdate.Entry)) (Position, error) {
	p, err := t.Head(ctx)
	if err != nil {
		return p, err
	}
	places := map[string]string{} // one string for each location
	// The revision of the last change may be forgotten: only that of the first page
	// is known not to be.
	rev := int64(0)
	for start := t.keys.box; start != ""; {
		var page *clientv3.GetResponse
		err := t.persist(ctx, func(ctx context.Context, c *clientv3.Client) error {
			var err error
			page, err = c.Get(ctx, start, clientv3.WithRange(t.keys.boxEnd()), clientv3.WithRev(rev), clientv3.WithLimit(pageSize))
			if errors.Is(err, rpctypes.ErrCompacted) {
				err = ErrCompacted
			}
			return err
		})
		if err != nil {
			return p, err
		}
		start = ""
		if rev == 0 {
			rev = page.Header.Revision
			p.Revision, p.Now = rev, rev
		}
		for _, kv := range page.Kvs {
			key := string(kv.Key[len(t.keys.box):])
			e, err := entry(key, string(kv.Value))
			if err != nil {
				log.Err("DBERROR: %v", err) // the others are worth more than this one
				continue
			}
			if place, ok := places[e.Location]; ok {
				e.Location = place
			} else {
				places[e.Location] = e.Location
			}
			fn(key, e)
		}
		if page.More {
			start = string(page.Kvs[len(page.Kvs)-1].Key) + "\x00"
		}
	}
	return p, nil
}

// Batch is what a watch has seen: entries as they are now, in order.
type Batch struct {
	Revision int64
	Entries  []mupdate.Entry
}

// Watch calls fn with all that changes after a revision, whole revisions at a
// time, until ctx ends or fn returns an error. A table that is taken away is
// ErrNoTable, before fn hears of that. The error ErrCompacted is that of a
// revision too long ago.
func (t *Table) Watch(ctx context.Context, after int64, fn func(Batch) error) error {
	c, err := t.members.asked()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	// One of its own, so that it is not that which hung before.
	w := clientv3.NewWatcher(c.Client)
	defer w.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		err := c.unwell(ctx)
		if errors.Is(err, ErrAway) {
			t.members.leave(c.number)
		}
		cancel(err)
	}()
	// A member without a leader hears of nothing: the next one then.
	ch := w.Watch(clientv3.WithRequireLeader(ctx), t.keys.box, clientv3.WithRange(t.keys.end), clientv3.WithRev(after+1))
	for r := range ch {
		switch err := r.Err(); {
		case r.CompactRevision != 0:
			return fmt.Errorf("%w: %d of %d", ErrCompacted, after+1, r.CompactRevision)
		case err != nil:
			return fmt.Errorf("%w: %w", ErrAway, err)
		case len(r.Events) == 0:
			continue
		}
		b, err := t.batch(r.Events)
		if err == nil {
			err = fn(b)
		}
		if err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("%w: the watch ended", ErrAway)
}

func (t *Table) batch(events []*clientv3.Event) (Batch, error) {
	b := Batch{Revision: events[len(events)-1].Kv.ModRevision, Entries: make([]mupdate.Entry, 0, len(events))}
	for _, ev := range events {
		key := string(ev.Kv.Key)
		switch {
		case key == t.keys.format && (ev.Type == clientv3.EventTypeDelete || string(ev.Kv.Value) != formatNow+t.joined()):
			return b, fmt.Errorf("%w: it was taken away at revision %d", ErrNoTable, ev.Kv.ModRevision)
		case key == t.keys.head && ev.Type != clientv3.EventTypeDelete:
			t.changed(ev.Kv.Version)
			continue
		case key >= t.keys.boxEnd():
			continue
		}
		key = key[len(t.keys.box):]
		if ev.Type == clientv3.EventTypeDelete {
			if name, err := named(key); err == nil {
				b.Entries = append(b.Entries, mupdate.Entry{Name: name})
			}
			continue
		}
		e, err := entry(key, string(ev.Kv.Value))
		if err != nil {
			log.Err("DBERROR: %v", err)
			continue
		}
		b.Entries = append(b.Entries, e)
	}
	return b, nil
}
