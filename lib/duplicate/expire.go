package duplicate

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"gocyrus/lib/cyrusdb/kv"
)

// Scan calls fn for each record that is stored and begins with a Message-ID of
// that prefix; damaged ones are passed over.
func (d *DB) Scan(prefix string, fn func(Key, Mark) error) error {
	return d.db.Scan([]byte(prefix), func(k, v []byte) error {
		key, err := parseKey(k)
		if err != nil {
			return nil
		}
		m, err := parseMark(v)
		if err != nil {
			return nil
		}
		return fn(key, m)
	})
}

// batch is how many records Prune removes in one transaction: deliveries wait
// for no more than that.
const batch = 1000

// Prune removes the records of deliveries before the time that before gives for
// a mailbox's unique id, and what is damaged. Records of Sieve scripts are asked
// for with the empty id. It returns how many were looked at and removed.
func (d *DB) Prune(before func(uniqueID string) time.Time) (seen, removed int, err error) {
	var old [][]byte
	err = d.db.Scan(nil, func(k, v []byte) error {
		seen++
		if stale(k, v, before) {
			old = append(old, bytes.Clone(k))
		}
		return nil
	})
	if err != nil {
		return seen, 0, err
	}
	for keys := range slices.Chunk(old, batch) {
		if err := d.remove(keys); err != nil {
			return seen, removed, err
		}
		removed += len(keys)
	}
	return seen, removed, nil
}

func (d *DB) remove(keys [][]byte) error {
	return d.db.Update(func(tx kv.Tx) error {
		for _, k := range keys {
			if err := tx.Delete(k); err != nil {
				return err
			}
		}
		return nil
	})
}

func stale(k, v []byte, before func(string) time.Time) bool {
	key, err := parseKey(k)
	if err != nil {
		return true
	}
	m, err := parseMark(v)
	if err != nil {
		return true
	}
	to := key.To
	if strings.HasPrefix(to, ".") {
		to = ""
	}
	return m.Time.Before(before(to))
}
