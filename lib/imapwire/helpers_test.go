package imapwire

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/prot"
)

// script is a peer that has sent all it will.
type script struct {
	*strings.Reader
	out strings.Builder
}

func (s *script) Write(p []byte) (int, error)      { return s.out.Write(p) }
func (s *script) Close() error                     { return nil }
func (s *script) LocalAddr() net.Addr              { return nil }
func (s *script) RemoteAddr() net.Addr             { return nil }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

var testLimits = Limits{Word: 1000, Quoted: 1000, Literal: 1000, Args: 100000}

// parser stands before the arguments of a command.
func parser(in, cmd string) *Parser {
	p := NewParser(prot.New(&script{Reader: strings.NewReader(in)}), testLimits)
	p.line = false
	p.SetCommand(cmd, "")
	return p
}

// text is what the client would be told of an error.
func text(err error) string {
	var bad Bad
	var no No
	var fatal Fatal
	switch {
	case err == nil:
		return ""
	case errors.As(err, &bad):
		return "BAD " + string(bad)
	case errors.As(err, &no):
		return "NO " + string(no)
	case errors.As(err, &fatal):
		return "BYE " + string(fatal)
	case errors.Is(err, io.EOF):
		return "EOF"
	}
	return "other: " + err.Error()
}

// check compares an error's words with those wanted.
func check(t *testing.T, err error, want string) bool {
	t.Helper()
	if got := text(err); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	return err == nil
}
