package delivery

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gocyrus/lib/annotate"
	"gocyrus/lib/duplicate"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/log"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/message"
	"gocyrus/lib/stage"
	"gocyrus/lib/times"
)

// Message is a message on its way: complete, in a file, parsed.
type Message struct {
	File stage.File
	*message.Message
	Sender *Sender
}

// Deliver brings a message to its recipients. The results are in their order;
// nil means that the message is on disk in a mailbox of the recipient's, or was
// before: a duplicate is no failure.
func (d *Deliverer) Deliver(ctx context.Context, m *Message, to []*Recipient) []error {
	r := round{d: d, m: m, results: make([]error, len(to)), date: internalDate(m.Message)}
	for i, rc := range to {
		if rc.User != "" {
			d.scriptNotice(rc)
		}
		e, folder := d.target(rc, m.Sender)
		r.add(i, e, rc, folder)
	}
	r.run(ctx)
	// Whatever kept a message from a folder does not keep it from the INBOX.
	again := round{d: d, m: m, results: r.results, date: r.date}
	for i, rc := range to {
		if r.folder[i] && r.results[i] != nil {
			again.add(i, rc.entry, rc, false)
		}
	}
	again.run(ctx)
	return r.results
}

// internalDate is the date that a message is stored with, 0 for now.
func internalDate(m *message.Message) uint32 {
	if len(m.InternalDate) == 0 {
		return 0
	}
	t, err := times.Parse(m.InternalDate)
	if err != nil {
		return 0
	}
	return uint32(t)
}

// target is the mailbox a recipient's message goes to: the folder that the
// address names, if it is there and the sender may post to it, or the INBOX.
func (d *Deliverer) target(rc *Recipient, sender *Sender) (e *mboxlist.Entry, folder bool) {
	if rc.User == "" || len(rc.Folder) == 0 ||
		len(rc.Folder) == 1 && strings.EqualFold(rc.Folder[0], "INBOX") {
		return rc.entry, false
	}
	e, err := d.lookup(rc.Mailbox())
	if errors.Is(err, ErrNotFound) && d.opts.Fuzzy {
		if near := d.fuzzy(rc.Address); near != nil {
			e, err = d.lookup(Address{User: rc.User, Folder: near}.Mailbox())
		}
	}
	if err != nil || e.Is(mboxlist.FlagRemote) || post(e, sender) != nil || d.excluded(e) {
		return rc.entry, false
	}
	return e, true
}

// excluded says whether a folder's special use forbids delivery.
func (d *Deliverer) excluded(e *mboxlist.Entry) bool {
	if len(d.opts.NotInto) == 0 {
		return false
	}
	v, ok, err := d.site.Annotations.Get(annotate.Key{Scope: e.UniqueID, Entry: annotate.SpecialUse, User: annotate.Owner})
	if err != nil {
		log.Err("DBERROR: special use of %s: %v", e.Name, err)
	}
	if !ok {
		return false
	}
	for use := range strings.FieldsSeq(string(v.Data)) {
		for _, not := range d.opts.NotInto {
			if strings.EqualFold(use, not) {
				return true
			}
		}
	}
	return false
}

// scriptNotice says of each message that a user's Sieve script was not run for.
func (d *Deliverer) scriptNotice(rc *Recipient) {
	id := rc.entry.UniqueID
	if rc.entry.Is(mboxlist.FlagLegacy) {
		id = ""
	}
	script := filepath.Join(d.site.Layout.SieveUserDir(rc.User, id), "defaultbc")
	if _, err := os.Lstat(script); err == nil {
		log.Err("IOERROR: sieve script %s of %s was not run: delivered as if there were none", script, rc.User)
	}
}

// round is one attempt at delivering a message to some mailboxes.
type round struct {
	d       *Deliverer
	m       *Message
	date    uint32
	results []error
	folder  map[int]bool // recipients whose target is not their INBOX
	boxes   []*box
}

// box is a mailbox and the recipients whose message goes there.
type box struct {
	entry  *mboxlist.Entry
	ignore bool // the quota
	to     []int
	finish func(*duplicate.Mark)
	key    duplicate.Key
}

// add puts recipient i of the message down for a mailbox. With duplicate
// suppression two recipients with one mailbox get one message.
func (r *round) add(i int, e *mboxlist.Entry, rc *Recipient, folder bool) {
	if folder {
		if r.folder == nil {
			r.folder = map[int]bool{}
		}
		r.folder[i] = true
	}
	if r.d.dups != nil {
		for _, b := range r.boxes {
			if b.entry.UniqueID == e.UniqueID {
				b.to = append(b.to, i)
				b.ignore = b.ignore || rc.IgnoreQuota
				return
			}
		}
	}
	r.boxes = append(r.boxes, &box{entry: e, ignore: rc.IgnoreQuota, to: []int{i}})
}

func (r *round) run(ctx context.Context) {
	// Claims of the same message in the same order: two deliveries of it cannot
	// wait for each other.
	slices.SortStableFunc(r.boxes, func(a, b *box) int { return strings.Compare(a.entry.UniqueID, b.entry.UniqueID) })
	var boxes []*box
	var targets []stage.Target
	for _, b := range r.boxes {
		if r.claim(ctx, b) {
			r.set(b, nil)
			continue
		}
		t, err := r.target(b)
		if err != nil {
			r.done(b, stage.Result{Err: err})
			continue
		}
		boxes, targets = append(boxes, b), append(targets, t)
	}
	if len(targets) == 0 {
		return
	}
	for i, res := range r.d.stage.Append(ctx, targets, r.m.File, r.m.Message) {
		r.done(boxes[i], res)
	}
}

func (r *round) set(b *box, err error) {
	for _, i := range b.to {
		r.results[i] = err
	}
}

// target is what stage is told. The quota that a site without lmtp_strict_quota
// wants is none that stage knows: it is looked at here.
func (r *round) target(b *box) (stage.Target, error) {
	if !b.ignore && !r.d.opts.StrictQuota {
		if err := r.d.room(b.entry.Name, 0); err != nil {
			return stage.Target{}, err
		}
	}
	return stage.Target{Entry: b.entry, InternalDate: r.date, IgnoreQuota: b.ignore || !r.d.opts.StrictQuota}, nil
}

// claim says whether a mailbox has the message already.
func (r *round) claim(ctx context.Context, b *box) (dup bool) {
	if r.d.dups == nil || len(r.m.MessageID) == 0 {
		return false
	}
	b.key = duplicate.Key{ID: string(r.m.MessageID), To: b.entry.UniqueID, Date: string(r.m.Date)}
	dup, finish, err := r.d.dups.Claim(b.key)
	if err != nil {
		log.Err("DBERROR: duplicate_check: error looking up %s/%s/%s: %v", b.key.ID, b.key.To, b.key.Date, err)
		return false
	}
	b.finish = finish
	if dup && r.d.wantsDuplicates(ctx, b.entry) {
		return false
	}
	if dup {
		log.Info("dupelim: eliminated duplicate message to %s id %s date %s (delivery)", b.key.To, b.key.ID, b.key.Date)
	}
	return dup
}

// wantsDuplicates says whether a mailbox has the annotation duplicatedeliver.
// It is asked only for a duplicate: to look costs the mailbox's locks.
func (d *Deliverer) wantsDuplicates(ctx context.Context, e *mboxlist.Entry) (want bool) {
	m, err := d.site.Mailboxes.Open(ctx, e)
	if err != nil {
		return false
	}
	defer m.Close()
	err = m.View(ctx, func(v *mailbox.View) error {
		want = v.Header().Options&indexfile.OptDupDeliver != 0
		return nil
	})
	return err == nil && want
}

// done records what became of a mailbox.
func (r *round) done(b *box, res stage.Result) {
	if res.Err != nil {
		if b.finish != nil {
			b.finish(nil)
		}
		r.set(b, res.Err)
		return
	}
	if b.finish != nil {
		b.finish(&duplicate.Mark{Time: time.Now(), UID: res.UID})
	}
	for range b.to[1:] {
		log.Info("dupelim: eliminated duplicate message to %s id %s date %s (delivery)", b.key.To, b.key.ID, b.key.Date)
	}
	r.set(b, nil)
	log.Info("Delivered: %s to mailbox: %s", r.m.MessageID, b.entry.Name)
}
