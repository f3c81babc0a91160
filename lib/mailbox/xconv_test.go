package mailbox

import (
	"errors"
	"os"
	"testing"

	"gocyrus/lib/mboxlist"
)

func xconv(t *testing.T, m *Mailbox) (n uint64) {
	t.Helper()
	err := m.View(t.Context(), func(v *View) (err error) {
		n, err = v.XConvModSeq()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestXConvModSeq stores the number with a change and without one, through a move,
// and not when the update fails.
func TestXConvModSeq(t *testing.T) {
	s, e := newStore(t, func(o *Options) {
		o.Partitions["other"] = Partition{Data: t.TempDir()}
	})
	m := open(t, s, e)
	boom := errors.New("boom")
	for _, step := range []struct {
		set  uint64
		more bool
		err  error
		want uint64
	}{
		{7, false, nil, 7}, {1 << 63, true, nil, 1 << 63}, {5, true, boom, 1 << 63}, {6, false, nil, 6},
	} {
		err := m.Update(t.Context(), func(tx *Tx) error {
			if tx.SetXConvModSeq(step.set); step.more {
				if _, err := tx.TouchModSeq(); err != nil {
					return err
				}
			}
			if got, err := tx.XConvModSeq(); got != step.set || err != nil {
				t.Errorf("in the update: %d, %v", got, err)
			}
			return step.err
		})
		if !errors.Is(err, step.err) {
			t.Fatal(err)
		}
		if got := xconv(t, m); got != step.want {
			t.Errorf("set %d: %d, want %d", step.set, got, step.want)
		}
	}
	m.Close()
	to := *e
	to.Partition = "other"
	if err := s.Move(t.Context(), e, &to, "", func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	m = open(t, s, &to)
	defer m.Close()
	if got := xconv(t, m); got != 6 {
		t.Errorf("after a move: %d", got)
	}
	if err := os.WriteFile(m.paths.xconv, []byte("00"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := m.Update(t.Context(), func(tx *Tx) error { tx.SetXConvModSeq(0); return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(m.paths.xconv); !os.IsNotExist(err) || xconv(t, m) != 0 {
		t.Errorf("none is left, %v", err)
	}
}

// TestRaiseCounters has the counters of an owner follow another server's.
func TestRaiseCounters(t *testing.T) {
	s, e := newStore(t, func(o *Options) { o.Conversations = true })
	box := *e
	was, err := s.Counters("alice")
	if err != nil {
		t.Fatal(err)
	}
	counters := func() Counters {
		c, err := s.Counters("alice")
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, run := range []func() error{
		func() error { return s.RaiseCounters(&box, 500, was.UIDValidity+100) },
		func() error { return s.RaiseCounters(&box, 400, was.UIDValidity) }, // nothing
		func() error { return s.RaiseRACLModSeq("alice", 450) },
		func() error { return s.RaiseRACLModSeq("alice", 30) },
	} {
		if err := run(); err != nil {
			t.Fatal(err)
		}
		if c := counters(); c.Highest != 500 || c.Items[0] != 500 || c.UIDValidity != was.UIDValidity+100 {
			t.Errorf("counters %+v", c)
		}
	}
	if n, err := s.RACLModSeq("alice"); n != 450 || err != nil {
		t.Errorf("racl modseq %d, %v", n, err)
	}
	m := open(t, s, e)
	defer m.Close()
	add(t, m, 1)
	if c := counters(); c.Highest != 501 {
		t.Errorf("after an append: %+v", c)
	}
	// An exact update takes the clock along.
	err = m.Update(t.Context(), func(tx *Tx) error {
		var r = exactOf(t, &tx.View, 1)
		r.UID, r.ModSeq = 5, 900
		return tx.AppendExact(r)
	})
	if err != nil {
		t.Fatal(err)
	}
	if c := counters(); c.Highest != 900 || c.Items[0] != 900 {
		t.Errorf("after an exact append: %+v", c)
	}
}

// TestRenameModSeq renames a mailbox, in place and with its files: it gets a
// modseq that is not below the entry's, unless that stays.
func TestRenameModSeq(t *testing.T) {
	for _, conversations := range []bool{false, true} {
		s, e := newStore(t, func(o *Options) {
			o.Conversations = conversations
			o.Partitions["other"] = Partition{Data: t.TempDir()}
		})
		m := open(t, s, e)
		add(t, m, 3)
		m.Close()
		highest := func(e *mboxlist.Entry) uint64 {
			m := open(t, s, e)
			defer m.Close()
			n := uint64(0)
			if err := m.View(t.Context(), func(v *View) error { n = v.Header().HighestModSeq; return nil }); err != nil {
				t.Fatal(err)
			}
			return n
		}
		stored := func() error { return nil }
		for _, partition := range []string{"default", "other"} {
			was := highest(e)
			to := *e
			to.Name, to.Partition = e.Name+".x", partition
			var err error
			if to.FolderModSeq, err = s.NextFolderModSeq(e, e.FolderModSeq); err != nil {
				t.Fatal(err)
			}
			move := s.Rename
			if partition == "other" {
				move = s.Move
			}
			if err := move(t.Context(), e, &to, "", stored); err != nil {
				t.Fatal(err)
			}
			if now := highest(&to); now <= was || now < to.FolderModSeq {
				t.Errorf("conversations %v, to %s: modseq %d, was %d, entry %d", conversations, partition, now, was, to.FolderModSeq)
			}
			e = &to
		}
		quiet := *e
		quiet.Name += ".y"
		was := highest(e)
		if err := s.Rename(t.Context(), e, &quiet, "", stored); err != nil {
			t.Fatal(err)
		}
		if now := highest(&quiet); now != was {
			t.Errorf("a replica's: modseq %d, was %d", now, was)
		}
	}
}
