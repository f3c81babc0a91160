package etcdtable

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"gocyrus/lib/mupdate"
)

// Found makes a table of the entries where there is none. It may be broken off at
// any time and done once more, with the same entries or others: a table whose
// founding was not finished is nobody's. The error is ErrFounded, ErrRubbish or
// ErrAway.
func (t *Table) Found(ctx context.Context, entries []mupdate.Entry) error {
	id, err := t.claim(ctx)
	if err != nil {
		return err
	}
	want := make(map[string]string, len(entries))
	for i := range entries {
		want[t.keys.box+entries[i].Name.DB()] = value(&entries[i])
	}
	ops, err := t.differences(ctx, want)
	if err != nil {
		return err
	}
	guard := clientv3.Compare(clientv3.Value(t.keys.format), "=", formatFounding+id)
	for len(ops) > 0 {
		n := share(ops)
		if err := t.under(ctx, guard, ops[:n]); err != nil {
			return err
		}
		ops = ops[n:]
	}
	return t.finish(ctx, id, guard)
}

// finish makes the table one.
func (t *Table) finish(ctx context.Context, id string, guard clientv3.Cmp) error {
	return t.persist(ctx, func(ctx context.Context, c *clientv3.Client) error {
		r, err := c.Txn(ctx).If(guard).
			Then(clientv3.OpPut(t.keys.format, formatNow+id), clientv3.OpPut(t.keys.head, "")).
			Else(clientv3.OpGet(t.keys.format)).Commit()
		if err != nil || r.Succeeded {
			return err
		}
		// The answer to the first attempt may have been lost.
		if kvs := r.Responses[0].GetResponseRange().Kvs; len(kvs) > 0 && string(kvs[0].Value) == formatNow+id {
			return nil
		}
		return errRace
	})
}

// errRace is the error of founding a table that somebody else is founding too.
var errRace = fmt.Errorf("%w, or somebody else is making one", ErrFounded)

// share is how many of the operations fit into a transaction.
func share(ops []clientv3.Op) int {
	n, octets := 0, 0
	for n < min(len(ops), MaxChanges) && (n == 0 || octets < MaxOctets) {
		octets += len(ops[n].KeyBytes()) + len(ops[n].ValueBytes())
		n++
	}
	return n
}

// claim says that a table is being founded.
func (t *Table) claim(ctx context.Context) (id string, err error) {
	err = t.persist(ctx, func(ctx context.Context, c *clientv3.Client) error {
		r, err := c.Txn(ctx).Then(clientv3.OpGet(t.keys.format),
			clientv3.OpGet(t.keys.box, clientv3.WithRange(t.keys.boxEnd()), clientv3.WithCountOnly())).Commit()
		if err != nil {
			return err
		}
		format, boxes := r.Responses[0].GetResponseRange().Kvs, r.Responses[1].GetResponseRange().Count
		if len(format) > 0 {
			var ok bool
			if id, ok = strings.CutPrefix(string(format[0].Value), formatFounding); ok {
				return nil
			}
			return ErrFounded
		}
		if boxes > 0 {
			return fmt.Errorf("%w: %d below %s", ErrRubbish, boxes, t.keys.box)
		}
		id = rand.Text()
		_, err = c.Txn(ctx).If(clientv3.Compare(clientv3.CreateRevision(t.keys.format), "=", 0)).
			Then(clientv3.OpPut(t.keys.format, formatFounding+id)).Commit()
		return err
	})
	return id, err
}

// differences are the operations that make etcd have what is wanted.
func (t *Table) differences(ctx context.Context, want map[string]string) ([]clientv3.Op, error) {
	var ops []clientv3.Op
	has := map[string]bool{}
	for start := t.keys.box; start != ""; {
		var page *clientv3.GetResponse
		err := t.persist(ctx, func(ctx context.Context, c *clientv3.Client) (err error) {
			page, err = c.Get(ctx, start, clientv3.WithRange(t.keys.boxEnd()), clientv3.WithLimit(pageSize))
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, kv := range page.Kvs {
			key := string(kv.Key)
			if v, ok := want[key]; !ok {
				ops = append(ops, clientv3.OpDelete(key))
			} else if has[key] = v == string(kv.Value); !has[key] {
				ops = append(ops, clientv3.OpPut(key, v))
				has[key] = true
			}
		}
		start = ""
		if page.More {
			start = string(page.Kvs[len(page.Kvs)-1].Key) + "\x00"
		}
	}
	for key, v := range want {
		if !has[key] {
			ops = append(ops, clientv3.OpPut(key, v))
		}
	}
	return ops, nil
}

// under carries operations out that may be done twice, as long as the founding is
// ours.
func (t *Table) under(ctx context.Context, guard clientv3.Cmp, ops []clientv3.Op) error {
	return t.persist(ctx, func(ctx context.Context, c *clientv3.Client) error {
		r, err := c.Txn(ctx).If(guard).Then(ops...).Commit()
		if err != nil || r.Succeeded {
			return err
		}
		return errRace
	})
}
