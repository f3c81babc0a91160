package syncserver

import (
	"context"
	"errors"
	"net"
	"strings"

	"gocyrus/lib/csync"
	"gocyrus/lib/log"
	"gocyrus/lib/prot"
	"gocyrus/lib/service"
)

// conn is one csync connection. Its own goroutine reads; answers of commands are
// written by the pipeline's.
type conn struct {
	srv  *Server
	ctx  context.Context // of commands: service.Finish of term
	term context.Context // ends with SIGTERM
	svc  *service.Session
	in   *prot.Conn // only read from
	out  *prot.Conn // the other half
	r    *csync.Reader
	sync *Session

	cancel func() // of ctx
	user   string
	admin  bool
	pipe   *pipeline // nil before the first command that needs it
}

func (srv *Server) newConn(ctx context.Context, c net.Conn) *conn {
	in := prot.New(c)
	in.SetTimeout(srv.opts.Timeout)
	work, cancel := service.Finish(ctx)
	s := &conn{srv: srv, ctx: work, cancel: cancel, term: ctx, svc: service.FromContext(ctx), in: in, out: in.Writer(), sync: srv.engine.Session()}
	s.r = csync.NewReader(in, srv.opts.Limits)
	if c.RemoteAddr().Network() == "unix" {
		// Who can reach the socket is the administrator.
		s.user, s.admin = cyrusUser, true
	}
	return s
}

// cyrusUser is who a client on a unix socket is.
const cyrusUser = "cyrus"

// errBye ends a session whose farewell has been said.
var errBye = errors.New("session is over")

// serve speaks csync until the client leaves, or must.
func (s *conn) serve() {
	s.greet()
	err := s.loop()
	s.settle()
	if s.term.Err() != nil {
		s.reply("BYE shutting down")
	} else if !errors.Is(err, errBye) {
		log.Debug("connection from %s ended: %v", s.svc.Peer(), err)
	}
	s.out.Flush()
	s.in.Close()
	s.sync.Close()
}

// greet says what can be agreed upon, unless the client is known already, and who
// this is.
func (s *conn) greet() {
	if s.user == "" {
		if mechs := s.srv.sasl.Mechanisms(s.connState()); len(mechs) > 0 {
			s.reply("* SASL ", strings.Join(mechs, " "))
		}
		if s.srv.tls != nil && s.in.TLS() == nil {
			s.reply("* STARTTLS")
		}
		if !s.in.Compressed() && s.in.TLS() == nil {
			s.reply("* COMPRESS DEFLATE")
		}
		s.reply("* " + csync.CapSieveMailbox)
		s.reply("* " + csync.CapOurs)
	}
	s.reply("* OK ", s.srv.opts.ServerName, " Cyrus sync server ", s.srv.opts.Version)
}

// reply writes a line, when no pipeline does. It leaves with the next flush.
func (s *conn) reply(parts ...string) {
	b := s.out.Scratch()
	for _, p := range parts {
		b = append(b, p...)
	}
	// An error stays with the connection, and ends the next flush.
	s.out.Commit(append(b, "\r\n"...))
}

// loop returns why the session ends.
func (s *conn) loop() error {
	for {
		if s.in.Buffered() == 0 {
			if err := s.wait(); err != nil {
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

// wait waits for the client. What it waits for itself does not count.
func (s *conn) wait() error {
	for {
		if s.pipe == nil {
			if err := s.out.Flush(); err != nil {
				return err
			}
		}
		err := s.in.Wait(s.srv.opts.Timeout)
		switch {
		case errors.Is(err, prot.ErrInterrupted) && s.term.Err() == nil:
		case errors.Is(err, prot.ErrTimeout) && s.pipe != nil && s.pipe.busy():
			s.pipe.drain()
		default:
			return err
		}
	}
}

// plain are the commands that have no value, and how many words they have.
var plain map[string]struct {
	min, max int
	run      func(s *conn, args []string) error
}

func init() {
	// A variable that was initialised with its methods would depend on itself.
	plain = map[string]struct {
		min, max int
		run      func(s *conn, args []string) error
	}{
		"AUTHENTICATE": {1, 2, (*conn).authenticate},
		"COMPRESS":     {1, 1, (*conn).compress},
		"EXIT":         {0, 0, (*conn).exit},
		"NOOP":         {0, 0, (*conn).noop},
		"RESTART":      {0, 0, (*conn).restart},
		"STARTTLS":     {0, 0, (*conn).startTLS},
	}
}

// command reads one command and answers it, or has it answered. The error ends
// the session.
func (s *conn) command() error {
	cmd, err := s.r.ReadCommand(s.admin, s.sync.Take)
	var bad csync.BadLine
	if err != nil && !errors.As(err, &bad) {
		return err
	}
	if bad == "" {
		switch cmd.Verb {
		case csync.Get, csync.Apply, csync.Restore:
			if s.admin {
				return s.submit(cmd)
			}
		}
	}
	s.settle()
	switch {
	case s.user != "" && !s.admin:
		s.reply("NO Permission denied")
	case bad != "":
		s.reply(string(bad))
	case cmd.Verb == csync.Get || cmd.Verb == csync.Apply || cmd.Verb == csync.Restore:
		s.reply("NO Please authenticate first")
	default:
		return s.other(cmd)
	}
	return nil
}

// other answers a command that has no value.
func (s *conn) other(cmd *csync.Command) error {
	p, ok := plain[cmd.Verb]
	if !ok || cmd.Verb == "STARTTLS" && s.srv.tls == nil {
		return s.unknown(cmd)
	}
	var bad csync.BadLine
	if err := cmd.CheckArgs(p.min, p.max); errors.As(err, &bad) {
		s.reply(string(bad))
		return nil
	}
	return p.run(s, cmd.Args)
}

// unknown answers what is no command here. A client that tries IMAP first, which
// is the default, is told at once and in its own form that this is none:
// otherwise it waits for ten seconds.
func (s *conn) unknown(cmd *csync.Command) error {
	if len(cmd.Args) == 1 && isTag(cmd.Verb) {
		switch strings.ToUpper(cmd.Args[0]) {
		case "CAPABILITY":
			s.reply(cmd.Verb, " BAD Unrecognized command")
			return nil
		case "LOGOUT":
			s.reply(cmd.Verb, " OK Finished")
			return errBye
		}
	}
	log.Notice("IOERROR: received bad command command=<%.40q>", cmd.Verb)
	s.reply("BAD IMAP_PROTOCOL_ERROR Unrecognized command")
	return nil
}

// isTag says whether a word is a tag as Cyrus's clients make them: C01, Q01.
func isTag(word string) bool {
	return len(word) == 3 && word[0] >= 'A' && word[0] <= 'Z' && strings.Trim(word[1:], "0123456789") == ""
}

func (s *conn) noop([]string) error {
	s.reply("OK Noop completed")
	return nil
}

func (s *conn) restart([]string) error {
	s.sync.Restart()
	s.reply("OK Restarting")
	return nil
}

func (s *conn) exit([]string) error {
	s.reply("OK Finished")
	return errBye
}

func (s *conn) compress(args []string) error {
	switch {
	case s.in.Compressed():
		s.reply("NO Compression already active: ", args[0])
		return nil
	case !strings.EqualFold(args[0], "DEFLATE"):
		s.reply("NO Unknown compression algorithm: ", args[0])
		return nil
	}
	s.reply("OK ", args[0], " active")
	if err := s.out.Flush(); err != nil {
		return err
	}
	if err := s.in.StartDeflate(); err != nil {
		return err
	}
	s.out = s.in.Writer()
	return nil
}

// submit hands a command to the pipeline, which answers in order.
func (s *conn) submit(cmd *csync.Command) error {
	if s.pipe == nil {
		if err := s.out.Flush(); err != nil {
			return err
		}
		s.pipe = newPipeline(s.ctx, s.sync, s.out)
	}
	return s.pipe.submit(cmd)
}

// settle ends the pipeline, when all its answers are written.
func (s *conn) settle() {
	if s.pipe != nil {
		s.pipe.close()
		s.pipe = nil
	}
}

// startTelemetry copies the session into log/USER, where an administrator has
// made that directory.
func (s *conn) startTelemetry() {
	if f := s.svc.Telemetry(s.srv.opts.LogDir, s.user); f != nil {
		s.in.StartTelemetry(f)
		s.out = s.in.Writer()
	}
}
