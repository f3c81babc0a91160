package mupdate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
)

// ErrNoKick is the error of a slave that is not there to be kicked, or is not
// connected to its master.
var ErrNoKick = errors.New("can't connect to target")

// Kick has the slave of this machine catch up with its master, and waits for
// that: when Kick returns nil, the slave's mailbox list has everything that the
// master had answered OK before. Where there is no slave to kick it does nothing.
func (o *Options) Kick(ctx context.Context) error {
	if !o.Kicks {
		return nil
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", o.KickSocket)
	if err != nil {
		return fmt.Errorf("kick_mupdate: %w: %w", ErrNoKick, err)
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	var answer [2]byte
	if _, err := io.ReadFull(c, answer[:]); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("kick_mupdate: can't read from target: %w", err)
	}
	return nil
}
