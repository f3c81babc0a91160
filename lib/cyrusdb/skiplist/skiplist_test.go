package skiplist

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/lib/cyrusdb/kv"
)

// testdata/real.db was made by cyr_dbtool 3.6.1: keys k00 to k19 with values
// v00 to v19, k05 replaced, k07 deleted, and one key that begins with 0xE9; it
// has a log. testdata/order.txt is what the tool's show printed.
func TestReal(t *testing.T) {
	db, err := Open("testdata/real.db", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	want, err := os.ReadFile("testdata/order.txt")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	err = db.Scan(nil, func(k, v []byte) error {
		fmt.Fprintf(&got, "%s\t%s\n", k, v)
		return nil
	})
	if err != nil || got.String() != string(want) {
		t.Errorf("rows\n%q, %v; want\n%q", got.String(), err, want)
	}
	if v, err := db.Get([]byte("k05")); err != nil || string(v) != "replaced" {
		t.Errorf("k05 = %q, %v", v, err)
	}
	if _, err := db.Get([]byte("k07")); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("k07: %v", err)
	}
	if n, err := kv.Count(db, []byte("k1")); err != nil || n != 10 {
		t.Errorf("%d keys begin with k1, %v", n, err)
	}
	if err := db.Update(func(kv.Tx) error { return nil }); !errors.Is(err, kv.ErrReadOnly) {
		t.Errorf("update: %v", err)
	}
}

// A log that a crash cut off ends with its last COMMIT.
func TestCutOff(t *testing.T) {
	b, err := os.ReadFile("testdata/real.db")
	if err != nil {
		t.Fatal(err)
	}
	whole, err := parse(b)
	if err != nil {
		t.Fatal(err)
	}
	for cut := len(b) - 1; cut > 200; cut-- {
		rows, err := parse(b[:cut])
		if err != nil && !errors.Is(err, kv.ErrCorrupt) {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if len(rows) > len(whole)+1 {
			t.Fatalf("cut at %d: %d rows", cut, len(rows))
		}
	}
}

func TestOtherFormat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("a\tb\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, 0); !errors.Is(err, kv.ErrFormat) {
		t.Errorf("open of a flat file: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	b, err := os.ReadFile("testdata/real.db")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:200])
	f.Fuzz(func(t *testing.T, b []byte) {
		rows, err := parse(b)
		if err != nil {
			return
		}
		for i := 1; i < len(rows); i++ {
			if Compare(rows[i-1].key, rows[i].key) > 0 {
				t.Errorf("row %d out of order", i)
			}
		}
	})
}
