package mailbox

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/lib/guid"
)

// stagedMany are n message files as a replica stages them, with what is said of
// each.
func stagedMany(b *testing.B, dir string, n, size int) []Exact {
	b.Helper()
	xs := make([]Exact, n)
	body := strings.Repeat("All work and no play.\r\n", size/23+1)
	for i := range xs {
		text := fmt.Sprintf("From: <a@example.net>\r\nSubject: %d\r\nDate: Tue, 4 Mar 2025 10:01:00 +0100\r\nMessage-ID: <%d@example.net>\r\n\r\n%s", i, i, body)
		f := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(f, []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
		xs[i] = Exact{
			Append: Append{File: f, Sync: SyncPath(f), UID: uint32(i + 1), InternalDate: 1700000000, SaveDate: 1700000000, CreatedModSeq: uint64(i + 2)},
			ModSeq: uint64(i + 2), LastUpdated: 1700000000, GUID: guid.Of([]byte(text)),
		}
	}
	return xs
}

// BenchmarkExact is the first sync of a mailbox: n messages in one update, from
// staged files that are not yet on disk.
func BenchmarkExact(b *testing.B) {
	for _, bc := range []struct {
		n         int
		annotated bool
	}{{1, false}, {16, false}, {64, false}, {256, false}, {2000, false}, {20000, false}, {20000, true}} {
		n := bc.n
		b.Run(fmt.Sprintf("%d,annotated=%v", n, bc.annotated), func(b *testing.B) {
			s, e := newStore(b, nil)
			files := 0
			b.StopTimer()
			b.ResetTimer()
			for i := 0; i < b.N; i++ {
				r := *e
				r.Name, r.UniqueID = "user.alice.replica", s.NewUniqueID()
				if err := s.Create(b.Context(), &r, CreateOptions{Exact: true}); err != nil {
					b.Fatal(err)
				}
				dir := filepath.Join(s.opt.Partitions["default"].Data, fmt.Sprint("stage", i))
				if err := os.MkdirAll(dir, 0o755); err != nil {
					b.Fatal(err)
				}
				xs := stagedMany(b, dir, n, 4000)
				for i := range xs {
					if bc.annotated {
						xs[i].Annots = []ExactAnnot{{"/comment", "", 1, []byte("a word or two")}}
					}
				}
				m := open(b, s, &r)
				b.StartTimer()
				err := m.Update(b.Context(), func(tx *Tx) error { return tx.AppendAllExact(xs) })
				b.StopTimer()
				if err != nil {
					b.Fatal(err)
				}
				files += n
				m.Close()
			}
			b.ReportMetric(float64(files)/b.Elapsed().Seconds(), "files/s")
		})
	}
}
