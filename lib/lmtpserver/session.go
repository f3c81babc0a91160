package lmtpserver

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"gocyrus/lib/delivery"
	"gocyrus/lib/log"
	"gocyrus/lib/prot"
	"gocyrus/lib/service"
	"gocyrus/lib/smtpwire"
)

// trust is why a client may deliver.
type trust uint8

const (
	nobody trust = iota
	given        // by the socket it came to; it may still authenticate
	proved       // by AUTH
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

	id    string // session id, without angle brackets
	ids   func() string
	trust trust
	local bool   // trusted from the start
	peer  bool   // another server of the murder
	lhlo  string // what the client calls itself
	tx    transaction

	closing   string // the text of msg/shutdown
	isClosing bool   // whether there is one
}

// transaction is a message being announced. It starts with MAIL.
type transaction struct {
	begun  bool   // there was a MAIL that could be read
	from   string // without angle brackets
	size   int64  // announced; 0 is not
	auth   string // AUTH: who posts
	sender *delivery.Sender
	to     []*delivery.Recipient
}

func (srv *Server) newSession(ctx context.Context, c net.Conn) *session {
	in := prot.New(c)
	in.SetTimeout(srv.opts.Timeout)
	work, cancel := service.Finish(ctx)
	s := &session{srv: srv, ctx: work, cancel: cancel, term: ctx, svc: service.FromContext(ctx), in: in, r: smtpwire.NewReader(in)}
	s.ids = idsAfter(s.svc.ID())
	s.id = s.svc.ID()
	if c.RemoteAddr().Network() == "unix" || srv.opts.Trusted {
		s.local, s.trust = true, given
	}
	return s
}

// maxLine is how long a command may be, in octets. RFC 5321 section 4.5.3.1.4
// asks for 512; Cyrus takes this.
const maxLine = 4096

// serve speaks LMTP until the client leaves, or must.
func (s *session) serve() {
	s.greet()
	err := s.loop()
	if s.term.Err() == nil { // SIGTERM: Cyrus drops the connection without a word
		switch {
		case errors.Is(err, prot.ErrTimeout):
			s.reply("421 4.4.1 bye idle for too long")
		case !errors.Is(err, errBye) && !errors.Is(err, io.EOF):
			log.Debug("connection from %s lost: %v", s.svc.Peer(), err)
		}
	}
	s.in.Flush()
	s.in.Close()
	s.r.Drop()
}

// errBye ends a session whose farewell has been said.
var errBye = errors.New("session is over")

func (s *session) greet() {
	line := "220 " + s.srv.opts.ServerName
	if s.srv.opts.ServerInfo != "off" {
		line += " Cyrus LMTP"
		if s.srv.opts.ServerInfo == "on" {
			line += " " + s.srv.opts.Version
		}
	}
	s.reply(line + " server ready")
}

// loop returns why the session ends.
func (s *session) loop() error {
	for {
		// What was sent together is looked at as one: a file that the
		// administrator writes meanwhile counts for the next.
		if s.r.Buffered() == 0 {
			s.r.Release()
			if err := s.in.Wait(s.srv.opts.Timeout); err != nil {
				if errors.Is(err, prot.ErrInterrupted) && s.term.Err() == nil {
					continue
				}
				return err
			}
			s.closing, s.isClosing = s.svc.Messages().Shutdown()
		}
		if err := s.command(); err != nil {
			return err
		}
		if s.term.Err() != nil {
			return s.term.Err() // with what is pipelined unread
		}
	}
}

// command reads and answers one command. The error ends the session.
func (s *session) command() error {
	b, err := s.r.Line(maxLine)
	if errors.Is(err, smtpwire.ErrLong) {
		s.reply("500 5.5.2 Syntax error")
		return nil
	}
	if err != nil {
		return err
	}
	line := string(b)
	if s.srv.opts.Chatty {
		log.Notice("command: %s", line)
	}
	// A client may still be greeted and leave.
	if s.isClosing && (line == "" || strings.IndexByte("LlNnQq", line[0]) < 0) {
		s.reply("421 4.3.2 ", s.closing)
		return errBye
	}
	verb, arg, hasArg := strings.Cut(line, " ")
	cmd, ok := commands[strings.ToUpper(verb)]
	if !ok || cmd.arg != hasArg {
		s.reply("500 5.5.2 Syntax error")
		return nil
	}
	return cmd.run(s, arg)
}

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

// reset ends the transaction.
func (s *session) reset() { s.tx = transaction{} }
