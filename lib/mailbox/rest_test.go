package mailbox

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// clones are n mailboxes like the one of e, each of another user, made without
// waiting for the disk.
func clones(t *testing.T, s *Store, e *mboxlist.Entry, n int) (all []*mboxlist.Entry) {
	t.Helper()
	from, err := s.pathsOf(e)
	if err != nil {
		t.Fatal(err)
	}
	index, err := os.ReadFile(from.index)
	if err != nil {
		t.Fatal(err)
	}
	header, err := os.ReadFile(from.header)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		c := *e
		c.Name, c.UniqueID = mboxname.Name(fmt.Sprint("user.clone", i)), s.NewUniqueID()
		to, err := s.pathsOf(&c)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(to.data, 0o755); err != nil {
			t.Fatal(err)
		}
		for path, b := range map[string][]byte{to.index: index, to.header: header} {
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, &c)
	}
	return all
}

// inUse counts the descriptors and maps of this process that lead below dir.
func inUse(t *testing.T, dir string) (files, maps int) {
	t.Helper()
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, dir) {
			files++
		}
	}
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return files, strings.Count(string(b), dir+"/")
}

// TestManySessions has 5,000 sessions in as many mailboxes: only a few have their
// files open, and all can be read and changed all the time.
func TestManySessions(t *testing.T) {
	sessions := 5000
	if testing.Short() {
		sessions = 500
	}
	if st, err := os.Stat("/dev/shm"); err == nil && st.IsDir() {
		// So many files are no load for the disk.
		t.Setenv("TMPDIR", "/dev/shm")
	}
	s, e := newStore(t, nil)
	opt := s.opt
	opt.MaxActive = 100
	s = NewStore(opt, nil, nil)
	defer s.Close()
	m := open(t, s, e)
	add(t, m, 3)
	m.Close()
	boxes := make([]*Mailbox, sessions)
	root := opt.Layout.ConfigDir
	for i, c := range clones(t, s, e, sessions) {
		boxes[i] = open(t, s, c)
	}
	bound := opt.MaxActive + 1
	check := func(when string) {
		files, maps := inUse(t, filepath.Dir(root))
		if files > bound*filesEach || maps > bound*mapsEach {
			t.Errorf("%s: %d descriptors and %d maps for %d mailboxes", when, files, maps, bound)
		}
		if n := len(s.active); n > bound || n < opt.MaxActive/2 {
			t.Errorf("%s: %d mailboxes active, at most %d should be", when, n, bound)
		}
	}
	check("all opened")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range sessions / 4 {
				m := boxes[rand.IntN(sessions)]
				err := m.Update(t.Context(), func(tx *Tx) error {
					tx.Soft()
					var r indexfile.Record
					if err := tx.Record(2, &r); err != nil {
						return err
					}
					r.Flags ^= indexfile.Flagged
					return tx.Rewrite(2, &r)
				})
				if err == nil {
					err = boxes[rand.IntN(sessions)].View(t.Context(), func(v *View) error {
						if v.Index().Len() != 3 {
							return fmt.Errorf("%d messages: %w", v.Index().Len(), ErrCorrupt)
						}
						return v.Record(3, new(indexfile.Record))
					})
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	check("after work")
	for _, m := range boxes {
		m.Close()
	}
}
