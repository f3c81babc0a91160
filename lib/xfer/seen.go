package xfer

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"gocyrus/lib/acl"
	"gocyrus/lib/csync"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/seen"
)

// What others have seen of a mailbox this server keeps by user. Cyrus leaves it behind, and
// has all messages unseen. Here it follows: of those whom the access list names, and, where
// that lets in others or the mailbox is nobody's, of all who have seen anything of it.

// seenKey is a user and the unique id of a mailbox.
type seenKey struct{ user, id string }

// findReaders finds out, while users go on, of whom anything may have to be brought, and brings
// what there is.
func (v *move) findReaders(ctx context.Context) error {
	all, _, err := v.site.Ops.Underway(v.cargo())
	if err != nil {
		return err
	}
	var ids []string
	for _, e := range all {
		if isOpen(e) {
			ids = append(ids, e.UniqueID)
		}
	}
	if len(ids) > 0 {
		found, err := v.readers.find(ctx, ids)
		if err != nil {
			return err
		}
		v.readBy = found
	}
	return v.seen(ctx, all)
}

// isOpen says whether a mailbox is read by users whom its access list does not name, or did
// until it was changed.
func isOpen(e *mboxlist.Entry) bool {
	if e.Name.IsDeleted() {
		return false
	}
	if e.Name.Owner() == "" {
		return true
	}
	for id := range acl.Entries(e.ACL) {
		if id == "anyone" || strings.HasPrefix(id, "group:") {
			return true
		}
	}
	return false
}

// seen brings what others have seen of the mailboxes and has changed since it was brought.
func (v *move) seen(ctx context.Context, all []*mboxlist.Entry) error {
	known := map[string]*seenFile{} // nil of who has none
	begun := time.Now()
	for _, e := range all {
		users := v.readBy[e.UniqueID]
		for id := range acl.Entries(e.ACL) {
			if id != "" && id[0] != '-' {
				users = append(users[:len(users):len(users)], id)
			}
		}
		for _, u := range users {
			if u == e.Name.Owner() {
				continue
			}
			if _, ok := known[u]; !ok {
				known[u] = v.seenOf(u)
			}
			if err := v.seenBy(ctx, known[u], seenKey{u, e.UniqueID}); err != nil {
				return err
			}
		}
	}
	v.looked = begun
	return nil
}

// seenFile is the database of a user.
type seenFile struct {
	*seen.DB
	same bool // as when it was looked at last
}

// seenOf is where it is kept what a user has seen, nil for a user of whom there is nothing. Many
// have read a mailbox that anyone may, and few of them go on while its owner waits: so it is
// known whose may have changed.
func (v *move) seenOf(userid string) *seenFile {
	inboxID := v.site.Ops.InboxID(userid)
	st, err := os.Stat(v.site.Layout.UserFile(userid, "seen", inboxID))
	if err != nil {
		return nil
	}
	was := v.seenFiles[userid]
	v.seenFiles[userid] = st
	same := was != nil && os.SameFile(was, st) && was.Size() == st.Size() && was.ModTime().Equal(st.ModTime())
	return &seenFile{v.site.Seen.For(userid, inboxID), same && v.looked.Sub(st.ModTime()) > clockStep}
}

// clockStep is long beside what times of files are told apart by.
const clockStep = time.Second

// seenBy brings what a user has seen of a mailbox, unless that is there. What cannot be read
// keeps no mailbox from being moved.
func (v *move) seenBy(ctx context.Context, db *seenFile, key seenKey) error {
	was, known := v.brought[key]
	if db == nil || known && db.same {
		return nil
	}
	r, err := db.Get(key.id)
	if err != nil {
		log.Err("XFER: what %s has seen of %s: %v", key.user, key.id, err)
		return nil
	}
	if r == was {
		v.brought[key] = r
		return nil
	}
	err = v.client.SeenBy(ctx, key.user, key.id)
	if errors.Is(err, csync.ErrBadParameters) || errors.Is(err, csync.ErrInvalidUser) {
		log.Err("XFER: what %s has seen of %s: %v", key.user, key.id, err)
	} else if err != nil {
		return err
	}
	v.brought[key] = r
	return nil
}
