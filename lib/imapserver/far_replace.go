package imapserver

import (
	"errors"
	"strings"

	"github.com/emersion/go-imap/v2"

	"gocyrus/lib/imapproxy"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/index"
	"gocyrus/lib/seqset"
)

// REPLACE (RFC 8508) between two servers is an APPEND at the one, and the end of the old
// message at the other when that has succeeded: between the two both are there, and never
// none.

// replaceFar is REPLACE when another server has the selected mailbox. That server does
// it when it can, and has the target too.
func (s *session) replaceFar(p *imapwire.Parser) error {
	set, text, name, err := s.fromTo(p)
	if err != nil {
		return err
	}
	if err := p.SP(); err != nil {
		return err
	}
	if err := s.revive(); err != nil {
		return err
	}
	f := s.farSel
	at, err := s.known(name)
	if err != nil {
		return s.tryCreate(name, err)
	}
	if at.entry.Server == f.server && f.c.Has("REPLACE") {
		return s.passReplace(text, at)
	}
	if !single(set) {
		return errNoMessage
	}
	src := &farSource{s: s, f: f, set: text}
	if err := src.mayRemove(); err != nil {
		return err
	}
	old := s.newAcross(src, nil)
	if err := src.survey(old); err != nil {
		return err
	}
	if len(old.order) == 0 {
		return errNoMessage
	}
	var uid seqset.Set
	uid.Add(old.order[0])
	return s.replaceAt(p, at, name, func() error { return src.remove(uid) })
}

// passReplace has the server of the selected mailbox do it.
func (s *session) passReplace(set string, at *place) error {
	f := s.farSel
	s.in.Forget()
	f.c.Begin(s.tag, strings.ToUpper(s.name))
	f.c.Word(set)
	f.c.String(at.ext)
	f.c.Word("")
	s.heard = f.c
	relay := &imapproxy.Relay{To: s.in, Look: f.view.look}
	refused, err := f.c.Pass(s.tag, s.p, relay, s.srv.opts.Limits, true)
	if err != nil {
		return s.lost(err)
	}
	if refused != nil {
		return s.replied(*refused, nil)
	}
	return s.replied(f.c.Answer(s.tag, relay))
}

// replaceAway is REPLACE of a message that is here by one in another server's mailbox.
func (s *session) replaceAway(p *imapwire.Parser, set imap.NumSet, at *place) error {
	if err := s.present(); err != nil {
		return err
	}
	old := s.sel.idx.Resolve(set, s.sel.saved)
	if !single(set) || len(old) == 0 {
		return errNoMessage
	}
	if err := s.sel.idx.MayRemove(); err != nil {
		return err
	}
	return s.replaceAt(p, at, "", func() error { return s.removeOld(old) })
}

func (s *session) removeOld(old index.Numbers) error {
	// RFC 8508 section 3.2: the new message is told of before the old one goes.
	if err := s.sendUpdates(false); err != nil {
		return err
	}
	return s.sel.idx.Remove(s.ctx, old)
}

// replaceAt stores the message, which is still to be read, at the target, and has the old
// one removed. name is how the client calls a target that is here.
func (s *session) replaceAt(p *imapwire.Parser, at *place, name string, remove func() error) error {
	var text string
	var err error
	if at.entry.Server != "" {
		text, err = s.passAppend(at)
	} else {
		err = s.appendTo(name, func(in *incoming) (err error) {
			if err = in.one(p); err == nil {
				err = p.EOL()
			}
			if err == nil {
				text, err = in.store()
			}
			return err
		})
	}
	s.text = ""
	if err != nil {
		return err
	}
	s.untagged("OK ", text)
	return remove()
}

// farTarget is the place of a mailbox that another server has; nil for all others.
func (s *session) farTarget(name string) *place {
	_, err := s.locate(name)
	var far *elsewhere
	if errors.As(err, &far) {
		return far.at
	}
	return nil
}
