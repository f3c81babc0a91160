package repair

import (
	"fmt"
	"path/filepath"
	"strconv"

	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
)

// paths are where the files of one mailbox are. Places of index 0 are the
// spool's, of 1 the archive's.
type paths struct {
	dirs   [2]string // of message files; the second is empty without an archive
	caches [2]string
	header string
	index  string
	annots string
}

// pathsOf finds the files of a mailbox. The error is mailbox.ErrNotFound, for a
// partition that the configuration does not have.
func pathsOf(o *mailbox.Options, e *mboxlist.Entry) (*paths, error) {
	part, ok := o.Partitions[e.Partition]
	if !ok {
		return nil, fmt.Errorf("%s: partition %q: %w", e.Name, e.Partition, mailbox.ErrNotFound)
	}
	dir := func(root string) string {
		return o.Layout.MailboxDir(root, e.Name, e.UniqueID, e.Is(mboxlist.FlagLegacy))
	}
	meta := func(kind string) string {
		if root, ok := part.Meta[kind]; ok {
			return dir(root)
		}
		return dir(part.Data)
	}
	p := &paths{
		header: filepath.Join(meta("header"), "cyrus.header"),
		index:  filepath.Join(meta("index"), "cyrus.index"),
		annots: filepath.Join(meta("annotations"), "cyrus.annotations"),
	}
	p.dirs[0] = dir(part.Data)
	p.caches[0] = filepath.Join(meta("cache"), "cyrus.cache")
	if part.Archive != "" && part.Archive != part.Data {
		p.dirs[1] = dir(part.Archive)
		p.caches[1] = filepath.Join(p.dirs[1], "cyrus.cache")
		if root, ok := part.Meta["archivecache"]; ok {
			p.caches[1] = filepath.Join(dir(root), "cyrus.cache")
		}
	}
	return p, nil
}

// place is the index of where a message is.
func (p *paths) place(archived bool) int {
	if archived && p.dirs[1] != "" {
		return 1
	}
	return 0
}

// message is the file of a message.
func (p *paths) message(uid uint32, archived bool) string {
	return p.dirs[p.place(archived)] + "/" + strconv.FormatUint(uint64(uid), 10) + "."
}

// all are the directories that the mailbox needs.
func (p *paths) all() []string {
	dirs := []string{p.dirs[0]}
	for _, f := range []string{p.header, p.index, p.caches[0], p.annots} {
		dirs = append(dirs, filepath.Dir(f))
	}
	return dirs
}
