package xfer

import (
	"context"
	"errors"
	"fmt"
	"net"

	"gocyrus/lib/backend"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxops"
)

// ErrAlive is the error of copies whose server answers: it sees to them itself.
var ErrAlive = errors.New("the server that they came from answers, and ends the move itself")

// Adopt makes copies that are frozen here, since their server is gone for good, this server's.
// The errors are ErrAlive, unless anyway is set, and those of mboxops.Ops.Adopt.
func (m *Mover) Adopt(ctx context.Context, a *mboxops.Arrival, anyway bool) error {
	if err := m.abandoned(ctx, a, anyway); err != nil {
		return err
	}
	return m.site.Ops.Adopt(ctx, a, anyway)
}

// Discard removes them. The errors are ErrAlive, unless anyway is set, and those of
// mboxops.Ops.Discard.
func (m *Mover) Discard(ctx context.Context, a *mboxops.Arrival, anyway bool) error {
	if err := m.abandoned(ctx, a, anyway); err != nil {
		return err
	}
	return m.site.Ops.Discard(ctx, a, anyway)
}

// abandoned fails with ErrAlive if the server that copies came from listens.
func (m *Mover) abandoned(ctx context.Context, a *mboxops.Arrival, anyway bool) error {
	source := a.Source()
	if anyway || source == "" || m.Is(source) {
		return nil
	}
	account, err := m.opt.Proxy.Account(backend.IMAP, source)
	if err != nil {
		return err
	}
	d := net.Dialer{Timeout: m.opt.Proxy.Timeout}
	c, err := d.DialContext(ctx, "tcp", account.Addr)
	if err != nil {
		log.Notice("XFER: %s does not answer: %v", source, err)
		return ctx.Err()
	}
	c.Close()
	return fmt.Errorf("%s: %w", source, ErrAlive)
}
