// Package kvtest holds the test that every database engine must pass, so that
// they differ in nothing but the order of keys and the form on disk, and a
// database in memory for tests of what lies above kv.
package kvtest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"gocyrus/lib/cyrusdb/kv"
)

// Open is an engine's Open.
type Open func(t *testing.T, path string, flags kv.Flags) (kv.DB, error)

// Run compares the engine with a map through random transactions, among them
// failing ones and reopenings. compare is its order of keys.
func Run(t *testing.T, open Open, compare func(a, b []byte) int) {
	path := filepath.Join(t.TempDir(), "test.db")
	if _, err := open(t, path, 0); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("open of nothing: %v, want ErrNotFound", err)
	}
	db, err := open(t, path, kv.Create)
	if err != nil {
		t.Fatal(err)
	}
	m := model{t: t, want: map[string]string{}, compare: compare, rnd: rand.New(rand.NewPCG(1, 2))}
	for round := range 60 {
		m.transaction(db, round%7 == 3)
		m.check(db)
		if round%20 == 19 {
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if db, err = open(t, path, 0); err != nil {
				t.Fatal(err)
			}
			m.check(db)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Update(func(tx kv.Tx) error { return tx.Put([]byte("late"), nil) }); err == nil {
		t.Error("update after Close succeeded")
	}
}

type model struct {
	t       *testing.T
	want    map[string]string
	compare func(a, b []byte) int
	rnd     *rand.Rand
}

var errFail = errors.New("fail")

// alphabet has what engines treat apart: the separators of names, octets that
// flat escapes, signs, and what LevelDB and twoskip order differently.
var alphabet = []byte("ab.\x1f\x1d\t\n\r\x00\x03\xff\x80 Z~")

func (m *model) key() string {
	b := make([]byte, 1+m.rnd.IntN(3))
	for i := range b {
		b[i] = alphabet[m.rnd.IntN(len(alphabet))]
	}
	return "k" + string(b)
}

func (m *model) transaction(db kv.DB, fail bool) {
	m.t.Helper()
	next := map[string]string{}
	for k, v := range m.want {
		next[k] = v
	}
	err := db.Update(func(tx kv.Tx) error {
		for range 1 + m.rnd.IntN(20) {
			if err := m.step(tx, next); err != nil {
				return err
			}
		}
		if fail {
			return errFail
		}
		return nil
	})
	if fail {
		if !errors.Is(err, errFail) {
			m.t.Fatalf("update: %v, want the function's error", err)
		}
		return
	}
	if err != nil {
		m.t.Fatal(err)
	}
	m.want = next
}

func (m *model) step(tx kv.Tx, next map[string]string) error {
	k := m.key()
	switch m.rnd.IntN(4) {
	case 0:
		delete(next, k)
		if err := tx.Delete([]byte(k)); err != nil {
			return err
		}
	case 1:
		n := 0
		if err := tx.Scan([]byte("k"), func(k, v []byte) error {
			if next[string(k)] != string(v) {
				return fmt.Errorf("scan inside: %q is %q, want %q", k, v, next[string(k)])
			}
			n++
			return nil
		}); err != nil {
			return err
		}
		if n != len(next) {
			return fmt.Errorf("scan inside: %d records, want %d", n, len(next))
		}
	default:
		v := bytes.Repeat([]byte{alphabet[m.rnd.IntN(len(alphabet))]}, m.rnd.IntN(300))
		next[k] = string(v)
		if err := tx.Put([]byte(k), v); err != nil {
			return err
		}
	}
	v, err := tx.Get([]byte(k))
	if want, ok := next[k]; ok != (err == nil) || string(v) != want {
		return fmt.Errorf("get inside: %q is %q, %v; want %q, %v", k, v, err, want, ok)
	}
	return nil
}

func (m *model) check(db kv.DB) {
	m.t.Helper()
	keys := make([]string, 0, len(m.want))
	for k, want := range m.want {
		keys = append(keys, k)
		if v, err := db.Get([]byte(k)); err != nil || string(v) != want {
			m.t.Fatalf("get %q = %q, %v; want %q", k, v, err, want)
		}
	}
	if _, err := db.Get([]byte("kabsent")); !errors.Is(err, kv.ErrNotFound) {
		m.t.Fatalf("get of an absent key: %v", err)
	}
	slices.SortFunc(keys, func(a, b string) int { return m.compare([]byte(a), []byte(b)) })
	m.each(db, keys)
	m.scan("whole", keys, func(fn func(k, v []byte) error) error { return db.Scan(nil, fn) })
	if len(keys) == 0 {
		return
	}
	from := m.rnd.IntN(len(keys))
	m.scan("from", keys[from:], func(fn func(k, v []byte) error) error { return db.ScanFrom([]byte(keys[from]), fn) })
	prefix := keys[from][:2]
	var under []string
	for _, k := range keys {
		if k[:2] == prefix {
			under = append(under, k)
		}
	}
	m.scan("prefix", under, func(fn func(k, v []byte) error) error { return db.Scan([]byte(prefix), fn) })
	n := 0
	if err := db.Scan(nil, func(_, _ []byte) error { n++; return kv.Stop }); err != nil || n != 1 {
		m.t.Fatalf("stopped scan: %d records, %v", n, err)
	}
}

// each checks GetEach, with keys among them that are not there.
func (m *model) each(db kv.DB, keys []string) {
	m.t.Helper()
	var ask [][]byte
	for _, k := range keys {
		ask = append(ask, []byte(k), []byte(k+"absent"))
	}
	n := 0
	err := kv.GetEach(db, ask, func(i int, val []byte) error {
		if i != 2*n || string(val) != m.want[keys[n]] {
			return fmt.Errorf("number %d is key %d, %q", n, i, val)
		}
		n++
		return nil
	})
	if err != nil || n != len(keys) {
		m.t.Fatalf("get each: %d of %d keys, %v", n, len(keys), err)
	}
	if err := kv.GetEach(db, ask, func(int, []byte) error { return kv.Stop }); err != nil {
		m.t.Fatalf("stopped get each: %v", err)
	}
}

func (m *model) scan(what string, want []string, scan func(func(k, v []byte) error) error) {
	m.t.Helper()
	var got []string
	err := scan(func(k, v []byte) error {
		if string(v) != m.want[string(k)] {
			return fmt.Errorf("%q is %q, want %q", k, v, m.want[string(k)])
		}
		got = append(got, string(k))
		return nil
	})
	if err != nil || !slices.Equal(got, want) {
		m.t.Fatalf("scan %s: %q, %v; want %q", what, got, err, want)
	}
}
