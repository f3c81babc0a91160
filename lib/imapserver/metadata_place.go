package imapserver

import (
	"errors"
	"slices"

	"gocyrus/lib/glob"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// eachMetadataPlace calls fn for what a command's first word means: a mailbox, the
// server (nil) by the name "", or all mailboxes that a pattern matches, as cyradm
// asks for. The error is mboxlist.ErrNotFound when there is none, or that of fn.
func (s *session) eachMetadataPlace(name string, fn func(*place) error) error {
	if name == "" {
		return fn(nil)
	}
	if !isPattern(name) {
		at, err := s.locate(name)
		if err != nil {
			return err
		}
		return fn(at)
	}
	names, err := s.matching(name)
	if err != nil {
		return err
	}
	found := false
	var servers []string // that have some of them
	for _, n := range names {
		at, err := s.place(n)
		var far *elsewhere
		if errors.As(err, &far) && !slices.Contains(servers, far.at.entry.Server) {
			servers = append(servers, far.at.entry.Server)
		}
		if err == nil {
			found = true
			err = fn(at)
		}
		if err != nil && !errors.Is(err, mboxlist.ErrNotFound) && !errors.Is(err, errRemote) {
			return err
		}
	}
	if len(servers) > 0 {
		return s.eachServer(servers)
	}
	if !found {
		return mboxlist.ErrNotFound
	}
	return nil
}

// matching are the mailboxes that a pattern matches, the user's own first; whether
// the user may see them is not asked.
func (s *session) matching(pattern string) (names []mboxname.Name, err error) {
	p := glob.Compile(pattern, s.srv.opts.Namespace.Sep())
	take := func(v mboxlist.View) error {
		if !isMailbox(v.Type()) {
			return nil
		}
		n := v.Name()
		if ext, ok := s.view.External(n); ok && p.Match(ext) {
			names = append(names, n)
		}
		return nil
	}
	if err := s.srv.list.ScanUser(s.user, take); err != nil {
		return nil, err
	}
	err = s.srv.list.Scan("", func(v mboxlist.View) error {
		if s.user != "" && v.Name().Owner() == s.user {
			return nil
		}
		return take(v)
	})
	return names, err
}
