package mboxops

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"gocyrus/lib/acl"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/quota"
)

// renameInACL gives a user's entries, granting and denying, to another name.
func renameInACL(list, from, to string) string {
	var b strings.Builder
	for id, rights := range acl.Entries(list) {
		switch id {
		case from:
			id = to
		case "-" + from:
			id = "-" + to
		}
		b.WriteString(id + "\t" + rights + "\t")
	}
	return b.String()
}

// copyRoots gives a user's new name the limits of the old one, before mailboxes
// come under them.
func (o *Ops) copyRoots(from, to mboxname.Name) error {
	var roots []*quota.Root
	err := o.Quota.Scan(string(from), func(q *quota.Root) error {
		if q.Name == from || from.IsAncestorOf(q.Name) {
			roots = append(roots, q)
		}
		return nil
	})
	for _, old := range roots {
		if err != nil {
			return err
		}
		err = o.Quota.Set(to+old.Name[len(from):], func(q *quota.Root) error {
			q.Limit = old.Limit
			return nil
		})
	}
	return err
}

// moveUserFiles renames what is kept by userid. Where the user's files are kept
// by the id of the INBOX, which stays, there is nothing to do.
func (o *Ops) moveUserFiles(from, to, inboxID string) error {
	if inboxID != "" {
		return nil
	}
	var first error
	move := func(old, new string) {
		if _, err := os.Lstat(old); errors.Is(err, os.ErrNotExist) {
			return
		}
		err := os.MkdirAll(filepath.Dir(new), 0o755)
		if err == nil {
			err = os.Rename(old, new)
		}
		if err != nil && first == nil {
			first = err
		}
	}
	for _, suffix := range userSuffixes {
		move(o.Layout.UserFile(from, suffix, ""), o.Layout.UserFile(to, suffix, ""))
	}
	if o.Layout.SieveDir != "" {
		move(o.Layout.SieveUserDir(from, ""), o.Layout.SieveUserDir(to, ""))
	}
	return first
}
