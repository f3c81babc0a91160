// Package lmtpclient hands a message to an LMTP server (RFC 2033): one
// transaction, with a result for each recipient.
package lmtpclient

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"gocyrus/lib/backend"
)

// Transaction is a message's envelope.
type Transaction struct {
	From string // return path, with angle brackets or without
	Auth string // who posts; empty for nobody
	To   []Recipient
}

// Recipient is one address, without angle brackets.
type Recipient struct {
	Addr        string
	IgnoreQuota bool
}

// Result is what the server said of a recipient: the code of its reply and the
// text of the last line. A connection that was lost is code 400.
type Result struct {
	Code  int
	Text  string
	Early bool // of RCPT, or before: the message was not sent
}

// Good, Temporary and Permanent say what became of the message. A code that is
// none of them counts as temporary.
func (r Result) Good() bool      { return r.Code/100 == 2 }
func (r Result) Temporary() bool { return !r.Good() && !r.Permanent() }
func (r Result) Permanent() bool { return r.Code/100 == 5 }

// lost is the result of recipients that the server was never heard on.
const lost = 400

// Send carries out a transaction. The results are in the order of t.To. The
// error is that of the connection or of msg; the results are complete then too.
func Send(c *backend.Conn, t *Transaction, msg io.Reader) ([]Result, error) {
	s := sender{c: c, results: make([]Result, len(t.To))}
	good, err := s.envelope(t)
	if err != nil || good == 0 {
		return s.results, err
	}
	r, err := s.ask("DATA")
	if err != nil {
		return s.fail(Result{Code: lost}), err
	}
	if r.Code != 354 {
		if r.Good() {
			r.Code = lost
		}
		return s.fail(r), nil
	}
	if err := stuff(c.Writer(), msg); err != nil {
		return s.fail(Result{Code: lost}), err
	}
	if err := c.Flush(); err != nil {
		return s.fail(Result{Code: lost}), err
	}
	for i := range s.results {
		if !s.results[i].Good() {
			continue
		}
		if s.results[i], err = s.reply(); err != nil {
			return s.failFrom(i), err
		}
	}
	return s.results, nil
}

// sender is one transaction under way.
type sender struct {
	c       *backend.Conn
	results []Result
}

// fail gives all recipients one result.
func (s *sender) fail(r Result) []Result {
	for i := range s.results {
		s.results[i] = r
	}
	return s.results
}

// failFrom gives those whose turn has not come the result of a lost connection. The
// others have their answer: to say otherwise would have the message sent again.
func (s *sender) failFrom(i int) []Result {
	s.results[i] = Result{Code: lost}
	for j := i + 1; j < len(s.results); j++ {
		if s.results[j].Good() {
			s.results[j] = Result{Code: lost}
		}
	}
	return s.results
}

// envelope sends MAIL and RCPT, and returns how many recipients were accepted.
func (s *sender) envelope(t *Transaction) (good int, err error) {
	from := t.From
	if !strings.HasPrefix(from, "<") {
		from = "<" + from + ">"
	}
	mail := "MAIL FROM:" + from
	if len(s.c.Caps.Mechs) > 0 || s.c.Caps.Has("AUTH") {
		auth := "<>"
		if t.Auth != "" {
			auth = xtext(t.Auth)
		}
		mail += " AUTH=" + auth
	}
	r, err := s.ask(mail)
	if err != nil || !r.Good() {
		if err != nil {
			r = Result{Code: lost}
		}
		s.fail(r)
		return 0, err
	}
	for i, to := range t.To {
		rcpt := "RCPT TO:<" + to.Addr + ">"
		if to.IgnoreQuota && s.c.Caps.Has("IGNOREQUOTA") {
			rcpt += " IGNOREQUOTA"
		}
		if s.results[i], err = s.ask(rcpt); err != nil {
			s.fail(Result{Code: lost})
			return 0, err
		}
		if s.results[i].Good() {
			good++
		}
		s.results[i].Early = !s.results[i].Good()
	}
	return good, nil
}

var errBreak = errors.New("line break in an address")

func (s *sender) ask(line string) (Result, error) {
	if strings.ContainsAny(line, "\r\n") {
		return Result{Code: 501, Text: errBreak.Error()}, nil
	}
	if err := s.c.WriteLine(line); err != nil {
		return Result{}, err
	}
	if err := s.c.Flush(); err != nil {
		return Result{}, err
	}
	return s.reply()
}

// reply reads a reply of one or more lines.
func (s *sender) reply() (Result, error) {
	for {
		line, err := s.c.ReadLine()
		if err != nil {
			return Result{}, err
		}
		if len(line) < 3 {
			return Result{}, fmt.Errorf("%q: %w", line, backend.ErrProtocol)
		}
		code, err := strconv.Atoi(line[:3])
		if err != nil {
			return Result{}, fmt.Errorf("%q: %w", line, backend.ErrProtocol)
		}
		if len(line) == 3 || line[3] != '-' {
			return Result{Code: code, Text: strings.TrimPrefix(line[3:], " ")}, nil
		}
	}
}

// xtext writes a value of AUTH (RFC 4954 section 5).
func xtext(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < '!' || c > '~' || c == '+' || c == '=' {
			fmt.Fprintf(&b, "+%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// stuff writes a message as DATA wants it: lines end with CRLF, lone CRs are
// dropped, a dot stands before each line that begins with one, and a dot alone
// ends it.
func stuff(w *bufio.Writer, msg io.Reader) error {
	r := bufio.NewReaderSize(msg, 64<<10)
	start := true // of a line
	for {
		piece, err := r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) && !errors.Is(err, io.EOF) {
			return err
		}
		text, ended := bytes.CutSuffix(piece, []byte("\n"))
		if start {
			// A CR that is dropped must not hide a dot, or else the message
			// could end itself and go on as commands.
			text = bytes.TrimLeft(text, "\r")
			if bytes.HasPrefix(text, []byte(".")) {
				w.WriteByte('.')
			}
		}
		writeWithout(w, text)
		if ended {
			w.WriteString("\r\n")
		}
		start = ended || start && len(text) == 0
		if errors.Is(err, io.EOF) {
			break
		}
	}
	if !start {
		w.WriteString("\r\n")
	}
	// The errors of a bufio.Writer stay with it.
	_, err := w.WriteString(".\r\n")
	return err
}

// writeWithout writes what is not a CR.
func writeWithout(w *bufio.Writer, b []byte) {
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\r')
		if i < 0 {
			w.Write(b)
			return
		}
		w.Write(b[:i])
		b = b[i+1:]
	}
}
