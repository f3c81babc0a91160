package syncclient

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"gocyrus/lib/lock"
	"gocyrus/lib/mappedfile"
	"gocyrus/lib/mboxname"
)

// ErrLocked is the error of a user that another client works on.
var ErrLocked = errors.New("another sync_client is working on this user")

// lockName is the name of the lock that keeps two clients off one user of one
// replica, as Cyrus makes it.
func lockName(host, userid string) string {
	return strings.ReplaceAll("*S*"+host+"*"+userid, ".", "^")
}

// userLocks are the locks of users, empty for all shared mailboxes.
type userLocks struct {
	layout *mboxname.Layout
	host   string
	noWait bool
	none   bool // who moves a user holds the user's own lock, for which others wait with theirs
}

// take locks users, each once, in their order, which everybody keeps. Without
// noWait it waits as long as ctx lasts.
func (u *userLocks) take(ctx context.Context, users ...string) (release func(), err error) {
	if u.none {
		return func() {}, nil
	}
	users = slices.Compact(slices.Sorted(slices.Values(users)))
	var held []*os.File
	release = func() {
		for _, f := range held {
			// The lock goes with the descriptor.
			_ = f.Close()
		}
	}
	for _, user := range users {
		f, err := u.one(ctx, user)
		if err != nil {
			release()
			return nil, err
		}
		held = append(held, f)
	}
	return release, nil
}

func (u *userLocks) one(ctx context.Context, user string) (*os.File, error) {
	path := u.layout.LockFile(lockName(u.host, user))
	f, err := mappedfile.Create(path, os.O_RDWR, 0o666)
	if err != nil {
		return nil, err
	}
	for {
		if u.noWait {
			err = lock.Try(f, lock.Exclusive)
		} else {
			err = lock.Wait(ctx, f, lock.Exclusive)
		}
		if !errors.Is(err, lock.ErrBusy) || u.noWait || ctx.Err() != nil {
			break
		}
	}
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, lock.ErrBusy) && ctx.Err() == nil {
		err = fmt.Errorf("%q: %w", user, ErrLocked)
	}
	return nil, err
}
