package twoskip

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"gocyrus/lib/cyrusdb/kv"
)

// A file whose maker was killed before the first octet is as good as none to who
// reads it, and is made by who may make it.
func TestMakerDied(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, flags := range []kv.Flags{0, kv.ReadOnly} {
		if _, err := Open(path, flags); !errors.Is(err, kv.ErrNotFound) {
			t.Errorf("flags %v: %v", flags, err)
		}
	}
	db, err := Open(path, kv.Create)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if got, err := rows(db); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

// Many who make the same file at the same time make one, and wait for nobody long.
func TestMadeByMany(t *testing.T) {
	for range 20 {
		path := filepath.Join(t.TempDir(), "x.db")
		var wg sync.WaitGroup
		const many = 8
		for i := range many {
			wg.Add(1)
			go func() {
				defer wg.Done()
				db, err := Open(path, kv.Create)
				if err != nil {
					t.Error(err)
					return
				}
				defer db.Close()
				key := []byte(fmt.Sprint("key", i))
				if err := db.Update(func(tx kv.Tx) error { return tx.Put(key, []byte("v")) }); err != nil {
					t.Error(err)
				}
			}()
		}
		wg.Wait()
		db, err := Open(path, kv.ReadOnly)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := rows(db); err != nil || len(got) != many {
			t.Fatalf("%d rows of %d, %v", len(got), many, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
