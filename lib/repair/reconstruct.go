package repair

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/log"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/site"
)

// ErrNotLocal is a mailbox that has no files here: remote, deleted, reserved, or
// there for its children alone.
var ErrNotLocal = errors.New("mailbox has no files here")

// Local says whether a mailbox has files here.
func Local(e *mboxlist.Entry) bool {
	for _, f := range []byte{mboxlist.FlagDeleted, mboxlist.FlagRemote, mboxlist.FlagReserved, mboxlist.FlagIntermediate} {
		if e.Is(f) {
			return false
		}
	}
	return e.Partition != "" && e.Server == ""
}

// Reconstruct finds out what is wrong with a mailbox and, without o.DryRun, mends
// it. The findings are returned with an error too, as far as it came. The error
// is ErrNotLocal, mailbox.ErrNotFound, mailbox.ErrBadFormat, lock.ErrBusy or one
// of the file system.
func Reconstruct(ctx context.Context, s *site.Site, e *mboxlist.Entry, o Options) ([]Finding, error) {
	if !Local(e) {
		return nil, fmt.Errorf("%s: %w", e.Name, ErrNotLocal)
	}
	j, err := reconstruct(ctx, s, e, o)
	if j == nil {
		return nil, err
	}
	for _, f := range j.findings {
		log.Err("%s", f.Text)
	}
	if err != nil || o.DryRun {
		return j.findings, err
	}
	return j.findings, j.settle(ctx)
}

// reconstruct does what has to be done under the locks.
func reconstruct(ctx context.Context, s *site.Site, e *mboxlist.Entry, o Options) (*job, error) {
	ctx, unlock, err := lockMailbox(ctx, s.Mailboxes, e)
	if err != nil {
		return nil, err
	}
	defer unlock()
	// As it is now that nobody changes it: it may have gone to another server meanwhile.
	if e, err = s.List.Lookup(e.Name); err != nil {
		return nil, err
	}
	if !Local(e) {
		return nil, fmt.Errorf("%s: %w", e.Name, ErrNotLocal)
	}
	if !o.DryRun {
		if err := upgrade(ctx, s, e); err != nil {
			return nil, err
		}
	}
	j, err := newJob(s, e, o)
	if err != nil {
		return nil, err
	}
	defer j.close()
	if err := j.inspect(ctx); err != nil {
		return j, err
	}
	put, err := j.checkEntry()
	if err != nil || o.DryRun {
		return j, err
	}
	if j.dirty {
		if err := j.write(); err != nil {
			return j, err
		}
	}
	if put {
		if err = s.List.Update(func(tx *mboxlist.Tx) error { return tx.Put(j.e) }); err == nil {
			s.Tell(j.e)
		}
	}
	return j, err
}

// lockMailbox takes the user lock and the name lock of a mailbox.
func lockMailbox(ctx context.Context, m *mailbox.Store, e *mboxlist.Entry) (context.Context, func(), error) {
	ctx, unlockUser, err := m.LockUser(ctx, e.Name.Owner())
	if err != nil {
		return ctx, nil, err
	}
	ctx, unlockName, err := m.LockName(ctx, e)
	if err != nil {
		unlockUser()
		return ctx, nil, err
	}
	return ctx, func() { unlockName(); unlockUser() }, nil
}

// upgrade brings an index of before version 12, which cannot be written, to that
// of new mailboxes, if it can be read.
func upgrade(ctx context.Context, s *site.Site, e *mboxlist.Entry) error {
	p, err := pathsOf(s.Mailboxes.Options(), e)
	if err != nil {
		return err
	}
	// A mailbox that is opened is put right where that can be done by counting: what
	// tells that cyrus.header is not to be believed would be gone.
	if version, ok := indexVersion(p.index); !ok || indexfile.Writable(version) {
		return nil
	}
	m, err := s.Mailboxes.Open(ctx, e)
	if err != nil {
		return nil //nolint:nilerr // it is what we are here to mend
	}
	defer m.Close()
	return m.SetVersion(ctx, s.Mailboxes.Options().IndexVersion)
}

// indexVersion is the version of an index, if its header can be read.
func indexVersion(path string) (uint32, bool) {
	f, err := os.Open(path)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	b := make([]byte, indexfile.MaxHeader)
	n, _ := io.ReadFull(f, b) // old headers are shorter
	var h indexfile.Header
	err = h.Parse(b[:n])
	return h.Version, err == nil
}

// settle does what follows when the locks are given back: the mailbox is opened
// as any other, which repacks it if that is due; who waits for it is woken; and
// the quota root is added up if nobody knew what the mailbox had there.
func (j *job) settle(ctx context.Context) error {
	m, err := j.site.Mailboxes.Open(ctx, j.e)
	if err != nil {
		return err
	}
	m.Close()
	if !j.dirty {
		return nil
	}
	j.site.Tell(j.e)
	if j.done != nil {
		j.done()
	}
	if root := mboxname.Name(j.file.QuotaRoot); root != "" && j.unsure {
		_, err := sumRoot(ctx, j.site, root, false)
		return err
	}
	return nil
}

// SetVersion changes the version of a mailbox's index; 0 is the newest. old is
// what it was; when it was that already nothing is done.
func SetVersion(ctx context.Context, s *site.Site, e *mboxlist.Entry, version uint32) (old uint32, err error) {
	m, err := s.Mailboxes.Open(ctx, e)
	if err != nil {
		return 0, err
	}
	defer m.Close()
	if err := m.View(ctx, func(v *mailbox.View) error { old = v.Header().Version; return nil }); err != nil {
		return 0, err
	}
	if old == version {
		return old, nil
	}
	if err := m.SetVersion(ctx, version); err != nil || old >= 13 || version < 13 {
		return old, err
	}
	// Before version 13 annotations are not counted, and those of the mailbox
	// itself are not in its directory: count them now.
	if _, err := Reconstruct(ctx, s, e, Options{NoStat: true}); err != nil {
		return old, err
	}
	root, ok, err := s.Quota.Find(e.Name)
	if err != nil || !ok {
		return old, err
	}
	// Nor was it said what of them the quota root has.
	_, err = sumRoot(ctx, s, root, false)
	return old, err
}
