package imapserver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"gocyrus/lib/acl"
	"gocyrus/lib/imapproxy"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/seqset"
)

// copyFar is COPY and MOVE when another server has the selected mailbox: that server
// does it when it has the target too.
func (s *session) copyFar(p *imapwire.Parser) error {
	if err := p.SP(); err != nil {
		return err
	}
	if _, err := p.NumSetSP(s.byUID()); err != nil {
		return err
	}
	set := string(bytes.TrimSpace(s.in.Recorded())) // as the client spells it: $ too
	name, err := p.AString()
	if err != nil {
		return err
	}
	if err := p.EOL(); err != nil {
		return err
	}
	if err := s.revive(); err != nil {
		return err
	}
	f := s.farSel
	at, err := s.known(name)
	if errors.Is(err, mboxlist.ErrNotFound) {
		return s.tryCreate(name, err)
	}
	if err != nil {
		return err
	}
	switch {
	case at.entry.Server == f.server:
		f.c.Begin(s.tag, strings.ToUpper(s.name))
		s.heard = f.c
		if err := f.c.Again(s.in.Recorded()); err != nil {
			return s.lost(err)
		}
		return s.replied(f.c.Answer(s.tag, &imapproxy.Relay{To: s.in, Look: f.view.look}))
	case at.entry.Server == "":
		return imapwire.No(strings.ToUpper(s.name) + " from another server is not supported by this server")
	}
	a := across{s: s, src: f.c, at: at, uid: s.byUID(), move: strings.HasSuffix(strings.ToLower(s.name), "move")}
	s.in.Forget()
	return a.run(set)
}

// across is a COPY or MOVE from one server to another: the one fetches, the other
// appends, all in one command each, so that all messages are there or none. Flags,
// keywords and dates come along.
type across struct {
	s    *session
	src  *imapproxy.Conn
	dst  *imapproxy.Conn
	at   *place // the target
	uid  bool
	move bool

	list  map[uint32]farMessage
	order []uint32
	sent  seqset.Set // in the source
}

// farMessage is what APPEND says of a message before its octets.
type farMessage struct{ flags, date string }

func (a *across) run(set string) error {
	if a.move {
		// Both are needed in the end; better not to copy what must stay.
		src, err := a.s.known(a.s.farSel.ext)
		if err != nil {
			return err
		}
		if err := src.need(acl.DeleteMsg | acl.Expunge); err != nil {
			return err
		}
	}
	if err := a.survey(set); err != nil {
		return err
	}
	if len(a.order) == 0 {
		if a.uid {
			return nil
		}
		return errNoMessage
	}
	var err error
	if a.dst, err = a.s.connect(a.at.entry.Server); err != nil {
		return err
	}
	defer a.s.release(a.dst)
	text, err := a.transfer()
	if err != nil {
		return err
	}
	a.s.text = text
	if a.move && len(a.sent) > 0 {
		return a.remove()
	}
	return nil
}

// relay is where untagged answers of the source go.
func (a *across) relay() *imapproxy.Relay {
	return &imapproxy.Relay{To: a.s.in, Look: a.s.farSel.view.look}
}

// survey asks what there is to copy.
func (a *across) survey(set string) error {
	tag := a.s.backends().Tag()
	command := "FETCH "
	if a.uid {
		command = "UID FETCH "
	}
	a.s.heard = a.src
	if err := a.src.Send(tag, command+set+" (UID FLAGS INTERNALDATE)"); err != nil {
		return a.s.lost(err)
	}
	a.list = map[uint32]farMessage{}
	reply, err := a.src.Collect(tag, "FETCH", a.relay(), func(line []byte) error {
		f, ok := imapproxy.ParseFetch(line)
		if !ok || f.UID == 0 || f.Date == "" {
			_, err := a.s.in.Write(line) // told unasked
			return err
		}
		if _, again := a.list[f.UID]; !again {
			a.order = append(a.order, f.UID)
		}
		a.list[f.UID] = farMessage{withoutRecent(f.Flags), f.Date}
		return nil
	})
	if err != nil {
		return a.s.lost(err)
	}
	if !reply.OK() {
		return a.s.replied(reply, nil)
	}
	return nil
}

// withoutRecent is a list of flags without the one that nobody can set.
func withoutRecent(flags string) string {
	words := strings.Fields(flags)
	kept := words[:0]
	for _, w := range words {
		if !strings.EqualFold(w, `\Recent`) {
			kept = append(kept, w)
		}
	}
	return strings.Join(kept, " ")
}

// errTarget is the error of a target that was lost: the source is read to the end of
// its answer nevertheless.
var errTarget = errors.New("the target's server is lost")

// transfer has the source fetch and the target append. It returns the completion
// text.
func (a *across) transfer() (string, error) {
	s := a.s
	var all seqset.Set
	for _, uid := range a.order {
		all.Add(uid)
	}
	tag := s.backends().Tag()
	if err := a.src.Send(tag, "UID FETCH "+all.String()+" (UID BODY.PEEK[])"); err != nil {
		return "", s.lost(err)
	}
	reply, err := a.src.Bodies(tag, a.relay(), a.begin)
	switch {
	case err != nil || !reply.OK():
		// Without the end of the command the target stores nothing.
		if len(a.sent) > 0 {
			s.backends().Drop(a.dst)
		}
		if errors.Is(err, errTarget) {
			return "", fmt.Errorf("%w: %w", errRemote, err)
		}
		return "", s.replied(reply, err)
	case len(a.sent) == 0: // gone meanwhile
		if a.uid {
			return "", nil
		}
		return "", errNoMessage
	}
	if err := a.dst.End(); err != nil {
		return "", s.lost(err)
	}
	reply, err = a.dst.Answer(s.tag, nil)
	if err != nil || !reply.OK() {
		return "", s.replied(reply, err)
	}
	return a.copied(reply.Text), nil
}

// begin is called for each message of the source and returns where its octets go.
func (a *across) begin(uid uint32, size int64) (io.Writer, error) {
	m, asked := a.list[uid]
	if !asked || size == 0 {
		return nil, nil
	}
	if a.dst.Err() != nil {
		return nil, errTarget
	}
	if len(a.sent) == 0 {
		a.dst.Begin(a.s.tag, "APPEND")
		a.dst.String(a.at.ext)
	}
	a.dst.Word("(" + m.flags + ")")
	a.dst.Word(`"` + m.date + `" `)
	refused, err := a.dst.Literal(a.s.tag, size, nil)
	if err != nil || refused != nil {
		return nil, errTarget
	}
	a.sent.Add(uid)
	return a.dst, nil
}

// copied is the completion text: COPYUID (RFC 4315 section 3), where the target told
// its UIDs.
func (a *across) copied(text string) string {
	rest, ok := strings.CutPrefix(strings.ToUpper(text), "[APPENDUID ")
	code, _, ok2 := strings.Cut(rest, "]")
	words := strings.Fields(code)
	if !ok || !ok2 || len(words) != 2 {
		return "Completed"
	}
	return "[COPYUID " + words[0] + " " + a.sent.String() + " " + words[1] + "] Completed"
}

// remove ends a MOVE: what was copied leaves the source. COPYUID comes before the
// EXPUNGEs (RFC 6851 section 4.3).
func (a *across) remove() error {
	s := a.s
	s.untagged("OK ", s.text)
	s.text = ""
	set := a.sent.String()
	look := a.s.farSel.view.look
	quiet := &imapproxy.Relay{To: s.in, Look: func(head []byte) bool { return look(head) && !isFetch(head) }}
	reply, err := s.backends().Do(a.src, `UID STORE `+set+` +FLAGS.SILENT (\Deleted)`, quiet)
	if err == nil && reply.OK() {
		reply, err = s.backends().Do(a.src, "UID EXPUNGE "+set, a.relay())
	}
	if err == nil && reply.OK() {
		return nil
	}
	log.Err("%s: MOVE to %s: UIDs %s are copied and not removed: %v %s", s.user, a.at.name, set, err, reply.Text)
	if err != nil {
		err = s.lost(err)
		if isFatal(err) {
			return err
		}
	}
	return imapwire.No("Messages were copied, but could not be removed")
}

// isFetch says whether an untagged answer is FETCH.
func isFetch(head []byte) bool {
	rest := bytes.TrimLeft(head[min(2, len(head)):], "0123456789")
	return bytes.HasPrefix(rest, []byte(" FETCH "))
}

// replaceFar is REPLACE when another server has the selected mailbox; frontends do
// not offer it.
func (s *session) replaceFar(*imapwire.Parser) error {
	return imapwire.No("REPLACE is not supported by this server")
}
