package stage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/cyrusdb/kvtest"
	"gocyrus/lib/cyrusdb/quotalegacy"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/message"
	"gocyrus/lib/quota"
	"gocyrus/lib/spool"
)

// site is a store with two partitions and some mailboxes.
type site struct {
	store  *mailbox.Store
	stager *Stager
	quota  *quota.DB
	root   string
}

func newSite(t testing.TB) *site {
	t.Helper()
	root := t.TempDir()
	q := quota.NewDB(kvtest.New())
	s := mailbox.NewStore(mailbox.Options{
		Layout: &mboxname.Layout{ConfigDir: root + "/conf", LockDir: root + "/lock"},
		Partitions: map[string]mailbox.Partition{
			"one": {Data: root + "/one"}, "two": {Data: root + "/two"},
		},
		IndexVersion:   19,
		SingleInstance: true,
	}, nil, q)
	t.Cleanup(s.Close)
	return &site{s, New(s), q, root}
}

func (s *site) create(t testing.TB, name mboxname.Name, partition, quotaRoot string) *mboxlist.Entry {
	t.Helper()
	e := &mboxlist.Entry{Name: name, UniqueID: s.store.NewUniqueID(), Partition: partition, Type: "e"}
	if err := s.store.Create(t.Context(), e, mailbox.CreateOptions{QuotaRoot: quotaRoot}); err != nil {
		t.Fatal(err)
	}
	return e
}

// incoming is a message that has come in, bound for partition one.
func (s *site) incoming(t testing.TB, size int) (*spool.File, *message.Message) {
	t.Helper()
	dir, err := s.stager.DirOf("one")
	if err != nil {
		t.Fatal(err)
	}
	f := spool.New(dir, spool.Append, spool.Options{Parse: message.DefaultOptions()})
	text := "From: a@example.net\r\nSubject: staged\r\n\r\n" + strings.Repeat("All work and no play.\r\n", size/23)
	if _, err := f.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	msg, err := f.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return f, msg
}

func (s *site) inode(t testing.TB, e *mboxlist.Entry, uid uint32) uint64 {
	t.Helper()
	m, err := s.store.Open(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(m.Path("data"), fmt.Sprint(uid, ".")), &st); err != nil {
		t.Error(e.Name, err)
	}
	return st.Ino
}

// TestManyRecipients delivers one message to many: one file a partition, and a
// result for each, also where some fail.
func TestManyRecipients(t *testing.T) {
	s := newSite(t)
	full := func(r *quota.Root) error { r.Limit[quota.Message] = 0; return nil }
	if err := s.quota.Set("user.full", full); err != nil {
		t.Fatal(err)
	}
	var targets []Target
	for i := range 20 {
		part := "one"
		if i%3 == 0 {
			part = "two"
		}
		e := s.create(t, mboxname.Name(fmt.Sprint("user.u", i)), part, "")
		targets = append(targets, Target{Entry: e, Flags: indexfile.Seen, UserFlags: []string{"$Staged"}, InternalDate: 1700000000})
	}
	fullBox := s.create(t, "user.full", "one", "user.full")
	gone := &mboxlist.Entry{Name: "user.gone", UniqueID: "no-such-id", Partition: "one", Type: "e"}
	nowhere := &mboxlist.Entry{Name: "user.nowhere", UniqueID: "no-such-id2", Partition: "three", Type: "e"}
	targets = append(targets, Target{Entry: fullBox}, Target{Entry: gone}, Target{Entry: nowhere}, Target{Entry: fullBox, IgnoreQuota: true})

	f, msg := s.incoming(t, 2000)
	results := s.stager.Append(t.Context(), targets, f, msg)
	inodes := make(map[string]map[uint64]bool)
	for i, r := range results {
		e := targets[i].Entry
		var want error
		switch {
		case e == fullBox && !targets[i].IgnoreQuota:
			want = quota.ErrOver
		case e == gone || e == nowhere:
			want = mailbox.ErrNotFound
		}
		if !errors.Is(r.Err, want) {
			t.Errorf("%s: %v, want %v", e.Name, r.Err, want)
		}
		if want != nil || r.Err != nil {
			continue
		}
		if r.UID != 1 || r.UIDValidity != e.UIDValidity || r.ModSeq < 2 {
			t.Errorf("%s: %+v", e.Name, r)
		}
		if inodes[e.Partition] == nil {
			inodes[e.Partition] = make(map[uint64]bool)
		}
		inodes[e.Partition][s.inode(t, e, r.UID)] = true
	}
	if len(inodes["one"]) != 1 || len(inodes["two"]) != 1 {
		t.Errorf("files by partition: %v", inodes)
	}
	if left, _ := os.ReadDir(filepath.Join(s.root, "two", Dir)); len(left) > 0 {
		t.Errorf("left in the stage directory: %v", left)
	}
}

// TestContent checks what is in the mailbox.
func TestContent(t *testing.T) {
	s := newSite(t)
	e := s.create(t, "user.alice", "two", "")
	m, err := s.store.Open(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	f, msg := s.incoming(t, 200_000)
	r := s.stager.Append(t.Context(), []Target{{Entry: e, Mailbox: m, InternalDate: 1700000000, UserFlags: []string{"$A"}}}, f, msg)
	if r[0].Err != nil {
		t.Fatal(r[0].Err)
	}
	err = m.View(t.Context(), func(v *mailbox.View) error {
		var rec indexfile.Record
		if err := v.Record(1, &rec); err != nil {
			return err
		}
		if rec.GUID != msg.GUID || rec.Size != msg.Size || rec.InternalDate != 1700000000 || !rec.UserFlags.Has(0) {
			t.Errorf("record %+v", rec)
		}
		c, err := v.Cache(v.Raw(1))
		if err != nil || string(c) != string(msg.Cache) {
			t.Errorf("cache of %d octets, %v", len(c), err)
		}
		got, err := m.OpenMessage(v, v.Raw(1))
		if err != nil {
			return err
		}
		defer got.Close()
		if string(got.Bytes()) != string(f.Bytes()) {
			t.Errorf("%d octets, sent %d", len(got.Bytes()), len(f.Bytes()))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestQuotaOfOneBatch checks that messages that are committed together do not
// get past a limit together.
func TestQuotaOfOneBatch(t *testing.T) {
	s := newSite(t)
	if err := s.quota.Set("user.alice", func(r *quota.Root) error { r.Limit[quota.Message] = 3; return nil }); err != nil {
		t.Fatal(err)
	}
	e := s.create(t, "user.alice", "one", "user.alice")
	f, msg := s.incoming(t, 100)
	targets := make([]Target, 10)
	for i := range targets {
		targets[i].Entry = e
	}
	in := 0
	for _, r := range s.stager.Append(t.Context(), targets, f, msg) {
		switch {
		case r.Err == nil:
			in++
		case !errors.Is(r.Err, quota.ErrOver):
			t.Error(r.Err)
		}
	}
	if in != 3 {
		t.Errorf("%d messages got in, 3 may", in)
	}
}

// TestClean checks that only old files go.
func TestClean(t *testing.T) {
	s := newSite(t)
	dir := filepath.Join(s.root, "one", Dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for name, age := range map[string]time.Duration{"old": 25 * time.Hour, "new": 23 * time.Hour} {
		f := filepath.Join(dir, name)
		if err := os.WriteFile(f, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(f, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.stager.Clean(now); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != "new" {
		t.Errorf("left: %v, %v", left, err)
	}
}

// BenchmarkConnections is sessions that deliver one message of 4,000 octets after
// another, all to one mailbox or each to its own, with quota roots in files.
func BenchmarkConnections(b *testing.B) {
	for _, c := range []struct{ sessions, boxes int }{{1, 1}, {8, 1}, {8, 8}} {
		b.Run(fmt.Sprintf("%dto%d", c.sessions, c.boxes), func(b *testing.B) {
			s := newSite(b)
			q := quota.NewDB(quotalegacy.New(s.root+"/conf", false, kv.Create))
			s.store = mailbox.NewStore(*s.store.Options(), nil, q)
			b.Cleanup(s.store.Close)
			s.stager = New(s.store)
			boxes := make([]*mboxlist.Entry, c.boxes)
			for i := range boxes {
				name := mboxname.Name(fmt.Sprint("user.u", i))
				if err := q.Set(name, func(r *quota.Root) error { r.Limit[quota.Storage] = 1 << 30; return nil }); err != nil {
					b.Fatal(err)
				}
				boxes[i] = s.create(b, name, "one", string(name))
			}
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			for i := range c.sessions {
				wg.Go(func() {
					for next.Add(1) <= int64(b.N) {
						f, msg := s.incoming(b, 4000)
						r := s.stager.Append(b.Context(), []Target{{Entry: boxes[i%len(boxes)]}}, f, msg)
						if r[0].Err != nil {
							b.Error(r[0].Err)
						}
						f.Close()
					}
				})
			}
			wg.Wait()
		})
	}
}

func BenchmarkDeliver(b *testing.B) {
	for _, n := range []int{1, 50} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := newSite(b)
			targets := make([]Target, n)
			for i := range targets {
				targets[i].Entry = s.create(b, mboxname.Name(fmt.Sprint("user.u", i)), "one", "")
			}
			b.ReportAllocs()
			for b.Loop() {
				f, msg := s.incoming(b, 4000)
				for _, r := range s.stager.Append(b.Context(), targets, f, msg) {
					if r.Err != nil {
						b.Fatal(r.Err)
					}
				}
				f.Close()
			}
		})
	}
}
