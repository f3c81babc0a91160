package mailbox

import (
	"os"
	"testing"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// big is a mailbox of n messages whose files are not there: only the index
// matters.
func big(tb testing.TB, n int) *Mailbox {
	tb.Helper()
	s, e := newStore(tb, nil)
	m := open(tb, s, e)
	err := m.Update(tb.Context(), func(tx *Tx) error {
		for range n {
			uid, err := tx.nextUID(0)
			if err != nil {
				return err
			}
			ms, err := tx.b.tick()
			if err != nil {
				return err
			}
			h := tx.Header()
			h.NumRecords, h.LastUID = h.NumRecords+1, uid
			r := &indexfile.Record{UID: uid, Size: 1000, InternalDate: tx.Now(), ModSeq: ms, LastUpdated: tx.Now(), CreatedModSeq: ms}
			if uid%10 != 0 {
				r.Flags = indexfile.Seen
			}
			if err := tx.b.put(int(h.NumRecords), nil, r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func BenchmarkViewOpen(b *testing.B) {
	m := big(b, 100_000)
	defer m.Close()
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if err := m.View(ctx, func(v *View) error { v.Index(); return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSelect opens a mailbox that is known, and asks what SELECT asks.
func BenchmarkSelect(b *testing.B) {
	m := big(b, 100_000)
	defer m.Close()
	b.ReportAllocs()
	for b.Loop() {
		n, err := m.store.Open(b.Context(), m.Entry())
		if err != nil {
			b.Fatal(err)
		}
		err = n.View(b.Context(), func(v *View) error {
			v.Index()
			v.FirstUnseen()
			return nil
		})
		n.Close()
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStoreOneFlag(b *testing.B) {
	m := big(b, 100_000)
	defer m.Close()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		err := m.Update(b.Context(), func(tx *Tx) error {
			var r indexfile.Record
			recno := i*7919%100_000 + 1
			if err := tx.Record(recno, &r); err != nil {
				return err
			}
			r.Flags ^= indexfile.Flagged
			return tx.Rewrite(recno, &r)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	m := big(b, 100_000)
	defer m.Close()
	f, msg := staged(b, b.TempDir(), "append", 4000)
	b.ReportAllocs()
	for b.Loop() {
		err := m.Update(b.Context(), func(tx *Tx) error {
			_, _, err := tx.Append(Append{File: f, Message: msg})
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAppendMany is 16 goroutines on one mailbox: they share commits.
func BenchmarkAppendMany(b *testing.B) {
	m := big(b, 1000)
	defer m.Close()
	f, msg := staged(b, b.TempDir(), "append", 4000)
	b.SetParallelism(16)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			err := m.Update(b.Context(), func(tx *Tx) error {
				_, _, err := tx.Append(Append{File: f, Message: msg})
				return err
			})
			if err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkSnapshotAdvance takes in one message that another process appended.
func BenchmarkSnapshotAdvance(b *testing.B) {
	m := big(b, 100_000)
	defer m.Close()
	h, t := m.hdr, m.table
	full, _ := scanIndex(&h, t)
	h.NumRecords--
	h.Exists--
	h.HighestModSeq--
	short, err := indexfile.NewTable(m.imap.b, &h)
	if err != nil {
		b.Fatal(err)
	}
	x, _ := scanIndex(&h, short)
	b.ReportAllocs()
	for b.Loop() {
		if n, ok := x.grown(&m.hdr, m.table); !ok || n.Len() != full.Len() {
			b.Fatal("not grown")
		}
	}
}

func BenchmarkSnapshotScan(b *testing.B) {
	m := big(b, 100_000)
	defer m.Close()
	b.ReportAllocs()
	for b.Loop() {
		scanIndex(&m.hdr, m.table)
	}
}

func BenchmarkOpenMessage(b *testing.B) {
	s, e := newStore(b, nil)
	m := open(b, s, e)
	defer m.Close()
	add(b, m, 1)
	b.ReportAllocs()
	for b.Loop() {
		msg, err := m.OpenFile(1, false)
		if err != nil {
			b.Fatal(err)
		}
		msg.Close()
	}
	if _, err := os.Stat(m.Path("data")); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkExpungeOne(b *testing.B) {
	const n = 100_000
	m := big(b, n)
	defer m.Close()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := m.Update(b.Context(), func(tx *Tx) error { return tx.Expunge(i%n + 1) }); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCopy1000 copies 1,000 messages to another mailbox in one change.
func BenchmarkCopy1000(b *testing.B) {
	const n = 1000
	s, e := newStore(b, nil)
	from, to := open(b, s, e), open(b, s, another(b, s, "user.copy"))
	defer from.Close()
	defer to.Close()
	add(b, from, n)
	b.ReportAllocs()
	for b.Loop() {
		sources := make([]*Source, n)
		err := from.View(b.Context(), func(v *View) (err error) {
			for i := range sources {
				if sources[i], err = v.Source(i + 1); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		err = to.Update(b.Context(), func(tx *Tx) error {
			for _, src := range sources {
				if _, _, err := tx.Append(Append{From: src, Flags: src.Record.Flags, UserFlags: src.Flags}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func another(tb testing.TB, s *Store, name mboxname.Name) *mboxlist.Entry {
	tb.Helper()
	e := &mboxlist.Entry{Name: name, UniqueID: s.NewUniqueID(), Partition: "default", Type: "e"}
	if err := s.Create(tb.Context(), e, CreateOptions{}); err != nil {
		tb.Fatal(err)
	}
	return e
}

// BenchmarkStore1000 flags 1,000 messages in one change.
func BenchmarkStore1000(b *testing.B) {
	m := big(b, 1000)
	defer m.Close()
	b.ReportAllocs()
	for b.Loop() {
		err := m.Update(b.Context(), func(tx *Tx) error {
			var r indexfile.Record
			for recno := 1; recno <= 1000; recno++ {
				if err := tx.Record(recno, &r); err != nil {
					return err
				}
				r.Flags ^= indexfile.Flagged
				if err := tx.Rewrite(recno, &r); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkExpunge1000 expunges 1,000 messages in one change, of a new mailbox
// each time.
func BenchmarkExpunge1000(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		m := big(b, 1000)
		b.StartTimer()
		err := m.Update(b.Context(), func(tx *Tx) error {
			for recno := 1; recno <= 1000; recno++ {
				if err := tx.Expunge(recno); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		m.Close()
		b.StartTimer()
	}
}
