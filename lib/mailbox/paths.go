package mailbox

import (
	"fmt"
	"path/filepath"
	"strconv"

	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// paths are where the files of one mailbox are.
type paths struct {
	data    string // directory of the message files
	archive string // of the archived ones; empty when there is no archive
	header  string
	index   string
	cache   string
	archCch string // cache of archived messages
	annots  string
	xconv   string   // see XConvModSeq
	dirs    []string // all directories, data first
}

// pathsOf finds the files of a mailbox. The error is ErrNotFound, for a
// partition that the configuration does not have.
func (s *Store) pathsOf(e *mboxlist.Entry) (*paths, error) {
	part, ok := s.opt.Partitions[e.Partition]
	if !ok {
		return nil, fmt.Errorf("%s: partition %q: %w", e.Name, e.Partition, ErrNotFound)
	}
	dir := func(root string) string {
		return s.opt.Layout.MailboxDir(root, e.Name, e.UniqueID, e.Is(mboxlist.FlagLegacy))
	}
	meta := func(kind string) string {
		if root, ok := part.Meta[kind]; ok {
			return dir(root)
		}
		return dir(part.Data)
	}
	p := &paths{
		data:   dir(part.Data),
		header: filepath.Join(meta("header"), "cyrus.header"),
		index:  filepath.Join(meta("index"), "cyrus.index"),
		cache:  filepath.Join(meta("cache"), "cyrus.cache"),
		annots: filepath.Join(meta("annotations"), "cyrus.annotations"),
	}
	p.xconv = filepath.Join(meta("index"), "cyrus.xconvmodseq")
	p.dirs = []string{p.data}
	if part.Archive != "" {
		p.archive = dir(part.Archive)
		p.archCch = filepath.Join(p.archive, "cyrus.cache")
		if root, ok := part.Meta["archivecache"]; ok {
			p.archCch = filepath.Join(dir(root), "cyrus.cache")
		}
	}
	for _, f := range []string{p.header, p.index, p.cache, p.annots} {
		p.addDir(filepath.Dir(f))
	}
	if p.archive != "" {
		p.addDir(p.archive)
		p.addDir(filepath.Dir(p.archCch))
	}
	return p, nil
}

func (p *paths) addDir(d string) {
	for _, have := range p.dirs {
		if have == d {
			return
		}
	}
	p.dirs = append(p.dirs, d)
}

// message is the file of a message.
func (p *paths) message(uid uint32, archived bool) string {
	dir := p.data
	if archived && p.archive != "" {
		dir = p.archive
	}
	return dir + "/" + strconv.FormatUint(uint64(uid), 10) + "."
}

// nameLock is the lock file that keeps the files of a mailbox in place.
func (s *Store) nameLock(e *mboxlist.Entry) string {
	if e.Is(mboxlist.FlagLegacy) {
		return s.opt.Layout.LockFile(string(e.Name))
	}
	return s.opt.Layout.LockFile(e.UniqueID)
}

// userLock is the lock file of a user, or of all shared mailboxes.
func (s *Store) userLock(userid string) string {
	return s.opt.Layout.LockFile(mboxname.UserLock(userid))
}
