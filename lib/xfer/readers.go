package xfer

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gocyrus/lib/log"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/seen"
	"gocyrus/lib/site"
)

// readers knows who has seen anything of which mailbox, as only the databases of all users
// can tell: who reads a mailbox by a right of anyone or of a group is named nowhere else. It
// reads them for many mailboxes at once, and no more often than looks are worth: looking takes
// a twentieth of the time at most, however many mailboxes move one after the other. Who began
// to read one since the last look, and is not named by its access list, is missed; that is
// one who has it all to read still.
type readers struct {
	site *site.Site

	turn  chan struct{} // has a token while nobody uses what follows
	users []string
	of    map[string][]uint32 // by unique id of a mailbox: numbers in users
	ended time.Time           // the last look
	took  time.Duration
}

// lookShare is how much longer no look is taken than one takes.
const lookShare = 20

func newReaders(s *site.Site) *readers {
	r := &readers{site: s, turn: make(chan struct{}, 1)}
	r.turn <- struct{}{}
	return r
}

// find is by unique id the users who have seen something of some mailboxes.
func (r *readers) find(ctx context.Context, ids []string) (map[string][]string, error) {
	select {
	case <-r.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { r.turn <- struct{}{} }()
	if r.of == nil || time.Since(r.ended) > lookShare*r.took {
		if err := r.look(ctx); err != nil {
			r.of = nil
			return nil, err
		}
	}
	found := map[string][]string{}
	for _, id := range ids {
		for _, n := range r.of[id] {
			found[id] = append(found[id], r.users[n])
		}
	}
	return found, nil
}

// look reads the databases of all users.
func (r *readers) look(ctx context.Context) error {
	begun := time.Now()
	r.users, r.of = nil, map[string][]uint32{}
	conf := r.site.Layout.ConfigDir
	byName, err := filepath.Glob(filepath.Join(escapeGlob(conf), "domain", "?", "*"))
	if err != nil {
		return err
	}
	for _, top := range append(byName, conf) {
		if err := r.below(ctx, top); err != nil {
			return err
		}
	}
	r.ended, r.took = time.Now(), time.Since(begun)
	return nil
}

// escapeGlob has filepath.Glob take a path as it is.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// below reads those of the directory of a domain, or the one for all others.
func (r *readers) below(ctx context.Context, top string) error {
	dir := filepath.Join(top, "user")
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, os.ErrNotExist):
			return nil // removed meanwhile, or never made
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case d.IsDir():
			return nil
		}
		if userid := r.userOf(top, path); userid != "" {
			r.read(userid, path)
		}
		return nil
	})
}

// userOf is whose database a file is, "" if it is none that is in use.
func (r *readers) userOf(top, path string) (userid string) {
	base, inboxID := filepath.Base(path), ""
	if base == "seen.db" {
		inboxID = filepath.Base(filepath.Dir(path))
		if e, err := r.site.List.LookupID(inboxID); err == nil && e.Name.IsInbox() {
			userid = e.Name.Owner()
		}
	} else if local, ok := strings.CutSuffix(base, ".seen"); ok {
		userid = local
		if top != r.site.Layout.ConfigDir {
			userid += "@" + filepath.Base(top)
		}
		inboxID = r.site.Ops.InboxID(userid)
	}
	inbox := mboxname.Inbox(userid)
	if userid == "" || inbox.Check() != nil || !inbox.IsInbox() || r.site.Layout.UserFile(userid, "seen", inboxID) != path {
		return ""
	}
	return userid
}

// read notes of what mailboxes a user has seen something. What cannot be read keeps no mailbox
// from being moved.
func (r *readers) read(userid, path string) {
	n := uint32(len(r.users))
	r.users = append(r.users, userid)
	err := r.site.Seen.For(userid, r.site.Ops.InboxID(userid)).Scan(func(id string, _ seen.Record) error {
		r.of[id] = append(r.of[id], n)
		return nil
	})
	if err != nil {
		log.Err("XFER: what %s has seen of others' mailboxes: %s: %v", userid, path, err)
	}
}
