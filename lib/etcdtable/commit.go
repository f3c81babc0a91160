package etcdtable

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"gocyrus/lib/log"
	"gocyrus/lib/mupdate"
)

// Op is what a change does.
type Op uint8

// The changes of MUPDATE.
const (
	Reserve    Op = iota // what nobody has, or who reserves it has already
	Activate             // whoever had it
	Deactivate           // what is active
	Delete               // what is there
)

// Change is one of them. Entry has a Name and, where there is one, a Location and
// an ACL, as they are to be stored.
type Change struct {
	Op    Op
	Entry mupdate.Entry
}

// Result is what became of a change. Err is nil or one of mupdate's.
type Result struct {
	Was mupdate.Entry // before an Activate
	Err error
}

// MaxChanges is how many changes one transaction may have: etcd takes 128
// operations, of which some are ours and some those of conditions in conditions.
const MaxChanges = 100

// MaxOctets is how much of names, locations and access lists: etcd takes requests
// of 1.5 MB.
const MaxOctets = 1 << 20

// limits are what the servers turned out to take.
type limits struct{ changes *atomic.Int64 }

func newLimits() limits {
	l := limits{new(atomic.Int64)}
	l.changes.Store(MaxChanges)
	return l
}

var (
	// ErrUnwanted is the error of changes that nobody waits for any more.
	ErrUnwanted = errors.New("given up")

	errMoved   = errors.New("another transaction came first")
	errTooMuch = errors.New("too much for one transaction")
)

// Commit makes changes, of at most MaxChanges different names, in one
// transaction. Without an error it is in etcd for good and each change has its
// result. With ErrAway it is not known to be, and cannot be any more once any other
// Commit has succeeded, of whatever master: what a network holds back, or a member that
// stands still, and somebody has done elsewhere meanwhile, is too late.
//
// Before each attempt wanted is asked whether the changes are still to be made. What
// other masters did before it said so comes before them; what they do after it makes the
// attempt fail. Once it says no the error is ErrUnwanted, and what an earlier attempt did
// is not known.
func (t *Table) Commit(ctx context.Context, changes []Change, wanted func() bool) ([]Result, error) {
	var all []Result
	for len(changes) > 0 {
		n := min(len(changes), int(t.limits.changes.Load()))
		results, err := t.commit(ctx, changes[:n], wanted)
		if errors.Is(err, errTooMuch) && n > 1 {
			t.limits.changes.Store(int64(n / 2))
			continue
		}
		if err != nil {
			return nil, err
		}
		all, changes = append(all, results...), changes[n:]
	}
	return all, nil
}

func (t *Table) commit(ctx context.Context, changes []Change, wanted func() bool) ([]Result, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seq++
	mine := fmt.Sprintf("%s %d", t.process, t.seq)
	ops := make([]clientv3.Op, 0, 2+len(changes))
	ops = append(ops, clientv3.OpPut(t.keys.head, mine), clientv3.OpPut(t.keys.master, mine))
	for i := range changes {
		ops = append(ops, t.op(&changes[i]))
	}
	var results []Result
	err := t.persist(ctx, func(ctx context.Context, c *clientv3.Client) error {
		err := errMoved
		for errors.Is(err, errMoved) && ctx.Err() == nil {
			before := t.known()
			if !wanted() {
				return ErrUnwanted
			}
			results, err = t.attempt(ctx, c, mine, before, ops, changes)
		}
		return err
	})
	return results, err
}

// attempt sends a transaction, which is carried out if there have been so many before.
// Where it has been there already, what it did then is found.
func (t *Table) attempt(ctx context.Context, client *clientv3.Client, mine string, before int64, ops []clientv3.Op, changes []Change) ([]Result, error) {
	r, err := client.Txn(ctx).
		If(clientv3.Compare(clientv3.Value(t.keys.format), "=", formatNow+t.id), t.last(), t.next(before)).
		Then(ops...).
		Else(clientv3.OpGet(t.keys.format), clientv3.OpGet(t.keys.master), clientv3.OpGet(t.keys.head)).
		Commit()
	switch {
	case errors.Is(err, rpctypes.ErrTooManyOps), errors.Is(err, rpctypes.ErrRequestTooLarge):
		return nil, fmt.Errorf("%w: %w", errTooMuch, err)
	case err != nil:
		return nil, err
	case r.Succeeded:
		t.fence = mine
		t.changed(before + 1)
		return t.results(changes, r.Responses[2:]), nil
	}
	format, fence := r.Responses[0].GetResponseRange().Kvs, r.Responses[1].GetResponseRange().Kvs
	if len(format) == 0 || string(format[0].Value) != formatNow+t.id {
		return nil, fmt.Errorf("%w: it is no longer that of before", ErrNoTable)
	}
	if len(fence) > 0 && string(fence[0].Value) == mine {
		// t.fence stays: as long as the outcomes are not known, it must not be what
		// the next attempt compares with.
		return t.outcomes(ctx, client, changes, fence[0].ModRevision)
	}
	t.forget()
	for _, kv := range r.Responses[2].GetResponseRange().Kvs {
		t.changed(kv.Version)
	}
	t.fence = ""
	if len(fence) > 0 {
		t.fence = string(fence[0].Value)
	}
	return nil, errMoved
}

// last is the condition that no other transaction of this master was carried out
// since the last that is known of.
func (t *Table) last() clientv3.Cmp {
	if t.fence == "" {
		return clientv3.Compare(clientv3.CreateRevision(t.keys.master), "=", 0)
	}
	return clientv3.Compare(clientv3.Value(t.keys.master), "=", t.fence)
}

// next is the condition that there have been so many transactions, of all masters.
func (t *Table) next(before int64) clientv3.Cmp {
	return clientv3.Compare(clientv3.Version(t.keys.head), "=", before)
}

// changed notes that there have been so many transactions, or more.
func (t *Table) changed(version int64) {
	t.count.Lock()
	defer t.count.Unlock()
	t.version = max(t.version, version)
}

// forget has the number be what is noted next.
func (t *Table) forget() {
	t.count.Lock()
	defer t.count.Unlock()
	t.version = 0
}

// known is the most that was noted.
func (t *Table) known() int64 {
	t.count.Lock()
	defer t.count.Unlock()
	return t.version
}

// op is the operation of a change: one with conditions where it has some, so that
// no other change need be read for or waited for.
func (t *Table) op(c *Change) clientv3.Op {
	key := t.keys.box + c.Entry.Name.DB()
	put := func(state mupdate.State) clientv3.Op {
		e := c.Entry
		e.State = state
		return clientv3.OpPut(key, value(&e), clientv3.WithPrevKV())
	}
	is := func(how, what string) clientv3.Cmp { return clientv3.Compare(clientv3.Value(key), how, what) }
	then := func(ops ...clientv3.Op) []clientv3.Op { return ops }
	switch c.Op {
	case Activate:
		return put(mupdate.Active)
	case Delete:
		return clientv3.OpDelete(key)
	case Deactivate:
		return clientv3.OpTxn(
			[]clientv3.Cmp{is(">", active), is("<", above(active))},
			then(put(mupdate.Reserved)), then(clientv3.OpGet(key)))
	}
	if t.opts.Lenient {
		return put(mupdate.Reserved)
	}
	here := active + c.Entry.Location
	free := clientv3.Compare(clientv3.CreateRevision(key), "=", 0)
	// Active here has a TAB and an access list after that; TAB is above nothing
	// and below what else may follow. It stays so: the backend may have gone on at another
	// master, and activated the name, when this comes.
	done := clientv3.OpTxn([]clientv3.Cmp{is(">", here), is("<", here+"\n")}, nil, then(clientv3.OpGet(key)))
	again := clientv3.OpTxn([]clientv3.Cmp{is("=", reserved+c.Entry.Location)}, nil, then(done))
	return clientv3.OpTxn([]clientv3.Cmp{free}, then(put(mupdate.Reserved)), then(again))
}

// above is the lowest string that is higher than all that begin with s.
func above(s string) string { return s[:len(s)-1] + string(s[len(s)-1]+1) }

// results reads the answers of a transaction.
func (t *Table) results(changes []Change, answers []*pb.ResponseOp) []Result {
	out := make([]Result, len(changes))
	for i := range changes {
		c, a := &changes[i], answers[i]
		switch c.Op {
		case Activate:
			if kv := a.GetResponsePut().PrevKv; kv != nil {
				out[i].Was = t.found(kv)
			}
		case Delete:
			if a.GetResponseDeleteRange().Deleted == 0 {
				out[i].Err = t.verdict(c, &mupdate.Entry{})
			}
		default:
			if was, refused := t.refusal(a); refused {
				out[i].Err = t.verdict(c, &was)
			}
		}
	}
	return out
}

// refusal finds in the answer to a change with conditions what was read where
// none of them held.
func (t *Table) refusal(a *pb.ResponseOp) (was mupdate.Entry, refused bool) {
	for {
		if r := a.GetResponseRange(); r != nil {
			for _, kv := range r.Kvs {
				was = t.found(kv)
			}
			return was, true
		}
		x := a.GetResponseTxn()
		if x == nil || len(x.Responses) == 0 {
			return was, false
		}
		a = x.Responses[0]
	}
}

// found is what was there. What cannot be read is a mailbox all the same, of
// somebody else.
func (t *Table) found(kv *mvccpb.KeyValue) mupdate.Entry {
	e, err := entry(string(kv.Key[len(t.keys.box):]), string(kv.Value))
	if err != nil {
		log.Err("DBERROR: %v", err)
		return mupdate.Entry{State: mupdate.Active, Name: e.Name}
	}
	return e
}

// verdict is what becomes of a change of an entry that was so.
func (t *Table) verdict(c *Change, was *mupdate.Entry) error {
	switch {
	case c.Op == Reserve && !t.opts.Lenient && was.State != mupdate.Absent && was.Location != c.Entry.Location:
		return mupdate.ErrExists
	case c.Op == Deactivate && was.State == mupdate.Absent:
		return mupdate.ErrNotFound
	case c.Op == Deactivate && was.State == mupdate.Reserved:
		return mupdate.ErrNotActive
	case c.Op == Delete && was.State == mupdate.Absent && !t.opts.Lenient:
		return mupdate.ErrNotFound
	}
	return nil
}

// outcomes finds what a transaction has done whose answer was lost: it was
// carried out at a revision, and what was there before decided.
func (t *Table) outcomes(ctx context.Context, client *clientv3.Client, changes []Change, rev int64) ([]Result, error) {
	out := make([]Result, len(changes))
	for i := range changes {
		c := &changes[i]
		r, err := client.Get(ctx, t.keys.box+c.Entry.Name.DB(), clientv3.WithRev(rev-1))
		if err != nil {
			return nil, err
		}
		var was mupdate.Entry
		if len(r.Kvs) > 0 {
			was = t.found(r.Kvs[0])
		}
		if out[i].Err = t.verdict(c, &was); c.Op == Activate {
			out[i].Was = was
		}
	}
	return out, nil
}
