package popserver

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gocyrus/lib/acl"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/log"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
)

// maildrop is a mailbox as it was at login.
type maildrop struct {
	entry       *mboxlist.Entry
	box         *mailbox.Mailbox
	uidValidity uint32
	newUIDL     bool // the annotation pop3newuidl
	login       uint32
	messages    []entry

	mayDelete, maySee bool // rights, which count with popuseacl only
}

// entry is one message of a maildrop.
type entry struct {
	uid, size uint32
	archived  bool
	marks     marks
}

type marks uint8

const (
	deleted marks = 1 << iota
	seen
)

// refusal is the error of a maildrop that does not open, as the client is told.
type refusal string

func (r refusal) Error() string { return string(r) }

// openDrop opens the maildrop of the user who has signed in.
func (s *session) openDrop() error {
	name, err := s.dropName()
	if err != nil {
		return err
	}
	e, rights, err := s.dropEntry(name)
	if err != nil {
		s.srv.sasl.Pause(s.term)
		log.Info("Unable to open maildrop %s: %v", name, err)
		return refusal("[SYS/TEMP] Unable to open maildrop: " + textOf(err))
	}
	if e.Is(mboxlist.FlagRemote) {
		if s.relayed() || e.Server == s.srv.proxy.Self {
			log.Err("%s: another server believes that %s is here; by the list here it is on %s", s.user, name, e.Server)
			return refusal("[SYS/TEMP] Unable to open maildrop: Mailbox has been moved to another server")
		}
		err := s.openFar(e)
		if err != nil && s.caughtUp() {
			// It may have moved away from a server that is not reached.
			if now, _, look := s.dropEntry(name); look == nil && now.Is(mboxlist.FlagRemote) && now.Server != e.Server {
				err = s.openFar(now)
			}
		}
		return err
	}
	d := &maildrop{entry: e, login: uint32(time.Now().Unix()),
		mayDelete: rights&acl.DeleteMsg != 0, maySee: rights&acl.SetSeen != 0}
	if d.box, err = s.srv.site.Mailboxes.Open(s.ctx, e); err == nil {
		err = s.load(d)
	}
	var r refusal
	if err != nil {
		if d.box != nil {
			d.box.Close()
		}
		if errors.As(err, &r) {
			return r
		}
		s.srv.sasl.Pause(s.term)
		log.Err("Unable to open maildrop %s: %v", name, err)
		return refusal("[SYS/PERM] Unable to open maildrop: " + textOf(err))
	}
	s.drop = d
	return nil
}

// dropName is the INBOX, or the folder that the user named behind his name.
func (s *session) dropName() (mboxname.Name, error) {
	inbox := mboxname.Inbox(s.user)
	if s.folder == "" {
		return inbox, nil
	}
	n := inbox
	for c := range strings.SplitSeq(s.folder, string(s.srv.opts.Namespace.Sep())) {
		if c == "" {
			return "", refusal("[SYS/TEMP] Unable to open maildrop: Mailbox does not exist")
		}
		n = n.Child(c)
	}
	return n, nil
}

// dropEntry finds a maildrop, and what the user may do with it.
func (s *session) dropEntry(name mboxname.Name) (*mboxlist.Entry, acl.Rights, error) {
	e, err := s.lookup(name)
	// A frontend has nothing to make an INBOX of; Cyrus made one, and told the murder.
	if !s.srv.proxy.Frontend && !s.relayed() && (errors.Is(err, mboxlist.ErrNotFound) || err == nil && e.Deleted()) {
		if made := s.autocreate(); errors.Is(made, mboxops.ErrReserved) { // by another server, just now
			log.Info("%s: %v", name, made)
		} else if made != nil {
			return nil, 0, made
		}
		e, err = s.lookup(name)
	}
	if err != nil {
		return nil, 0, err
	}
	rights := acl.My(e.ACL, s.who.State.Member)
	switch {
	case e.Deleted() || e.Is(mboxlist.FlagIntermediate):
		return nil, 0, mboxlist.ErrNotFound
	case e.Is(mboxlist.FlagReserved), e.Is(mboxlist.FlagMoving):
		return nil, 0, errMoved
	case s.srv.opts.UseACL && rights&acl.Read == 0 && rights&acl.Lookup == 0:
		return nil, 0, mboxlist.ErrNotFound
	case s.srv.opts.UseACL && rights&acl.Read == 0:
		return nil, 0, mboxops.ErrPermission
	}
	return e, rights, nil
}

var errMoved = errors.New("mailbox has been moved to another server")

// autocreate makes the INBOX of a user who comes for the first time, where the
// site does so.
func (s *session) autocreate() error {
	who := s.who.State
	if !slices.ContainsFunc(s.srv.opts.AutoUsers, who.Member) {
		return nil
	}
	return s.srv.site.Ops.Autocreate(s.ctx, &mboxops.Who{
		UserID: s.user, Admin: who.IsAdmin, Proxy: who.IsProxy,
		Rights: func(_ mboxname.Name, list string) acl.Rights { return acl.My(list, who.Member) },
	})
}

// textOf is what a client is told of an error.
func textOf(err error) string {
	for _, t := range []struct {
		err  error
		text string
	}{
		{mboxlist.ErrNotFound, "Mailbox does not exist"},
		{mailbox.ErrNotFound, "Mailbox does not exist"},
		{mboxops.ErrPermission, "Permission denied"},
		{errMoved, "Mailbox has been moved to another server"},
		{mailbox.ErrBadFormat, "Mailbox has an invalid format"},
	} {
		if errors.Is(err, t.err) {
			return t.text
		}
	}
	return "System I/O error"
}

// load reads what is in the maildrop.
func (s *session) load(d *maildrop) error {
	o := &s.srv.opts
	return d.box.View(s.ctx, func(v *mailbox.View) error {
		h := v.Header()
		if min := int64(o.MinPoll / time.Second); min > 0 && int64(h.POP3LastLogin)+min > int64(d.login) {
			text := fmt.Sprintf("Logins must be at least %d minute%s apart", min/60, plural(min/60))
			log.Err("%s: %s", d.entry.Name, text)
			return refusal("[LOGIN-DELAY] " + text)
		}
		d.uidValidity = v.UIDValidity()
		d.newUIDL = h.Options&indexfile.OptPOP3NewUIDL != 0
		recnos := v.Index().Recnos()
		d.messages = make([]entry, 0, len(recnos))
		for _, recno := range recnos {
			r := v.Raw(int(recno))
			if h.POP3ShowAfter != 0 && r.InternalDate() <= h.POP3ShowAfter ||
				o.IMAPFlags && r.Flags()&indexfile.Deleted != 0 {
				continue
			}
			d.messages = append(d.messages, entry{uid: r.UID(), size: r.Size(), archived: r.Flags()&indexfile.Archived != 0})
		}
		return nil
	})
}

func plural(n int64) string {
	if n > 1 {
		return "s"
	}
	return ""
}

// gone says whether the mailbox was deleted under the session, where that ends
// it.
func (s *session) gone() bool {
	if s.drop == nil || !s.srv.opts.Vanished {
		return false
	}
	e, err := s.srv.site.List.LookupID(s.drop.entry.UniqueID)
	return errors.Is(err, mboxlist.ErrNotFound) || err == nil && (e.Deleted() || e.Name.IsDeleted())
}

// appendUIDL appends the unique id of a message.
func (s *session) appendUIDL(b []byte, m *entry) []byte {
	uid, validity := uint64(m.uid), uint64(s.drop.uidValidity)
	format := s.srv.opts.UIDL
	if !s.drop.newUIDL {
		format = "uidonly"
	}
	switch format {
	case "dovecot":
		return fmt.Appendf(b, "%08x%08x", uid, validity)
	case "courier":
		return strconv.AppendUint(append(strconv.AppendUint(b, validity, 10), '-'), uid, 10)
	case "uidonly":
		return strconv.AppendUint(b, uid, 10)
	}
	return strconv.AppendUint(append(strconv.AppendUint(b, validity, 10), '.'), uid, 10)
}

// commit does what a session has to leave behind: messages it deleted go,
// messages it read are \Seen (popuseimapflags), and the login is written down. It says
// whether all messages went that are to go: the mailbox may be on another server by now.
//
// QUIRK: Cyrus tells nobody that they did not.
func (s *session) commit() bool {
	d := s.drop
	expunged := 0
	err := d.box.Update(s.ctx, func(tx *mailbox.Tx) error {
		expunged = 0
		s.setLastLogin(tx.Header())
		for i := range d.messages {
			m := &d.messages[i]
			if m.marks == 0 {
				continue
			}
			recno, ok := tx.Find(m.uid)
			if !ok || !tx.Raw(recno).Live() {
				continue // expunged by another session
			}
			if m.marks&deleted != 0 {
				if err := tx.Expunge(recno); err != nil {
					return err
				}
				expunged++
				continue
			}
			if err := s.setSeen(tx, recno); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		log.Err("IOERROR: maildrop %s: %v", d.entry.Name, err)
		return !slices.ContainsFunc(d.messages, func(m entry) bool { return m.marks&deleted != 0 })
	}
	if expunged > 0 {
		log.Notice("Expunged %d messages from %s", expunged, d.entry.Name)
	}
	return true
}

// setLastLogin writes the login down. With poppollpadding a user may come
// several times in a row: each login moves the mark by one interval only.
func (s *session) setLastLogin(h *indexfile.Header) {
	login, min := int64(s.drop.login), int64(s.srv.opts.MinPoll/time.Second)
	if pad := int64(s.srv.opts.PollPadding); min > 0 && pad > 1 {
		last := max(int64(h.POP3LastLogin), login-min*pad)
		login = last + min
	}
	h.POP3LastLogin = uint32(login)
}

func (s *session) setSeen(tx *mailbox.Tx, recno int) error {
	if !s.srv.opts.IMAPFlags || s.srv.opts.UseACL && !s.drop.maySee {
		return nil
	}
	var rec indexfile.Record
	if err := tx.Record(recno, &rec); err != nil {
		return err
	}
	if rec.Flags&indexfile.Seen != 0 {
		return nil
	}
	rec.Flags |= indexfile.Seen
	return tx.Rewrite(recno, &rec)
}

func (s *session) closeDrop() {
	if s.drop != nil {
		s.drop.box.Close()
		s.drop = nil
	}
}
