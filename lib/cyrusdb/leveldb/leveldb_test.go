package leveldb

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/cyrusdb/kvtest"
)

func openTest(t testing.TB) *DB {
	t.Helper()
	db, err := Open(filepath.Join(t.TempDir(), "mailboxes.db"), kv.Create)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func put(t testing.TB, db kv.DB, k, v string) {
	t.Helper()
	if err := db.Update(func(tx kv.Tx) error { return tx.Put([]byte(k), []byte(v)) }); err != nil {
		t.Fatal(err)
	}
}

func TestEngine(t *testing.T) {
	kvtest.Run(t, func(t *testing.T, path string, flags kv.Flags) (kv.DB, error) { return Open(path, flags) }, bytes.Compare)
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(filepath.Join(dir, "none"), 0); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("missing: %v", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file, kv.Create); !errors.Is(err, kv.ErrFormat) {
		t.Errorf("plain file: %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(dir, "empty"), 0); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("empty directory: %v", err)
	}
}

// A reader with a handle sees the changes of a writer without opening another
// as long as these only lengthen the journal.
func TestFollowsJournal(t *testing.T) {
	db := openTest(t)
	put(t, db, "a", "0")
	if _, err := db.Get([]byte("a")); err != nil {
		t.Fatal(err)
	}
	opened := db.s.opened.Load()
	for i := range 300 {
		k, v := fmt.Sprintf("k%03d", i%100), fmt.Sprint(i)
		if err := db.s.writer.touch(); err != nil { // the lease may have ended
			t.Fatal(err)
		}
		put(t, db, k, v)
		got, err := db.Get([]byte(k))
		if err != nil || string(got) != v {
			t.Fatalf("get %s = %q, %v; want %s", k, got, err, v)
		}
	}
	// One opening per lease, and leases outlast many puts.
	if n := db.s.opened.Load() - opened; n > 100 {
		t.Errorf("%d handles opened for 300 changes", n)
	}
	n, err := kv.Count(db, []byte("k"))
	if err != nil || n != 100 {
		t.Errorf("count %d, %v", n, err)
	}
}

// Journal records longer than a block, and batches beyond the write buffer,
// which goleveldb writes without the journal, reach readers too.
func TestLargeBatches(t *testing.T) {
	db := openTest(t)
	put(t, db, "first", "x")
	for round := range 4 {
		if _, err := db.Get([]byte("first")); err != nil {
			t.Fatal(err)
		}
		size := []int{100, 70 << 10, 300 << 10, 3 << 20}[round]
		val := bytes.Repeat([]byte{byte('a' + round)}, 1000)
		err := db.Update(func(tx kv.Tx) error {
			for i := 0; i < size; i += len(val) {
				if err := tx.Put(fmt.Appendf(nil, "r%08d", i), val); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		err = db.Scan([]byte("r"), func(_, v []byte) error {
			if bytes.Equal(v, val) {
				n++
			}
			return nil
		})
		if want := (size + len(val) - 1) / len(val); err != nil || n != want {
			t.Fatalf("round %d: %d records, %v; want %d", round, n, err, want)
		}
	}
}

// Goroutines that read and write the same record lose no update, though they
// are synced in groups.
func TestGroupsAreSerial(t *testing.T) {
	db := openTest(t)
	put(t, db, "n", "0")
	var wg sync.WaitGroup
	const workers, each = 16, 30
	for range workers {
		wg.Go(func() {
			for range each {
				err := db.Update(func(tx kv.Tx) error {
					v, err := tx.Get([]byte("n"))
					if err != nil {
						return err
					}
					var n int
					fmt.Sscan(string(v), &n)
					return tx.Put([]byte("n"), fmt.Appendf(nil, "%d", n+1))
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	v, err := db.Get([]byte("n"))
	if err != nil || string(v) != fmt.Sprint(workers*each) {
		t.Errorf("counted %q, %v", v, err)
	}
}

// A failed or panicking function leaves nothing behind, and not the lock.
func TestAbandoned(t *testing.T) {
	db := openTest(t)
	boom := errors.New("boom")
	err := db.Update(func(tx kv.Tx) error {
		if err := tx.Put([]byte("a"), []byte("1")); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Errorf("err = %v", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = db.Update(func(tx kv.Tx) error { _ = tx.Put([]byte("a"), nil); panic("x") })
	}()
	put(t, db, "b", "2")
	if _, err := db.Get([]byte("a")); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("a: %v", err)
	}
}

// A page of another boot, or one of garbage, is made anew; whoever opens sees
// the data, and generations go on.
func TestPageRebuilt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	for name, damage := range map[string]func([]byte){
		"zeros":      func(b []byte) { clear(b) },
		"other boot": func(b []byte) { b[9] ^= 0xff },
		"torn":       func(b []byte) { copy(b[20:], bytes.Repeat([]byte{0xee}, 60)) },
	} {
		t.Run(name, func(t *testing.T) {
			db, err := Open(path, kv.Create)
			if err != nil {
				t.Fatal(err)
			}
			put(t, db, "k", name)
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(path, lockName)
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			damage(b)
			if err := os.WriteFile(file, b, 0o600); err != nil {
				t.Fatal(err)
			}
			if db, err = Open(path, 0); err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			v, err := db.Get([]byte("k"))
			if err != nil || string(v) != name {
				t.Errorf("get = %q, %v", v, err)
			}
			gen := db.Generation()
			put(t, db, "k2", "x")
			if db.Generation() == gen {
				t.Error("generation stands still")
			}
		})
	}
}

func BenchmarkGet(b *testing.B) {
	db := fill(b, 100000)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i = (i + 7919) % 100000
		if _, err := db.Get(benchKey(i)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPut(b *testing.B) {
	db := fill(b, 1000)
	i := 0
	for b.Loop() {
		i++
		put(b, db, fmt.Sprintf("p%d", i), "value")
	}
}

func BenchmarkPut16Goroutines(b *testing.B) {
	db := fill(b, 1000)
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			put(b, db, fmt.Sprintf("p%d", i), "value")
		}
	})
}

// BenchmarkReadAfterWrite is a reader that looks after each change: the cost
// of following a journal, with the synced put that it follows.
func BenchmarkReadAfterWrite(b *testing.B) {
	db := fill(b, 100000)
	i := 0
	for b.Loop() {
		i++
		put(b, db, fmt.Sprintf("p%d", i), "value")
		if _, err := db.Get(benchKey(i % 1000)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(db.s.opened.Load())/float64(b.N), "opens/op")
}

func BenchmarkOpenRead(b *testing.B) {
	db := fill(b, 100000)
	for b.Loop() {
		bs, err := openBase(db.s.dir, db.s.page.Load())
		if err != nil {
			b.Fatal(err)
		}
		bs.release()
	}
}

func BenchmarkOpenWrite(b *testing.B) {
	db := fill(b, 100000)
	for b.Loop() {
		db.s.writer.mu.Lock()
		err := errors.Join(db.s.writer.leave(), db.s.writer.enter())
		db.s.writer.mu.Unlock()
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScan100k(b *testing.B) {
	db := fill(b, 100000)
	b.ReportAllocs()
	for b.Loop() {
		n, err := kv.Count(db, []byte("Nuser"))
		if err != nil || n != 100000 {
			b.Fatal(n, err)
		}
	}
}

func benchKey(i int) []byte { return fmt.Appendf(nil, "Nuser\x1fu%06d\x1fArchive", i) }

func fill(b *testing.B, n int) *DB {
	db := openTest(b)
	for i := 0; i < n; i += 1000 {
		err := db.Update(func(tx kv.Tx) error {
			for j := i; j < i+1000; j++ {
				v := fmt.Appendf(nil, "%%(T e I %024d P default V 1795323871 C 1 F 19 M 1795323873 A %%(u%06d lrswipkxtecdan))", j, j)
				if err := tx.Put(benchKey(j), v); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return db
}
