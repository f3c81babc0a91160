package twoskip

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/cyrusdb/kvtest"
)

func TestEngine(t *testing.T) {
	kvtest.Run(t, func(t *testing.T, path string, flags kv.Flags) (kv.DB, error) { return Open(path, flags) }, bytes.Compare)
}

func rows(db kv.DB) (out [][2]string, err error) {
	err = db.Scan(nil, func(k, v []byte) error {
		out = append(out, [2]string{string(k), string(v)})
		return nil
	})
	return out, err
}

// Damaged files, and what the real cyr_dbtool 3.6.1 made of them. Where it
// could not open the file, expected.json has no rows.
func TestRecovery(t *testing.T) {
	raw, err := os.ReadFile("testdata/recovery/expected.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]struct {
		Rows      [][2]string `json:"rows"`
		SizeAfter int64       `json:"size_after"`
	}
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	for name, w := range want {
		t.Run(name, func(t *testing.T) {
			src := "testdata/recovery/" + name + ".before.db"
			if name == "clean" {
				src = "testdata/recovery/clean.db"
			}
			b, err := os.ReadFile(src)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "db")
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			db, err := Open(path, 0)
			if name == "bad-header-crc" {
				if !errors.Is(err, kv.ErrCorrupt) {
					t.Errorf("open: %v, want ErrCorrupt", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			got, err := rows(db)
			if name == "bad-record-head" {
				// Cyrus stops there without an error; we say so.
				if !errors.Is(err, kv.ErrCorrupt) || !slices.Equal(got, w.Rows) {
					t.Errorf("rows %v, %v; want %v and ErrCorrupt", got, err, w.Rows)
				}
				return
			}
			if name == "short-by-25" {
				// What is missing of the last row is padding: Cyrus drops the
				// row, we keep it.
				w.Rows = want["clean"].Rows
			}
			if err != nil || !slices.Equal(got, w.Rows) {
				t.Errorf("rows %v, %v; want %v", got, err, w.Rows)
			}
			if err := db.Consistent(); err != nil {
				t.Error(err)
			}
			if st, err := os.Stat(path); err != nil || name[:5] != "short" && w.SizeAfter != 0 && st.Size() != w.SizeAfter {
				t.Errorf("size %d, %v; want %d", st.Size(), err, w.SizeAfter)
			}
			// And it can be written.
			put(t, db, "new", "row")
			if err := db.Consistent(); err != nil {
				t.Error(err)
			}
		})
	}
}

func put(t testing.TB, db kv.DB, k, v string) {
	t.Helper()
	if err := db.Update(func(tx kv.Tx) error { return tx.Put([]byte(k), []byte(v)) }); err != nil {
		t.Fatal(err)
	}
}

// random does a transaction of n random changes.
func random(t testing.TB, db kv.DB, rnd *rand.Rand, n int) {
	t.Helper()
	err := db.Update(func(tx kv.Tx) error {
		for range n {
			k := fmt.Appendf(nil, "user\x1f%03d", rnd.IntN(400))
			if rnd.IntN(3) == 0 {
				if err := tx.Delete(k); err != nil {
					return err
				}
			} else if err := tx.Put(k, bytes.Repeat([]byte{'v'}, rnd.IntN(600))); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Random transactions keep every pointer right, through checkpoints.
func TestConsistent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	db, err := Open(path, kv.Create)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rnd := rand.New(rand.NewPCG(3, 4))
	for i := range 150 {
		random(t, db, rnd, 1+rnd.IntN(12))
		if err := db.Consistent(); err != nil {
			t.Fatalf("after transaction %d: %v", i, err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	h, err := parseHeader(b)
	if err != nil || h.generation < 2 {
		t.Errorf("no checkpoint happened: %+v, %v", h, err)
	}
}

// dbtool runs the installed Cyrus's tool.
func dbtool(t *testing.T, args ...string) string {
	t.Helper()
	tool := "/usr/lib/cyrus/bin/cyr_dbtool"
	if dir := os.Getenv("CYRUS_BIN"); dir != "" {
		tool = filepath.Join(dir, "cyr_dbtool")
	}
	if _, err := os.Stat(tool); err != nil {
		t.Skipf("no Cyrus here to judge (CYRUS_BIN): %v", err)
	}
	conf := filepath.Join(t.TempDir(), "imapd.conf")
	if err := os.WriteFile(conf, []byte("configdirectory: "+t.TempDir()+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		// It becomes the cyrus user.
		for _, p := range []string{filepath.Dir(conf), filepath.Dir(filepath.Dir(conf)), filepath.Dir(args[0]), filepath.Dir(filepath.Dir(args[0]))} {
			if err := os.Chmod(p, 0o777); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(args[0], 0o666); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(tool, append([]string{"-C", conf}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return string(out)
}

// The real tool finds our files consistent, reads what we wrote, and we read
// what it wrote, in turns.
func TestRealCyrus(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	db, err := Open(path, kv.Create)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rnd := rand.New(rand.NewPCG(5, 6))
	for i := range 25 {
		random(t, db, rnd, 1+rnd.IntN(20))
		if out := dbtool(t, path, "twoskip", "consistent"); !strings.HasPrefix(out, "Yes, consistent") {
			t.Fatalf("round %d: %s", i, out)
		}
		dbtool(t, path, "twoskip", "set", "user\x1f"+fmt.Sprintf("%03d", i*7), "theirs")
		if v, err := db.Get(fmt.Appendf(nil, "user\x1f%03d", i*7)); err != nil || string(v) != "theirs" {
			t.Fatalf("round %d: their value is %q, %v", i, v, err)
		}
		if err := db.Consistent(); err != nil {
			t.Fatalf("round %d: %v", i, err)
		}
	}
	got, err := rows(db)
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, r := range got {
		fmt.Fprintf(&want, "%s\t%s\n", r[0], r[1])
	}
	if out := dbtool(t, path, "twoskip", "show"); out != want.String() {
		t.Error("the real show prints other rows than ours")
	}
}

// A writer that stops anywhere costs only its own transaction.
func TestCrash(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "db")
	db, err := Open(path, kv.Create)
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(7, 8))
	random(t, db, rnd, 60)
	before, err := rows(db)
	if err != nil {
		t.Fatal(err)
	}
	// The same changes, stopped after each of their writes.
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for stop := range 60 {
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := Open(path, 0)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		err = db.read(func(f *file) error {
			for i := range 60 {
				if n++; n > stop {
					return nil
				}
				k := fmt.Appendf(nil, "user\x1f%03d", i*6)
				if err := f.put(k, []byte("half done")); err != nil {
					return err
				}
				if err := f.remove(fmt.Appendf(nil, "user\x1f%03d", i*6+3)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		ro, err := Open(path, kv.ReadOnly)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := rows(ro); err != nil || !slices.Equal(got, before) {
			t.Fatalf("stopped after %d, read only: %d rows, %v; want %d", stop, len(got), err, len(before))
		}
		if err := ro.Close(); err != nil {
			t.Fatal(err)
		}
		if db, err = Open(path, 0); err != nil {
			t.Fatal(err)
		}
		got, err := rows(db)
		if err != nil || !slices.Equal(got, before) {
			t.Fatalf("stopped after %d: %d rows, %v; want %d", stop, len(got), err, len(before))
		}
		if err := errors.Join(db.Consistent(), db.Close()); err != nil {
			t.Fatalf("stopped after %d: %v", stop, err)
		}
	}
}

// Two handles and many goroutines, as sessions of one process have.
func TestConcurrent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	var wg sync.WaitGroup
	for range 4 {
		db, err := Open(path, kv.Create)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		wg.Go(func() {
			for range 25 {
				err := db.Update(func(tx kv.Tx) error {
					v, err := tx.Get([]byte("n"))
					if err != nil && !errors.Is(err, kv.ErrNotFound) {
						return err
					}
					return tx.Put([]byte("n"), append(v, 'x'))
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	db, err := Open(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if v, err := db.Get([]byte("n")); err != nil || len(v) != 100 {
		t.Errorf("%d updates, %v", len(v), err)
	}
}

// resum makes the checksums of a file right, so that what else is wrong with it
// is seen.
func resum(b []byte) {
	if len(b) < emptySize {
		return
	}
	copy(b, Magic)
	binary.BigEndian.PutUint32(b[20:], version)
	binary.BigEndian.PutUint32(b[60:], crc32.ChecksumIEEE(b[:60]))
	for off := uint64(dummyOffset); off+24 <= uint64(len(b)); {
		klen, vlen := uint64(binary.BigEndian.Uint16(b[off+2:])), uint64(binary.BigEndian.Uint32(b[off+4:]))
		head := 8 + 8*(uint64(b[off+1])+1)
		size := head + 8 + padded(int(klen+vlen))
		if klen == 0xffff || vlen > uint64(len(b)) || off+size > uint64(len(b)) {
			off += 8
			continue
		}
		p := b[off : off+size]
		binary.BigEndian.PutUint32(p[head+4:], crc32.ChecksumIEEE(p[head+8:]))
		binary.BigEndian.PutUint32(p[head:], crc32.ChecksumIEEE(p[:head]))
		off += size
	}
}

// FuzzOpen: whatever the file, opening, reading and changing it ends without a
// panic.
func FuzzOpen(f *testing.F) {
	seeds, err := filepath.Glob("testdata/recovery/*.before.db")
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range seeds {
		b, err := os.ReadFile(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = bytes.Clone(b)
		resum(b)
		// Sizes that the header alone makes large are the file system's matter.
		if h, err := parseHeader(b); err == nil && h.size > uint64(len(b)) && h.size > 1<<20 {
			return
		}
		path := filepath.Join(t.TempDir(), "db")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := Open(path, 0)
		if err != nil {
			return
		}
		defer db.Close()
		_, _ = rows(db)
		_ = db.Consistent()
		_ = db.Update(func(tx kv.Tx) error { return errors.Join(tx.Put([]byte("k05"), []byte("x")), tx.Delete([]byte("k06"))) })
		_, _ = db.Get([]byte("k09"))
	})
}

func BenchmarkGet(b *testing.B) {
	db, err := Open(filepath.Join(b.TempDir(), "db"), kv.Create)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		random(b, db, rnd, 20)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := db.Get([]byte("user\x1f100")); err != nil && !errors.Is(err, kv.ErrNotFound) {
			b.Fatal(err)
		}
	}
}
