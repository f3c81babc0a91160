package site_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"gocyrus/lib/annotate"
	"gocyrus/lib/log"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/quota"
	"gocyrus/lib/seen"
	"gocyrus/lib/site"
	"gocyrus/lib/subs"
	"gocyrus/lib/synclog"
)

// serverComment is an annotation of the server.
var serverComment = annotate.Key{Scope: annotate.Server, Entry: "/comment"}

// state changes something that is not in a mailbox.
func (w *worker) state(ctx context.Context) error {
	n := w.any()
	switch rand.IntN(5) {
	case 0:
		return w.s.Subs.Set(w.s.Ops.User("ann"), n, rand.IntN(2) == 0)
	case 1:
		e, err := w.s.List.Lookup(n)
		if err != nil || e.UniqueID == "" {
			return err
		}
		return w.s.Seen.For("zoe", "").Put(e.UniqueID, seen.Record{LastUID: rand.Uint32()})
	case 2:
		limits := [quota.NumResources]int64{1000000 + rand.Int64N(1000), 1000000, -1, 1000000}
		return w.s.Ops.SetQuota(ctx, admin, roots[rand.IntN(len(roots))], limits)
	case 3:
		return w.s.Ops.SetACL(ctx, admin, n, "zoe", []string{"lrs", "lrswi", ""}[rand.IntN(3)])
	}
	return w.s.Annotations.Apply(annotate.Change{Key: serverComment, Data: fmt.Append(nil, rand.Uint64())})
}

// An image is all that a replica has of a site, as text, by what it is called.
type image struct {
	boxes  map[mboxname.Name]string // name to unique id
	state  map[mboxname.Name]string
	subs   []mboxname.Name
	seen   map[string]string
	limits map[mboxname.Name]string
	server []byte
}

func imageOf(t *testing.T, s *site.Site) *image {
	t.Helper()
	im := &image{map[mboxname.Name]string{}, map[mboxname.Name]string{}, nil, map[string]string{}, map[mboxname.Name]string{}, nil}
	err := s.List.Scan("", func(v mboxlist.View) error {
		e, err := v.Entry()
		if err == nil && !e.Deleted() {
			im.boxes[e.Name] = e.UniqueID
			im.state[e.Name] = fmt.Sprint(e.UniqueID, e.ACL, e.Type, e.Partition, e.UIDValidity)
		}
		return err
	})
	fatal(t, err)
	for n := range im.boxes {
		e, err := s.List.Lookup(n)
		fatal(t, err)
		if e.Is(mboxlist.FlagIntermediate) {
			continue
		}
		m, err := s.Mailboxes.Open(t.Context(), e)
		fatal(t, err)
		fatal(t, m.View(t.Context(), func(v *mailbox.View) error {
			h := v.Header()
			im.state[n] += fmt.Sprint(h.HighestModSeq, h.LastUID, h.RecentUID, h.SyncCRC, h.SyncCRCAnnot, v.QuotaRoot())
			return nil
		}))
		m.Close()
	}
	im.subs, err = s.Subs.List(subs.User(s.Ops.User("ann")))
	fatal(t, err)
	fatal(t, s.Seen.For("zoe", "").Scan(func(id string, r seen.Record) error { im.seen[id] = r.String(); return nil }))
	fatal(t, s.Quota.Scan("", func(q *quota.Root) error { im.limits[q.Name] = fmt.Sprint(q.Limit); return nil }))
	v, _, err := s.Annotations.Get(serverComment)
	fatal(t, err)
	im.server = v.Data
	return im
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// mustName fails the test for what differs and is not in the batch.
func mustName(t *testing.T, was, is *image, b *synclog.Batch) {
	t.Helper()
	var named []mboxname.Name
	for _, c := range b.Cohorts {
		named = append(named, c.Mailboxes...)
	}
	alive := slices.Collect(maps.Values(is.boxes))
	for n, state := range is.state {
		if state != was.state[n] && !slices.Contains(named, n) {
			t.Errorf("%s was %q, is %q, and is not in the log", n, was.state[n], state)
		}
	}
	for n, id := range was.boxes {
		switch {
		case is.boxes[n] == id:
		case slices.Contains(alive, id) && !slices.Contains(named, n):
			t.Errorf("%s was renamed, and is not in the log", n)
		case !slices.Contains(alive, id) && is.boxes[n] == "" && !slices.Contains(b.Unmailboxes, n) && !slices.Contains(named, n):
			t.Errorf("%s was removed, and is not in the log", n)
		}
	}
	for _, pair := range [2][2][]mboxname.Name{{was.subs, is.subs}, {is.subs, was.subs}} {
		for _, n := range pair[0] {
			if !slices.Contains(pair[1], n) && !slices.Contains(b.Subs, synclog.SubItem{User: "ann", Name: n}) {
				t.Errorf("subscription to %s is not in the log", n)
			}
		}
	}
	for id, r := range is.seen {
		if r != was.seen[id] && !slices.Contains(b.Seen, synclog.SeenItem{User: "zoe", UniqueID: id}) {
			t.Errorf("seen record of %s is not in the log", id)
		}
	}
	for n, l := range is.limits {
		if l != was.limits[n] && !slices.Contains(b.Quotas, string(n)) {
			t.Errorf("quota root %s is not in the log", n)
		}
	}
	if !bytes.Equal(was.server, is.server) && !slices.Contains(b.Annotations, mboxname.Name("")) {
		t.Error("annotations of the server are not in the log")
	}
}

// take takes the log of the default channel and removes it.
func take(t *testing.T, s *site.Site) *synclog.Batch {
	t.Helper()
	taken, err := synclog.Take(synclog.OptionsFrom(s.Config), "")
	fatal(t, err)
	if taken == nil {
		return &synclog.Batch{}
	}
	b, err := taken.Batch()
	fatal(t, err)
	fatal(t, taken.Done())
	return b
}

// TestKilledLogsAll kills a process that changes all that replicas have, and then
// looks whether all that has changed is in the log of replication.
func TestKilledLogsAll(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	log.Open("test", log.Options{Stderr: testing.Verbose()})
	for name, options := range map[string]string{
		"delayed":       "sync_log: yes",
		"immediate":     "sync_log: yes\ndelete_mode: immediate\nexpunge_mode: immediate\nmailbox_legacy_dirs: yes",
		"conversations": "sync_log: yes\nconversations: yes",
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("GOCYRUS_SITE_OPTIONS", options)
			dir := t.TempDir()
			prepare(t, dir)
			s, err := open(dir)
			fatal(t, err)
			was := imageOf(t, s)
			take(t, s)
			fatal(t, s.Close())
			changed := 0
			for range 15 {
				kill(t, dir)
				s, err := open(dir)
				fatal(t, err)
				is, b := imageOf(t, s), take(t, s)
				mustName(t, was, is, b)
				for n, state := range is.state {
					if was.state[n] != state {
						changed++
					}
				}
				was = is
				fatal(t, s.Close())
			}
			if changed == 0 {
				t.Error("nothing has changed")
			}
		})
	}
}
