package kvtest

import (
	"bytes"
	"maps"
	"slices"
	"sync"

	"gocyrus/lib/cyrusdb/kv"
)

// Memory is a kv.DB that lives as long as it is referred to; Close keeps it.
type Memory struct {
	mu   sync.Mutex
	rows map[string]string
}

// New is an empty database.
func New() *Memory { return &Memory{rows: map[string]string{}} }

// With is a database that holds rows.
func With(rows map[string]string) *Memory { return &Memory{rows: maps.Clone(rows)} }

// Rows is a copy of all that the database holds.
func (m *Memory) Rows() map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.rows)
}

func (m *Memory) Get(k []byte) ([]byte, error) { return (&tx{m.Rows()}).Get(k) }

func (m *Memory) Scan(prefix []byte, fn func(k, v []byte) error) error {
	return (&tx{m.Rows()}).Scan(prefix, fn)
}

func (m *Memory) ScanFrom(start []byte, fn func(k, v []byte) error) error {
	return (&tx{m.Rows()}).scan(fn, func(k string) bool { return bytes.Compare([]byte(k), start) >= 0 })
}

func (m *Memory) Update(fn func(kv.Tx) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := &tx{maps.Clone(m.rows)}
	if err := fn(t); err != nil {
		return err
	}
	m.rows = t.rows
	return nil
}

func (m *Memory) Close() error { return nil }

type tx struct{ rows map[string]string }

func (t *tx) Get(k []byte) ([]byte, error) {
	if v, ok := t.rows[string(k)]; ok {
		return []byte(v), nil
	}
	return nil, kv.ErrNotFound
}

func (t *tx) Put(k, v []byte) error { t.rows[string(k)] = string(v); return nil }

func (t *tx) Delete(k []byte) error { delete(t.rows, string(k)); return nil }

func (t *tx) Scan(prefix []byte, fn func(k, v []byte) error) error {
	return t.scan(fn, func(k string) bool { return bytes.HasPrefix([]byte(k), prefix) })
}

func (t *tx) scan(fn func(k, v []byte) error, want func(string) bool) error {
	for _, k := range slices.Sorted(maps.Keys(t.rows)) {
		if !want(k) {
			continue
		}
		if err := fn([]byte(k), []byte(t.rows[k])); err != nil {
			return kv.Scanning(err)
		}
	}
	return nil
}
