package imapserver

import (
	"bytes"
	"strconv"
	"strings"

	"gocyrus/lib/imapproxy"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxname"
)

// farSelection is a selected mailbox that another server has.
type farSelection struct {
	c       *imapproxy.Conn
	server  string
	name    mboxname.Name
	ext     string
	command string // SELECT or EXAMINE
	view    farView
	again   bool // IDLE has outlived a backend
}

// farView is what the client knows of the messages: enough to find out, when the
// backend was lost, whether they still are the same. Messages come with new UIDs and
// do not come back: where there are as many, and no more UIDs were given out than
// the client heard of, they are the same ones.
type farView struct {
	validity uint64
	next     uint64 // UIDNEXT at SELECT
	came     uint64 // messages since
	exists   uint64
	open     bool // SELECT is answered
}

// same says whether now, after another SELECT, is what the client knows.
func (v *farView) same(now *farView) bool {
	return v.validity == now.validity && v.exists == now.exists && v.next+v.came == now.next
}

// look notes what an untagged answer tells. The client is to have all of them.
func (v *farView) look(line []byte) bool {
	if len(line) < 4 {
		return true
	}
	switch rest := line[2:]; {
	case rest[0] >= '0' && rest[0] <= '9':
		v.numbered(rest)
	case bytes.HasPrefix(rest, []byte("OK [UIDVALIDITY ")):
		v.validity = leading(rest[len("OK [UIDVALIDITY "):])
	case bytes.HasPrefix(rest, []byte("OK [UIDNEXT ")):
		v.next = leading(rest[len("OK [UIDNEXT "):])
	case v.open && bytes.HasPrefix(rest, []byte("VANISHED ")) && rest[len("VANISHED ")] != '(':
		set, _ := imapwire.ParseNums(string(bytes.TrimRight(rest[len("VANISHED "):], "\r\n")))
		for _, r := range set {
			v.exists -= uint64(r.Stop-r.Start) + 1
		}
	}
	return true
}

func (v *farView) numbered(rest []byte) {
	i := bytes.IndexByte(rest, ' ')
	if i < 0 {
		return
	}
	switch word := bytes.TrimRight(rest[i+1:min(len(rest), i+12)], "\r\n"); string(word) {
	case "EXISTS":
		n := leading(rest)
		if v.open && n > v.exists {
			v.came += n - v.exists
		}
		v.exists = n
	case "EXPUNGE":
		v.exists--
	}
}

// leading is the number that b begins with.
func leading(b []byte) uint64 {
	i := 0
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	n, _ := strconv.ParseUint(string(b[:i]), 10, 64)
	return n
}

// selectFar is SELECT and EXAMINE of another server's mailbox.
func (s *session) selectFar(at *place) error {
	server := at.entry.Server
	if s.farSel != nil && s.farSel.server != server {
		s.leaveFar() // on the same server the backend itself says CLOSED
	}
	c, err := s.connect(server)
	if err != nil {
		s.leaveFar()
		return err
	}
	s.forgetFar()
	f := &farSelection{c: c, server: server, name: at.name, ext: at.ext, command: strings.ToUpper(s.name)}
	if err := s.enableFar(c); err != nil {
		s.release(c)
		return s.lost(err)
	}
	c.Begin(s.tag, f.command)
	args := s.in.Recorded()
	if err = c.Again(args); err == nil {
		err = s.replied(c.Answer(s.tag, &imapproxy.Relay{To: s.in, Look: f.view.look}))
	} else {
		err = s.lost(err)
	}
	if err != nil {
		s.release(c)
		return err
	}
	if bytes.Contains(bytes.ToUpper(args), []byte("(CONDSTORE")) || bytes.Contains(bytes.ToUpper(args), []byte("(QRESYNC")) {
		s.enabled |= condStore
	}
	f.view.open = true
	s.farSel, s.state = f, selected
	s.svc.Proc.SetMailbox(string(f.name))
	return nil
}

// enableFar has the backend know what the client enabled.
func (s *session) enableFar(c *imapproxy.Conn) error {
	switch {
	case s.enabled&qResync != 0:
		return s.backends().Enable(c, "Qresync")
	case s.enabled&condStore != 0:
		return s.backends().Enable(c, "Condstore")
	}
	return nil
}

// forgetFar takes the selected mailbox for one that is selected no more.
func (s *session) forgetFar() {
	if s.farSel == nil {
		return
	}
	s.farSel, s.state = nil, signed
	s.svc.Proc.SetMailbox("")
}

// leaveFar closes the selected mailbox of another server, if there is one, and tells
// the client so.
func (s *session) leaveFar() {
	f := s.farSel
	if f == nil {
		return
	}
	s.forgetFar()
	if f.c.Err() == nil {
		if _, err := s.backends().Do(f.c, "Unselect", nil); err != nil {
			log.Notice("%v", err)
		}
	}
	s.backends().Put(f.c)
	s.untagged("OK [CLOSED] Ok") // RFC 7162 section 3.2.11
}

// pass is a command about the selected mailbox when another server has that: it is
// passed on as it comes.
func (s *session) pass(p *imapwire.Parser) error {
	if err := s.revive(); err != nil {
		return err
	}
	f := s.farSel
	relay := &imapproxy.Relay{To: s.in, Look: f.view.look}
	f.c.Begin(s.tag, strings.ToUpper(s.name))
	s.in.Forget()
	s.heard = f.c
	refused, err := f.c.Pass(s.tag, p, relay, s.srv.opts.Limits, false)
	if err != nil {
		return s.lost(err)
	}
	if refused != nil {
		return s.replied(*refused, nil)
	}
	return s.replied(f.c.Answer(s.tag, relay))
}

// passLast is pass for CLOSE and UNSELECT.
func (s *session) passLast(p *imapwire.Parser) error {
	f := s.farSel
	err := s.pass(p)
	if err == nil {
		s.forgetFar()
		s.backends().Put(f.c)
	}
	return err
}

// farNews has the backend of the selected mailbox tell what has changed, after a
// command that it has not heard of.
func (s *session) farNews() error {
	f := s.farSel
	if s.heard == f.c || f.c.Err() != nil {
		return nil
	}
	_, err := s.backends().Do(f.c, "Noop", &imapproxy.Relay{To: s.in, Look: f.view.look})
	if err = s.lost(err); isFatal(err) {
		return err
	}
	return nil // what the client asked for is done
}

// revive makes sure that the backend of the selected mailbox is there. One that was
// lost costs no session: when it is back, or another has its place, and the messages
// are those that the client knows, all goes on. While it is away commands are
// refused; when the messages are not the same only a new session helps.
func (s *session) revive() error {
	f := s.farSel
	if f.c.Err() == nil && !f.c.Gone() {
		return nil
	}
	set := s.backends()
	set.Drop(f.c)
	c, err := s.connect(f.server)
	if err != nil {
		return err
	}
	if err := s.enableFar(c); err != nil {
		set.Drop(c)
		return s.lost(err)
	}
	var now farView
	tag := set.Tag()
	c.Begin(tag, f.command)
	c.String(f.ext)
	err = c.End()
	var reply imapproxy.Reply
	if err == nil {
		reply, err = c.Answer(tag, &imapproxy.Relay{Look: now.look})
	}
	if err != nil {
		set.Drop(c)
		return s.lost(err)
	}
	if !reply.OK() || !f.view.same(&now) {
		log.Err("%s: %s on %s is not what it was before the backend was lost", s.user, f.name, f.server)
		return imapwire.Fatal("Fatal error: Lost connection to selected backend")
	}
	f.c = c
	return nil
}
