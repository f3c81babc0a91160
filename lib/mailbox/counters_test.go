package mailbox

import (
	"os"
	"testing"
)

// TestNextUIDValidity: mailboxes of the same second differ, in whatever process they were
// made, and what stands in the lock file cannot lead far away.
func TestNextUIDValidity(t *testing.T) {
	s, _ := newStore(t, nil)
	_, unlock, err := s.LockUser(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	next := func(after, want uint32) {
		t.Helper()
		if got, err := s.NextUIDValidity("alice", after); got != want || err != nil {
			t.Errorf("after %d: %d, %v; want %d", after, got, err, want)
		}
	}
	next(1000, 1001)
	next(1000, 1002)
	next(1001, 1003)
	next(2000, 2001)
	next(1900, 2002) // the clock was set back
	if err := os.WriteFile(s.userLock("alice"), []byte{0xff, 0xff, 0xff, 0xff}, 0o600); err != nil {
		t.Fatal(err)
	}
	next(3000, 3001)
	if err := os.Truncate(s.userLock("alice"), 0); err != nil { // Cyrus does
		t.Fatal(err)
	}
	next(3000, 3001)
}
