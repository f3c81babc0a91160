package mailbox

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"gocyrus/lib/annotate"
	"gocyrus/lib/cyrusdb/kvtest"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox/headerfile"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/quota"
)

// TestRepacked repacks every mailbox of real spools, some into another version:
// this package and the real reconstruct find nothing wrong, and what is live is
// what it was.
func TestRepacked(t *testing.T) {
	for _, tc := range []struct {
		spool   string
		version uint32 // 0 keeps it
	}{
		{"cyrus-3.6.1-default", 0},
		{"cyrus-3.6.1-classic", 0},
		{"cyrus-3.6.1-oldindex", 17},
		{"cyrus-3.6.1-default", 13},
		{"cyrus-3.10.3-conversations", 17},
	} {
		t.Run(tc.spool, func(t *testing.T) {
			sp := unpack(t, tc.spool)
			o := OptionsFrom(sp.cfg)
			o.Expunge = ExpungeImmediate
			s := NewStore(o, nil, nil)
			rnd := rand.New(rand.NewPCG(3, 4))
			stage := t.TempDir()
			for _, e := range sp.entries {
				m := open(t, s, e)
				if tc.version == 0 {
					changeAll(t, m, stage, rnd)
				}
				before := messages(t, m)
				var err error
				if tc.version == 0 {
					err = m.Repack(t.Context())
				} else {
					err = m.SetVersion(t.Context(), tc.version)
				}
				if err != nil {
					t.Fatal(err)
				}
				checkMailbox(t, m)
				checkSame(t, m, before, tc.version)
				m.Close()
			}
			s.Close()
			if tc.version == 17 && tc.spool == "cyrus-3.10.3-conversations" {
				return // the installed Cyrus need not know its database records
			}
			args := []string{"-n", "-G", "-R", "-r"}
			for _, e := range sp.entries {
				args = append(args, external(e.Name, sp))
			}
			if bad := wrong(asCyrus(t, sp, "reconstruct", args...)); bad != "" {
				t.Errorf("reconstruct says:\n%s", bad)
			}
		})
	}
}

// messages are the live records of a mailbox.
func messages(t testing.TB, m *Mailbox) (all []indexfile.Record) {
	t.Helper()
	err := m.View(t.Context(), func(v *View) error {
		x := v.Index()
		all = make([]indexfile.Record, x.Len())
		for i := range all {
			if err := v.Record(x.Recno(i+1), &all[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// checkSame checks that the live messages are what they were, as far as the
// version can say it.
func checkSame(t testing.TB, m *Mailbox, before []indexfile.Record, version uint32) {
	t.Helper()
	after := messages(t, m)
	if len(after) != len(before) {
		t.Errorf("%s: %d messages, before %d", m.Name(), len(after), len(before))
		return
	}
	for i := range before {
		a, b := after[i], before[i]
		a.CacheOffset, b.CacheOffset = 0, 0
		if version != 0 {
			// Folded from and into annotations.
			a.SaveDate, a.CreatedModSeq, a.CID = 0, 0, 0
			b.SaveDate, b.CreatedModSeq, b.CID = 0, 0, 0
		}
		if a != b {
			t.Errorf("%s: uid %d is\n%+v, was\n%+v", m.Name(), b.UID, a, b)
		}
	}
}

// TestVersionsThereAndBack goes down to version 12 and up again: fields that
// become annotations come back.
func TestVersionsThereAndBack(t *testing.T) {
	s, e := newStore(t, nil)
	m := open(t, s, e)
	defer m.Close()
	add(t, m, 3)
	err := m.Update(t.Context(), func(tx *Tx) error {
		var r indexfile.Record
		if err := tx.Record(2, &r); err != nil {
			return err
		}
		r.CID = 0xfeedfacecafe
		if err := tx.Rewrite(2, &r); err != nil {
			return err
		}
		return tx.SetAnnots(3, []Annot{{"/comment", "", []byte("a word")}})
	})
	if err != nil {
		t.Fatal(err)
	}
	before, hdr := messages(t, m), m.hdr
	for _, v := range []uint32{12, 14, 12, 13, 19} {
		if err := m.SetVersion(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		checkMailbox(t, m)
	}
	checkSame(t, m, before, 0)
	if m.hdr.SyncCRCAnnot != hdr.SyncCRCAnnot || m.hdr.AnnotUsed != hdr.AnnotUsed || hdr.AnnotUsed != 6 {
		t.Errorf("annotations: crc %x, %d octets; before %x, %d", m.hdr.SyncCRCAnnot, m.hdr.AnnotUsed, hdr.SyncCRCAnnot, hdr.AnnotUsed)
	}
	if err := m.SetVersion(t.Context(), 10); !errors.Is(err, ErrBadFormat) {
		t.Errorf("version 10: %v", err)
	}
}

// TestImmediateExpunge checks that the last close removes files and records.
func TestImmediateExpunge(t *testing.T) {
	for _, tc := range []struct {
		name    string
		mode    ExpungeMode
		records int
		file    bool
	}{
		{"delayed", ExpungeDelayed, 3, true},
		{"semidelayed", ExpungeSemidelayed, 3, false},
		{"immediate", ExpungeImmediate, 2, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, e := newStore(t, func(o *Options) { o.Expunge = tc.mode })
			m := open(t, s, e)
			add(t, m, 3)
			if err := m.Update(t.Context(), func(tx *Tx) error { return tx.Expunge(2) }); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(m.Path("data"), "2.")
			if _, err := os.Stat(file); err != nil {
				t.Error("the file is gone before the last close: ", err)
			}
			m.Close()
			m = open(t, s, e)
			defer m.Close()
			if _, err := os.Stat(file); (err == nil) != tc.file {
				t.Errorf("file: %v", err)
			}
			if got := m.table.Len(); got != tc.records {
				t.Errorf("%d records, want %d", got, tc.records)
			}
			checkMailbox(t, m)
		})
	}
}

// withQuota is a store with one quota root, that of user.alice.
func withQuota(t *testing.T, limit int64) (*Store, *mboxlist.Entry, *quota.DB) {
	t.Helper()
	s, _ := newStore(t, nil)
	q := quota.NewDB(kvtest.New())
	s.quota = q
	if err := q.Set("user.alice", func(r *quota.Root) error { r.Limit[quota.Message] = limit; return nil }); err != nil {
		t.Fatal(err)
	}
	e := &mboxlist.Entry{Name: "user.alice.Sub", UniqueID: s.NewUniqueID(), Partition: "default", Type: "e"}
	if err := s.Create(t.Context(), e, CreateOptions{QuotaRoot: "user.alice"}); err != nil {
		t.Fatal(err)
	}
	return s, e, q
}

func wantUsage(t testing.TB, q *quota.DB, root mboxname.Name, want quota.Usage) {
	t.Helper()
	r, err := q.Get(root)
	if err != nil {
		t.Fatal(err)
	}
	if r.Used != want {
		t.Errorf("%s: usage %v, want %v", root, r.Used, want)
	}
}

// TestQuota follows the account of a mailbox through its life.
func TestQuota(t *testing.T) {
	s, e, q := withQuota(t, 4)
	wantUsage(t, q, "user.alice", quota.Usage{quota.Mailbox: 1})
	m := open(t, s, e)
	add(t, m, 3)
	size := int64(messages(t, m)[0].Size)
	wantUsage(t, q, "user.alice", quota.Usage{3 * size, 3, 0, 1})
	err := m.Update(t.Context(), func(tx *Tx) error {
		if err := tx.CheckQuota(quota.Usage{quota.Message: 2}); !errors.Is(err, quota.ErrOver) {
			t.Errorf("two more: %v", err)
		}
		if err := tx.CheckQuota(quota.Usage{quota.Message: 1}); err != nil {
			t.Errorf("one more: %v", err)
		}
		return tx.Expunge(1)
	})
	if err != nil {
		t.Fatal(err)
	}
	wantUsage(t, q, "user.alice", quota.Usage{2 * size, 2, 0, 1})
	m.Close()
	if err := q.Set("shared", func(*quota.Root) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := s.SetQuotaRoot(t.Context(), e, "shared"); err != nil {
		t.Fatal(err)
	}
	wantUsage(t, q, "user.alice", quota.Usage{})
	wantUsage(t, q, "shared", quota.Usage{2 * size, 2, 0, 1})
	if err := s.Remove(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	wantUsage(t, q, "shared", quota.Usage{})
}

// TestRemove checks that nothing of a mailbox remains, and what those are told
// who have it open.
func TestRemove(t *testing.T) {
	for _, typ := range []string{"e", "el"} {
		t.Run(typ, func(t *testing.T) {
			s, _ := newStore(t, nil)
			parent := &mboxlist.Entry{Name: "user.bob", UniqueID: "parent-id", Partition: "default", Type: typ}
			child := &mboxlist.Entry{Name: "user.bob.Sub", UniqueID: "child-id", Partition: "default", Type: typ}
			for _, e := range []*mboxlist.Entry{parent, child} {
				if err := s.Create(t.Context(), e, CreateOptions{}); err != nil {
					t.Fatal(err)
				}
				if err := s.Create(t.Context(), e, CreateOptions{}); !errors.Is(err, ErrExists) {
					t.Errorf("once more: %v", err)
				}
			}
			m, n := open(t, s, parent), open(t, s, child)
			defer m.Close()
			defer n.Close()
			add(t, m, 2)
			if err := s.Remove(t.Context(), parent); err != nil {
				t.Fatal(err)
			}
			if err := m.View(t.Context(), func(*View) error { return nil }); !errors.Is(err, ErrNotFound) {
				t.Errorf("view of a removed mailbox: %v", err)
			}
			if _, err := s.Open(t.Context(), parent); !errors.Is(err, ErrNotFound) {
				t.Errorf("open of a removed mailbox: %v", err)
			}
			add(t, n, 1)
			checkMailbox(t, n)
			if err := s.Remove(t.Context(), child); err != nil {
				t.Fatal(err)
			}
			var left []string
			root := s.opt.Partitions["default"].Data
			err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
				if err == nil && (bytes.Contains([]byte(p), []byte("bob")) || bytes.Contains([]byte(p), []byte("-id"))) {
					left = append(left, p)
				}
				return err
			})
			if err != nil || left != nil {
				t.Errorf("left: %v, %v", left, err)
			}
		})
	}
}

// TestMove renames a legacy mailbox and moves one to another partition.
func TestMove(t *testing.T) {
	s, _ := newStore(t, func(o *Options) {
		o.Partitions["other"] = Partition{Data: filepath.Join(o.Layout.ConfigDir, "other")}
	})
	from := &mboxlist.Entry{Name: "user.bob.Old", UniqueID: "some-id", Partition: "default", Type: "el", ACL: "bob\tlrs\t"}
	if err := s.Create(t.Context(), from, CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	m := open(t, s, from)
	add(t, m, 3)
	if err := m.Update(t.Context(), func(tx *Tx) error { return tx.Expunge(1) }); err != nil {
		t.Fatal(err)
	}
	before := messages(t, m)
	m.Close()
	for _, to := range []mboxlist.Entry{
		{Name: "user.bob.New", Partition: "default", Type: "el"},
		{Name: "user.bob.New", Partition: "other", Type: "el"},
		{Name: "user.bob.New", Partition: "default", Type: "e"},
	} {
		to.UniqueID, to.UIDValidity, to.ACL = from.UniqueID, from.UIDValidity, from.ACL
		boom := errors.New("no entry")
		if err := s.Move(t.Context(), from, &to, "", func() error { return boom }); !errors.Is(err, boom) {
			t.Fatal(err)
		}
		m := open(t, s, from)
		checkSame(t, m, before, 0)
		m.Close()
		if err := s.Move(t.Context(), from, &to, "", func() error { return nil }); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Open(t.Context(), from); !errors.Is(err, ErrNotFound) {
			t.Errorf("the old one: %v", err)
		}
		m = open(t, s, &to)
		checkMailbox(t, m)
		checkSame(t, m, before, 0)
		b, err := os.ReadFile(m.Path("header"))
		if err != nil {
			t.Fatal(err)
		}
		if hf, err := headerfile.Parse(b); err != nil || hf.Name != string(to.Name) || hf.Type != to.Type || hf.ACL != to.ACL {
			t.Errorf("header %+v, %v", hf, err)
		}
		m.Close()
		from = &to
	}
}

// TestClock checks the modseqs of a user whose mailboxes share a clock, and the
// counters file.
func TestClock(t *testing.T) {
	s, e := newStore(t, func(o *Options) { o.Conversations = true })
	sub := &mboxlist.Entry{Name: "user.alice.Sub", UniqueID: s.NewUniqueID(), Partition: "default", Type: "e"}
	if err := s.Create(t.Context(), sub, CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if sub.UIDValidity <= e.UIDValidity || sub.CreatedModSeq != e.CreatedModSeq+1 {
		t.Errorf("second mailbox: uidvalidity %d after %d, modseq %d after %d", sub.UIDValidity, e.UIDValidity, sub.CreatedModSeq, e.CreatedModSeq)
	}
	m, n := open(t, s, e), open(t, s, sub)
	defer m.Close()
	defer n.Close()
	add(t, m, 2)
	add(t, n, 2)
	add(t, m, 1)
	var got []uint64
	for _, r := range append(messages(t, m), messages(t, n)...) {
		got = append(got, r.ModSeq)
	}
	want := []uint64{3, 4, 7, 5, 6}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("modseqs %v, want %v", got, want)
		}
	}
	b, err := os.ReadFile(s.countersPath("alice"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := parseCounters(b)
	if err != nil {
		t.Fatal(err)
	}
	at := func(off int) uint64 { return binary.BigEndian.Uint64(c[off:]) }
	if at(8) != 7 || at(16) != 7 || at(48) != 2 || binary.BigEndian.Uint32(c[288:]) != sub.UIDValidity {
		t.Errorf("counters: highest %d, mail %d, folders %d, uidvalidity %d", at(8), at(16), at(48), binary.BigEndian.Uint32(c[288:]))
	}
}

// TestRealCounters reads the counters that real servers left.
func TestRealCounters(t *testing.T) {
	for _, name := range []string{"cyrus-3.6.1-classic", "cyrus-3.10.3-conversations"} {
		sp := unpack(t, name)
		found := 0
		err := filepath.WalkDir(filepath.Join(sp.root, "conf"), func(p string, d fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(p) != ".counters" && filepath.Base(p) != "counters.db" {
				return err
			}
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			if _, err := parseCounters(b); err != nil {
				t.Errorf("%s: %v", p, err)
			}
			found++
			return nil
		})
		if err != nil || found == 0 {
			t.Errorf("%s: %d files, %v", name, found, err)
		}
	}
}

// TestFlags checks slots: case, reuse, bound.
func TestFlags(t *testing.T) {
	s, e := newStore(t, nil)
	m := open(t, s, e)
	defer m.Close()
	err := m.Update(t.Context(), func(tx *Tx) error {
		for i := range indexfile.MaxClientFlags {
			if slot, err := tx.UserFlag("Flag" + string(rune('0'+i/10)) + string(rune('0'+i%10))); err != nil || slot != i {
				t.Errorf("flag %d: slot %d, %v", i, slot, err)
			}
		}
		if slot, err := tx.UserFlag("fLAG42"); err != nil || slot != 42 {
			t.Errorf("in other letters: slot %d, %v", slot, err)
		}
		if _, err := tx.UserFlag("OneTooMany"); !errors.Is(err, ErrTooManyFlags) {
			t.Errorf("one too many: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	checkMailbox(t, m)
}

// TestAnnots follows annotations of messages: counted when set, replaced,
// removed and expunged, also all in one update.
func TestAnnots(t *testing.T) {
	s, e := newStore(t, nil)
	m := open(t, s, e)
	defer m.Close()
	add(t, m, 3)
	start := m.hdr.SyncCRCAnnot
	for _, tc := range []struct {
		name string
		do   func(tx *Tx) error
		used uint32
	}{
		{"set", func(tx *Tx) error {
			return errors.Join(
				tx.SetAnnots(1, []Annot{{"/comment", "", []byte("one")}, {"/comment", annotate.Owner, []byte("mine")}}),
				tx.SetAnnots(2, []Annot{{"/comment", "", []byte("two")}}))
		}, 10},
		{"replaced", func(tx *Tx) error { return tx.SetAnnots(1, []Annot{{"/comment", "", []byte("other")}}) }, 12},
		{"removed", func(tx *Tx) error { return tx.SetAnnots(1, []Annot{{"/comment", annotate.Owner, nil}}) }, 8},
		{"expunged", func(tx *Tx) error { return tx.Expunge(1) }, 3},
		{"set and expunged", func(tx *Tx) error {
			return errors.Join(tx.SetAnnots(3, []Annot{{"/comment", "", []byte("late")}}), tx.Expunge(3))
		}, 3},
		{"failed", func(tx *Tx) error {
			if err := tx.SetAnnots(2, []Annot{{"/comment", "", nil}}); err != nil {
				return err
			}
			return ErrGone
		}, 3},
	} {
		if err := m.Update(t.Context(), tc.do); err != nil && !errors.Is(err, ErrGone) {
			t.Fatal(tc.name, err)
		}
		checkMailbox(t, m)
		if m.hdr.AnnotUsed != tc.used {
			t.Errorf("%s: %d octets, want %d", tc.name, m.hdr.AnnotUsed, tc.used)
		}
	}
	if m.hdr.SyncCRCAnnot == start {
		t.Error("the CRC does not see annotations")
	}
	err := m.View(t.Context(), func(v *View) error {
		got, err := v.Annots(2)
		if len(got) != 1 || string(got[0].Data) != "two" {
			t.Errorf("annotations %q", got)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestSoft checks that others see what need not be durable.
func TestSoft(t *testing.T) {
	s, e := newStore(t, nil)
	m := open(t, s, e)
	defer m.Close()
	add(t, m, 2)
	err := m.Update(t.Context(), func(tx *Tx) error {
		tx.Soft()
		tx.Header().RecentUID = tx.Header().LastUID
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	other := NewStore(s.opt, nil, nil)
	defer other.Close()
	n := open(t, other, e)
	defer n.Close()
	if n.hdr.RecentUID != 2 {
		t.Errorf("recent uid %d", n.hdr.RecentUID)
	}
}
