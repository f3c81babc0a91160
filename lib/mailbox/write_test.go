package mailbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/change"
	"gocyrus/lib/cyrusdb"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/message"
	"gocyrus/lib/quota"
)

// staged writes a message file and parses it.
func staged(t testing.TB, dir, subject string, size int) (string, *message.Message) {
	t.Helper()
	text := "From: <a@example.net>\r\nTo: <b@example.net>\r\nSubject: " + subject +
		"\r\nDate: Tue, 4 Mar 2025 10:01:00 +0100\r\nMessage-ID: <" + subject + "@example.net>\r\n\r\n" +
		strings.Repeat("All work and no play.\r\n", size/23+1)
	f := filepath.Join(dir, "stage-"+subject)
	if err := os.WriteFile(f, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := message.Parse([]byte(text), message.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	return f, m
}

// changeAll does some of everything to a mailbox.
func changeAll(t testing.TB, m *Mailbox, dir string, rnd *rand.Rand) {
	t.Helper()
	ctx := t.Context()
	for i := range 5 {
		f, msg := staged(t, dir, fmt.Sprintf("%s-%d", m.UniqueID(), i), rnd.IntN(5000))
		err := m.Update(ctx, func(tx *Tx) error {
			a := Append{File: f, Message: msg, Flags: indexfile.Flags(rnd.IntN(32))}
			if i == 3 {
				a.UserFlags = []string{"$Judged", "MyFlag"}
			}
			_, _, err := tx.Append(a)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	err := m.Update(ctx, func(tx *Tx) error {
		for recno := 1; recno <= tx.NumRecords(); recno++ {
			var r indexfile.Record
			if err := tx.Record(recno, &r); err != nil {
				return err
			}
			if r.Flags&indexfile.Expunged != 0 {
				continue
			}
			switch rnd.IntN(4) {
			case 0:
				r.Flags ^= indexfile.Seen | indexfile.Flagged
				if err := tx.Rewrite(recno, &r); err != nil {
					return err
				}
			case 1:
				if err := tx.Expunge(recno); err != nil {
					return err
				}
			case 2:
				slot, err := tx.UserFlag("$Judged")
				if err != nil {
					return err
				}
				r.UserFlags.Set(slot, true)
				if err := tx.Rewrite(recno, &r); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestJudged changes every mailbox of real spools; then this package and the
// real reconstruct find nothing wrong.
func TestJudged(t *testing.T) {
	for _, name := range []string{"cyrus-3.6.1-default", "cyrus-3.6.1-classic", "cyrus-3.6.1-oldindex"} {
		t.Run(name, func(t *testing.T) {
			sp := unpack(t, name)
			stage := filepath.Join(sp.root, "spool", "stage.")
			if err := os.MkdirAll(stage, 0o755); err != nil {
				t.Fatal(err)
			}
			s := NewStore(OptionsFrom(sp.cfg), nil, sp.quota(t))
			rnd := rand.New(rand.NewPCG(1, 2))
			sp.create(t, s)
			for _, e := range sp.entries {
				m, err := s.Open(t.Context(), e)
				if err != nil {
					t.Fatal(err)
				}
				changeAll(t, m, stage, rnd)
				if err := m.Update(t.Context(), func(tx *Tx) error { tx.SetXConvModSeq(7); return nil }); err != nil {
					t.Fatal(err)
				}
				checkMailbox(t, m)
				m.Close()
			}
			s.Close()
			args := []string{"-n", "-G", "-R", "-r"}
			for _, e := range sp.entries {
				args = append(args, external(e.Name, sp))
			}
			if bad := wrong(asCyrus(t, sp, "reconstruct", args...)); bad != "" {
				t.Errorf("reconstruct says:\n%s", bad)
			}
			for line := range strings.Lines(asCyrus(t, sp, "quota", "-f")) {
				// The older indexes do not say what their annotations take, and
				// the account of this spool was wrong before.
				old := strings.HasSuffix(name, "oldindex") && strings.Contains(line, "X-ANNOTATION-STORAGE")
				if strings.Contains(line, " usage was ") && !old {
					t.Errorf("quota -f says: %s", line)
				}
			}
		})
	}
}

// quota is the spool's quota database.
func (sp *realSpool) quota(t testing.TB) *quota.DB {
	t.Helper()
	db, err := cyrusdb.Open("quotalegacy", filepath.Join(sp.root, "conf", "quotas.db"), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return quota.NewDB(db)
}

// create adds a mailbox to the spool, and its entry to mailboxes.db.
func (sp *realSpool) create(t testing.TB, s *Store) {
	t.Helper()
	typ := "e"
	if s.opt.LegacyDirs {
		typ = "el"
	}
	s.opt.IndexVersion = 17
	e := &mboxlist.Entry{
		Name: "user.alice.Made", UniqueID: s.NewUniqueID(), Partition: "default", Type: typ,
		ACL: "alice\tlrswipkxtecdan\t", MTime: 1700000000,
	}
	if err := s.Create(t.Context(), e, CreateOptions{QuotaRoot: "user.alice"}); err != nil {
		t.Fatal(err)
	}
	db, err := cyrusdb.Open("twoskip", filepath.Join(sp.root, "conf", "mailboxes.db"), 0)
	if err != nil {
		t.Fatal(err)
	}
	list := mboxlist.New(db, mboxlist.Options{})
	defer list.Close()
	if err := list.Update(func(tx *mboxlist.Tx) error { return tx.Put(e) }); err != nil {
		t.Fatal(err)
	}
	sp.entries = append(sp.entries, e)
}

// external is a name as Cyrus's tools take it.
func external(n mboxname.Name, sp *realSpool) string {
	return adminName(n, !sp.cfg.Bool("unixhierarchysep"))
}

// wrong leaves out the lines in which reconstruct says where it is.
func wrong(out string) string {
	var bad []string
	for line := range strings.Lines(out) {
		// An index of version 12 has no place for two of the numbers.
		l := strings.TrimSpace(line)
		if strings.Contains(l, "sync_crc_annot 0 => ") || strings.Contains(l, "quota_annot_used: 0 => ") {
			continue
		}
		if strings.Contains(l, ": ") || strings.Contains(l, " uid ") {
			bad = append(bad, l)
		}
	}
	return strings.Join(bad, "\n")
}

// newStore is a store of its own, on an empty spool.
func newStore(t testing.TB, opt func(*Options), sinks ...change.Sink) (*Store, *mboxlist.Entry) {
	t.Helper()
	root := t.TempDir()
	o := Options{
		Layout:         &mboxname.Layout{ConfigDir: root + "/conf", LockDir: root + "/lock"},
		Partitions:     map[string]Partition{"default": {Data: root + "/spool"}},
		IndexVersion:   19,
		SingleInstance: true,
	}
	if opt != nil {
		opt(&o)
	}
	s := NewStore(o, nil, nil, sinks...)
	t.Cleanup(s.Close)
	e := &mboxlist.Entry{
		Name: "user.alice", UniqueID: s.NewUniqueID(), Partition: "default", Type: "e",
		ACL: "alice\tlrswipkxtecdan\t",
	}
	if err := s.Create(t.Context(), e, CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return s, e
}

func open(t testing.TB, s *Store, e *mboxlist.Entry) *Mailbox {
	t.Helper()
	m, err := s.Open(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// add appends n small messages.
func add(t testing.TB, m *Mailbox, n int) {
	t.Helper()
	f, msg := staged(t, t.TempDir(), "added", 100)
	err := m.Update(context.Background(), func(tx *Tx) error {
		for range n {
			if _, _, err := tx.Append(Append{File: f, Message: msg}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestFailedUpdate checks that an update that fails leaves nothing, and that one
// that runs with it is not touched.
func TestFailedUpdate(t *testing.T) {
	s, e := newStore(t, nil)
	m := open(t, s, e)
	defer m.Close()
	add(t, m, 3)
	before, err := os.ReadFile(m.Path("index"))
	if err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	f, msg := staged(t, t.TempDir(), "failed", 100)
	err = m.Update(t.Context(), func(tx *Tx) error {
		if _, _, err := tx.Append(Append{File: f, Message: msg, UserFlags: []string{"New"}}); err != nil {
			return err
		}
		if err := tx.Expunge(1); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatal("Update: ", err)
	}
	after, err := os.ReadFile(m.Path("index"))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(before, after) {
		t.Error("the index has changed")
	}
	if _, err := os.Stat(filepath.Join(m.Path("data"), "4.")); err == nil {
		t.Error("the message file is there")
	}
	checkMailbox(t, m)
}

// TestSnapshots checks that a snapshot stays what it was, and what the next ones
// say of it.
func TestSnapshots(t *testing.T) {
	var commits []change.Commit
	s, e := newStore(t, nil, change.Func(func(c *change.Commit) { commits = append(commits, *c) }))
	m := open(t, s, e)
	defer m.Close()
	snap := func() (x *UIDIndex) {
		if err := m.View(t.Context(), func(v *View) error { x = v.Index(); return nil }); err != nil {
			t.Fatal(err)
		}
		return x
	}
	add(t, m, 5)
	one := snap()
	add(t, m, 2)
	two := snap()
	if !two.Appended(one) || one.Len() != 5 || two.Len() != 7 || two.UID(7) != 7 {
		t.Errorf("after an append: %v, %v", one.UIDs(), two.UIDs())
	}
	err := m.Update(t.Context(), func(tx *Tx) error { return errors.Join(tx.Expunge(2), tx.Expunge(6)) })
	if err != nil {
		t.Fatal(err)
	}
	three := snap()
	if got := three.UIDs(); !slices.Equal(got, []uint32{1, 3, 4, 5, 7}) {
		t.Errorf("after an expunge: %v", got)
	}
	if got := three.Gone(two); !slices.Equal(got, []int{2, 6}) {
		t.Errorf("gone: %v", got)
	}
	if got := three.Gone(one); !slices.Equal(got, []int{2}) {
		t.Errorf("gone since the first: %v", got)
	}
	if seq, ok := three.Seq(4); seq != 3 || !ok {
		t.Errorf("sequence number of uid 4: %d, %v", seq, ok)
	}
	if !slices.Equal(two.UIDs(), []uint32{1, 2, 3, 4, 5, 6, 7}) {
		t.Errorf("an old snapshot has changed: %v", two.UIDs())
	}
	last := commits[len(commits)-1]
	if !slices.Equal(last.Expunged, []uint32{2, 6}) || last.Exists != 5 || len(commits) != 3 {
		t.Errorf("the sink heard %+v", commits)
	}
}

// TestOtherProcess changes a mailbox through one store and looks at it through
// another, as two processes do.
func TestOtherProcess(t *testing.T) {
	s, e := newStore(t, nil)
	other := NewStore(s.opt, nil, nil)
	defer other.Close()
	m, n := open(t, s, e), open(t, other, e)
	defer m.Close()
	defer n.Close()
	add(t, m, 4)
	checkMailbox(t, n)
	changed := func(since uint64) (recnos []int) {
		err := n.View(t.Context(), func(v *View) error {
			return v.ChangedSince(since, func(recno int) error { recnos = append(recnos, recno); return nil })
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(recnos)
		return recnos
	}
	if got := changed(1); !slices.Equal(got, []int{1, 2, 3, 4}) {
		t.Errorf("changed since 1: %v", got)
	}
	err := m.Update(t.Context(), func(tx *Tx) error {
		var r indexfile.Record
		if err := tx.Record(2, &r); err != nil {
			return err
		}
		r.Flags |= indexfile.Seen
		return errors.Join(tx.Rewrite(2, &r), tx.Expunge(3))
	})
	if err != nil {
		t.Fatal(err)
	}
	add(t, m, 1)
	if got := changed(5); !slices.Equal(got, []int{2, 3, 5}) {
		t.Errorf("changed since 5: %v", got)
	}
	if got := changed(6); !slices.Equal(got, []int{3, 5}) {
		t.Errorf("changed since 6: %v", got)
	}
	checkMailbox(t, n)
	err = n.View(t.Context(), func(v *View) error {
		if got := v.FirstUnseen(); got != 1 {
			t.Errorf("first unseen: record %d", got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

type parsed = *message.Message

// parse is message.Parse for messages that are known to be good.
func parse(text []byte) parsed {
	m, err := message.Parse(text, message.DefaultOptions())
	if err != nil {
		panic(err)
	}
	return m
}

func wantCorrupt(t testing.TB, err error) {
	t.Helper()
	if !errors.Is(err, ErrCorrupt) {
		t.Errorf("error %v, want %v", err, ErrCorrupt)
	}
}
