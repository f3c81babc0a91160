package mupdateserver

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"time"

	"gocyrus/lib/log"
	"gocyrus/lib/mupdate"
	"gocyrus/lib/prot"
	"gocyrus/lib/service"
)

// session is one connection. It is used by one goroutine.
type session struct {
	srv *Server
	ctx context.Context // of commands: service.Finish of term
	svc *service.Session
	in  *prot.Conn
	r   *mupdate.Reader

	term   context.Context // ends with SIGTERM
	cancel func()          // of ctx

	life int64  // of the process, when the session began: see pulse
	tag  string // of the command under way
	user string // who has authenticated; empty for nobody

	pending []pending // changes that were submitted, in order
	octets  int       // what they hold
	stream  *stream   // not nil when streaming
	prefix  []byte    // the stream's tag and a blank
	lines   [][]byte  // scratch of the stream
}

// pending is a change that waits for its commit.
type pending struct {
	tag string
	req *request
}

// maxPending and maxPendingOctets bound what of one client is under way.
const (
	maxPending       = 1024
	maxPendingOctets = 1 << 20
)

// peerLimit is how long a client may take to send the rest of a command, or to
// read what it asked for.
const peerLimit = 10 * time.Minute

func (srv *Server) newSession(ctx context.Context, c net.Conn) *session {
	in := prot.New(c)
	in.SetTimeout(peerLimit)
	work, cancel := service.Finish(ctx)
	s := &session{srv: srv, ctx: work, cancel: cancel, term: ctx, svc: service.FromContext(ctx), in: in}
	if srv.truth != nil {
		s.life = srv.truth.pulse.beat()
	}
	s.r = mupdate.NewReader(in, srv.opts.Limits, s.goAhead)
	return s
}

// goAhead lets a client send its literal.
func (s *session) goAhead() error {
	s.settle()
	s.write("+ go ahead\r\n")
	return s.in.Flush()
}

// serve speaks MUPDATE until the client leaves, or must.
func (s *session) serve() {
	s.greet()
	err := s.loop()
	s.settle()
	if s.stream != nil {
		s.srv.table.shut(s.stream)
	}
	if s.term.Err() == nil { // SIGTERM: Cyrus drops the connection without a word
		switch {
		case errors.Is(err, prot.ErrTimeout):
			log.Warning("idle for too long, closing connection")
			s.write("* BYE \"idle for too long\"\r\n")
		case errors.Is(err, mupdate.ErrTooLong):
			log.Warning("%v from %s, closing connection", err, s.svc.Peer())
			s.write("* BAD \"line too long\"\r\n")
		case !errors.Is(err, errBye) && !errors.Is(err, io.EOF):
			log.Debug("connection from %s lost: %v", s.svc.Peer(), err)
		}
	}
	// An error is that of a client who has gone.
	_ = s.in.Close()
}

// errBye ends a session whose farewell has been said.
var errBye = errors.New("session is over")

// greet says what the server can do, and last who it is: Cyrus's clients read up
// to the OK.
func (s *session) greet() {
	s.write("* AUTH")
	for _, m := range s.srv.sasl.Mechanisms(s.connState()) {
		s.write(" \"", m, "\"")
	}
	s.write("\r\n")
	if s.srv.tls != nil && s.in.TLS() == nil {
		s.write("* STARTTLS\r\n")
	}
	if !s.in.Compressed() {
		s.write("* COMPRESS \"DEFLATE\"\r\n")
	}
	what := "(master)"
	if !s.srv.opts.Master {
		what = "mupdate://" + s.srv.slave.master()
	}
	s.write("* PARTIAL-UPDATE\r\n* OK MUPDATE \"", s.srv.opts.ServerName, "\" \"Cyrus IMAP\" \"",
		s.srv.opts.Version, "\" \"", what, "\"\r\n")
}

// loop returns why the session ends.
func (s *session) loop() error {
	for {
		if s.in.Buffered() == 0 {
			s.settle()
			if err := s.wait(); err != nil {
				return err
			}
		}
		if s.former() {
			s.settle()
			s.write(notReady)
			return errBye
		}
		if err := s.command(); err != nil {
			return err
		}
		if s.term.Err() != nil {
			return s.term.Err() // with what is pipelined unread
		}
	}
}

// former says whether the session is of a former life of the process: what is still to
// be read of it is too late.
func (s *session) former() bool {
	return s.srv.truth != nil && s.srv.truth.pulse.beat() != s.life
}

// wait waits for the client. A stream tells what there is to tell meanwhile.
func (s *session) wait() error {
	s.r.Release()
	until := time.Now().Add(s.srv.opts.Idle)
	for {
		err := s.in.Wait(time.Until(until))
		if !errors.Is(err, prot.ErrInterrupted) {
			return err
		}
		if s.term.Err() != nil {
			return err
		}
		if err := s.tellUpdates(); err != nil {
			return err
		}
	}
}

// write gathers output. It leaves before the session waits for the client; an
// error stays with the connection, and ends the next read.
func (s *session) write(parts ...string) {
	b := s.in.Scratch()
	for _, p := range parts {
		b = append(b, p...)
	}
	_ = s.in.Commit(b)
}

// reply answers the command under way with a quoted text.
func (s *session) reply(word, text string) { s.replyTo(s.tag, word, text) }

func (s *session) replyTo(tag, word, text string) {
	b := append(append(append(append(s.in.Scratch(), tag...), ' '), word...), ' ')
	_ = s.in.Commit(append(mupdate.AppendQuoted(b, text), "\r\n"...))
}

// settle waits for the changes that were submitted, and answers them.
func (s *session) settle() { s.settleSome(len(s.pending)) }

// settleSome is settle for the first n of them.
func (s *session) settleSome(n int) {
	for _, p := range s.pending[:n] {
		<-p.req.done
		s.answer(p)
		s.octets -= p.req.size()
	}
	s.pending = slices.Delete(s.pending, 0, n)
}

func (s *session) answer(p pending) {
	for _, known := range []error{mupdate.ErrExists, mupdate.ErrNotActive, mupdate.ErrNotFound, mupdate.ErrAway, errStore} {
		if errors.Is(p.req.err, known) {
			s.replyTo(p.tag, "NO", known.Error())
			return
		}
	}
	s.replyTo(p.tag, "OK", "done")
}
