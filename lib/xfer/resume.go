package xfer

import (
	"context"
	"strings"
	"time"

	"gocyrus/lib/inflight"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
)

// A journey is a move as a note has it.
type journey struct {
	mboxops.Cargo
	server, partition string
}

// A note says that a cargo may be under way: "user" or "mailbox", which, to what server
// and partition. How far it is is in mailboxes.db.
const (
	userNote    = "user"
	mailboxNote = "mailbox"
)

func (j journey) note() string {
	kind, name := userNote, j.User
	if name == "" {
		kind, name = mailboxNote, string(j.Mailbox)
	}
	return strings.Join([]string{kind, name, j.server, j.partition}, "\x00")
}

// readNote is the opposite. A note that is none has no cargo.
func readNote(text string) (j journey) {
	f := strings.Split(text, "\x00")
	if len(f) != 4 {
		return j
	}
	switch f[0] {
	case userNote:
		j.User = f[1]
	case mailboxNote:
		j.Mailbox = mboxname.Name(f[1])
	}
	j.server, j.partition = f[2], f[3]
	return j
}

// Recover takes over the moves of processes that are gone: those that are not decided
// are undone, the others go on, until both are done or the mover is closed. After a
// crash of the machine, which may lose notes, it looks for them in mailboxes.db.
func (m *Mover) Recover() error {
	if m.site.Murder == nil {
		return nil
	}
	return inflight.Recover(m.opt.Notes, func(f inflight.Found) error {
		moves := map[mboxops.Cargo]journey{}
		for _, text := range f.Notes {
			if j := readNote(text); j.Cargo != (mboxops.Cargo{}) {
				moves[j.Cargo] = j
			}
		}
		if f.Down {
			if err := m.lookEverywhere(moves); err != nil {
				return err
			}
		}
		for _, j := range moves {
			note, err := m.notes.Begin(j.note())
			if err != nil {
				return err
			}
			m.finish(j, note, 0)
		}
		return nil
	})
}

// Watch is Recover now and again, until Close: a process that lasts may be the only one that
// is there when another one is killed, and the mailboxes that that one moved take no mail
// until somebody sees to them. So it is with what that one had yet to tell the master. It
// says what the first attempt says.
func (m *Mover) Watch() error {
	if m.site.Murder == nil {
		return nil
	}
	err := m.Recover()
	m.look.Go(func() {
		ticker := time.NewTicker(m.opt.Look)
		defer ticker.Stop()
		for {
			select {
			case <-m.ctx.Done():
				return
			case <-ticker.C:
			}
			if err := m.Recover(); err != nil {
				log.Err("XFER: moves that were interrupted: %v", err)
			}
			if err := m.site.Ops.RecoverMurder(); err != nil {
				log.Err("MUPDATE: changes that stay to be told: %v", err)
			}
		}
	})
	return err
}

// lookEverywhere finds all that is under way. What moves with the INBOX is one cargo, each
// other mailbox is one of its own: how far it is says nothing of those beside it.
func (m *Mover) lookEverywhere(moves map[mboxops.Cargo]journey) error {
	servers := map[mboxname.Name]string{} // of all that moves
	err := m.site.List.Scan("", func(v mboxlist.View) error {
		if v.Is(mboxlist.FlagMoving) {
			servers[v.Name()] = string(v.Server())
		}
		return nil
	})
	if err != nil {
		return err
	}
	for n, server := range servers {
		c := mboxops.Cargo{Mailbox: n}
		if user := n.Owner(); user != "" {
			if _, whole := servers[mboxname.Inbox(user)]; whole {
				c = mboxops.Cargo{User: user}
			}
		}
		if _, ok := moves[c]; !ok {
			moves[c] = journey{c, server, ""}
		}
	}
	return nil
}

// finish ends a move in the background, after a wait, however often it takes. What is
// decided is tried each time as soon; where only a copy is to be removed, the waits grow.
// It is looked for once more a while after it was removed: what a killed mover had sent may
// be carried out by the other server behind that.
func (m *Mover) finish(j journey, note *inflight.Note, wait time.Duration) {
	m.rest.Go(func() {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		next, looked := m.opt.Retry, time.Time{}
		for {
			select {
			case <-m.ctx.Done():
				return // the note is left to whoever comes next
			case <-timer.C:
			}
			onward, err := m.end(m.ctx, j)
			switch {
			case err != nil:
			case onward, !looked.IsZero() && time.Since(looked) >= m.opt.Late:
				note.End()
				return
			default:
				if looked.IsZero() {
					looked = time.Now()
				}
				timer.Reset(m.opt.Late - time.Since(looked))
				continue
			}
			log.Err("XFER: the move of %s to %s stays to be finished: %v", j.Cargo, j.server, err)
			timer.Reset(next)
			if !m.unfinished(j.Cargo) {
				next = min(2*next, longestWait)
			}
		}
	})
}

// longestWait is between two attempts to remove a copy.
const longestWait = time.Hour

// end takes one attempt to end a move that nobody is at any more. onward says that the
// mailboxes are at the other server.
func (m *Mover) end(ctx context.Context, j journey) (onward bool, err error) {
	release, err := m.alone(ctx, j.Cargo)
	if err != nil {
		return false, err
	}
	defer release()
	// A master that does not answer is waited for before anybody's mailboxes are locked.
	there, unknown := m.arrived(ctx, j)
	stage, err := m.back(ctx, j, there)
	switch {
	case err != nil:
		return false, err
	case stage == mboxops.NotHere && (there || unknown != nil):
		return there, unknown
	case stage != mboxops.Decided:
		return false, m.discardAt(ctx, j)
	}
	// Nobody else changes it: so the shared mailboxes, which have one lock, need not
	// wait for the other server.
	log.Notice("XFER: finishing the move of %s", j.Cargo)
	return true, m.onward(ctx, j, nil, func(string) {})
}

// back ends a move that is not decided, and says how far it was: all is here as it was, unless
// there are mailboxes there by now: an administrator has adopted the copies while this server
// was away.
func (m *Mover) back(ctx context.Context, j journey, there bool) (mboxops.Stage, error) {
	ctx, unlock, err := m.site.Mailboxes.LockUser(ctx, j.Owner())
	if err != nil {
		return mboxops.NotHere, err
	}
	defer unlock()
	_, stage, err := m.site.Ops.Underway(j.Cargo)
	if err != nil || stage == mboxops.NotHere || stage == mboxops.Decided {
		return stage, err
	}
	if there {
		log.Notice("XFER: the copies of %s are in use at %s", j.Cargo, j.server)
		if err := m.site.Ops.Yield(ctx, j.Cargo); err != nil {
			return stage, err
		}
	}
	return stage, m.site.Ops.Return(ctx, j.Cargo)
}
