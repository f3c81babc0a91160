package quotalegacy

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"gocyrus/lib/cyrusdb/kv"
)

// Where real 3.6.1 keeps these roots (fixture spools, default and classic).
func TestPath(t *testing.T) {
	for _, tc := range []struct {
		root string
		full bool
		want string
	}{
		{"user.alice", false, "/conf/quota/a/user.alice"},
		{"user.alice", true, "/conf/quota/L/user.alice"},
		{"user.dave^smith", true, "/conf/quota/F/user.dave^smith"},
		{"shared", false, "/conf/quota/s/shared"},
		{"user.9x", false, "/conf/quota/q/user.9x"},
		{"example.org!user.zoe", true, "/conf/domain/O/example.org/quota/J/user.zoe"},
		{"example.org!", true, "/conf/domain/O/example.org/quota/root"},
	} {
		got, err := New("/conf", tc.full, 0).path([]byte(tc.root))
		if err != nil || got != tc.want {
			t.Errorf("%s: %s, %v; want %s", tc.root, got, err, tc.want)
		}
	}
	for _, bad := range []string{"", "a/b", "../x", "..!x", "!x", "user.x\x00", "x.NEW"} {
		if got, err := New("/conf", false, 0).path([]byte(bad)); err == nil {
			t.Errorf("%q leads to %s", bad, got)
		}
	}
}

func TestStore(t *testing.T) {
	conf := t.TempDir()
	db := New(conf, false, kv.Create)
	roots := []string{"example.org!", "example.org!user.zoe", "shared", "user.alice", "user.bob"}
	for _, r := range roots {
		err := db.Update(func(tx kv.Tx) error {
			if _, err := tx.Get([]byte(r)); !errors.Is(err, kv.ErrNotFound) {
				t.Errorf("%s before: %v", r, err)
			}
			return tx.Put([]byte(r), []byte("%(S (1 2))"))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(filepath.Join(conf, "quota/a/user.alice")); err != nil || string(b) != "%(S (1 2))\n" {
		t.Errorf("file %q, %v", b, err)
	}
	var got []string
	if err := db.Scan(nil, func(k, v []byte) error {
		got = append(got, string(k))
		return nil
	}); err != nil || !slices.Equal(got, roots) {
		t.Errorf("roots %q, %v", got, err)
	}
	if n, err := kv.Count(db, []byte("user.")); err != nil || n != 2 {
		t.Errorf("%d of users, %v", n, err)
	}
	// What fails, or only looks, leaves no file.
	boom := errors.New("boom")
	err := db.Update(func(tx kv.Tx) error {
		return errors.Join(tx.Put([]byte("user.carol"), []byte("x")), boom)
	})
	if !errors.Is(err, boom) {
		t.Errorf("failing update: %v", err)
	}
	if err := db.Update(func(tx kv.Tx) error { _, _ = tx.Get([]byte("user.dave")); return tx.Delete([]byte("user.bob")) }); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{"quota/c/user.carol", "quota/d/user.dave", "quota/b/user.bob"} {
		if _, err := os.Stat(filepath.Join(conf, gone)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is there: %v", gone, err)
		}
	}
}

// The form of 2.x has use and limit on two lines.
func TestOldForm(t *testing.T) {
	conf := t.TempDir()
	path := filepath.Join(conf, "quota/a/user.alice")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("86244\n20000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := Open(filepath.Join(conf, "quotas.db"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := db.Get([]byte("user.alice")); err != nil || string(v) != "86244 20000" {
		t.Errorf("%q, %v", v, err)
	}
}

func TestConcurrent(t *testing.T) {
	conf := t.TempDir()
	var wg sync.WaitGroup
	for range 4 {
		db := New(conf, true, kv.Create)
		wg.Go(func() {
			for range 20 {
				err := db.Update(func(tx kv.Tx) error {
					v, err := tx.Get([]byte("user.alice"))
					if err != nil && !errors.Is(err, kv.ErrNotFound) {
						return err
					}
					return tx.Put([]byte("user.alice"), append(v, 'x'))
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if v, err := New(conf, true, 0).Get([]byte("user.alice")); err != nil || len(v) != 80 {
		t.Errorf("%d updates, %v", len(v), err)
	}
}

// A value of the same length is written over the old one, another replaces the
// file; a reader without a lock sees one or the other.
func TestOverwrite(t *testing.T) {
	conf := t.TempDir()
	db := New(conf, false, kv.Create)
	put := func(v string, lazy bool) os.FileInfo {
		t.Helper()
		err := db.Update(func(tx kv.Tx) error {
			if lazy {
				tx.(interface{ Lazy() }).Lazy()
			}
			return tx.Put([]byte("user.alice"), []byte(v))
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := db.Get([]byte("user.alice")); string(got) != v || err != nil {
			t.Errorf("got %q, %v; want %q", got, err, v)
		}
		st, err := os.Stat(filepath.Join(conf, "quota/a/user.alice"))
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	long := strings.Repeat("1", sector)
	for _, tc := range []struct {
		name, old, new string
		same           bool
	}{
		{"as long", "%(S (1 2))", "%(S (3 4))", true},
		{"old form", "1111 2222", "3333 4444", true},
		{"longer", "%(S (9 2))", "%(S (10 2))", false},
		{"shorter", "%(S (10 2))", "%(S (9 2))", false},
		{"more than a sector", "%" + long, "%2" + long[1:], false},
	} {
		for _, lazy := range []bool{false, true} {
			if old, now := put(tc.old, lazy), put(tc.new, lazy); os.SameFile(old, now) != tc.same {
				t.Errorf("%s, lazy %v: same file %v", tc.name, lazy, !tc.same)
			}
		}
	}
}

// TestReadWhileWritten reads values that are written over each other.
func TestReadWhileWritten(t *testing.T) {
	db := New(t.TempDir(), false, kv.Create)
	values := []string{"%(" + strings.Repeat("1", 400) + ")", "%(" + strings.Repeat("2", 400) + ")"}
	var wg sync.WaitGroup
	stop := make(chan struct{})
	put := func(v string) {
		err := db.Update(func(tx kv.Tx) error {
			tx.(interface{ Lazy() }).Lazy()
			return tx.Put([]byte("shared"), []byte(v))
		})
		if err != nil {
			t.Error(err)
		}
	}
	put(values[0])
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				put(values[i%2])
			}
		}
	})
	for range 5000 {
		if v, err := db.Get([]byte("shared")); err != nil || !slices.Contains(values, string(v)) {
			t.Fatalf("%q, %v", v, err)
		}
	}
	close(stop)
	wg.Wait()
}
