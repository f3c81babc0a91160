package cyrusdb

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/cyrusdb/leveldb"
)

const rowsMade = 12000 // more than one chunk

// make creates a database of the kind with rowsMade records.
func makeDB(t *testing.T, kind, path string) {
	t.Helper()
	db, err := Open(kind, path, Create)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx kv.Tx) error {
		for i := range rowsMade {
			if err := tx.Put(fmt.Appendf(nil, "Nuser\x1fu%05d", i), fmt.Appendf(nil, "value %d", i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func checkDB(t *testing.T, kind, path string) {
	t.Helper()
	real, err := Detect(path)
	if err != nil || real != kind {
		t.Fatalf("%s is %q, %v; want %s", path, real, err, kind)
	}
	db, err := Open(kind, path, 0)
	if err != nil {
		t.Fatal(err)
	}
	n, err := kv.Count(db, []byte("Nuser\x1fu"))
	if err := errors.Join(err, db.Close()); err != nil || n != rowsMade {
		t.Errorf("%s: %d records, %v; want %d", path, n, err, rowsMade)
	}
}

func TestConvert(t *testing.T) {
	kinds := []string{"flat", "twoskip", "leveldb"}
	for _, from := range kinds {
		for _, to := range kinds {
			t.Run(from+" to "+to, func(t *testing.T) {
				dir := t.TempDir()
				old, path := filepath.Join(dir, "old"), filepath.Join(dir, "new")
				makeDB(t, from, old)
				if n, err := Convert(old, path, to); err != nil || n != rowsMade {
					t.Fatal(n, err)
				}
				checkDB(t, to, path)
				checkDB(t, from, old)
				// In place, and over what is there.
				if _, err := Convert(old, old, to); err != nil {
					t.Fatal(err)
				}
				checkDB(t, to, old)
				if _, err := Convert(old, path, from); err != nil {
					t.Fatal(err)
				}
				checkDB(t, from, path)
				if left, _ := filepath.Glob(filepath.Join(dir, "*.NEW")); len(left) > 0 {
					t.Errorf("left behind: %q", left)
				}
			})
		}
	}
}

// Wherever a conversion to LevelDB is interrupted, ctl_cyrusdb -r finds either
// the old file or the new database under the name, and ends with the new one
// and the old file kept.
func TestInterruptedConversion(t *testing.T) {
	for _, tc := range []struct {
		name  string
		state func(t *testing.T, path string)
	}{
		{"before anything", func(t *testing.T, path string) { makeDB(t, "twoskip", path) }},
		{"new one begun", func(t *testing.T, path string) {
			makeDB(t, "twoskip", path)
			if err := os.MkdirAll(path+".NEW", 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path+".NEW/000001.log", []byte("half"), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"exchanged", func(t *testing.T, path string) {
			makeDB(t, "leveldb", path)
			makeDB(t, "twoskip", path+".NEW")
		}},
		{"moved away, where names cannot be exchanged", func(t *testing.T, path string) {
			makeDB(t, "twoskip", path+".cyrus-twoskip")
			makeDB(t, "leveldb", path+".NEW")
		}},
		{"done", func(t *testing.T, path string) {
			makeDB(t, "leveldb", path)
			makeDB(t, "twoskip", path+".cyrus-twoskip")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "mailboxes.db")
			tc.state(t, path)
			for range 2 {
				if err := (Site{Path: path, Kind: "leveldb"}).Recover(func(string) {}); err != nil {
					t.Fatal(err)
				}
				checkDB(t, "leveldb", path)
				checkDB(t, "twoskip", path+".cyrus-twoskip")
				if _, err := os.Lstat(path + ".NEW"); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("%s.NEW is there: %v", path, err)
				}
			}
		})
	}
}

func TestDetect(t *testing.T) {
	for _, tc := range []struct{ name, bytes, want string }{
		{"twoskip", "\xa1\x02\x8b\x0dtwoskip file\x00\x00\x00\x00....", "twoskip"},
		{"skiplist", "\xa1\x02\x8b\x0dskiplist file\x00\x00\x00....", "skiplist"},
		{"twom", "\xa1\x02\x8b\x0dtwomfile\x00\x00\x00\x00", "twom"},
		{"sqlite", "SQLite format 3\x00...", "sql"},
		{"flat", "key\tvalue\n", "flat"},
		{"sub file", "\x1fVER\x1f\t2\n", "flat"},
		{"empty", "", ""},
		{"text", "no tab here\n", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(path, []byte(tc.bytes), 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := Detect(path); err != nil || got != tc.want {
				t.Errorf("Detect = %q, %v; want %q", got, err, tc.want)
			}
		})
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	twom := filepath.Join(dir, "twom")
	if err := os.WriteFile(twom, []byte("\xa1\x02\x8b\x0dtwomfile\x00\x00\x00\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, kind, path string
		flags            kv.Flags
		want             error
	}{
		{"unknown kind", "berkeley", filepath.Join(dir, "x"), Create, ErrKind},
		{"file of an unknown kind", "twoskip", twom, 0, ErrKind},
		{"missing", "twoskip", filepath.Join(dir, "x"), 0, kv.ErrNotFound},
		{"missing leveldb", "leveldb", filepath.Join(dir, "x"), 0, kv.ErrNotFound},
		{"new skiplist", "skiplist", filepath.Join(dir, "x"), Create, kv.ErrReadOnly},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if db, err := Open(tc.kind, tc.path, tc.flags); !errors.Is(err, tc.want) || db != nil {
				t.Errorf("Open = %v, %v; want %v", db, err, tc.want)
			}
		})
	}
}

// A copy made while somebody writes is a database of one moment.
func TestArchiveWhileWriting(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "mailboxes.db")
	makeDB(t, "leveldb", path)
	db, err := leveldb.Open(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
			}
			err := db.Update(func(tx kv.Tx) error {
				return errors.Join(tx.Put([]byte("a"), fmt.Append(nil, i)), tx.Put([]byte("b"), fmt.Append(nil, i)))
			})
			if err != nil {
				stopped <- err
				return
			}
		}
	}()
	for i := range 3 {
		to, err := Rotate(filepath.Join(dir, "db"))
		if err != nil {
			t.Fatal(err)
		}
		if err := (Site{Path: path, Kind: "leveldb"}).ArchiveTo(to); err != nil {
			t.Fatal(err)
		}
		copied, err := leveldb.Open(filepath.Join(to, "mailboxes.db"), 0)
		if err != nil {
			t.Fatal(err)
		}
		a, err1 := copied.Get([]byte("a"))
		b, err2 := copied.Get([]byte("b"))
		if string(a) != string(b) || !errors.Is(err1, err2) && err1 != err2 {
			t.Errorf("copy %d: a=%s b=%s %v %v", i, a, b, err1, err2)
		}
		if err := copied.Close(); err != nil {
			t.Fatal(err)
		}
		checkDB(t, "leveldb", filepath.Join(to, "mailboxes.db"))
	}
	close(stop)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
