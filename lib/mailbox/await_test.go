package mailbox

import (
	"context"
	"errors"
	"os"
	"testing"

	"gocyrus/lib/lock"
)

// TestAwaitUser: one waits for who has the lock, and for nobody else, and leaves no
// lock file behind.
func TestAwaitUser(t *testing.T) {
	s, _ := newStore(t, nil)
	if err := s.AwaitUser(t.Context(), "nobody"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(s.userLock("nobody")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the lock file of nobody: %v", err)
	}

	held, unlock, err := s.LockUser(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AwaitUser(held, "alice"); err != nil {
		t.Errorf("under the lock: %v", err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := s.AwaitUser(ended, "alice"); !errors.Is(err, lock.ErrBusy) && !errors.Is(err, context.Canceled) {
		t.Errorf("while another has it: %v, want %v or %v", err, lock.ErrBusy, context.Canceled)
	}
	waited := make(chan error)
	go func() { waited <- s.AwaitUser(t.Context(), "alice") }()
	unlock()
	if err := <-waited; err != nil {
		t.Error(err)
	}
	if err := s.AwaitUser(t.Context(), "alice"); err != nil {
		t.Errorf("nobody has it any more: %v", err)
	}
}
