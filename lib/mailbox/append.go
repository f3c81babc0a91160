package mailbox

import (
	"errors"
	"fmt"
	"golang.org/x/sys/unix"
	"io"
	"math"
	"os"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/message"
)

// Append is a message to be appended: a file and what is known of it.
type Append struct {
	// File is linked into the mailbox, or copied when that cannot be.
	File string
	// Sync makes the content of File durable. It is called before the commit,
	// when File has been linked: one commit of the file system's journal is
	// then enough for both. It may be called in another goroutine, and again
	// for another mailbox; nil is for a File that was synced by the caller.
	Sync func() error
	// Message is what parsing File gave; nil when From is set.
	Message *message.Message
	// From is the message to copy, with its cache; File is not needed then.
	From *Source

	InternalDate uint32 // 0 is now, or that of From
	Flags        indexfile.Flags
	UserFlags    []string
	SaveDate     uint32 // 0 is now
	CID          uint64
	// CreatedModSeq is that of the source of a copy within one owner's
	// mailboxes; 0 is the message's own modseq.
	CreatedModSeq uint64
	// Annots are annotations of the new message.
	Annots []Annot
	// UID is for those who have to keep one; 0 is the next.
	UID uint32
}

// A Source is a message of some mailbox that can be appended to another. It may
// be kept after the View it comes from.
type Source struct {
	Path   string
	Record indexfile.Record
	Cache  []byte   // nil when there is none that fits
	Flags  []string // user flags
}

// Source is record recno, ready to be copied.
func (v *View) Source(recno int) (*Source, error) {
	s := new(Source)
	if err := v.Record(recno, &s.Record); err != nil {
		return nil, err
	}
	s.Path = v.m.paths.message(s.Record.UID, s.Record.Flags&indexfile.Archived != 0)
	for i, name := range v.UserFlags() {
		if name != "" && s.Record.UserFlags.Has(i) {
			s.Flags = append(s.Flags, name)
		}
	}
	c, err := v.Cache(v.Raw(recno))
	switch {
	case err == nil:
		s.Cache = append([]byte(nil), c...)
	case !errors.Is(err, ErrNoCache):
		return nil, err
	}
	return s, nil
}

// Append appends a message: its file is put in place, its record and cache are
// written with the commit. The error is ErrTooManyMessages, ErrTooManyFlags,
// ErrGone when the file is not there, or one of the file system.
func (tx *Tx) Append(a Append) (uid uint32, modseq uint64, err error) {
	b := tx.b
	uid, err = tx.nextUID(a.UID)
	if err != nil {
		return 0, 0, err
	}
	rec, cache, err := a.record(b.now)
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", tx.m.Name(), err)
	}
	rec.UID = uid
	for _, name := range a.UserFlags {
		slot, err := tx.UserFlag(name)
		if err != nil {
			return 0, 0, err
		}
		rec.UserFlags.Set(slot, true)
	}
	if err := b.place(&a, rec); err != nil {
		return 0, 0, err
	}
	if len(cache) > 0 {
		if rec.CacheOffset, err = b.cache.add(tx.m, cache); err != nil {
			return 0, 0, err
		}
	} else {
		rec.CacheVersion, rec.CacheCRC = 0, 0
	}
	if rec.ModSeq, err = b.tick(); err != nil {
		return 0, 0, err
	}
	if rec.CreatedModSeq == 0 || rec.CreatedModSeq > rec.ModSeq {
		rec.CreatedModSeq = rec.ModSeq
	}
	b.hdr.NumRecords++
	b.hdr.LastUID, b.hdr.LastAppendDate = uid, b.now
	b.touched = append(b.touched, recent{rec.ModSeq, b.hdr.NumRecords})
	b.news.appended = append(b.news.appended, uid)
	if err := b.put(int(b.hdr.NumRecords), nil, rec); err != nil {
		return 0, 0, err
	}
	return uid, rec.ModSeq, b.annotate(rec, a.Annots)
}

func (tx *Tx) nextUID(want uint32) (uint32, error) {
	h := &tx.b.hdr
	if limit := tx.m.store.opt.MaxMessages; limit > 0 && int(h.Exists) >= limit && tx.m.entry.Load().Kind() == 'e' {
		return 0, fmt.Errorf("%s: %d messages: %w", tx.m.Name(), h.Exists, ErrTooManyMessages)
	}
	if h.LastUID == math.MaxUint32 || h.NumRecords == math.MaxInt32 {
		return 0, fmt.Errorf("%s: uid %d: %w", tx.m.Name(), h.LastUID, ErrTooManyMessages)
	}
	switch {
	case want == 0:
		return h.LastUID + 1, nil
	case want <= h.LastUID:
		return 0, fmt.Errorf("%s: uid %d after %d: %w", tx.m.Name(), want, h.LastUID, ErrExists)
	}
	return want, nil
}

func (a *Append) path() string {
	if a.From != nil {
		return a.From.Path
	}
	return a.File
}

// record is the record of the message but for what the mailbox gives it.
func (a *Append) record(now uint32) (*indexfile.Record, []byte, error) {
	r := &indexfile.Record{
		InternalDate: a.InternalDate, SaveDate: a.SaveDate, LastUpdated: now,
		Flags: a.Flags & (indexfile.System | indexfile.Snoozed), CID: a.CID, CreatedModSeq: a.CreatedModSeq,
	}
	if r.SaveDate == 0 {
		r.SaveDate = now
	}
	cache := a.known(r)
	if r.Size == 0 {
		return nil, nil, fmt.Errorf("message without content: %w", ErrGone)
	}
	if r.InternalDate == 0 && a.From != nil {
		r.InternalDate = a.From.Record.InternalDate
	}
	if r.InternalDate == 0 {
		r.InternalDate = now
	}
	dated(r)
	return r, cache, nil
}

// place puts the file of a where it belongs, over what an append that was killed
// may have left there.
func (b *batch) place(a *Append, rec *indexfile.Record) error {
	from, to := a.path(), b.m.paths.message(rec.UID, false)
	err := b.link(from, to)
	if errors.Is(err, unix.ENOENT) {
		// Perhaps for want of the directory: Cyrus makes none for messages
		// when all else is on a metapartition.
		if err := mkdirs(b.m.paths.data); err != nil {
			return err
		}
		err = b.link(from, to)
	}
	switch {
	case err == nil:
		b.links = append(b.links, to)
		if a.From == nil && a.Sync != nil {
			b.syncs = append(b.syncs, a.Sync)
		}
		if a.From != nil && a.From.Record.InternalDate == rec.InternalDate {
			return nil // it has the right time already
		}
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%s: %w", from, ErrGone)
	case errors.Is(err, unix.EXDEV) || errors.Is(err, unix.EMLINK) || errors.Is(err, unix.EPERM):
		// EPERM: a file system without links, or fs.protected_hardlinks.
		b.links = append(b.links, to)
		if err := copyUnsynced(from, to); err != nil {
			return err
		}
		b.syncs = append(b.syncs, SyncPath(to))
	default:
		return &os.LinkError{Op: "link", Old: from, New: to, Err: err}
	}
	t := unix.Timeval{Sec: int64(rec.InternalDate)}
	if err := unix.Utimes(to, []unix.Timeval{t, t}); err != nil {
		return &os.PathError{Op: "utimes", Path: to, Err: err}
	}
	return nil
}

// link links from to to. EXDEV is that it has to be copied.
func (b *batch) link(from, to string) error {
	if !b.m.store.opt.SingleInstance {
		return unix.EXDEV
	}
	err := unix.Link(from, to)
	if errors.Is(err, unix.EEXIST) {
		if err := os.Remove(to); err != nil {
			return err
		}
		err = unix.Link(from, to)
	}
	return err
}

// copyFile copies a message, and syncs it.
func copyFile(from, to string) error {
	if err := copyUnsynced(from, to); err != nil {
		return err
	}
	return SyncPath(to)()
}

func copyUnsynced(from, to string) (err error) {
	in, err := os.Open(from)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	if err != nil {
		return err
	}
	defer in.Close()
	// Never into an existing file: it may have other links.
	if err := os.Remove(to); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := out.Close(); err == nil {
			err = cerr
		}
	}()
	if _, err = io.Copy(out, in); err == nil {
		startWriting(out)
	}
	return err
}
