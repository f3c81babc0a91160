package syncserver

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gocyrus/lib/annotate"
	"gocyrus/lib/csync"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/log"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/sievedir"
	"gocyrus/lib/syncstate"
)

// application is an APPLY MAILBOX being carried out.
type application struct {
	s      *Session
	m      *csync.Mailbox
	force  bool
	entry  *mboxlist.Entry
	fresh  bool  // the mailbox was made for it
	failed error // of what was done all the same
}

// applyMailbox is APPLY MAILBOX. Its steps, in this order:
//
//	the mailbox is found, or made, or gives way to another of its name
//	it is checked to be what the master believes, and every record too
//	messages are appended and records rewritten just as the master has them
//	header, annotations, entry follow
//	the CRCs of both sides are compared
//
// Up to the last step a failure leaves everything as it was. When the CRCs differ
// the changes stay: the master sees what is different then, and mends it.
func (s *Session) applyMailbox(ctx context.Context, value []byte, _ *Answer) error {
	m, err := csync.ParseMailbox(value)
	if err != nil {
		return err
	}
	if err := m.CheckApply(); err != nil {
		return err
	}
	if err := checkName(m.Name); err != nil {
		return err
	}
	if kindOf(m.Type) == sievedir.Kind && !s.sieveMailbox() {
		return fmt.Errorf("%w: #sieve without its capability", csync.ErrBadParameters)
	}
	if m.Intermediate() || m.Deleted() {
		return s.ops(ctx).PutIntermediate(ctx, m.Name, mboxops.ReplicaParams{
			UniqueID: m.UniqueID, Type: m.Type, CreatedModSeq: m.CreatedModSeq, FolderModSeq: m.HighestModSeq})
	}
	if !m.Records.Rising() {
		return fmt.Errorf("%w: records are not in the order of UIDs", csync.ErrBadParameters)
	}
	a := &application{s: s, m: m, force: s.forced()}
	err = a.run(ctx)
	s.refreshScripts(ctx, m.Name, kindOf(m.Type))
	return err
}

// kindOf is the kind of a type on the wire, where mail has none.
func kindOf(typ string) byte {
	if typ == "" {
		return 'e'
	}
	return typ[0]
}

func (a *application) run(ctx context.Context) error {
	st := a.s.e.site
	var err error
	if a.entry, err = st.List.Lookup(a.m.Name); err != nil && !errors.Is(err, mboxlist.ErrNotFound) {
		return err
	}
	// What arrives may be announced, and clients' then, by somebody who holds the lock.
	if a.settled() && !a.s.ops(ctx).TakesIn() {
		return a.updateOnly(ctx)
	}
	ctx, unlock, err := st.Mailboxes.LockUser(ctx, a.m.Name.Owner())
	if err != nil {
		return err
	}
	defer unlock()
	if err := a.place(ctx); err != nil {
		return err
	}
	if a.settled() {
		return a.updateOnly(ctx)
	}
	// Killed between the two, the header would keep rights that nobody has.
	done, err := st.Mailboxes.Begin(a.entry)
	if err != nil {
		return err
	}
	if err := a.update(ctx); err != nil {
		done()
		return err
	}
	if err := a.updateEntry(ctx); err != nil {
		return err
	}
	done()
	return a.failed
}

// arrived says whether a mover brings what is clients' by now: it was killed, and this was
// under way since, or it is somebody else's mailbox that has the name.
func (a *application) arrived(ctx context.Context) bool {
	return a.entry != nil && a.s.ops(ctx).TakesIn() && isLive(a.entry) && !a.entry.Incoming()
}

// updateOnly is the whole when nothing but the mailbox itself changes.
func (a *application) updateOnly(ctx context.Context) error {
	if err := a.update(ctx); err != nil {
		return err
	}
	return a.failed
}

// settled says whether the entry in mailboxes.db is as the master has it.
func (a *application) settled() bool {
	e := a.entry
	return e != nil && isLive(e) && e.UniqueID == a.m.UniqueID && !a.entryDiffers()
}

// entryDiffers says whether something is to be stored in the entry. A modseq of a
// folder never goes back.
func (a *application) entryDiffers() bool {
	e := a.entry
	return e.ACL != a.m.ACL || e.FolderModSeq < a.folderModSeq() || e.UIDValidity != a.m.UIDValidity ||
		e.CreatedModSeq != a.m.CreatedModSeq
}

// folderModSeq is the modseq of the mailbox as such; masters of old have no other
// than that of its content.
func (a *application) folderModSeq() uint64 {
	if a.m.FolderModSeq != 0 {
		return a.m.FolderModSeq
	}
	return a.m.HighestModSeq
}

// place makes sure that the name has a mailbox of the given id.
func (a *application) place(ctx context.Context) (err error) {
	st := a.s.e.site
	if a.entry, err = st.List.Lookup(a.m.Name); err != nil && !errors.Is(err, mboxlist.ErrNotFound) {
		return err
	}
	switch {
	case a.arrived(ctx):
		return fmt.Errorf("%w: %s has arrived", csync.ErrMoved, a.m.Name)
	case a.entry == nil || a.entry.Deleted() || a.entry.Is(mboxlist.FlagIntermediate) || a.entry.Is(mboxlist.FlagReserved):
		return a.create(ctx)
	case a.entry.Foreign() && a.s.ops(ctx).TakesIn():
		return a.create(ctx)
	case a.entry.Is(mboxlist.FlagRemote) && !a.entry.Incoming(): // or leaves for one
		return fmt.Errorf("%w: %s is on another server", csync.ErrMoved, a.m.Name)
	case a.entry.UniqueID == a.m.UniqueID:
		return nil
	}
	return a.replace(ctx)
}

// create makes the mailbox, unless its id has another name here, or the master
// believes that it is there.
func (a *application) create(ctx context.Context) (err error) {
	st := a.s.e.site
	if a.m.Since != nil && a.m.Since.ModSeq != 0 {
		return fmt.Errorf("%w: %s is not there", csync.ErrChanged, a.m.Name)
	}
	used, err := st.List.LookupID(a.m.UniqueID)
	if err != nil && !errors.Is(err, mboxlist.ErrNotFound) {
		return err
	}
	if used != nil && !used.Deleted() && used.Name != a.m.Name {
		log.Err("SYNCNOTICE: mailbox uniqueid already in use mailbox=<%s> uniqueid=<%s> usedby=<%s>",
			a.m.Name, a.m.UniqueID, used.Name)
		return csync.ErrMoved
	}
	a.entry, err = a.s.ops(ctx).CreateReplica(ctx, a.m.Name, mboxops.ReplicaParams{
		UniqueID: a.m.UniqueID, Partition: a.m.Partition, Type: a.m.Type, ACL: a.m.ACL,
		UIDValidity: a.m.UIDValidity, CreatedModSeq: a.m.CreatedModSeq, FolderModSeq: a.folderModSeq(),
		Options: syncstate.SetOptions(0, a.m.Options)})
	a.fresh = err == nil
	return err
}

// replace puts the mailbox in the place of another of its name, when that has
// never had a message or the master is always right.
func (a *application) replace(ctx context.Context) error {
	empty := false
	err := a.s.e.view(ctx, a.entry, func(v *mailbox.View) error {
		empty = v.Header().LastUID == 0
		return nil
	})
	if err != nil {
		return err
	}
	if !empty && !a.force {
		log.Err("SYNCERROR: mailbox uniqueid changed - retry mailbox=<%s> origuniqueid=<%s> newuniqueid=<%s>",
			a.m.Name, a.entry.UniqueID, a.m.UniqueID)
		return csync.ErrMoved
	}
	log.Notice("SYNCNOTICE: mailbox uniqueid changed - replacing mailbox=<%s> origuniqueid=<%s> newuniqueid=<%s>",
		a.m.Name, a.entry.UniqueID, a.m.UniqueID)
	if err := a.s.ops(ctx).GiveWay(ctx, a.entry, a.m.UniqueID); err != nil {
		return err
	}
	return a.create(ctx)
}

// update changes the mailbox.
func (a *application) update(ctx context.Context) error {
	if err := a.s.e.site.Mailboxes.Update(ctx, a.entry, a.change); err != nil {
		return err
	}
	return a.raise()
}

// raise raises the owner's counters to what the mailbox has.
func (a *application) raise() error {
	st := a.s.e.site
	err := st.Mailboxes.RaiseCounters(a.entry, a.m.HighestModSeq, a.m.UIDValidity)
	if err == nil && a.m.RACLModSeq != 0 {
		err = st.Mailboxes.RaiseRACLModSeq(a.m.Name.Owner(), a.m.RACLModSeq)
	}
	return err
}

// updateEntry stores what the entry is to have, after the mailbox.
func (a *application) updateEntry(ctx context.Context) error {
	if !a.entryDiffers() {
		return nil
	}
	e := *a.entry
	e.ACL, e.UIDValidity, e.CreatedModSeq = a.m.ACL, a.m.UIDValidity, a.m.CreatedModSeq
	e.FolderModSeq = max(e.FolderModSeq, a.folderModSeq())
	return a.s.ops(ctx).SetReplica(ctx, &e)
}

// change is the update itself.
func (a *application) change(tx *mailbox.Tx) error {
	a.failed = nil
	if err := supported(&tx.View); err != nil {
		return err
	}
	if err := a.check(tx); err != nil {
		return err
	}
	if err := a.records(tx); err != nil {
		return err
	}
	a.header(tx)
	if err := a.s.e.site.Ops.ReplaceAnnotations(tx, a.entry, a.annotations()); err != nil {
		return err
	}
	return a.compare(tx)
}

// header sets what the master says of the mailbox as a whole.
func (a *application) header(tx *mailbox.Tx) {
	h, m := tx.Header(), a.m
	if tx.ACL() != m.ACL {
		tx.SetACL(m.ACL)
	}
	h.LastUID, h.HighestModSeq = m.LastUID, m.HighestModSeq
	h.RecentUID, h.RecentTime = m.RecentUID, m.RecentTime
	h.LastAppendDate, h.CreatedModSeq = m.LastAppendDate, m.CreatedModSeq
	h.POP3LastLogin, h.POP3ShowAfter = m.POP3LastLogin, m.POP3ShowAfter
	h.Options = syncstate.SetOptions(h.Options, m.Options)
	if h.UIDValidity != m.UIDValidity {
		log.Notice("%s uidvalidity changed, updating %d => %d", m.Name, h.UIDValidity, m.UIDValidity)
		h.UIDValidity = m.UIDValidity
	}
	// A master without conversations of this mailbox does not name it at all.
	if conv, err := tx.XConvModSeq(); err != nil || conv != m.XConvModSeq {
		tx.SetXConvModSeq(m.XConvModSeq)
	}
}

// compare says whether the mailbox is now what the master has.
func (a *application) compare(tx *mailbox.Tx) error {
	if a.same(tx.Header()) {
		return nil
	}
	if err := tx.Recount(); err != nil {
		return err
	}
	if !a.same(tx.Header()) {
		log.Err("SYNCNOTICE: crc mismatch mailbox=<%s> crcs_master=<%d/%d> crcs_replica=<%d/%d>", a.m.Name,
			a.m.SyncCRC, a.m.SyncCRCAnnot, tx.Header().SyncCRC, tx.Header().SyncCRCAnnot)
		a.failed = csync.ErrChecksum
	}
	return nil
}

func (a *application) same(h *indexfile.Header) bool {
	return sameCRC(a.m.SyncCRC, h.SyncCRC) && sameCRC(a.m.SyncCRCAnnot, h.SyncCRCAnnot)
}

// sameCRC says whether two CRCs are equal; zero is one that nobody knows.
func sameCRC(a, b uint32) bool { return a == b || a == 0 || b == 0 }

// annotations are those of the mailbox as they are stored.
func (a *application) annotations() []mailbox.ExactAnnot {
	return storedAnnots(a.m.Annotations, a.m.Name.Owner())
}

func storedAnnots(wire []csync.Annotation, owner string) []mailbox.ExactAnnot {
	var all []mailbox.ExactAnnot
	for _, w := range wire {
		if !strings.HasPrefix(w.Entry, "/") || strings.Contains(w.Entry, "\x00") || strings.Contains(w.UserID, "\x00") {
			continue // it could not be a key
		}
		data := w.Value
		if data == nil {
			data = []byte{}
		}
		all = append(all, mailbox.ExactAnnot{Entry: w.Entry, User: annotate.UserOf(w.UserID, owner), ModSeq: w.ModSeq, Data: data})
	}
	return all
}
