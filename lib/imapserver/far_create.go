package imapserver

import (
	"errors"
	"fmt"
	"strings"

	"gocyrus/lib/imapproxy"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/proxy"
)

// createFar is CREATE on a frontend: on the server that the administrator names, on
// that of the nearest mailbox above, or on one of serverlist.
func (s *session) createFar(n mboxname.Name, external string, params *mboxops.CreateParams, server string) error {
	_, err := s.place(n)
	switch {
	case err == nil || errors.Is(err, errRemote):
		return mboxops.ErrExists
	case !errors.Is(err, mboxlist.ErrNotFound):
		return err
	}
	if server == "" {
		if server, err = s.serverFor(n); err != nil {
			return err
		}
	}
	if s.refers(command{how: referAdmin}) {
		return s.referral(&place{name: n, ext: external, entry: &mboxlist.Entry{Name: n, Server: server}})
	}
	err = s.askFar(server, func(c *imapproxy.Conn) error {
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

// serverFor is where a new mailbox goes by itself.
func (s *session) serverFor(n mboxname.Name) (string, error) {
	for parent, ok := n.Parent(); ok; parent, ok = parent.Parent() {
		e, err := s.srv.list.Lookup(parent)
		if err == nil && exists(e) && e.Server != "" {
			return e.Server, nil
		}
		if err != nil && !errors.Is(err, mboxlist.ErrNotFound) {
			return "", err
		}
	}
	server, err := s.srv.murder.chooser.Pick(s.spaceOn)
	if err != nil {
		err = fmt.Errorf("%w: %w", errRemote, err)
	}
	return server, err
}

// spaceOn asks a server how much room it has.
func (s *session) spaceOn(server, entry string) (space proxy.Space, ok bool) {
	c, err := s.connect(server)
	if err != nil {
		return space, false
	}
	defer s.release(c)
	tag := s.backends().Tag()
	if c.Send(tag, `GETMETADATA "" ("`+entry+`")`) != nil {
		return space, false
	}
	reply, err := c.Collect(tag, "METADATA", nil, func(line []byte) error {
		if value, found := imapproxy.ParseMetadata(line); found {
			space, ok = proxy.ParseSpace(value)
		}
		return nil
	})
	return space, ok && err == nil && reply.OK()
}
