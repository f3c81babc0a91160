package popserver

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"gocyrus/lib/log"
	"gocyrus/lib/prot"
	"gocyrus/lib/saslserver"
	"gocyrus/lib/service"
	"gocyrus/lib/smtpwire"
)

// session is one connection. It is used by one goroutine.
type session struct {
	srv *Server
	ctx context.Context // of commands: service.Finish of term
	svc *service.Session
	in  *prot.Conn
	r   *smtpwire.Reader

	term   context.Context // ends with SIGTERM
	cancel func()          // of ctx

	challenge string // for APOP; empty where it is not to be had
	name      string // of USER, canonical
	folder    string // of USER, behind "+", as it was given
	who       *saslserver.Identity
	user      string // who.AuthzID, without folder
	drop      *maildrop
	far       *farDrop // in place of drop, where another server has it

	retr, top, dele int // for the log
	busy            time.Duration
}

func (srv *Server) newSession(ctx context.Context, c net.Conn) *session {
	in := prot.New(c)
	in.SetTimeout(srv.opts.Timeout)
	work, cancel := service.Finish(ctx)
	return &session{srv: srv, ctx: work, cancel: cancel, term: ctx, svc: service.FromContext(ctx), in: in, r: smtpwire.NewReader(in)}
}

// maxLine is how long a command may be, in octets, a password included.
const maxLine = 8192

// errBye ends a session whose farewell has been said.
var errBye = errors.New("session is over")

// serve speaks POP3 until the client leaves, or must. A client that is gone, or
// silent for too long, is told nothing, and what it deleted stays.
func (s *session) serve() {
	if !s.srv.opts.Implicit || s.handshake() == nil {
		s.greet()
		if err := s.loop(); !errors.Is(err, errBye) {
			log.Debug("connection from %s ended: %v", s.svc.Peer(), err)
		}
	}
	s.in.Flush()
	s.in.Close()
	s.r.Drop()
	s.leave()
}

func (s *session) greet() {
	o := &s.srv.opts
	if o.APOP && !o.TLSNeeded && s.srv.hasSecrets(s.ctx) {
		s.challenge = saslserver.NewChallenge(o.ServerName)
	}
	line := "+OK"
	if o.ServerInfo != "off" {
		line += " " + o.ServerName
	}
	if o.ServerInfo == "on" {
		line += " Cyrus POP3 " + o.Version
	}
	// The blank is there without a challenge too, as in Cyrus.
	s.reply(line, " server ready ", s.challenge)
}

// loop returns why the session ends.
func (s *session) loop() error {
	for {
		if err := s.turnedAway(); err != nil {
			return err
		}
		if s.r.Buffered() == 0 {
			s.r.Release()
			if err := s.in.Wait(s.srv.opts.Timeout); err != nil {
				if errors.Is(err, prot.ErrInterrupted) && s.term.Err() == nil {
					continue
				}
				return err
			}
		}
		if err := s.command(); err != nil {
			return err
		}
		if s.term.Err() != nil {
			return s.term.Err() // with what is pipelined unread
		}
	}
}

// turnedAway ends the session when the administrator has written msg/shutdown
// or shut the user out.
func (s *session) turnedAway() error {
	text, ok := s.svc.Messages().Shutdown()
	if !ok {
		user := s.user
		if user == "" {
			user = s.name
		}
		text, ok = s.srv.deny.Denied(user, s.svc.Service)
	}
	if !ok {
		return nil
	}
	s.reply("-ERR [SYS/TEMP] ", strings.TrimLeft(text, "["))
	return errBye
}

// command reads and answers one command. The error ends the session.
func (s *session) command() error {
	b, err := s.r.Line(maxLine)
	if errors.Is(err, smtpwire.ErrLong) {
		s.reply("-ERR Unrecognized command")
		return nil
	}
	if err != nil {
		return err
	}
	begun := time.Now()
	defer func() { s.busy += time.Since(begun) }()
	verb, arg, has := split(string(b))
	if has && arg == "" && verb != "auth" {
		s.reply("-ERR Syntax error")
		return nil
	}
	if s.srv.opts.Chatty {
		log.Notice("command: %s", verb)
	}
	s.svc.Proc.SetCommand(verb)
	if s.gone() {
		log.Warning("Maildrop %s has been (re)moved out from under client", s.drop.entry.Name)
		s.reply("-ERR [SYS/TEMP] Maildrop has been (re)moved")
		return errBye
	}
	cmd, ok := commands[verb]
	switch {
	case !ok || !cmd.open(s):
		s.reply("-ERR Unrecognized command")
	case cmd.args == none && arg != "":
		s.reply("-ERR Unexpected extra argument")
	case cmd.args == some && arg == "":
		s.reply("-ERR Missing argument")
	default:
		return cmd.run(s, arg)
	}
	return nil
}

// split takes a line apart. The argument of PASS may begin with blanks.
func split(line string) (verb, arg string, has bool) {
	i := strings.IndexFunc(line, isSpace)
	if i < 0 {
		return strings.ToLower(line), "", false
	}
	verb, arg = strings.ToLower(line[:i]), line[i+1:]
	if verb != "pass" {
		arg = strings.TrimLeftFunc(arg, isSpace)
	}
	return verb, arg, true
}

func isSpace(r rune) bool { return r == ' ' || r >= '\t' && r <= '\r' }

// reply writes a line of an answer. It leaves before the session waits for the
// client.
func (s *session) reply(parts ...string) {
	b := s.in.Scratch()
	for _, p := range parts {
		b = append(b, p...)
	}
	// An error stays with the connection, and ends the next read.
	s.in.Commit(append(b, "\r\n"...))
}

// leave puts all away and writes what Cyrus writes at the end of a session. The
// processor time of one session among many in a process cannot be told: USAGE
// has the time the session spent in commands in its place.
func (s *session) leave() {
	s.closeDrop()
	if s.who != nil {
		log.Notice("USAGE %s user: %.6f sys: %.6f", s.user, s.busy.Seconds(), 0.0)
	}
	log.Notice("counts: retr=<%d> top=<%d> dele=<%d>", s.retr, s.top, s.dele)
	if s.srv.opts.Audit {
		in, out := s.in.Counters()
		log.Notice("auditlog: traffic sessionid=<%s> bytes_in=<%d> bytes_out=<%d>", s.svc.ID(), in, out)
	}
}

// startTelemetry copies the session into log/USER, where an administrator has
// made that directory.
func (s *session) startTelemetry() {
	if f := s.svc.Telemetry(s.srv.opts.LogDir, s.user); f != nil {
		s.in.StartTelemetry(f)
	}
}
