package mailbox

import (
	"errors"
	"os"
	"testing"
)

// TestCacheMade checks that a cache is there whole or not at all: who is killed while
// it is made leaves none that reconstruct would have to say something about.
func TestCacheMade(t *testing.T) {
	s, e := newStore(t, nil)
	m := open(t, s, e)
	defer m.Close()
	cache := m.paths.cache
	// What it would be made of cannot be.
	if err := os.Mkdir(cache+".NEW", 0o755); err != nil {
		t.Fatal(err)
	}
	f, msg := staged(t, t.TempDir(), "first", 100)
	err := m.Update(t.Context(), func(tx *Tx) error {
		_, _, err := tx.Append(Append{File: f, Message: msg})
		return err
	})
	if err == nil {
		t.Fatal("a message was appended without a cache")
	}
	if st, err := os.Stat(cache); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a cache: %v, %v", st, err)
	}
	if err := os.Remove(cache + ".NEW"); err != nil {
		t.Fatal(err)
	}

	add(t, m, 1)
	checkMailbox(t, m)
}
