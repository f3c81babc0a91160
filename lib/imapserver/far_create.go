package imapserver

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"gocyrus/lib/imapproxy"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/proxy"
)

// createAt is the server that a new mailbox is to be on: the one that the administrator
// names, that of the nearest mailbox above, or one of serverlist. It is "" for this one,
// and on a server that has partitions also where nothing else says.
func (s *session) createAt(n mboxname.Name, server, partition string) (string, error) {
	s.freshen(n)
	_, err := s.place(n)
	switch {
	case err == nil || errors.Is(err, errRemote):
		return "", mboxops.ErrExists
	case !errors.Is(err, mboxlist.ErrNotFound):
		return "", err
	}
	opts := s.srv.murder.opts
	switch {
	case server != "" && server == opts.Self && !opts.Frontend:
		return "", nil
	case server != "" && s.relayed():
		return "", errAround
	case server != "":
		return server, nil
	case s.relayed(): // the other server has chosen
		return "", nil
	}
	server, err = s.serverFor(n, partition)
	if server == opts.Self && !opts.Frontend {
		server = ""
	}
	return server, err
}

// freshen has the list catch up with the murder's when it says that another server has a
// name which is to be new: it may be free by now.
func (s *session) freshen(n mboxname.Name) {
	if !s.srv.proxies() {
		return
	}
	if e, err := s.srv.list.Lookup(n); err == nil && exists(e) && e.Is(mboxlist.FlagRemote) {
		s.kick()
	}
}

// createFar is CREATE on another server.
func (s *session) createFar(n mboxname.Name, external string, params *mboxops.CreateParams, server string) error {
	if s.refers(command{how: referAdmin}) {
		return s.referral(&place{name: n, ext: external, entry: &mboxlist.Entry{Name: n, Server: server}})
	}
	err := s.askFar(server, func(c *imapproxy.Conn) error {
		c.String(external)
		if list := createList(params); list != "" {
			c.Word(list)
		}
		return c.End()
	})
	if err == nil {
		s.kick()
	}
	return err
}

// createList is what follows the name, "" for nothing.
func createList(params *mboxops.CreateParams) string {
	if len(params.SpecialUse) == 0 {
		return params.Partition
	}
	list := "(USE (" + strings.Join(params.SpecialUse, " ") + ")"
	if params.Partition != "" {
		list += " PARTITION " + params.Partition
	}
	return list + ")"
}

// serverFor is where a new mailbox goes by itself; "" is this server.
func (s *session) serverFor(n mboxname.Name, partition string) (string, error) {
	for parent, ok := n.Parent(); ok; parent, ok = parent.Parent() {
		e, err := s.srv.list.Lookup(parent)
		if err == nil && e.Is(mboxlist.FlagMoving) {
			return "", errMoving
		}
		if err == nil && exists(e) && (e.Server != "" || s.srv.unified()) {
			return e.Server, nil
		}
		if err != nil && !errors.Is(err, mboxlist.ErrNotFound) {
			return "", err
		}
	}
	opts := s.srv.murder.opts
	if opts.Unified && (partition != "" || len(opts.Servers) == 0) {
		return "", nil
	}
	server, err := s.srv.murder.chooser.Pick(s.spaceOn)
	if err != nil {
		err = fmt.Errorf("%w: %w", errRemote, err)
	}
	return server, err
}

// autocreateOnce is autocreate in a murder of which every server could make the user's
// INBOX: the one that reserves the name does, and others wait for that. For a session that
// another server continues here none is made.
func (s *session) autocreateOnce() {
	if s.relayed() || !s.srv.ops.Autocreates(s.asker()) {
		return
	}
	switch there, free := s.inbox(); {
	case there:
		return
	case free:
		if err := s.srv.ops.Autocreate(s.ctx, s.asker()); err != nil {
			log.Info("autocreateinbox: %s: %v", s.user, err) // the login stands
			if !errors.Is(err, mboxops.ErrReserved) {
				return
			}
		}
		// No error is also that the slave has heard meanwhile of another's reservation.
	}
	for end := time.Now().Add(otherMakes); time.Now().Before(end) && s.ctx.Err() == nil; time.Sleep(otherMakes / 100) {
		if there, free := s.inbox(); there || free {
			return
		}
	}
}

// otherMakes is how long a login waits for another server to make an INBOX, which takes
// some milliseconds.
const otherMakes = 3 * time.Second

// inbox says whether the user has an INBOX on any server, and whether the name is free.
func (s *session) inbox() (there, free bool) {
	e, err := s.lookupFresh(mboxname.Inbox(s.user), 0)
	if err != nil || e.Deleted() || e.Is(mboxlist.FlagIntermediate) {
		return false, err == nil || errors.Is(err, mboxlist.ErrNotFound)
	}
	return exists(e), false
}

// spaceOn asks a server how much room it has.
func (s *session) spaceOn(server, entry string) (space proxy.Space, ok bool) {
	if opts := s.srv.murder.opts; server == opts.Self && !opts.Frontend {
		return s.spaceHere(entry)
	}
	c, err := s.connect(server)
	if err != nil {
		return space, false
	}
	defer s.release(c)
	return c.Space(s.backends().Tag(), entry, s.aside(c))
}

// spaceHere is spaceOn for this server.
func (s *session) spaceHere(entry string) (proxy.Space, bool) {
	all := diskSpace(s.srv.site.Config.Partitions())
	value, ok := all.total()
	if strings.HasSuffix(entry, "/percent/most") {
		value, ok = all.most()
	}
	if !ok {
		return proxy.Space{}, false
	}
	return proxy.ParseSpace(value)
}
