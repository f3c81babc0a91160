package index

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/emersion/go-imap/v2"

	"gocyrus/lib/acl"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/quota"
	"gocyrus/lib/seqset"
)

func TestExpunge(t *testing.T) {
	b := newBox(t, newStore(t), "user.alice")
	b.add(2, indexfile.Deleted)
	b.add(1, 0)
	b.add(2, indexfile.Deleted)
	s := b.open(owner, false)
	n, err := s.Expunge(t.Context(), nums("2:4"), false)
	if n != 2 || err != nil {
		t.Fatalf("expunged %d, %v", n, err)
	}
	if c := b.refresh(s, false); !slices.Equal(c.Gone, []Gone{{2, 2}, {3, 4}}) {
		t.Errorf("told %+v", c)
	}
	if n, err = s.Expunge(t.Context(), nil, true); n != 2 || err != nil {
		t.Fatalf("expunged %d, %v", n, err)
	}
	if c := b.refresh(s, false); !slices.Equal(c.Gone, []Gone{{1, 1}, {2, 5}}) || s.Exists() != 1 {
		t.Errorf("told %+v, left %d", c, s.Exists())
	}
	weak := b.open(Who{User: "alice", Owner: true, Rights: acl.Read}, false)
	if _, err := weak.Expunge(t.Context(), nil, true); !errors.Is(err, ErrRights) {
		t.Errorf("without the right: %v", err)
	}
}

func TestVanished(t *testing.T) {
	b := newBox(t, newStore(t), "user.alice")
	b.add(10, 0)
	s := b.open(owner, false)
	since := s.Told()
	b.expunge(2, 3, 7)
	b.flag(8, indexfile.Flagged)
	b.refresh(s, false)
	for _, tc := range []struct {
		name  string
		set   imap.UIDSet
		since uint64
		known Match
		want  seqset.Set
	}{
		{"all", nil, since, Match{}, set("2:3,7")},
		{"some", imap.UIDSet{{Start: 3, Stop: 0}}, since, Match{}, set("3,7")},
		{"nothing since", nil, s.Told(), Match{}, nil},
		{"after the first", nil, since + 1, Match{}, set("3,7")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := s.Vanished(t.Context(), tc.set, tc.since, tc.known)
			if err != nil || !slices.Equal(got, tc.want) {
				t.Errorf("got %v, %v; want %v", got, err, tc.want)
			}
		})
	}
	var changed []int
	err := s.View(t.Context(), func(r *Reader) error {
		var err error
		changed, err = r.Since(nil, since)
		return err
	})
	if err != nil || !slices.Equal(changed, []int{5}) {
		t.Errorf("changed since %v, %v", changed, err)
	}
}

// TestMissing: when the history does not go back far enough, every UID that is
// not there is named, but for those the client knows to be right.
func TestMissing(t *testing.T) {
	b := newBox(t, newStore(t), "user.alice")
	b.add(10, 0)
	b.expunge(2, 3, 7, 10) // left: 1 4 5 6 8 9
	s := b.open(owner, false)
	for _, tc := range []struct {
		name  string
		set   imap.UIDSet
		known Match
		want  seqset.Set
	}{
		{"all", nil, Match{}, set("2:3,7,10")},
		{"bounded", imap.UIDSet{{Start: 3, Stop: 9}}, Match{}, set("3,7")},
		{"agreed", nil, Match{imap.SeqSet{{Start: 1, Stop: 3}}, imap.UIDSet{{Start: 1, Stop: 1}, {Start: 4, Stop: 5}}}, set("7,10")},
		{"agreed in front", nil, Match{imap.SeqSet{{Start: 1, Stop: 1}, {Start: 5, Stop: 5}}, imap.UIDSet{{Start: 1, Stop: 1}, {Start: 9, Stop: 9}}}, set("2:3,7,10")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := s.View(t.Context(), func(r *Reader) error {
				if got := r.missing(wanted(tc.set, 10), 10, tc.known); !slices.Equal(got, tc.want) {
					t.Errorf("got %v, want %v", got, tc.want)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestCopy(t *testing.T) {
	store := newStore(t)
	from, to := newBox(t, store, "user.alice"), newBox(t, store, "user.alice.Archive")
	from.add(2, indexfile.Seen, "Key")
	from.add(2, indexfile.Flagged|indexfile.Deleted)
	to.add(5, 0)
	s := from.open(owner, false)
	from.expunge(3)
	c, err := s.Copy(t.Context(), nums("2:4"), Target{Mailbox: to.Mailbox, Who: owner})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.From, set("2,4")) || !slices.Equal(c.To, set("6:7")) {
		t.Errorf("copied %+v", c)
	}
	got := to.open(owner, false)
	if f := to.flags(got, 6); f != `\Recent \Seen Key` {
		t.Errorf("flags %q", f)
	}
	if f := to.flags(got, 7); f != `\Recent \Flagged \Deleted` {
		t.Errorf("flags %q", f)
	}
	a, err1 := os.Stat(from.Path("data") + "/2.")
	z, err2 := os.Stat(to.Path("data") + "/6.")
	if err1 != nil || err2 != nil || !os.SameFile(a, z) {
		t.Errorf("the copy is not a link: %v %v", err1, err2)
	}
	err = got.View(t.Context(), func(r *Reader) error {
		raw, _ := r.Raw(6)
		_, err := r.v.Cache(raw)
		return err
	})
	if err != nil {
		t.Errorf("cache of the copy: %v", err)
	}
}

// TestCopyRefused: all or nothing.
func TestCopyRefused(t *testing.T) {
	store := newStore(t)
	from, to := newBox(t, store, "user.alice"), newBox(t, store, "user.alice.Archive")
	from.add(3, 0)
	full := newBoxUnder(t, store, "user.alice.Full", "user.alice")
	s := from.open(owner, false)
	for _, tc := range []struct {
		name string
		set  Numbers
		t    Target
		want error
	}{
		{"no message", nil, Target{Mailbox: to.Mailbox, Who: owner}, ErrNoMessage},
		{"no right", all(s), Target{Mailbox: to.Mailbox, Who: Who{Rights: acl.Read}}, ErrRights},
		{"quota", all(s), Target{Mailbox: full.Mailbox, Who: owner}, quota.ErrOver},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := s.Copy(t.Context(), tc.set, tc.t); !errors.Is(err, tc.want) {
				t.Errorf("error %v, want %v", err, tc.want)
			}
			if n := len(to.live()) + len(full.live()); n != 0 {
				t.Errorf("%d messages arrived", n)
			}
		})
	}
}

func TestMove(t *testing.T) {
	store := newStore(t)
	from, to := newBox(t, store, "user.alice"), newBox(t, store, "user.alice.Archive")
	from.add(4, 0)
	s := from.open(owner, false)
	c, err := s.Move(t.Context(), nums("1,3:4"), Target{Mailbox: to.Mailbox, Who: owner})
	if err != nil || !slices.Equal(c.To, set("1:3")) {
		t.Fatalf("moved %+v, %v", c, err)
	}
	if ch := from.refresh(s, false); !slices.Equal(ch.Gone, []Gone{{1, 1}, {2, 3}, {2, 4}}) {
		t.Errorf("told %+v", ch)
	}
	if got := from.live(); !slices.Equal(got, []uint32{2}) {
		t.Errorf("left %v", got)
	}
	if _, err := s.Move(t.Context(), all(s), Target{Mailbox: from.Mailbox, Who: owner}); err != nil {
		t.Fatal(err)
	}
	if got := from.live(); !slices.Equal(got, []uint32{5}) {
		t.Errorf("moved into itself: %v", got)
	}
}

// BenchmarkRefresh is what a session costs that waits: on a mailbox of 100,000
// messages in which nothing happens, a flag changes, or a message goes.
func BenchmarkRefresh(b *testing.B) {
	box := newBox(b, newStore(b), "user.alice")
	for range 20 {
		box.bulk(5000)
	}
	b.Run("nothing", func(b *testing.B) {
		s := box.open(owner, false)
		b.ReportAllocs()
		for b.Loop() {
			box.refresh(s, false)
		}
	})
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			box.open(owner, false)
		}
	})
	b.Run("store one", func(b *testing.B) {
		s := box.open(owner, false)
		op := Add
		b.ReportAllocs()
		for b.Loop() {
			_, err := s.Store(b.Context(), nums("500"), Store{Op: op, System: indexfile.Flagged})
			if err != nil {
				b.Fatal(err)
			}
			box.refresh(s, true)
			op = Add + Remove - op
		}
	})
	b.Run("expunge one", func(b *testing.B) {
		s := box.open(owner, false)
		b.ReportAllocs()
		for b.Loop() {
			if err := box.expungeFirst(s); err != nil {
				b.Fatal(err)
			}
			box.refresh(s, false)
		}
	})
}

// bulk appends n messages without a file each, for a mailbox whose size is all
// that matters.
func (b *box) bulk(n int) {
	b.t.Helper()
	dir := b.Path("data")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		b.t.Fatal(err)
	}
	err := b.Update(b.t.Context(), func(tx *mailbox.Tx) error {
		for range n {
			uid, _, err := tx.Append(mailbox.Append{File: b.file, Message: b.msg})
			if err != nil {
				return err
			}
			if err := os.Remove(dir + "/" + strconv.Itoa(int(uid)) + "."); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *box) expungeFirst(s *State) error {
	_, err := s.expunge(b.t.Context(), nums("1"), 0)
	return err
}

// TestVanishedOnce: what the view still numbers is not named as vanished: the
// client hears of it once, with the next refresh.
func TestVanishedOnce(t *testing.T) {
	b := newBox(t, newStore(t), "user.alice")
	b.add(10, 0)
	early := b.open(owner, false)
	since := early.Told()
	b.expunge(2, 3)
	s := b.open(owner, false)
	b.expunge(5, 6) // after the view was made
	for _, from := range []uint64{since, 0} {
		got, err := s.Vanished(t.Context(), nil, from, Match{})
		if err != nil || !slices.Equal(got, set("2:3")) {
			t.Errorf("since %d: got %v, %v", from, got, err)
		}
	}
	if c := b.refresh(s, false); !slices.Equal(c.Gone, []Gone{{3, 5}, {3, 6}}) {
		t.Errorf("then told %+v", c.Gone)
	}
}

// TestModSeqTold: no modseq is told that is above what the client knows, nor that
// of an expunge: it would ask for what came after, and never hear of the change.
func TestModSeqTold(t *testing.T) {
	b := newBox(t, newStore(t), "user.alice")
	b.add(3, 0)
	since := b.open(owner, false).Told()
	b.flag(1, indexfile.Seen)
	s := b.open(owner, false)
	told := s.Told()
	b.flag(2, indexfile.Flagged) // after the view was made
	b.expunge(3)
	err := s.View(t.Context(), func(r *Reader) error {
		for seq := range 3 {
			raw, ok := r.Raw(seq + 1)
			if got := r.ModSeq(raw); !ok || got > told {
				t.Errorf("message %d: modseq %d above %d", seq+1, got, told)
			}
		}
		changed, err := r.Since(nil, since)
		if err != nil || !slices.Equal(changed, []int{1}) {
			t.Errorf("changed %v, %v", changed, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Refresh(t.Context(), true); err != nil { // held: the number stays
		t.Fatal(err)
	}
	err = s.View(t.Context(), func(r *Reader) error {
		raw, _ := r.Raw(3)
		if got := r.ModSeq(raw); raw.Live() || got >= raw.ModSeq() {
			t.Errorf("expunged: modseq %d of %d", got, raw.ModSeq())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What was marked before this process looked is not among the changes that it
// remembers: EXPUNGE finds it all the same, and what it does remember too.
func TestExpungeMarked(t *testing.T) {
	b := newBox(t, newStore(t), "user.alice")
	b.add(3, indexfile.Deleted)
	b.add(3, 0)
	s := b.open(owner, false)
	b.flag(5, indexfile.Deleted)
	b.refresh(s, false)
	var recnos []int
	err := s.View(t.Context(), func(r *Reader) error {
		recnos, _ = r.v.Marked()
		return nil
	})
	if err != nil || !slices.Contains(recnos, 5) {
		t.Errorf("remembered %v, %v", recnos, err)
	}
	if n, err := s.Expunge(t.Context(), nil, true); n != 4 || err != nil {
		t.Fatalf("expunged %d, %v", n, err)
	}
	if c := b.refresh(s, false); len(c.Gone) != 4 || s.Exists() != 2 {
		t.Errorf("told %+v, left %d", c, s.Exists())
	}
	b.flag(6, indexfile.Deleted)
	b.refresh(s, false)
	if n, err := s.Expunge(t.Context(), nil, true); n != 1 || err != nil {
		t.Errorf("expunged %d, %v", n, err)
	}
}
