package flat

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/cyrusdb/kvtest"
)

func TestEngine(t *testing.T) {
	kvtest.Run(t, func(t *testing.T, path string, flags kv.Flags) (kv.DB, error) { return Open(path, flags) }, Compare)
}

// The lines that real Cyrus wrote: user_deny.db with its escaped TABs, a
// subscription file with the version line first.
func TestRealFiles(t *testing.T) {
	for _, tc := range []struct{ name, file, key, value string }{
		{"deny", "frank\t2\xff\x89imap\xff\x89account frank closed\n", "frank", "2\timap\taccount frank closed"},
		{"sub version", "\x1fVER\x1f\t2\nNINBOX\x1fArchive\t\n", "\x1fVER\x1f", "2"},
		{"sub name", "\x1fVER\x1f\t2\nNINBOX\x1fArchive\t\n", "NINBOX\x1fArchive", ""},
		{"by hand, unsorted", "b\t1\na\t2\nb\t3\n\nlast", "b", "3"},
		{"no TAB, no newline", "a\t2\nlast", "last", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(path, []byte(tc.file), 0o600); err != nil {
				t.Fatal(err)
			}
			db, err := Open(path, 0)
			if err != nil {
				t.Fatal(err)
			}
			v, err := db.Get([]byte(tc.key))
			if err != nil || string(v) != tc.value {
				t.Errorf("get %q = %q, %v; want %q", tc.key, v, err, tc.value)
			}
		})
	}
}

func TestOrder(t *testing.T) {
	want := []string{"user", "user.a", "user.a.b", "user a", "user-a", "usera"}
	for i := range len(want) - 1 {
		if Compare([]byte(want[i]), []byte(want[i+1])) >= 0 {
			t.Errorf("%q does not come before %q", want[i], want[i+1])
		}
	}
}

// The file keeps its mode, and what another handle wrote is seen.
func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	a, err := Open(path, kv.Create)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	b, err := Open(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Update(func(tx kv.Tx) error { return tx.Put([]byte("k"), []byte("v")) }); err != nil {
		t.Fatal(err)
	}
	if v, err := b.Get([]byte("k")); err != nil || string(v) != "v" {
		t.Errorf("other handle: %q, %v", v, err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
}

// FuzzParse: whatever the file, its rows are in order, and written out they
// are read back the same.
func FuzzParse(f *testing.F) {
	f.Add([]byte("a\tb\n"))
	f.Add([]byte("\x1fVER\x1f\t2\nNINBOX\x1fA\t\n"))
	f.Add([]byte("b\t\xff\x89\xff\nb\t\xff\xff\xff\x80\na"))
	f.Fuzz(func(t *testing.T, b []byte) {
		rows, err := parse(b)
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := (&tx{rows: rows}).write(&out); err != nil {
			t.Fatal(err)
		}
		again, err := parse(out.Bytes())
		if err != nil || len(again) != len(rows) {
			t.Fatalf("read back %d rows of %d, %v", len(again), len(rows), err)
		}
		for i, r := range rows {
			if !bytes.Equal(r.key, again[i].key) || !bytes.Equal(r.value, again[i].value) {
				t.Errorf("row %d: %q, read back %q", i, r, again[i])
			}
			if i > 0 && compareEscaped(rows[i-1].key, r.key) >= 0 {
				t.Errorf("row %d out of order", i)
			}
			if k := unescape(r.key); !bytes.Equal(unescape(escape(nil, k)), k) {
				t.Errorf("key %q does not survive", k)
			}
		}
	})
}
