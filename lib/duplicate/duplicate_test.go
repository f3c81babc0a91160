package duplicate

import (
	"bytes"
	"encoding/hex"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gocyrus/lib/cyrusdb"
	"gocyrus/lib/cyrusdb/kv"
)

func open(t testing.TB, path string) *DB {
	t.Helper()
	d, err := Open(Options{Kind: "twoskip", Path: path})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The octets are those of a deliver.db of Cyrus 3.6.1.
func TestStored(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deliver.db")
	d := open(t, path)
	k := Key{ID: "<fix-0001@example.net>", To: "8x3c", Date: "Tue, 4 Mar 2025 10:01:00 +0100"}
	d.Mark(k, Mark{time.Unix(0x6B0277E3, 0), 8})
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := cyrusdb.Open("twoskip", path, cyrusdb.ReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	v, err := db.Get([]byte("<fix-0001@example.net>\x008x3c\x00Tue, 4 Mar 2025 10:01:00 +0100\x00"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := hex.EncodeToString(v), "e377026b00000000"+"0800000000000000"; got != want {
		t.Errorf("value %s, want %s", got, want)
	}
}

func TestClaim(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deliver.db")
	d := open(t, path)
	k := Key{"<1@x>", "box", "today"}
	dup, finish, err := d.Claim(k)
	if dup || err != nil {
		t.Fatalf("first claim: %v, %v", dup, err)
	}
	finish(nil) // the delivery failed
	if _, ok, err := d.Check(k); ok || err != nil {
		t.Errorf("after a failure: %v, %v", ok, err)
	}
	if dup, finish, err = d.Claim(k); dup || err != nil {
		t.Fatalf("second claim: %v, %v", dup, err)
	}
	finish(&Mark{time.Unix(1000, 0), 7})
	for _, when := range []string{"at once", "from the file"} {
		m, ok, err := d.Check(k)
		if !ok || err != nil || m.UID != 7 || m.Time.Unix() != 1000 {
			t.Errorf("%s: %v, %v, %v", when, m, ok, err)
		}
		if dup, _, err := d.Claim(k); !dup || err != nil {
			t.Errorf("%s: claim: %v, %v", when, dup, err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		d = open(t, path)
	}
	d.Close()
}

// Of many who claim one key at once, one delivers.
func TestClaimAtOnce(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "deliver.db"))
	defer d.Close()
	var delivered atomic.Int32
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			dup, finish, err := d.Claim(Key{"<1@x>", "box", ""})
			if err != nil {
				t.Error(err)
			}
			if !dup {
				delivered.Add(1)
				finish(&Mark{Time: time.Unix(1, 0)})
			}
		})
	}
	wg.Wait()
	if n := delivered.Load(); n != 1 {
		t.Errorf("%d deliveries, want 1", n)
	}
}

func TestPrune(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deliver.db")
	d := open(t, path)
	for _, k := range []struct {
		key  Key
		time int64
	}{
		{Key{"<old@x>", "box", "d"}, 100},
		{Key{"<new@x>", "box", "d"}, 200},
		{Key{"<old@x>", "keeps", "d"}, 100},
		{Key{"<old@x>", ".alice@internal.sieve.", "d"}, 100},
	} {
		d.Mark(k.key, Mark{Time: time.Unix(k.time, 0)})
	}
	if err := d.Close(); err != nil { // written
		t.Fatal(err)
	}
	d = open(t, path)
	defer d.Close()
	err := d.db.Update(func(tx kv.Tx) error {
		return errors.Join(tx.Put([]byte("no fields"), make([]byte, newMark)), tx.Put(Key{"<a@x>", "b", "c"}.appendTo(nil), []byte("short")))
	})
	if err != nil {
		t.Fatal(err)
	}
	seen, removed, err := d.Prune(func(id string) time.Time {
		return map[string]time.Time{"box": time.Unix(150, 0), "": time.Unix(101, 0)}[id]
	})
	if seen != 6 || removed != 4 || err != nil {
		t.Errorf("%d of %d, %v; want 4 of 6", removed, seen, err)
	}
	var left []Key
	err = d.Scan("<", func(k Key, _ Mark) error { left = append(left, k); return nil })
	if err != nil || len(left) != 2 || left[0] != (Key{"<new@x>", "box", "d"}) || left[1] != (Key{"<old@x>", "keeps", "d"}) {
		t.Errorf("left: %q, %v", left, err)
	}
}

// A mark that an old Cyrus wrote has no UID.
func TestOldMark(t *testing.T) {
	m, err := parseMark([]byte{1, 0, 0, 0, 0, 0, 0, 0})
	if err != nil || m.Time.Unix() != 1 || m.UID != 0 {
		t.Errorf("%v, %v", m, err)
	}
}

// FuzzKey checks that a key that can be read is stored as it was.
func FuzzKey(f *testing.F) {
	f.Add([]byte("<1@x>\x00box\x00date\x00"))
	f.Add([]byte("\x00\x00\x00"))
	f.Add([]byte("a\x00b\x00c\x00d\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := parseKey(b)
		if err == nil && !bytes.Equal(k.appendTo(nil), b) {
			t.Errorf("%q became %q", b, k)
		}
		if m, err := parseMark(b); err == nil && len(b) == newMark && m.UID == 0 && b[oldMark] != 0 {
			t.Errorf("%x: no UID", b)
		}
	})
}

func BenchmarkClaim(b *testing.B) {
	d := open(b, filepath.Join(b.TempDir(), "deliver.db"))
	defer d.Close()
	b.ReportAllocs()
	k := Key{To: "8x3c", Date: "Tue, 4 Mar 2025 10:01:00 +0100"}
	for i := 0; b.Loop(); i++ {
		k.ID = "<" + string(rune('a'+i%26)) + time.Now().String() + ">"
		_, finish, err := d.Claim(k)
		if err != nil {
			b.Fatal(err)
		}
		if finish != nil {
			finish(&Mark{Time: time.Unix(1, 0), UID: 1})
		}
	}
}
