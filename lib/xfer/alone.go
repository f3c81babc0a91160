package xfer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"gocyrus/lib/guid"
	"gocyrus/lib/lock"
	"gocyrus/lib/mappedfile"
	"gocyrus/lib/mboxops"
)

// longName is of a name that may be too long for a file's.
const longName = 200

// aloneWait is long beside a look at what an old move has left, and short beside a move.
const aloneWait = 2 * time.Second

// alone has a cargo moved by nobody else of this server until release: two moves at
// once would undo each other's copies. It waits for who looks after an old move, which is
// short. The error is mboxops.ErrMoving.
func (m *Mover) alone(ctx context.Context, c mboxops.Cargo) (release func(), err error) {
	name := strings.ReplaceAll(c.String(), ".", "^")
	if len(name) > longName {
		name = guid.Of([]byte(name)).String()
	}
	path := m.site.Layout.LockFile("*X*" + name)
	f, err := mappedfile.Create(path, os.O_RDWR, 0o666)
	if err != nil {
		return nil, err
	}
	short, cancel := context.WithTimeout(ctx, aloneWait)
	defer cancel()
	if err := lock.Wait(short, f, lock.Exclusive); err != nil {
		f.Close()
		if errors.Is(err, lock.ErrBusy) {
			err = fmt.Errorf("%s: %w", c, mboxops.ErrMoving)
		}
		return nil, err
	}
	return func() { f.Close() }, nil // the lock goes with the descriptor
}
