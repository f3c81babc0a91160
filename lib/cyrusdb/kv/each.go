package kv

import "errors"

// An EachGetter is a DB that has a cheaper way to read many keys than one by
// one. GetEach calls fn with the index and the value of each key that is there,
// in the order of keys; the value is good until fn returns. An error of fn ends
// it and is returned, but for Stop.
type EachGetter interface {
	GetEach(keys [][]byte, fn func(i int, val []byte) error) error
}

// GetEach is EachGetter.GetEach of any DB.
func GetEach(db DB, keys [][]byte, fn func(i int, val []byte) error) error {
	if e, ok := db.(EachGetter); ok {
		return e.GetEach(keys, fn)
	}
	for i, k := range keys {
		val, err := db.Get(k)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err == nil {
			err = fn(i, val)
		}
		if err != nil {
			return Scanning(err)
		}
	}
	return nil
}
