package mailbox

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
)

// A repack is killed when the new index is in place and the new cache is not:
// whoever comes next, to read or to append, puts it there.
func TestRepackKilled(t *testing.T) {
	for _, next := range []string{"reader", "writer"} {
		t.Run(next, func(t *testing.T) {
			s, e := newStore(t, func(o *Options) { o.Expunge = ExpungeImmediate })
			m := open(t, s, e)
			changeAll(t, m, t.TempDir(), rand.New(rand.NewPCG(5, 6)))
			cache := m.paths.cache
			old, err := os.ReadFile(cache)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Repack(t.Context()); err != nil {
				t.Fatal(err)
			}
			m.Close()
			s.Close()
			if err := os.Rename(cache, cache+".NEW"); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(cache, old, 0o600); err != nil {
				t.Fatal(err)
			}

			s = NewStore(s.opt, nil, nil)
			defer s.Close()
			m = open(t, s, e)
			defer m.Close()
			if next == "writer" {
				f, msg := staged(t, t.TempDir(), "later", 100)
				err := m.Update(t.Context(), func(tx *Tx) error {
					_, _, err := tx.Append(Append{File: f, Message: msg})
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			err = m.View(t.Context(), func(v *View) error {
				for recno := 1; recno <= v.NumRecords(); recno++ {
					if rec, err := v.Cache(v.Raw(recno)); err != nil || len(rec) == 0 {
						return fmt.Errorf("cache of record %d: %d octets, %w", recno, len(rec), err)
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			checkMailbox(t, m)
			if _, err := os.Stat(cache + ".NEW"); !os.IsNotExist(err) {
				t.Errorf("the new cache still lies beside: %v", err)
			}
		})
	}
}
