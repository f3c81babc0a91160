package repair

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mailbox/headerfile"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/site"
)

// notFoundIsNone makes no error of mboxlist.ErrNotFound.
func notFoundIsNone(err error) error {
	if errors.Is(err, mboxlist.ErrNotFound) {
		return nil
	}
	return err
}

// Discover are the names of the mailboxes that have a directory, with a
// cyrus.header, right below that of e, and that mailboxes.db does not have. Only
// directories that are named by the mailbox lie in one another.
func Discover(s *site.Site, e *mboxlist.Entry) ([]mboxname.Name, error) {
	p, err := pathsOf(s.Mailboxes.Options(), e)
	if err != nil || !e.Is(mboxlist.FlagLegacy) {
		return nil, err
	}
	list, err := os.ReadDir(filepath.Dir(p.header))
	if err != nil {
		return nil, err
	}
	var found []mboxname.Name
	for _, d := range list {
		if !d.IsDir() || strings.Contains(d.Name(), ".") {
			continue
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(p.header), d.Name(), "cyrus.header")); err != nil {
			continue
		}
		n := e.Name + "." + mboxname.Name(d.Name())
		switch old, err := s.List.Lookup(n); {
		case errors.Is(err, mboxlist.ErrNotFound) || err == nil && old.Deleted():
			found = append(found, n)
		case err != nil:
			return nil, err
		}
	}
	return found, nil
}

// Adopt makes the entry of a mailbox whose files lie on a partition in the
// directory of its name. What cyrus.header and the index say of id, access list
// and UIDVALIDITY is kept; with fresh, id and access list are new ones. The
// mailbox is then to be reconstructed, with Options.PreferList if fresh. The
// error is fs.ErrNotExist when there is no cyrus.header.
func Adopt(ctx context.Context, s *site.Site, n mboxname.Name, partition string, fresh bool) (*mboxlist.Entry, error) {
	e := &mboxlist.Entry{Name: n, Partition: partition, Type: "el"}
	p, err := pathsOf(s.Mailboxes.Options(), e)
	if err != nil {
		return nil, err
	}
	_, unlock, err := lockMailbox(ctx, s.Mailboxes, e)
	if err != nil {
		return nil, err
	}
	defer unlock()
	b, err := os.ReadFile(p.header)
	if err != nil {
		return nil, err
	}
	h, err := headerfile.Parse(b)
	if err != nil {
		h = &headerfile.Header{}
	}
	if h.Type != "" {
		e.Type = mboxlist.With(h.Type, mboxlist.FlagLegacy)
	}
	e.UniqueID, e.ACL = h.UniqueID, h.ACL
	if fresh || e.UniqueID == "" {
		e.UniqueID = s.Mailboxes.NewUniqueID()
	}
	if fresh || e.ACL == "" {
		if e.ACL, err = inherited(s, n); err != nil {
			return nil, err
		}
	}
	return e, store(s, e, p)
}

// inherited is the access list of a new mailbox: that of the next one above, or
// all rights of the owner.
func inherited(s *site.Site, n mboxname.Name) (string, error) {
	for up, ok := n.Parent(); ok; up, ok = up.Parent() {
		e, err := s.List.Lookup(up)
		if err == nil && !e.Deleted() {
			return e.ACL, nil
		}
		if err := notFoundIsNone(err); err != nil {
			return "", err
		}
	}
	if owner := n.Owner(); owner != "" {
		return owner + "\tlrswipkxtecdan\t", nil
	}
	// In imapd.conf blanks separate what tabs end in the list.
	var list strings.Builder
	for _, w := range s.Config.List("defaultacl") {
		list.WriteString(w + "\t")
	}
	return list.String(), nil
}

// store fills in what the index knows and stores the entry. What the index does
// not say, reconstruct does afterwards.
func store(s *site.Site, e *mboxlist.Entry, p *paths) error {
	b, err := os.ReadFile(p.index)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if h, err := indexfile.ParseHeader(b); err == nil {
		e.UIDValidity = h.UIDValidity
		e.CreatedModSeq, e.FolderModSeq = h.CreatedModSeq, h.HighestModSeq
	}
	if e.UIDValidity == 0 {
		v, err := s.Mailboxes.NextUIDValidity(e.Name.Owner(), uint32(time.Now().Unix()))
		if err != nil {
			return err
		}
		e.UIDValidity = v
	}
	if err := s.List.Update(func(tx *mboxlist.Tx) error { return tx.Put(e) }); err != nil {
		return err
	}
	s.Tell(e)
	return nil
}

// AdoptHeader makes the entry of the mailbox whose cyrus.header is at path, or in
// the directory path. It returns what reconstruct -P prints.
func AdoptHeader(ctx context.Context, s *site.Site, path string) (string, error) {
	if filepath.Base(path) != "cyrus.header" {
		path = filepath.Join(path, "cyrus.header")
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fmt.Sprintf("Can not resolve path '%s'", path), nil //nolint:nilerr // the text is the error
	}
	b, err := os.ReadFile(real)
	if err != nil {
		return "", err
	}
	h, err := headerfile.Parse(b)
	if err != nil || h.Name == "" || h.UniqueID == "" {
		return fmt.Sprintf("Invalid/missing cyrus.header at '%s'", real), nil //nolint:nilerr // as above
	}
	e := &mboxlist.Entry{Name: mboxname.Name(h.Name), UniqueID: h.UniqueID, Type: h.Type, ACL: h.ACL}
	if e.Type == "" {
		e.Type = "e"
	}
	p, err := placed(s.Mailboxes.Options(), e, real)
	if err != nil {
		return "", err
	}
	if p == nil {
		return fmt.Sprintf("Header for mailbox '%s' (%s) is not located in proper location: '%s'", e.Name, e.UniqueID, real), nil
	}
	_, unlock, err := lockMailbox(ctx, s.Mailboxes, e)
	if err != nil {
		return "", err
	}
	defer unlock()
	if err := store(s, e, p); err != nil {
		return "", err
	}
	return fmt.Sprintf("created mbentry for %s (%s)", e.Name, e.UniqueID), nil
}

// placed sets the partition and the layout of e so that its header is at real;
// nil is that there are none.
func placed(o *mailbox.Options, e *mboxlist.Entry, real string) (*paths, error) {
	for name := range o.Partitions {
		for _, typ := range []string{mboxlist.With(e.Type, mboxlist.FlagLegacy), mboxlist.Without(e.Type, mboxlist.FlagLegacy)} {
			try := *e
			try.Partition, try.Type = name, typ
			p, err := pathsOf(o, &try)
			if err != nil {
				return nil, err
			}
			if at, err := filepath.EvalSymlinks(p.header); err == nil && at == real {
				*e = try
				return p, nil
			}
		}
	}
	return nil, nil
}
