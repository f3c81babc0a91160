package syncclient

import (
	"context"
	"errors"
	"fmt"
	"math"

	"gocyrus/lib/csync"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// unchanged says whether the replica has a mailbox as it is here. Numbers in which the
// replica has gone further are taken over first, and sums that alone differ are added
// up again.
func (p *pass) unchanged(ctx context.Context, l *localBox, remote *csync.Mailbox) (bool, error) {
	switch {
	case remote == nil:
		return false, nil
	case isEntry(l.state) || isEntry(remote):
		return sameEntry(l.state, remote), nil
	}
	if h := compareHigher(l.state, remote); h.any() && !p.c.opt.NoCopyBack {
		if err := p.c.follow(ctx, l.entry, h); err != nil {
			return false, err
		}
		if err := p.c.relook(ctx, l); err != nil {
			return false, err
		}
	}
	word := difference(l.state, remote)
	if word == "SYNC_CRC" || word == "SYNC_CRC_ANNOT" {
		if err := p.c.recount(ctx, l.entry); err != nil {
			return false, err
		}
		if err := p.c.relook(ctx, l); err != nil {
			return false, err
		}
		word = difference(l.state, remote)
	}
	return word == "", nil
}

func sameEntry(local, remote *csync.Mailbox) bool {
	return local.Type == remote.Type && local.Name == remote.Name && local.UniqueID == remote.UniqueID &&
		local.CreatedModSeq == remote.CreatedModSeq && local.FolderModSeq == remote.FolderModSeq
}

// relook reads the state of a mailbox again, by the entry it has now.
func (c *Client) relook(ctx context.Context, l *localBox) error {
	e, err := c.entry(l.entry.Name)
	if err != nil {
		return err
	}
	if e == nil || e.UniqueID != l.entry.UniqueID {
		return fmt.Errorf("%s: %w", l.entry.Name, errVanished)
	}
	now, err := c.look(ctx, e)
	if err == nil {
		*l = *now
	}
	return err
}

// fresh are the messages that the replica may lack.
func (c *Client) fresh(ctx context.Context, e *mboxlist.Entry, remote *csync.Mailbox) (list []message, err error) {
	var last uint32
	if remote != nil {
		last = remote.LastUID
	}
	err = c.view(ctx, e, func(v *mailbox.View) error {
		list = newMessages(v, last, math.MaxUint32)
		return nil
	})
	return list, err
}

// update brings one mailbox of the replica to the state that it has here; remote is
// nil when there is none.
func (p *pass) update(ctx context.Context, l *localBox, remote *csync.Mailbox) error {
	if isEntry(l.state) {
		return p.updateEntry(ctx, l, remote)
	}
	if l.state.Type == "f" && !p.s.c.SieveMailbox() {
		if !p.legacy {
			return nil // whoever works on the whole user sees to the scripts
		}
		there, err := p.s.getMeta(ctx, l.entry.Name.Owner())
		if err != nil {
			return err
		}
		return p.c.scripts(ctx, p.s, l.entry.Name.Owner(), there.Scripts)
	}
	if remote != nil && isEntry(remote) {
		remote = nil
	}
	err := p.try(ctx, l, remote)
	if errors.Is(err, csync.ErrChanged) && remote != nil && p.cached[remote.UniqueID] {
		// What was remembered of the replica is not so any more.
		if remote, err = p.ask(ctx, l); err == nil {
			err = p.try(ctx, l, remote)
		}
	}
	return err
}

// try updates a mailbox: by what changed, then by all that changed without a word
// of what was known, and at last by comparing every record.
func (p *pass) try(ctx context.Context, l *localBox, remote *csync.Mailbox) error {
	repair := !p.c.opt.NoCopyBack
	if remote != nil && repair && (purgedTooFar(l.deletedModSeq, remote) ||
		remote.HighestModSeq > l.state.HighestModSeq || remote.LastUID > l.state.LastUID) {
		return p.full(ctx, l)
	}
	err := p.send(ctx, l, remote, sinceOf(remote))
	if !errors.Is(err, csync.ErrChecksum) {
		return err
	}
	if err := p.c.recount(ctx, l.entry); err != nil {
		return err
	}
	if remote, err = p.ask(ctx, l); err != nil {
		return err
	}
	err = p.send(ctx, l, remote, nil)
	if errors.Is(err, csync.ErrChecksum) && repair {
		err = p.full(ctx, l)
	}
	return err
}

// ask is what the replica has of a mailbox now; nil is nothing.
func (p *pass) ask(ctx context.Context, l *localBox) (*csync.Mailbox, error) {
	list, err := p.s.getMailboxes(ctx, []mboxname.Name{l.entry.Name})
	if err != nil {
		return nil, err
	}
	for _, m := range list {
		if m.UniqueID == l.entry.UniqueID && !isEntry(m) {
			return m, nil
		}
	}
	return nil, nil
}

// sinceOf is what an update takes for granted.
func sinceOf(remote *csync.Mailbox) *csync.Since {
	if remote == nil || remote.HighestModSeq == 0 {
		return nil
	}
	return &csync.Since{ModSeq: remote.HighestModSeq, CRC: remote.SyncCRC, CRCAnnot: remote.SyncCRCAnnot}
}

// updateEntry tells of a mailbox that is there for its children alone. One that the
// replica still has with files was deleted here, while its children stayed.
func (p *pass) updateEntry(ctx context.Context, l *localBox, remote *csync.Mailbox) error {
	p.c.cache.forget(l.entry.Name)
	if remote != nil && !isEntry(remote) {
		p.c.progress("%s %s", p.c.opt.item("UNMAILBOX"), remote.Name)
		err := p.s.apply(ctx, p.c.opt.item("UNMAILBOX"), client.Text(string(remote.Name)))
		if err != nil && !errors.Is(err, csync.ErrNonexistent) {
			return err
		}
	}
	p.c.progress("%s %s", p.c.opt.item("MAILBOX"), l.entry.Name)
	return p.s.apply(ctx, p.c.opt.item("MAILBOX"), entryValue(l.state))
}

// entryValue is the short form of MAILBOX: of what the long one has beyond it an
// entry has nothing, and NIL confuses some peers.
func entryValue(m *csync.Mailbox) []byte {
	b := client.AppendString([]byte("%(UNIQUEID "), m.UniqueID)
	b = client.AppendString(append(b, " MBOXNAME "...), string(m.Name))
	b = client.AppendString(append(b, " MBOXTYPE "...), m.Type)
	return fmt.Appendf(b, " HIGHESTMODSEQ %d CREATEDMODSEQ %d FOLDERMODSEQ %d)", m.HighestModSeq, m.CreatedModSeq, m.FolderModSeq)
}

// maxSends is how often a mailbox is read anew because a message went away between
// the look at the index and the reading of its file.
const maxSends = 3

// send sends what changed since the replica was as remote says, in parts if it is much.
// What follows is read, and its messages are sent, while the replica works on a part.
func (p *pass) send(ctx context.Context, l *localBox, remote *csync.Mailbox, since *csync.Since) (err error) {
	defer func() {
		if err != nil {
			p.c.cache.forget(l.entry.Name)
		}
	}()
	known := base{remote, since} // what the replica has for certain
	next, tries := known, 0
	for before := (*sending)(nil); ; {
		var snap *snapshot
		if snap, err = p.c.snapshot(ctx, l.entry, next.remote, next.since); err != nil {
			return firstError(before.end(ctx), err)
		}
		chunks, staged := p.s.stage(ctx, p.c, snap.entry, snap.state.Partition, snap.messages)
		var now *sending
		if err = before.end(ctx); err == nil {
			known = next
			if now, err = p.begin(ctx, snap, chunks, staged); err == nil && snap.whole {
				err = now.end(ctx)
			}
		}
		switch {
		case errors.Is(err, errUnsent) && tries < maxSends:
			// It was read too late; the parts that are there stay.
			tries++
			before, next = nil, known
		case err != nil:
			return err
		case snap.whole:
			p.c.cache.put(snap.state)
			return nil
		default:
			before, next = now, base{snap.state, &csync.Since{ModSeq: snap.state.HighestModSeq}}
		}
	}
}

// base is a state of the replica, nil when it has nothing, and what it is to check of
// it.
type base struct {
	remote *csync.Mailbox
	since  *csync.Since
}

// sending is a part of a mailbox on its way. A nil one has arrived.
type sending struct {
	p      *pass
	chunks []*chunk
	apply  *pending
}

// begin sends a part whose messages were staged, or not, as err says.
func (p *pass) begin(ctx context.Context, snap *snapshot, chunks []*chunk, err error) (*sending, error) {
	switch {
	case err != nil:
	case p.s.c.Ours():
		err = waitInLine(ctx, chunks)
	default:
		// A record whose message is not there ends the process at the other side.
		err = waitChunks(ctx, chunks)
	}
	if err != nil {
		return nil, err
	}
	p.c.progress("%s %s", p.c.opt.item("MAILBOX"), snap.entry.Name)
	return &sending{p, chunks, p.s.start(p.c.opt.item("MAILBOX"), snap.value)}, nil
}

// end waits until a part has arrived.
func (s *sending) end(ctx context.Context) error {
	if s == nil {
		return nil
	}
	err := s.apply.wait(ctx)
	if !s.p.s.c.Ours() {
		return err
	}
	// If a message could not be sent, that is why.
	return firstError(waitChunks(ctx, s.chunks), err)
}
