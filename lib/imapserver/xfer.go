package imapserver

import (
	"errors"
	"fmt"
	"strings"

	"gocyrus/lib/config"
	"gocyrus/lib/glob"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/proxy"
	"gocyrus/lib/xfer"
)

// setMover makes what moves mailboxes to other servers, where this one has any that
// may go there. Moves of processes that were killed are ended first of all.
func (srv *Server) setMover(cfg *config.Config) error {
	if srv.site.Murder == nil {
		return nil
	}
	srv.mover = xfer.New(srv.site, xfer.OptionsFrom(cfg))
	srv.closers = append(srv.closers, func() {
		if err := srv.mover.Close(); err != nil {
			log.Err("XFER: closing the notes of moves: %v", err)
		}
	})
	if err := srv.mover.Watch(); err != nil {
		// The notes stay, and whoever comes next tries again.
		log.Err("XFER: moves that were interrupted: %v", err)
	}
	return nil
}

// xfer is XFER target server [partition], of Cyrus: the target is a user by the name of
// INBOX, a shared mailbox, a pattern of such, or a partition of this server. Each is told
// of as it goes. The tagged answer, which is OK in Cyrus whatever has happened, is NO
// unless all went.
func (s *session) xfer(p *imapwire.Parser) error {
	name, err := p.SPAString()
	if err != nil {
		return err
	}
	server, err := p.SPAString()
	if err != nil {
		return err
	}
	partition := ""
	if more, err := p.Accept(' '); err != nil {
		return err
	} else if more {
		if partition, err = p.AString(); err != nil {
			return err
		}
	}
	if err := p.EOL(); err != nil {
		return err
	}
	if !s.admin {
		return errPermission
	}
	return s.transfer(name, server, partition)
}

// transfer moves what a name means, as far as it is here: what another server has, that
// one is asked to move.
func (s *session) transfer(name, server, partition string) error {
	if s.srv.mover != nil && s.srv.site.Partitions.Has(name) {
		items, err := s.srv.mover.Items(name)
		if err != nil {
			return err
		}
		return s.moveItems(wholes(items), server, partition)
	}
	if !strings.ContainsAny(name, "*%") {
		return s.transferOne(name, server, partition)
	}
	here, there, err := s.matchingItems(name)
	if err != nil {
		return err
	}
	if len(here)+len(there) == 0 {
		return mboxlist.ErrNotFound
	}
	var failed []error
	if len(here) > 0 {
		failed = append(failed, s.moveItems(here, server, partition))
	}
	for _, far := range there {
		failed = append(failed, s.askMove(far.entry.Server, "XFER", far.ext, server, partition))
	}
	return errors.Join(failed...)
}

// transferOne moves what one name means.
func (s *session) transferOne(name, server, partition string) error {
	n, err := s.internal(name)
	if err != nil {
		return mboxlist.ErrNotFound
	}
	if !isWhole(n) {
		return fmt.Errorf("%s moves with its user: %w", n, mboxops.ErrUnsupported)
	}
	at, err := s.place(n)
	if err != nil {
		return err
	}
	if s.srv.mover == nil {
		log.Err("%s %s: no other server is reached from here", s.name, n)
		return errRemote
	}
	item := xfer.Item{Mailbox: n, Partition: at.entry.Partition}
	if n.IsInbox() {
		item.User = n.Owner()
	}
	return s.moveItems([]xfer.Item{item}, server, partition)
}

// isWhole says whether a mailbox is a user's INBOX or nobody's: what can be moved.
func isWhole(n mboxname.Name) bool { return n.IsInbox() || n.Owner() == "" }

func wholes(items []xfer.Item) (all []xfer.Item) {
	for _, i := range items {
		if isWhole(i.Mailbox) {
			all = append(all, i)
		}
	}
	return all
}

// matchingItems are what a pattern means, here and at other servers.
func (s *session) matchingItems(pattern string) (here []xfer.Item, there []*place, err error) {
	p := glob.Compile(pattern, s.srv.opts.Namespace.Sep())
	err = s.srv.list.Scan("", func(v mboxlist.View) error {
		n := v.Name()
		if !isMailbox(v.Type()) || v.Is(mboxlist.FlagMoving) || !isWhole(n) {
			return nil
		}
		ext, ok := s.view.External(n)
		if !ok || !p.Match(ext) {
			return nil
		}
		e, err := v.Entry()
		if err != nil {
			return err
		}
		switch {
		case e.Is(mboxlist.FlagRemote):
			there = append(there, &place{name: n, ext: ext, entry: e})
		case s.srv.mover != nil:
			item := xfer.Item{Mailbox: n, Partition: e.Partition}
			if n.IsInbox() {
				item.User = n.Owner()
			}
			here = append(here, item)
		}
		return nil
	})
	return here, there, err
}

// moveItems moves mailboxes of this server, and tells of each. A server that is away ends
// it. The error is of all that did not go.
func (s *session) moveItems(items []xfer.Item, server, partition string) error {
	if s.srv.mover.Is(server) {
		return imapwire.No(s.moveReason(xfer.ErrSame))
	}
	if len(items) == 0 {
		return mboxlist.ErrNotFound
	}
	var failed []error
	for _, item := range items {
		err := s.mayMove(item)
		if err == nil {
			err = s.srv.mover.Move(s.ctx, item, server, partition, nil)
		}
		s.tellMove(item, err)
		if err != nil {
			failed = append(failed, err)
		}
		if errors.Is(err, proxy.ErrUnavailable) || s.ctx.Err() != nil {
			break
		}
	}
	s.kick()
	switch {
	case len(failed) == 0:
		return nil
	case len(items) == 1:
		return imapwire.No(s.moveReason(failed[0]))
	}
	return imapwire.No(fmt.Sprintf("%d of %d were not moved: %s", len(failed), len(items), s.moveReason(failed[0])))
}

// mayMove says whether the session may move an item.
func (s *session) mayMove(item xfer.Item) error {
	selected := mboxname.Name("")
	if s.sel != nil && !s.sel.gone {
		selected = s.sel.name
	}
	switch {
	case item.User == "" && selected == item.Mailbox, item.User != "" && selected != "" && selected.Owner() == item.User:
		return fmt.Errorf("%s is selected: %w", selected, errSelected)
	case item.User == "":
		return nil
	case !s.srv.mover.Users():
		return fmt.Errorf("allowusermoves is off: %w", mboxops.ErrUnsupported)
	case item.User == s.user:
		return fmt.Errorf("own INBOX: %w", mboxops.ErrUnsupported)
	}
	return nil
}

// errSelected is the error of a mailbox that the session has selected.
var errSelected = imapwire.No("Mailbox is locked")

// tellMove tells what has become of an item, in Cyrus's words.
func (s *session) tellMove(item xfer.Item, err error) {
	what := "USER " + item.User
	if item.User == "" {
		what = "MAILBOX \"" + s.external(item.Mailbox) + "\""
	}
	if err == nil {
		s.untagged("OK ", what)
	} else {
		log.Err("XFER: %s: %v", item, err)
		s.untagged("NO ", what, " (", s.moveReason(err), ")")
	}
	if err := s.in.Flush(); err != nil {
		log.Notice("%s %s: %v", s.user, s.name, err) // the next write meets it too
	}
}

// moveReasons are the words for what may be wrong with a move, where Cyrus has any
// those.
var moveReasons = []struct {
	err  error
	text string
}{
	{xfer.ErrSame, "Invalid server requested"},
	{xfer.ErrCollision, "Another mailbox has the same unique id on that server"},
	{xfer.ErrDiffers, "The copy on that server is not complete"},
	{mboxops.ErrReserved, "Another server has the mailbox"},
	{mboxops.ErrNoMurder, "Operation is not supported on mailbox"},
	{proxy.ErrUnavailable, "Server(s) unavailable to complete operation"},
}

// moveReason says why something was not moved.
func (s *session) moveReason(err error) string {
	if late := (*xfer.Unfinished)(nil); errors.As(err, &late) {
		return "Everything is on that server, which cannot announce it yet"
	}
	for _, r := range moveReasons {
		if errors.Is(err, r.err) {
			return r.text
		}
	}
	for _, r := range replies {
		if errors.Is(err, r.err) {
			return strings.TrimPrefix(r.line, "NO ")
		}
	}
	var no imapwire.No
	if errors.As(err, &no) {
		return string(no)
	}
	// What the other server has said is more than that something failed.
	return strings.Map(printable, err.Error())
}

// printable makes an octet that no line of an answer may have a question mark.
func printable(c rune) rune {
	if c < ' ' || c > '~' {
		return '?'
	}
	return c
}
