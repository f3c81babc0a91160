package mailbox

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gocyrus/lib/annotate"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mboxlist"
)

// exactOf is a message of one mailbox as it is to be in another.
func exactOf(t testing.TB, v *View, recno int) Exact {
	t.Helper()
	var r indexfile.Record
	if err := v.Record(recno, &r); err != nil {
		t.Fatal(err)
	}
	annots, err := v.ExactAnnots(r.UID)
	if err != nil {
		t.Fatal(err)
	}
	x := Exact{
		Append: Append{
			UID: r.UID, InternalDate: r.InternalDate, Flags: r.Flags, SaveDate: r.SaveDate,
			CID: r.CID, CreatedModSeq: r.CreatedModSeq,
		},
		ModSeq: r.ModSeq, LastUpdated: r.LastUpdated, GUID: r.GUID, Size: r.Size,
		Expunged: r.Flags&indexfile.Expunged != 0, Annots: annots,
	}
	if r.Flags&indexfile.Unlinked == 0 {
		x.File = v.m.paths.message(r.UID, false)
	}
	for slot, name := range v.UserFlags() {
		if r.UserFlags.Has(slot) {
			x.UserFlags = append(x.UserFlags, name)
		}
	}
	return x
}

// replicaOf is a mailbox in a store of its own, empty, with the numbers of e.
func replicaOf(t testing.TB, e *mboxlist.Entry, opt func(*Options)) *Mailbox {
	t.Helper()
	s, _ := newStore(t, opt)
	r := *e
	r.Name = "user.alice.replica"
	if err := s.Create(t.Context(), &r, CreateOptions{Exact: true}); err != nil {
		t.Fatal(err)
	}
	m := open(t, s, &r)
	t.Cleanup(m.Close)
	return m
}

// replicate makes the replica what m is, from scratch.
func replicate(t testing.TB, m, to *Mailbox) {
	t.Helper()
	var all []Exact
	var h indexfile.Header
	var flags []string
	err := m.View(t.Context(), func(v *View) error {
		for recno := 1; recno <= v.NumRecords(); recno++ {
			all = append(all, exactOf(t, v, recno))
		}
		h, flags = *v.Header(), v.UserFlags()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = to.Update(t.Context(), func(tx *Tx) error {
		if err := tx.LearnFlags(flags); err != nil {
			return err
		}
		if err := tx.AppendAllExact(all); err != nil {
			return err
		}
		is := tx.Header()
		is.HighestModSeq, is.LastUID, is.LastAppendDate = h.HighestModSeq, h.LastUID, h.LastAppendDate
		if is.SyncCRC != h.SyncCRC || is.SyncCRCAnnot != h.SyncCRCAnnot {
			t.Errorf("CRCs %d %d, of the other %d %d", is.SyncCRC, is.SyncCRCAnnot, h.SyncCRC, h.SyncCRCAnnot)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// same compares the records of two mailboxes, octet for octet but for the place
// of the cache.
func same(t testing.TB, a, b *Mailbox) {
	t.Helper()
	records := func(m *Mailbox) (rs []indexfile.Record) {
		err := m.View(t.Context(), func(v *View) error {
			for recno := 1; recno <= v.NumRecords(); recno++ {
				var r indexfile.Record
				if err := v.Record(recno, &r); err != nil {
					return err
				}
				if r.Flags&indexfile.Unlinked != 0 {
					// A stub has no more than what a peer is told of.
					r = indexfile.Record{UID: r.UID, GUID: r.GUID, ModSeq: r.ModSeq, Flags: r.Flags &^ indexfile.NeedsCleanup, Size: r.Size}
				}
				r.CacheOffset = 0
				rs = append(rs, r)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return rs
	}
	x, y := records(a), records(b)
	if len(x) != len(y) {
		t.Fatalf("%d records and %d", len(x), len(y))
	}
	for i := range x {
		if x[i] != y[i] {
			t.Errorf("record %d:\n%+v\n%+v", i+1, x[i], y[i])
		}
	}
}

// TestReplica replicates a mailbox in which clients have done some of everything:
// records, CRCs and counts are the same.
func TestReplica(t *testing.T) {
	for _, mode := range []ExpungeMode{ExpungeDelayed, ExpungeSemidelayed} {
		s, e := newStore(t, func(o *Options) { o.Expunge = mode })
		m := open(t, s, e)
		defer m.Close()
		rnd := rand.New(rand.NewPCG(3, uint64(mode)))
		for range 4 {
			changeAll(t, m, t.TempDir(), rnd)
			annotateSome(t, m, rnd)
		}
		to := replicaOf(t, e, nil)
		replicate(t, m, to)
		same(t, m, to)
		checkMailbox(t, to)
	}
}

// annotateSome gives live messages annotations.
func annotateSome(t testing.TB, m *Mailbox, rnd *rand.Rand) {
	t.Helper()
	err := m.Update(t.Context(), func(tx *Tx) error {
		for recno := 1; recno <= tx.NumRecords(); recno++ {
			if !tx.Raw(recno).Live() || rnd.IntN(2) == 0 {
				continue
			}
			set := []Annot{
				{"/comment", "", fmt.Append(nil, rnd.Uint32())},
				{"/comment", annotate.Owner, fmt.Append(nil, rnd.Uint32())},
				{"/altsubject", "zoe", []byte("")},
			}
			if err := tx.SetAnnots(recno, set[:1+rnd.IntN(3)]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestCountsKept makes random changes, exact and ordinary, several in an update
// and some updates failing: what the header keeps stays what a recount gives.
func TestCountsKept(t *testing.T) {
	for _, version := range []uint32{12, 13, 15, 17, 19} {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			for seed := range uint64(4) {
				s, e := newStore(t, func(o *Options) {
					o.IndexVersion, o.Expunge = version, []ExpungeMode{ExpungeDelayed, ExpungeSemidelayed}[seed%2]
				})
				m := open(t, s, e)
				keepCounts(t, m, &changer{rnd: rand.New(rand.NewPCG(seed, uint64(version))), dir: t.TempDir()})
				m.Close()
			}
		})
	}
}

func keepCounts(t *testing.T, m *Mailbox, c *changer) {
	for range 12 {
		boom := errors.New("boom")
		err := m.Update(t.Context(), func(tx *Tx) error {
			for range 8 {
				if err := c.change(t, tx); err != nil {
					return err
				}
			}
			kept := *tx.Header()
			if err := tx.Recount(); err != nil {
				return err
			}
			if got, kept := counted(*tx.Header()), counted(kept); got != kept {
				t.Errorf("kept\n%+v, counted\n%+v", kept, got)
			}
			if c.rnd.IntN(4) == 0 {
				return boom
			}
			return nil
		})
		if err != nil && !errors.Is(err, boom) {
			t.Fatal(err)
		}
		checkMailbox(t, m)
		checkAnnotUsed(t, m)
	}
}

// checkAnnotUsed adds up the annotations of live messages.
func checkAnnotUsed(t *testing.T, m *Mailbox) {
	t.Helper()
	err := m.View(t.Context(), func(v *View) error {
		if v.Header().Version < 13 {
			return nil
		}
		x := v.Annotations()
		defer x.Close()
		used := uint32(0)
		for _, uid := range v.Index().UIDs() {
			all, err := x.OfExact(uid)
			if err != nil {
				return err
			}
			for _, a := range all {
				used += uint32(len(a.Data))
			}
		}
		if got := v.Header().AnnotUsed; got != used {
			t.Errorf("annotations use %d octets, kept are %d", used, got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A changer makes random changes.
type changer struct {
	rnd *rand.Rand
	dir string
	n   int
}

func (c *changer) annots() (all []ExactAnnot) {
	for _, entry := range []string{"/comment", "/altsubject", "/vendor/x"} {
		for _, user := range []string{"", annotate.Owner, "zoe"} {
			if c.rnd.IntN(4) == 0 {
				all = append(all, ExactAnnot{entry, user, c.rnd.Uint64N(1000), fmt.Append([]byte{}, c.rnd.IntN(3))})
			}
		}
	}
	return all
}

func (c *changer) flags() indexfile.Flags { return indexfile.Flags(c.rnd.IntN(32)) }

func (c *changer) change(t *testing.T, tx *Tx) error {
	recno := 0
	if n := tx.NumRecords(); n > 0 {
		recno = 1 + c.rnd.IntN(n)
	}
	switch what := c.rnd.IntN(8); {
	case what == 0:
		f, msg := c.file(t)
		_, _, err := tx.Append(Append{File: f, Message: msg, Flags: c.flags(), CID: c.rnd.Uint64N(3), Annots: []Annot{{"/comment", "", []byte("x")}}})
		return err
	case what <= 2 || recno == 0:
		return tx.AppendExact(c.exact(t, tx))
	case !tx.Raw(recno).Live() && what != 5:
		return nil
	case what <= 4:
		return c.rewrite(tx, recno)
	case what == 5:
		return tx.ExpungeQuietly(recno)
	case what == 6:
		return tx.SetAnnots(recno, []Annot{{"/comment", "", []byte("longer")}, {"/altsubject", "zoe", nil}})
	default:
		return tx.Expunge(recno)
	}
}

func (c *changer) file(t *testing.T) (string, parsed) {
	c.n++
	return staged(t, c.dir, fmt.Sprint("m", c.n), c.rnd.IntN(300))
}

func (c *changer) exact(t *testing.T, tx *Tx) Exact {
	f, msg := c.file(t)
	x := Exact{
		Append: Append{
			File: f, UID: tx.Header().LastUID + 1 + c.rnd.Uint32N(3), Flags: c.flags(), InternalDate: c.rnd.Uint32(),
			SaveDate: c.rnd.Uint32N(2), CID: c.rnd.Uint64N(2), CreatedModSeq: c.rnd.Uint64N(2), UserFlags: []string{"a", "B", "c"}[:c.rnd.IntN(4)],
		},
		ModSeq: 1 + c.rnd.Uint64N(100), LastUpdated: c.rnd.Uint32(), GUID: msg.GUID,
		Expunged: c.rnd.IntN(4) == 0, Annots: c.annots(),
	}
	switch {
	case x.Expunged && c.rnd.IntN(2) == 0:
		x.File, x.Size = "", msg.Size
	case c.rnd.IntN(2) == 0:
		x.Message = msg
	}
	return x
}

func (c *changer) rewrite(tx *Tx, recno int) error {
	var r indexfile.Record
	if err := tx.Record(recno, &r); err != nil {
		return err
	}
	r.ModSeq, r.LastUpdated, r.InternalDate = 1+c.rnd.Uint64N(200), c.rnd.Uint32(), c.rnd.Uint32()
	r.Flags ^= c.flags()
	if c.rnd.IntN(4) == 0 {
		r.Flags |= indexfile.Expunged
	}
	slot, err := tx.ExactFlag([]string{"a", "B", "c"}[c.rnd.IntN(3)])
	if err != nil {
		return err
	}
	r.UserFlags.Set(slot, c.rnd.IntN(2) == 0)
	r.CID, r.SaveDate, r.CreatedModSeq = c.rnd.Uint64N(2), c.rnd.Uint32N(2), c.rnd.Uint64N(2)
	return tx.RewriteExact(recno, &r, c.annots())
}

// TestExactRefused lists what cannot be stored; nothing of the update stays.
func TestExactRefused(t *testing.T) {
	s, e := newStore(t, nil)
	m := open(t, s, e)
	defer m.Close()
	add(t, m, 3)
	dir := t.TempDir()
	f, msg := staged(t, dir, "good", 100)
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	good := Exact{Append: Append{File: f, UID: 9}, ModSeq: 50, GUID: msg.GUID}
	with := func(fn func(x *Exact)) Exact {
		x := good
		fn(&x)
		return x
	}
	for _, tc := range []struct {
		name string
		x    Exact
		want error
	}{
		{"uid used", with(func(x *Exact) { x.UID = 3 }), ErrExists},
		{"no uid", with(func(x *Exact) { x.UID = 0 }), ErrExists},
		{"no file", with(func(x *Exact) { x.File = f + ".gone" }), ErrBadFile},
		{"no file, parsed", with(func(x *Exact) { x.File, x.Message = f+".gone", msg }), ErrGone},
		{"empty file", with(func(x *Exact) { x.File = empty }), ErrBadFile},
		{"other file", with(func(x *Exact) { x.GUID[3]++ }), ErrBadFile},
		{"other file, parsed", with(func(x *Exact) { x.Message = msg; x.GUID[3]++ }), ErrBadFile},
		{"live without file", with(func(x *Exact) { x.File = "" }), ErrBadFile},
		{"stub of nothing", with(func(x *Exact) { x.File, x.Expunged = "", true }), ErrBadFile},
	} {
		before, err := os.ReadFile(m.Path("index"))
		if err != nil {
			t.Fatal(err)
		}
		for name, run := range map[string]func(tx *Tx) error{
			"one":  func(tx *Tx) error { return errors.Join(tx.Expunge(1), tx.AppendExact(tc.x)) },
			"many": func(tx *Tx) error { return tx.AppendAllExact([]Exact{with(func(x *Exact) { x.UID = 8 }), tc.x, good}) },
		} {
			if tc.x.UID != 9 && name == "many" {
				continue
			}
			if err := m.Update(t.Context(), run); !errors.Is(err, tc.want) {
				t.Errorf("%s, %s: %v, want %v", tc.name, name, err, tc.want)
			}
		}
		after, err := os.ReadFile(m.Path("index"))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(before, after) {
			t.Errorf("%s: the index has changed", tc.name)
		}
	}
	if _, err := os.Stat(filepath.Join(m.Path("data"), "8.")); err == nil {
		t.Error("a message file stayed")
	}
	var r indexfile.Record
	err := m.Update(t.Context(), func(tx *Tx) error {
		if err := tx.ExpungeQuietly(2); err != nil {
			return err
		}
		if err := tx.Record(2, &r); err != nil {
			return err
		}
		r.Flags &^= indexfile.Expunged
		if err := tx.RewriteExact(2, &r, nil); !errors.Is(err, ErrExists) {
			t.Errorf("live again: %v", err)
		}
		r.GUID[0]++
		if err := tx.RewriteExact(2, &r, nil); !errors.Is(err, ErrCorrupt) {
			t.Errorf("other message: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestQuietExpunge has who looks next see that a message is gone, though no
// modseq says so; in another process too.
func TestQuietExpunge(t *testing.T) {
	s, e := newStore(t, nil)
	other := NewStore(s.opt, nil, nil)
	defer other.Close()
	m, n := open(t, s, e), open(t, other, e)
	defer m.Close()
	defer n.Close()
	add(t, m, 4)
	uids := func(m *Mailbox) (all []uint32) {
		if err := m.View(t.Context(), func(v *View) error { all = v.Index().UIDs(); return nil }); err != nil {
			t.Fatal(err)
		}
		return all
	}
	uids(m)
	uids(n)
	if err := m.Update(t.Context(), func(tx *Tx) error { return tx.ExpungeQuietly(2) }); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*Mailbox{m, n} {
		if got := uids(m); !slices.Equal(got, []uint32{1, 3, 4}) {
			t.Errorf("messages: %v", got)
		}
		checkMailbox(t, m)
	}
}

// TestLowModSeq stores a change with a modseq below the highest: who asks what
// changed since an earlier one is told of it.
func TestLowModSeq(t *testing.T) {
	s, e := newStore(t, nil)
	m := open(t, s, e)
	defer m.Close()
	add(t, m, 6)
	changed := func(since uint64) (recnos []int) {
		err := m.View(t.Context(), func(v *View) error {
			return v.ChangedSince(since, func(recno int) error { recnos = append(recnos, recno); return nil })
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(recnos)
		return recnos
	}
	changed(1)
	err := m.Update(t.Context(), func(tx *Tx) error {
		var r indexfile.Record
		if err := tx.Record(1, &r); err != nil {
			return err
		}
		r.ModSeq, r.Flags = 5, r.Flags|indexfile.Flagged
		if err := tx.RewriteExact(1, &r, nil); err != nil {
			return err
		}
		tx.Header().HighestModSeq, tx.Header().LastUID = 2, 2 // too low: raised
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := changed(4); !slices.Equal(got, []int{1, 4, 5, 6}) {
		t.Errorf("changed since 4: records %v", got)
	}
	checkMailbox(t, m)
	err = m.View(t.Context(), func(v *View) error {
		if h := v.Header(); h.HighestModSeq != 7 || h.LastUID != 6 {
			t.Errorf("highest modseq %d, last uid %d", h.HighestModSeq, h.LastUID)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
