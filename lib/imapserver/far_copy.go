package imapserver

import (
	"io"
	"strings"

	"github.com/emersion/go-imap/v2"

	"gocyrus/lib/imapproxy"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/log"
	"gocyrus/lib/seqset"
)

// copyFar is COPY and MOVE when another server has the selected mailbox: that server
// does it when it has the target too.
func (s *session) copyFar(p *imapwire.Parser) error {
	_, set, name, err := s.fromTo(p)
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
	if err != nil {
		return s.tryCreate(name, err)
	}
	if at.entry.Server == f.server {
		f.c.Begin(s.tag, strings.ToUpper(s.name))
		s.heard = f.c
		if err := f.c.Again(s.in.Recorded()); err != nil {
			return s.lost(err)
		}
		return s.replied(f.c.Answer(s.tag, &imapproxy.Relay{To: s.in, Look: f.view.look}))
	}
	to, err := s.sinkAt(at, name)
	if err != nil {
		return err
	}
	defer to.close()
	s.in.Forget()
	a := s.newAcross(&farSource{s: s, f: f, set: set}, to)
	return a.run()
}

// copyAway is COPY and MOVE of messages that are here to a mailbox of another server.
func (s *session) copyAway(set imap.NumSet, at *place) error {
	to, err := s.sinkAt(at, "")
	if err != nil {
		return err
	}
	defer to.close()
	s.in.Forget()
	if err := s.newAcross(&hereSource{s: s, nums: s.sel.idx.Resolve(set, s.sel.saved)}, to).run(); err != nil {
		return err
	}
	c, err := s.refreshAfter(!s.byUID() && !isMove(s.name))
	if err != nil {
		return err
	}
	return s.tell(c, tellHow{uid: s.byUID()})
}

// isMove says whether a command takes away what it copies.
func isMove(command string) bool { return strings.HasSuffix(strings.ToLower(command), "move") }

// across is a COPY or MOVE between two servers: the one tells the messages, the other
// stores them, all in one command each, so that all messages are there or none. Flags,
// keywords and dates come along.
type across struct {
	s         *session
	from      source
	to        sink
	uid, move bool

	list  map[uint32]farMessage
	order []uint32
	sent  seqset.Set // in the source
}

// farMessage is what APPEND says of a message before its octets.
type farMessage struct{ flags, date string }

// A source has the messages.
type source interface {
	// mayRemove fails for a user who may not expunge messages.
	mayRemove() error
	// survey adds what there is to copy.
	survey(a *across) error
	// bodies calls a.begin for each message of a.order that is still there. The error
	// is errTarget when that is what a.begin said.
	bodies(a *across) error
	// remove expunges messages.
	remove(uids seqset.Set) error
}

// A sink takes them.
type sink interface {
	// begin is told of the next message; its octets are written to w. An error is that
	// of the target, which takes no more.
	begin(m farMessage, size int64) (w io.Writer, err error)
	// finish stores all and returns the completion text.
	finish() (text string, err error)
	// abandon says that nothing is to be stored.
	abandon()
	close()
}

func (s *session) newAcross(from source, to sink) *across {
	return &across{s: s, from: from, to: to, uid: s.byUID(), move: isMove(s.name), list: map[uint32]farMessage{}}
}

// sinkAt is the target at: here, by the name that the client gave it, or on its server.
func (s *session) sinkAt(at *place, name string) (sink, error) {
	if at.entry.Server == "" {
		return s.newHereSink(name)
	}
	c, err := s.connect(at.entry.Server)
	if err != nil {
		return nil, err
	}
	return &farSink{s: s, c: c, at: at}, nil
}

func (a *across) run() error {
	if a.move {
		// Both are needed in the end; better not to copy what must stay.
		if err := a.from.mayRemove(); err != nil {
			return err
		}
	}
	if err := a.from.survey(a); err != nil {
		return err
	}
	text, err := a.transfer()
	if err != nil {
		return err
	}
	if len(a.sent) == 0 {
		if a.uid {
			return nil
		}
		return errNoMessage
	}
	if !a.move {
		a.s.text = text
		return nil
	}
	// COPYUID comes before the EXPUNGEs (RFC 6851 section 4.3).
	a.s.untagged("OK ", text)
	if err := a.from.remove(a.sent); err != nil {
		if isFatal(err) {
			return err
		}
		log.Err("%s: MOVE: UIDs %s are copied and not removed: %v", a.s.user, a.sent.String(), err)
		return imapwire.No("Messages were copied, but could not be removed")
	}
	return nil
}

// transfer has the source tell and the target store. It returns the completion text.
func (a *across) transfer() (string, error) {
	if len(a.order) == 0 {
		return "", nil
	}
	if err := a.from.bodies(a); err != nil {
		a.to.abandon()
		return "", appendRefusal(err)
	}
	if len(a.sent) == 0 { // gone meanwhile
		return "", nil
	}
	text, err := a.to.finish()
	if err != nil {
		return "", err
	}
	return a.copied(text), nil
}

// begin is called for each message of the source and returns where its octets go, nil
// for nowhere.
func (a *across) begin(uid uint32, size int64) (io.Writer, error) {
	m, asked := a.list[uid]
	if !asked || size == 0 {
		return nil, nil
	}
	w, err := a.to.begin(m, size)
	if err == nil {
		a.sent.Add(uid)
	}
	return w, err
}

// add notes a message that is to be copied.
func (a *across) add(uid uint32, flags, date string) {
	if _, again := a.list[uid]; !again {
		a.order = append(a.order, uid)
	}
	a.list[uid] = farMessage{withoutRecent(flags), date}
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
