// Package etcdtable is the mailbox list of a Murder in etcd, so that several
// mupdate masters can serve the same one and none of them is missed.
//
// Below a prefix there are
//
//	box/NAME      a mailbox; NAME as mailboxes.db spells it, so that the order of
//	              etcd's keys is that of the hierarchy
//	format        "1 ID" of a table that has been founded, "founding ID" before
//	head          changes with every change: the revision of its last one is that
//	              of the table, whatever else is in that etcd
//	master/NAME   the last transaction of a master
//
// and of a mailbox what a line of MUPDATE says without its name:
//
//	MAILBOX be1.example.org!default<TAB>alice<TAB>lrswipkxtecdan<TAB>
//	RESERVE be1.example.org!default
//
// A transaction compares format, master/NAME and the version of head, and sets the last
// two. So a table that was taken away or founded anew is not written to, a transaction
// that was sent twice, for its answer was lost, happens once, and one that comes after
// another, of which its master did not know, does not happen: it is sent anew, if
// whoever wanted it still waits.
//
// The package knows no mailbox list on disk and no session.
package etcdtable

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"
)

var (
	// ErrAway is the error of an etcd that does not answer, or has no quorum.
	ErrAway = errors.New("etcd is out of reach")
	// ErrNoTable is the error of a prefix without a table, or with another one
	// than before.
	ErrNoTable = errors.New("no such list in etcd")
	// ErrFounding is the error of a table whose founding was not finished.
	ErrFounding = errors.New("the list in etcd was not made to the end")
	// ErrCompacted is the error of a watch from a revision that etcd has
	// forgotten.
	ErrCompacted = errors.New("etcd has forgotten that revision")
	// ErrFounded is the error of founding a table where there is one.
	ErrFounded = errors.New("there is a list already")
	// ErrRubbish is the error of founding a table where there are mailboxes
	// without a table.
	ErrRubbish = errors.New("there are mailboxes without a list")
)

// Table is a table in etcd. Its methods may be called from many goroutines.
type Table struct {
	opts    Options
	members *members
	keys    keys

	mu      sync.Mutex // a transaction of this process
	process string
	seq     uint64
	fence   string // the last value of ours that was seen

	count   sync.Mutex
	version int64 // of head, which counts transactions, as far as is known

	id     string // which table, once it was joined
	limits limits
}

// keys are the names in etcd.
type keys struct {
	box, format, head, master string
	end                       string // of what a watch watches, which is all but the masters
}

func keysOf(prefix, master string) keys {
	k := keys{box: prefix + "box/", format: prefix + "format", head: prefix + "head", master: prefix + "master/" + master}
	k.end = k.head + "\x00"
	return k
}

// boxEnd is the end of the mailboxes.
func (k *keys) boxEnd() string { return strings.TrimSuffix(k.box, "/") + "0" }

// Open makes the way to a table. It connects to nothing yet.
func Open(o Options) (*Table, error) {
	m, err := newMembers(&o)
	if err != nil {
		return nil, err
	}
	return &Table{opts: o, members: m, keys: keysOf(o.Prefix, o.Master), process: rand.Text(), limits: newLimits()}, nil
}

// Close ends all of its connections.
func (t *Table) Close() error { return t.members.close() }

// Position is a point in a table's life.
type Position struct {
	ID       string // of the table, random
	Cluster  uint64 // etcd's own number
	Revision int64  // of the last change
	Now      int64  // etcd's own, which others move on too
}

// Join finds the table and remembers which it is. From then on another one is
// ErrNoTable.
func (t *Table) Join(ctx context.Context) (Position, error) {
	p, err := t.position(ctx)
	if err == nil {
		t.mu.Lock()
		t.id = p.ID
		t.mu.Unlock()
	}
	return p, err
}

// Head is the position of the table now: what was committed before the call, by
// any master, has a revision up to that one.
func (t *Table) Head(ctx context.Context) (Position, error) {
	p, err := t.position(ctx)
	if err == nil && p.ID != t.joined() {
		return p, fmt.Errorf("%w: it is now %s", ErrNoTable, p.ID)
	}
	return p, err
}

func (t *Table) joined() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.id
}

func (t *Table) position(ctx context.Context) (Position, error) {
	var p Position
	err := t.persist(ctx, func(ctx context.Context, c *clientv3.Client) error {
		r, err := c.Txn(ctx).Then(clientv3.OpGet(t.keys.format), clientv3.OpGet(t.keys.head)).Commit()
		if err != nil {
			return err
		}
		format, head := r.Responses[0].GetResponseRange().Kvs, r.Responses[1].GetResponseRange().Kvs
		p = Position{Cluster: r.Header.ClusterId, Now: r.Header.Revision}
		if len(format) > 0 {
			p.ID, err = idOf(string(format[0].Value))
		} else {
			err = ErrNoTable
		}
		if len(head) > 0 {
			t.changed(head[0].Version)
			p.Revision = head[0].ModRevision
		}
		return err
	})
	return p, err
}

const (
	formatNow      = "1 "
	formatFounding = "founding "
)

// idOf reads the value of format.
func idOf(format string) (string, error) {
	if id, ok := strings.CutPrefix(format, formatNow); ok {
		return id, nil
	}
	if strings.HasPrefix(format, formatFounding) {
		return "", ErrFounding
	}
	return "", fmt.Errorf("%w: its format is %q", ErrNoTable, format)
}
