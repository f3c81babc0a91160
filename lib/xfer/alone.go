package xfer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gocyrus/lib/guid"
	"gocyrus/lib/lock"
	"gocyrus/lib/mboxops"
)

// longName is of a name that may be too long for a file's.
const longName = 200

// alone has a cargo moved by nobody else of this server until release: two moves at
// once would undo each other's copies. The error is mboxops.ErrMoving.
func (m *Mover) alone(c mboxops.Cargo) (release func(), err error) {
	name := strings.ReplaceAll(c.String(), ".", "^")
	if len(name) > longName {
		name = guid.Of([]byte(name)).String()
	}
	path := m.site.Layout.LockFile("*X*" + name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	if err := lock.Try(f, lock.Exclusive); err != nil {
		f.Close()
		if errors.Is(err, lock.ErrBusy) {
			err = fmt.Errorf("%s: %w", c, mboxops.ErrMoving)
		}
		return nil, err
	}
	return func() { f.Close() }, nil // the lock goes with the descriptor
}
