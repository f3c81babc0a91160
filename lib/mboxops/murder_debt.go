package mboxops

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gocyrus/lib/inflight"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
)

// A debt is a note that the master and mailboxes.db may disagree about a name. One
// that cannot be paid now is kept: this process tries again every
// mupdate_retry_delay, and when it ends before, the next one finds the note. The
// methods of nil, where there is no murder, do nothing.
type debt struct {
	o    *Ops
	name mboxname.Name
	note *inflight.Note
}

// everything is the text of the debt of all mailboxes, which no name can be.
const everything = "\x00"

// debt notes one. What follows may begin when it returns.
func (o *Ops) debt(n mboxname.Name) (*debt, error) {
	if o.Murder == nil {
		return nil, nil
	}
	note, err := o.Murder.notes.Begin(string(n))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n, err)
	}
	return &debt{o, n, note}, nil
}

// paid ends a debt: the master knows, or has heard nothing.
func (d *debt) paid() {
	if d != nil {
		d.note.End()
	}
}

// owe keeps a debt for later.
func (d *debt) owe() {
	if d == nil {
		return
	}
	m := d.o.Murder
	m.mu.Lock()
	defer m.mu.Unlock()
	text := string(d.name)
	if m.owed[text] != nil {
		d.note.End() // one note is enough
		return
	}
	m.owed[text] = d.note
	if !m.paying && m.ctx.Err() == nil {
		m.paying = true
		m.all.Go(d.o.payLater)
	}
}

// refused ends the debt of a word that the master has not agreed to, before anything
// has changed here.
func (d *debt) refused(err error) {
	if unsure(err) {
		d.owe()
	} else {
		d.paid()
	}
}

// end ends a debt as err says: nil, the master has been told all; else what is
// here counts, and the master is told that.
func (d *debt) end(ctx context.Context, err error) {
	switch {
	case d == nil:
	case err == nil:
		d.paid()
	case errors.Is(err, ErrNoMaster) && !unsure(err):
		// Of an operation that has changed something before, too.
		d.owe()
	default:
		d.settle(ctx)
	}
}

// following does what the master need not agree to, and has it agree afterwards, now or
// later: it is about names of e, under the locks of their owners.
func (o *Ops) following(ctx context.Context, e *mboxlist.Entry, do func() error, names ...mboxname.Name) error {
	if !o.announced(e) {
		return do()
	}
	var debts []*debt
	for _, n := range names {
		d, err := o.debt(n)
		if err != nil {
			for _, d := range debts {
				d.paid()
			}
			return err
		}
		debts = append(debts, d)
	}
	err := do()
	for _, d := range debts {
		d.settle(ctx)
	}
	return err
}

// settle makes the master agree with mailboxes.db about the name, now or later.
// The owner's lock is held.
func (d *debt) settle(ctx context.Context) {
	if d == nil {
		return
	}
	m := d.o.Murder
	if m.justFailed() {
		d.owe()
		return
	}
	err := m.do(context.WithoutCancel(ctx), func(ctx context.Context, c *mupdate.Client) error { return d.o.settle(ctx, c, d.name) })
	if err != nil {
		log.Err("MUPDATE: '%s' stays to be told: %v", d.name, err)
		d.owe()
		return
	}
	d.paid()
}

// justFailed says that the master was not to be reached a moment ago: who has only
// news for it does not wait for it again.
func (m *Murder) justFailed() bool {
	if err := m.take(m.ctx); err != nil {
		return true
	}
	defer func() { m.turn <- struct{}{} }()
	return m.client == nil && time.Since(m.failed) < m.opt.Retry
}

// settle compares what the master and mailboxes.db have of a name, and makes the
// master agree: a mailbox that is here is announced, an entry of ours without one
// goes. One that another server has is left to it. It is such that doing it twice
// is as doing it once, and takes the owner's lock.
func (o *Ops) settle(ctx context.Context, c *mupdate.Client, n mboxname.Name) error {
	ctx, unlock, err := o.Mailboxes.LockUser(ctx, n.Owner())
	if err != nil {
		return err
	}
	defer unlock()
	e, err := o.present(n)
	if err != nil {
		return err
	}
	has, err := c.Find(ctx, n)
	if err != nil && !errors.Is(err, mupdate.ErrNotFound) {
		return err
	}
	here := e != nil && o.announced(e)
	switch {
	case e != nil && e.Foreign() && e.EmptyPartition && has.State == mupdate.Active && !o.Murder.has(&has):
		return o.placeTheirs(e, &has)
	case e != nil && e.Foreign() && e.EmptyPartition && has.State == mupdate.Absent:
		return o.dropTheirs(n)
	case here && e.Is(mboxlist.FlagMoving):
		return nil // who moves it sees to it, or ctl_mboxlist -m
	case here && has.State == mupdate.Absent:
		if err := c.Reserve(ctx, n, o.Murder.location(e.Partition)); err != nil {
			return err
		}
		fallthrough
	case here && o.Murder.has(&has):
		if o.agrees(e, &has) {
			return nil
		}
		log.Warning("Force Activate: %s", n)
		return c.Activate(ctx, n, o.Murder.location(e.Partition), e.ACL)
	case here:
		log.Err("MUPDATE: mailbox '%s' is here and, to the murder, at %s: see ctl_mboxlist -m", n, has.Location)
		return nil
	case o.Murder.has(&has):
		log.Info("Remove from MUPDATE: %s", n)
		if err := c.Delete(ctx, n); err != nil && !errors.Is(err, mupdate.ErrNotFound) {
			return err
		}
	}
	return nil
}

// agrees says whether the master has of a mailbox what is right.
func (o *Ops) agrees(e *mboxlist.Entry, has *mupdate.Entry) bool {
	return has.State == mupdate.Active && has.Location == o.Murder.location(e.Partition) &&
		mboxlist.NormalACL(has.ACL) == mboxlist.NormalACL(e.ACL)
}

// payLater tries to pay until nothing is owed.
func (o *Ops) payLater() {
	m := o.Murder
	wait := time.NewTimer(m.opt.Retry)
	defer wait.Stop()
	for {
		select {
		case <-m.ctx.Done():
			return
		case <-wait.C:
		}
		if err := o.payAll(m.ctx); err != nil {
			log.Notice("MUPDATE: %v", err)
		}
		m.mu.Lock()
		if len(m.owed) == 0 {
			m.paying = false
			m.mu.Unlock()
			return
		}
		m.mu.Unlock()
		wait.Reset(m.opt.Retry)
	}
}

// payAll pays what is owed. It ends at the first error that is not of one name
// alone; what is not paid stays owed.
func (o *Ops) payAll(ctx context.Context) error {
	m := o.Murder
	m.mu.Lock()
	owed := len(m.owed)
	m.mu.Unlock()
	if owed == 0 {
		return nil
	}
	// A master that does not answer is waited for before anybody's mailboxes are locked.
	if err := m.do(ctx, func(context.Context, *mupdate.Client) error { return nil }); err != nil {
		return fmt.Errorf("%d changes stay to be told: %w", owed, err)
	}
	m.mu.Lock()
	taken := m.owed
	m.owed = map[string]*inflight.Note{}
	m.mu.Unlock()
	var errs []error
	for text, note := range taken {
		var err error
		switch {
		case len(errs) > 0 && errors.Is(errs[0], ErrNoMaster):
			err = errs[0]
		case text == everything:
			err = o.Push(ctx, PushOptions{KeepLocal: true})
		default:
			err = o.settleAlone(ctx, mboxname.Name(text))
		}
		if err == nil {
			note.End()
			continue
		}
		errs = append(errs, err)
		m.mu.Lock()
		if m.owed[text] == nil {
			m.owed[text] = note
		} else {
			note.End()
		}
		m.mu.Unlock()
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("%d changes stay to be told: %w", len(errs), errs[0])
}

// settleAlone is settle for a name whose owner's lock nobody holds yet. It comes before
// the connection: whoever changes a mailbox holds the one and waits for the other.
func (o *Ops) settleAlone(ctx context.Context, n mboxname.Name) error {
	ctx, unlock, err := o.Mailboxes.LockUser(ctx, n.Owner())
	if err != nil {
		return err
	}
	defer unlock()
	return o.Murder.do(ctx, func(ctx context.Context, c *mupdate.Client) error { return o.settle(ctx, c, n) })
}

// OweAll notes that the master is to be told of all mailboxes that it does not have
// right: by this process, or the next.
func (o *Ops) OweAll() error {
	d, err := o.debt(everything)
	if err == nil {
		d.owe()
	}
	return err
}

// RecoverMurder takes over what processes that are gone had yet to tell the master:
// it is told soon. After a crash of the machine, which may lose notes, that is
// everything. It connects to nothing itself.
func (o *Ops) RecoverMurder() error {
	if o.Murder == nil {
		return nil
	}
	return inflight.Recover(o.Murder.opt.Notes, func(f inflight.Found) error {
		texts := f.Notes
		if f.Down {
			texts = append(texts, everything)
		}
		for _, text := range texts {
			d, err := o.debt(mboxname.Name(text))
			if err != nil {
				return err
			}
			d.owe()
		}
		return nil
	})
}
