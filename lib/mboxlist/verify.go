package mboxlist

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gocyrus/lib/config"
	"gocyrus/lib/mboxname"
)

const headerFile = "cyrus.header"

// Verify compares the list with the directories of the partitions and prints
// what is in one alone, in the words of ctl_mboxlist -v. Both layouts of
// directories are understood; the C tool takes every mailbox of the layout by
// id for missing.
func (l *List) Verify(w io.Writer, layout *mboxname.Layout, parts []config.Partition) error {
	byName := map[string]config.Partition{}
	for _, p := range parts {
		byName[p.Name] = p
	}
	listed := map[string]bool{} // directories, of headers
	err := l.Scan("", func(v View) error {
		e, err := v.Entry()
		if err != nil {
			return err
		}
		if e.Partition == "" || e.Deleted() || e.Is(FlagRemote) || e.Is(FlagIntermediate) || e.Is(FlagReserved) {
			return nil
		}
		if p, ok := byName[e.Partition]; ok {
			dir := layout.MailboxDir(p.MetaDir("header"), e.Name, e.UniqueID, e.Is(FlagLegacy))
			if _, err := os.Stat(filepath.Join(dir, headerFile)); err == nil {
				listed[dir] = true
				return nil
			} else if !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		_, err = fmt.Fprintf(w, "'%s' has a DB entry but no directory on partition '%s'\n", e.Name, e.Partition)
		return err
	})
	if err != nil {
		return err
	}
	for _, p := range parts {
		if err := unlisted(w, layout, p.MetaDir("header"), listed); err != nil {
			return err
		}
	}
	return nil
}

// unlisted prints the mailbox directories below root that are not listed.
func unlisted(w io.Writer, layout *mboxname.Layout, root string, listed map[string]bool) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() || d.Name() != headerFile || listed[filepath.Dir(path)] {
			return err
		}
		dir := filepath.Dir(path)
		_, err = fmt.Fprintf(w, "'%s' has a directory '%s' but no DB entry\n", nameOf(layout, root, dir), dir)
		return err
	})
}

// nameOf is the name that a directory below root would be of: the id in the
// layout by id.
func nameOf(layout *mboxname.Layout, root, dir string) string {
	rel, err := filepath.Rel(root, dir)
	if err != nil {
		return dir
	}
	parts := strings.Split(rel, "/")
	if parts[0] == "uuid" {
		return parts[len(parts)-1]
	}
	domain := ""
	if parts[0] == "domain" {
		parts = parts[1:]
		if layout.HashSpool && len(parts) > 1 {
			parts = parts[1:]
		}
		domain = parts[0] + "!"
		parts = parts[1:]
	}
	if layout.HashSpool && len(parts) > 1 {
		parts = parts[1:]
	}
	return domain + strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ".")
}
