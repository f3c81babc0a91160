package imapserver

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"gocyrus/lib/imapproxy"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/prot"
	"gocyrus/lib/saslserver"
	"gocyrus/lib/service"
	"gocyrus/lib/syncserver"
)

// state is where a connection stands (RFC 9051 section 3), one bit each so
// that a command can be open in several.
type state uint8

const (
	notAuth state = 1 << iota
	signed
	selected

	signedIn = signed | selected
	anyState = notAuth | signedIn
)

// enabled is the set of extensions that change what the server sends, switched
// on by ENABLE or by their first use.
type enabled uint8

const (
	condStore enabled = 1 << iota // RFC 7162
	qResync                       // RFC 7162
	rev2                          // RFC 9051
)

// session is one connection. It is used by one goroutine.
type session struct {
	srv *Server
	ctx context.Context // of commands: service.Finish of term
	svc *service.Session
	in  *prot.Conn
	p   *imapwire.Parser

	term   context.Context // ends with SIGTERM
	cancel func()          // of ctx

	state   state
	who     *saslserver.Identity // nil before login
	user    string               // who.AuthzID, canonical
	admin   bool                 // sees every name, unprefixed
	view    *mboxname.View       // names as the user sees them
	enabled enabled
	sel     *selection          // the selected mailbox, nil outside of that state
	sync    *syncserver.Session // nil before the first command of replication

	set       *imapproxy.Set  // connections to other servers; nil before the first
	farSel    *farSelection   // the selected mailbox, when another server has it
	heard     *imapproxy.Conn // which of them has told its news in this command
	lateDone  bool            // IDLE ended before the client said DONE, which may be on its way
	looked    bool            // the list was asked for rights that it did not give, in this command
	referrals bool            // the client follows them

	// Of the command under way.
	tag   string
	name  string // as in the command table
	begun time.Time
	text  string // what follows "OK" in place of "Completed"

	warned     quotaWarned
	alert      string // to be told before the next answer
	didID      bool   // ID was answered
	idName     string // what the client called itself in ID
	idRelay    bool   // it said there that it is another server of the murder
	sent, read int64  // counters at login, for auditlog's traffic line
	busy       time.Duration
}

// serve speaks IMAP until the client leaves, or must.
func (s *session) serve() {
	s.greet()
	err := s.loop()
	s.leave(err)
}

// errBye ends a session whose farewell has been said.
var errBye = errors.New("session is over")

func (s *session) loop() error {
	for {
		if err := s.shutdownFile(); err != nil {
			return err
		}
		if err := s.in.Wait(s.srv.opts.Timeout); err != nil {
			if errors.Is(err, prot.ErrInterrupted) && s.term.Err() == nil {
				continue
			}
			return err
		}
		if err := s.command(); err != nil {
			return err
		}
	}
}

// command reads and answers one command. The error ends the session.
func (s *session) command() error {
	tag, end, err := s.p.Begin()
	if err != nil {
		return err
	}
	late := s.lateDone
	s.lateDone = false
	if end != ' ' || !imapwire.IsTag(tag) {
		if !late || !strings.EqualFold(tag, "done") {
			s.untagged("BAD Invalid tag")
		}
		return s.p.Skip()
	}
	s.p.SP()
	s.tag = tag
	s.text = ""
	s.begun = time.Now()
	s.svc.Proc.SetCommand("")
	err = s.dispatch()
	s.busy += time.Since(s.begun)
	if fatal := s.answer(err); fatal != nil {
		return fatal
	}
	return s.p.Skip()
}

// answer writes the tagged line. Errors that end the session are returned.
func (s *session) answer(err error) error {
	var bad imapwire.Bad
	switch {
	case err == nil:
		if s.text == "" {
			s.text = "Completed"
		}
		s.tagged("OK ", s.text)
	case errors.Is(err, errAnswered):
	case errors.As(err, &bad):
		s.tagged("BAD ", string(bad))
	case isFatal(err):
		return err
	default:
		s.tagged(s.replyTo(err))
	}
	return nil
}

// errAnswered is the error of a command whose handler wrote the tagged line.
var errAnswered = errors.New("answered")

// isFatal says whether the session cannot go on after err.
func isFatal(err error) bool {
	var fatal imapwire.Fatal
	return errors.Is(err, errBye) || errors.As(err, &fatal) || errors.Is(err, io.EOF) ||
		errors.Is(err, prot.ErrTimeout) || isNetError(err)
}

// leave says why the session ends, where there is something to say and someone
// to hear it, and puts all away.
func (s *session) leave(err error) {
	var fatal imapwire.Fatal
	switch {
	case s.term.Err() != nil: // SIGTERM: Cyrus drops the connection without a word
	case errors.As(err, &fatal):
		// A response code comes first on the wire, so such a text has no prefix.
		log.Err("Fatal error: %s", strings.TrimPrefix(string(fatal), "Fatal error: "))
		s.untagged("BYE ", string(fatal))
	case errors.Is(err, prot.ErrTimeout):
		log.Warning("idle for too long, closing connection")
		s.untagged("BYE idle for too long")
	}
	s.in.Flush()
	s.signOut()
	s.in.Close()
}

// signOut ends what login began.
func (s *session) signOut() {
	s.deselect()
	s.endProxy()
	s.endReplica()
	if s.who == nil {
		return
	}
	s.logTraffic()
	s.who, s.user, s.admin, s.view = nil, "", false, nil
	s.state = notAuth
	s.enabled, s.referrals = 0, false
}

// shutdownFile sends away users when the administrator has written
// msg/shutdown.
func (s *session) shutdownFile() error {
	if s.who == nil || s.admin {
		return nil
	}
	text, ok := s.srv.messages.Shutdown()
	if !ok {
		return nil
	}
	s.untagged("BYE [ALERT] ", alertText(text))
	return errBye
}

// alertText is a text of the administrator's as it may follow a response code.
func alertText(text string) string {
	for text != "" && text[0] == '[' {
		text = text[1:]
	}
	return text
}

// elapsed is how long the command has run, as the completion texts give it.
func (s *session) elapsed() float64 { return time.Since(s.begun).Seconds() }
