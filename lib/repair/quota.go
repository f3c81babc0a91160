package repair

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/quota"
	"gocyrus/lib/site"
)

// A Selection is some of a site's names: those that begin with one of Prefixes,
// which are internal names, and that Keep, unless it is nil, takes. No prefix is
// all names.
type Selection struct {
	Prefixes []string
	Keep     func(mboxname.Name) bool
}

func (sel Selection) prefixes() []string {
	if len(sel.Prefixes) == 0 {
		return []string{""}
	}
	return sel.Prefixes
}

// FixQuota adds up the usage of quota roots from the headers of their mailboxes
// and stores it; with reportOnly it stores nothing. A mailbox whose header names
// another root than the one it comes under is put right first. A root without a
// mailbox is removed. The findings are in the words of Cyrus's quota -f. The
// site stays up; only the owners of the mailboxes of a root wait while that is added
// up.
func FixQuota(ctx context.Context, s *site.Site, sel Selection, reportOnly bool) ([]Finding, error) {
	roots, err := QuotaRoots(s, sel)
	if err != nil {
		return nil, err
	}
	all, err := straysOf(ctx, s, sel, reportOnly)
	errs := []error{err}
	for _, root := range roots {
		f, err := sumRoot(ctx, s, root, reportOnly)
		all = append(all, f...)
		errs = append(errs, err)
	}
	return all, errors.Join(errs...)
}

// straysOf puts right the mailboxes whose header names another root than the one
// they come under.
func straysOf(ctx context.Context, s *site.Site, sel Selection, reportOnly bool) (all []Finding, err error) {
	var errs []error
	for _, prefix := range sel.prefixes() {
		entries, err := Mailboxes(s, mboxname.Name(prefix).DB())
		if err != nil {
			return all, err
		}
		for _, e := range entries {
			if sel.Keep != nil && !sel.Keep(e.Name) {
				continue
			}
			f, err := stray(ctx, s, e, reportOnly)
			all = append(all, f...)
			errs = append(errs, err)
		}
	}
	return all, errors.Join(errs...)
}

// stray looks at one mailbox.
func stray(ctx context.Context, s *site.Site, e *mboxlist.Entry, reportOnly bool) ([]Finding, error) {
	want, _, err := s.Quota.Find(e.Name)
	if err != nil {
		return nil, err
	}
	u, err := readUsage(ctx, s, e)
	switch {
	case errors.Is(err, mailbox.ErrNotFound) && gone(s, e):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("failed opening header for mailbox '%s': %w", e.Name, err)
	case u.root == want:
		return nil, nil
	}
	f := []Finding{{Mailbox: e.Name, Kind: Quota,
		Text: fmt.Sprintf("%s: quota root %s --> %s", e.Name, orNone(u.root), orNone(want))}}
	if reportOnly {
		return f, nil
	}
	return f, s.Mailboxes.SetQuotaRoot(ctx, e, string(want))
}

func orNone(n mboxname.Name) mboxname.Name {
	if n == "" {
		return "(none)"
	}
	return n
}

// mailboxUsage is what one mailbox says that it uses, and of which root.
type mailboxUsage struct {
	root mboxname.Name
	used quota.Usage
}

// readUsage reads the header of a mailbox, under its locks.
func readUsage(ctx context.Context, s *site.Site, e *mboxlist.Entry) (u mailboxUsage, err error) {
	m, err := s.Mailboxes.Open(ctx, e)
	if err != nil {
		return u, err
	}
	defer m.Close()
	err = m.View(ctx, func(v *mailbox.View) error {
		u.root = mboxname.Name(v.QuotaRoot())
		u.used = usage(v.Header())
		u.used[quota.Mailbox] = 1
		return nil
	})
	return u, err
}

// sumRoot adds up one root, with the user locks of all who have mailboxes under
// it: whoever charges it has one of them, from before it does until the index
// says the same.
func sumRoot(ctx context.Context, s *site.Site, root mboxname.Name, reportOnly bool) ([]Finding, error) {
	ctx, unlock, err := s.Mailboxes.LockRoot(ctx, root)
	if err != nil {
		return nil, err
	}
	defer unlock()
	before, err := s.Quota.Get(root)
	if err != nil {
		return nil, err
	}
	sum, n, err := add(ctx, s, root)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		f := []Finding{{Mailbox: root, Kind: Quota, Text: fmt.Sprintf("%s: removed", root)}}
		if reportOnly {
			return f, nil
		}
		return f, s.Quota.Delete(root)
	}
	var all []Finding
	for r := range sum {
		if sum[r] != before.Used[r] {
			all = append(all, Finding{Mailbox: root, Kind: Quota,
				Text: fmt.Sprintf("%s: %s usage was %d, now %d", root, quota.Names[r], before.Used[r], sum[r])})
		}
	}
	if len(all) == 0 || reportOnly {
		return all, nil
	}
	return all, s.Quota.Update(root, func(q *quota.Root) error {
		q.Used = sum
		return nil
	})
}

// add adds up the mailboxes that come under a root, and counts them.
func add(ctx context.Context, s *site.Site, root mboxname.Name) (sum quota.Usage, n int, err error) {
	entries, err := under(s, root)
	if err != nil {
		return sum, 0, err
	}
	for _, e := range entries {
		is, ok, err := s.Quota.Find(e.Name)
		if err != nil {
			return sum, 0, err
		}
		if !ok || is != root {
			continue
		}
		u, err := readUsage(mailbox.InFrozen(ctx), s, atHome(e))
		if errors.Is(err, mailbox.ErrNotFound) && gone(s, e) {
			continue
		}
		if err != nil {
			return sum, 0, fmt.Errorf("failed opening header for mailbox '%s': %w", e.Name, err)
		}
		n++
		sum = sum.Add(u.used)
	}
	return sum, n, nil
}

// gone says whether a mailbox was deleted since the list was read.
func gone(s *site.Site, e *mboxlist.Entry) bool {
	now, err := s.List.Lookup(e.Name)
	return errors.Is(err, mboxlist.ErrNotFound) || err == nil && (!Local(now) || now.UniqueID != e.UniqueID)
}

// under are the mailboxes at and below a root; that of a domain has all of the
// domain's.
func under(s *site.Site, root mboxname.Name) ([]*mboxlist.Entry, error) {
	if root.Local() == "" {
		var all []*mboxlist.Entry
		err := s.List.Scan(root.DB(), collect(&all, charged))
		return all, err
	}
	var all []*mboxlist.Entry
	err := s.List.ScanTree(root, collect(&all, charged))
	return all, err
}

// charged says whether the files of a mailbox are on the account of its quota root: those
// of one that is on its way from another server, or to one, too, until they are gone.
func charged(e *mboxlist.Entry) bool {
	home := atHome(e)
	return Local(home) && (Local(e) || e.Incoming() || e.Is(mboxlist.FlagMoving))
}

// atHome is the entry of a mailbox as it is when it is on no way.
func atHome(e *mboxlist.Entry) *mboxlist.Entry {
	home := *e
	home.Type = mboxlist.Without(mboxlist.Without(e.Type, mboxlist.FlagMoving), mboxlist.FlagRemote)
	home.Server = ""
	return &home
}

// Mailboxes are the mailboxes with files here whose name, in the spelling of
// mailboxes.db, begins with prefix.
func Mailboxes(s *site.Site, prefix string) ([]*mboxlist.Entry, error) {
	var all []*mboxlist.Entry
	err := s.List.Scan(prefix, collect(&all, Local))
	return all, err
}

func collect(all *[]*mboxlist.Entry, which func(*mboxlist.Entry) bool) func(mboxlist.View) error {
	return func(v mboxlist.View) error {
		e, err := v.Entry()
		if err == nil && which(e) {
			*all = append(*all, e)
		}
		return err
	}
}

// QuotaRoots are the roots that a selection takes, in order.
func QuotaRoots(s *site.Site, sel Selection) ([]mboxname.Name, error) {
	var all []mboxname.Name
	for _, p := range sel.prefixes() {
		err := s.Quota.Scan(p, func(q *quota.Root) error {
			if sel.Keep == nil || sel.Keep(q.Name) {
				all = append(all, q.Name)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}
