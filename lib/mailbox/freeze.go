package mailbox

import (
	"context"
	"fmt"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/lock"
	"gocyrus/lib/mboxlist"
)

// A mailbox is frozen when another server has it, and the files here are a copy that
// leaves, or one that arrives: whoever has it open, in whatever process, whatever waits
// for its lock, and whoever comes with a record of the time when it was here, finds no
// mailbox. So nothing can be acknowledged here that the other server does not have,
// even if the process that froze it is killed. The mark is in the index; files and usage
// of the quota root stay as they are. A copy that arrives is frozen when it is made.

// thawing marks the context of who may enter a frozen mailbox.
type thawing struct{}

// Freeze makes a mailbox frozen, durably. Doing it again is no error. The errors are
// those of Update; a mailbox of an index that cannot be written is ErrBadFormat.
func (s *Store) Freeze(ctx context.Context, e *mboxlist.Entry) error {
	return s.inFrozen(ctx, e, func(m *Mailbox) error {
		if !indexfile.Writable(m.hdr.Version) {
			return fmt.Errorf("%s: index of version %d: %w", e.Name, m.hdr.Version, ErrBadFormat)
		}
		return m.setOption(indexfile.OptFrozen, true)
	})
}

// Thaw has a frozen mailbox be what it was. One that is not frozen stays as it is.
func (s *Store) Thaw(ctx context.Context, e *mboxlist.Entry) error {
	return s.inFrozen(ctx, e, func(m *Mailbox) error {
		if m.hdr.Options&indexfile.OptFrozen == 0 {
			return nil
		}
		return m.setOption(indexfile.OptFrozen, false)
	})
}

// RemoveFrozen is Remove of a mailbox that is frozen.
func (s *Store) RemoveFrozen(ctx context.Context, e *mboxlist.Entry) error {
	return s.Remove(InFrozen(ctx), e)
}

// InFrozen marks a context: whoever has it may enter a frozen mailbox.
func InFrozen(ctx context.Context) context.Context { return context.WithValue(ctx, thawing{}, true) }

// As is InFrozen for who has seen in the record of a mailbox that it is arriving here, and
// does what is to be done with it as such. The methods of Store that are given an entry
// do this themselves.
func As(ctx context.Context, e *mboxlist.Entry) context.Context {
	if e.Incoming() {
		return InFrozen(ctx)
	}
	return ctx
}

// shut is the error of a mailbox that is frozen, for who may not enter it.
func (m *Mailbox) shut(ctx context.Context) error {
	if m.hdr.Options&indexfile.OptFrozen == 0 || ctx.Value(thawing{}) != nil {
		return nil
	}
	return fmt.Errorf("%s: on another server: %w", m.Name(), ErrNotFound)
}

// inFrozen runs fn in a mailbox, frozen or not, that nobody else is in.
func (s *Store) inFrozen(ctx context.Context, e *mboxlist.Entry, fn func(m *Mailbox) error) error {
	m, err := s.get(e)
	if err != nil {
		return err
	}
	defer m.release()
	return m.guard(func() error {
		in, err := m.enter(InFrozen(ctx), lock.Exclusive)
		if err != nil {
			return err
		}
		defer in.leave()
		return fn(m)
	})
}
