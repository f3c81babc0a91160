package leveldb

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/syndtr/goleveldb/leveldb/storage"

	"gocyrus/lib/cyrusdb/kv"
)

// What a writer leaves that dies while it flushes a full journal: two of them.
// It can be read before anyone recovers it.
func TestTwoJournals(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	db, err := Open(path, kv.Create)
	if err != nil {
		t.Fatal(err)
	}
	put(t, db, "old", "journal")
	w := &db.s.writer
	w.mu.Lock()
	stor := &fileStorage{dir: path, page: w.page}
	first := storage.FileDesc{Type: storage.TypeJournal, Num: w.page.journal}
	w.mu.Unlock()
	b, err := os.ReadFile(stor.path(first))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	// Its records again under later names: torn ones too, as a kill leaves them.
	for i, part := range [][]byte{b, b[:len(b)-3], {}} {
		fd := storage.FileDesc{Type: storage.TypeJournal, Num: first.Num + int64(i) + 1}
		if err := os.WriteFile(stor.path(fd), part, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if db, err = Open(path, 0); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if v, err := db.Get([]byte("old")); err != nil || string(v) != "journal" {
		t.Errorf("get = %q, %v", v, err)
	}
	put(t, db, "new", "written")
	if n, err := kv.Count(db, nil); err != nil || n != 2 {
		t.Errorf("%d records, %v", n, err)
	}
}

// FuzzJournal: whatever octets, splitting them ends, and what is split are
// parts of them.
func FuzzJournal(f *testing.F) {
	f.Add([]byte{}, int64(0))
	f.Add(bytes.Repeat([]byte{0}, 40), int64(blockSize-3))
	f.Add([]byte("\x00\x00\x00\x00\x01\x00\x01x"), int64(5))
	f.Fuzz(func(t *testing.T, b []byte, off int64) {
		if off < 0 {
			return
		}
		records, used := splitRecords(b, off)
		if used < 0 || used > int64(len(b)) || used == 0 && len(records) > 0 {
			t.Errorf("used %d of %d", used, len(b))
		}
		for _, r := range records {
			_ = replay(r, make(collector))
		}
		_, _, _ = manifestJournals(b)
	})
}

// An overlay of many runs says what a map says.
func TestOverlay(t *testing.T) {
	want := map[string]string{}
	var o overlay
	for i := range 1000 {
		c := make(collector)
		for j := range i % 7 {
			k := fmt.Sprintf("%03d", (i*37+j*11)%250)
			if (i+j)%5 == 0 {
				c.Delete([]byte(k))
				delete(want, k)
			} else {
				v := fmt.Sprint(i, j)
				c.Put([]byte(k), []byte(v))
				want[k] = v
			}
		}
		o = o.with(c.run())
	}
	if len(o) > 10 {
		t.Errorf("%d runs of %d keys", len(o), len(want))
	}
	live := 0
	for _, e := range o.from(nil, nil) {
		if !e.deleted {
			live++
			if want[string(e.key)] != string(e.value) {
				t.Errorf("%s is %q, want %q", e.key, e.value, want[string(e.key)])
			}
		}
	}
	if live != len(want) {
		t.Errorf("%d live, want %d", live, len(want))
	}
	for k, v := range want {
		if e, ok := o.get([]byte(k)); !ok || e.deleted || string(e.value) != v {
			t.Errorf("get %s = %v, %v", k, e, ok)
		}
	}
}
