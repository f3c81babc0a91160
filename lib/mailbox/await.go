package mailbox

import (
	"context"
	"errors"
	"os"
)

// AwaitUser waits until whoever has the lock of a user, or of all shared mailboxes
// when userid is empty, has given it back. It takes less than to have the lock: a
// lock file that is not there was never locked, and is not made.
func (s *Store) AwaitUser(ctx context.Context, userid string) error {
	if _, err := os.Stat(s.userLock(userid)); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	_, unlock, err := s.LockUser(ctx, userid)
	if err != nil {
		return err
	}
	unlock()
	return nil
}
