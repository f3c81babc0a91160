package cyrustest

import (
	"bufio"
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"time"
)

// LMTP is a connection to an LMTP server.
type LMTP struct {
	*textproto.Conn
	conn net.Conn
}

// DialLMTP connects to the socket without AUTH, or with network "tcp" to the
// port, and greets.
func (s *Server) DialLMTP(network string) *LMTP {
	s.t.Helper()
	addr := s.LMTP
	if network == "unix" {
		addr = s.LMTPSocket
	}
	conn, err := net.DialTimeout(network, addr, Patience)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(Patience))
	l := &LMTP{Conn: textproto.NewConn(conn), conn: conn}
	if _, _, err := l.ReadResponse(220); err != nil {
		s.t.Fatalf("LMTP greeting: %v", err)
	}
	if err := l.Cmd(250, "LHLO client.example.com"); err != nil {
		s.t.Fatalf("LHLO: %v", err)
	}
	return l
}

// Cmd sends a line and wants a code back.
func (l *LMTP) Cmd(code int, format string, args ...any) error {
	l.conn.SetDeadline(time.Now().Add(Patience))
	if err := l.PrintfLine(format, args...); err != nil {
		return err
	}
	_, _, err := l.ReadResponse(code)
	return err
}

// Send sends one message to recipients and returns the first refusal.
func (l *LMTP) Send(msg []byte, rcpts ...string) error {
	if err := l.Cmd(250, "MAIL FROM:<sender@example.com>"); err != nil {
		return fmt.Errorf("MAIL: %w", err)
	}
	for _, r := range rcpts {
		if err := l.Cmd(250, "RCPT TO:<%s>", r); err != nil {
			return fmt.Errorf("RCPT %s: %w", r, err)
		}
	}
	if err := l.Cmd(354, "DATA"); err != nil {
		return fmt.Errorf("DATA: %w", err)
	}
	w := l.DotWriter()
	if _, err := w.Write(msg); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	var first error
	for _, r := range rcpts {
		if _, _, err := l.ReadResponse(250); err != nil && first == nil {
			first = fmt.Errorf("delivery to %s: %w", r, err)
		}
	}
	return first
}

// Deliver sends one message over the LMTP socket.
func (s *Server) Deliver(msg []byte, rcpts ...string) {
	s.t.Helper()
	l := s.DialLMTP("unix")
	defer l.Close()
	if err := l.Send(msg, rcpts...); err != nil {
		s.t.Fatal(err)
	}
	if err := l.Cmd(221, "QUIT"); err != nil {
		s.t.Fatal(err)
	}
}

// Raw is a connection on which a test speaks and reads lines itself.
type Raw struct {
	net.Conn
	r *bufio.Reader
}

// Dial connects to one of the server's addresses.
func (s *Server) Dial(addr string) *Raw {
	s.t.Helper()
	conn, err := net.DialTimeout("tcp", addr, Patience)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	return &Raw{Conn: conn, r: bufio.NewReaderSize(conn, 512)}
}

// Line reads a line, without its end.
func (r *Raw) Line() (string, error) {
	r.SetReadDeadline(time.Now().Add(Patience))
	line, err := r.r.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}

// Command sends a line, with CRLF added, and reads lines up to one that begins
// with until, all of which it returns.
func (r *Raw) Command(line, until string) ([]string, error) {
	r.SetWriteDeadline(time.Now().Add(Patience))
	if _, err := fmt.Fprintf(r, "%s\r\n", line); err != nil {
		return nil, err
	}
	var lines []string
	for {
		l, err := r.Line()
		if err != nil {
			return lines, fmt.Errorf("after %q: %w", line, err)
		}
		lines = append(lines, l)
		if strings.HasPrefix(l, until) {
			return lines, nil
		}
	}
}
