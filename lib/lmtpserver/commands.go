package lmtpserver

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"

	"gocyrus/lib/delivery"
	"gocyrus/lib/smtpwire"
)

// command is one row of the command table.
type command struct {
	arg bool // something follows, behind a blank; otherwise nothing may
	run func(s *session, arg string) error
}

var commands map[string]command

func init() {
	// A variable that was initialised with its methods would depend on itself.
	commands = map[string]command{
		"LHLO":     {true, (*session).hello},     // RFC 2033 section 4.1
		"MAIL":     {true, (*session).mail},      // RFC 5321 section 4.1.1.2
		"RCPT":     {true, (*session).rcpt},      // RFC 5321 section 4.1.1.3
		"DATA":     {false, (*session).data},     // RFC 2033 section 4.2
		"RSET":     {false, (*session).rset},     // RFC 5321 section 4.1.1.5
		"NOOP":     {false, (*session).noop},     // RFC 5321 section 4.1.1.9
		"VRFY":     {true, (*session).vrfy},      // RFC 5321 section 4.1.1.6
		"QUIT":     {false, (*session).quit},     // RFC 5321 section 4.1.1.10
		"AUTH":     {true, (*session).auth},      // RFC 4954
		"STARTTLS": {false, (*session).startTLS}, // RFC 3207
	}
}

// maxName is how much of the client's name goes into a Received field.
const maxName = 249

func (s *session) hello(arg string) error {
	s.reply("250-", s.srv.opts.ServerName)
	s.reply("250-8BITMIME")
	s.reply("250-ENHANCEDSTATUSCODES")
	s.reply("250-PIPELINING")
	s.reply("250-SIZE ", strconv.FormatInt(s.srv.opts.MaxMessage, 10))
	if s.srv.tls != nil && s.in.TLS() == nil && s.trust == nobody {
		s.reply("250-STARTTLS")
	}
	if s.trust != proved {
		if mechs := s.srv.sasl.Mechanisms(s.connState()); len(mechs) > 0 {
			s.reply("250-AUTH ", strings.Join(mechs, " "))
		}
	}
	s.reply("250-IGNOREQUOTA")
	s.reply("250 Ok SESSIONID=<", s.id, ">")
	s.lhlo = arg[:min(len(arg), maxName)]
	return nil
}

func (s *session) noop(string) error {
	s.reply("250 2.0.0 ok")
	return nil
}

func (s *session) vrfy(string) error {
	s.reply("252 2.3.3 try RCPT to attempt delivery")
	return nil
}

func (s *session) quit(string) error {
	s.reply("221 2.0.0 bye")
	return errBye
}

func (s *session) rset(string) error {
	s.id = s.ids()
	s.reply("250 2.0.0 Ok SESSIONID=<", s.id, ">")
	s.reset()
	return nil
}

const (
	badSyntax = "501 5.5.4 Syntax error in parameters"
	badParam  = "501 5.5.4 Unrecognized parameters"
)

// mail is MAIL FROM. As in Cyrus a path that can be read begins a transaction
// even if a parameter is refused: a client has to RSET.
func (s *session) mail(arg string) error {
	switch {
	case s.trust == nobody && s.srv.opts.SoftNoAuth:
		s.reply("430 Authentication required")
		return nil
	case s.trust == nobody:
		s.reply("530 Authentication required")
		return nil
	case s.tx.begun:
		s.reply("503 5.5.1 Nested MAIL command")
		return nil
	}
	path, params, ok := s.path(arg, "FROM:")
	if !ok {
		s.reply(badSyntax)
		return nil
	}
	s.tx.begun, s.tx.from = true, string(bytes.TrimSuffix(bytes.TrimPrefix(path, []byte("<")), []byte(">")))
	if refusal := s.mailParams(params); refusal != "" {
		s.reply(refusal)
		return nil
	}
	s.reply("250 2.1.0 ok")
	return nil
}

// path reads the path behind a word in any case.
func (s *session) path(arg, word string) (path, params []byte, ok bool) {
	if len(arg) < len(word) || !strings.EqualFold(arg[:len(word)], word) {
		return nil, nil, false
	}
	path, params, err := smtpwire.Path([]byte(arg[len(word):]), !s.srv.opts.StrictAddr)
	return path, params, err == nil
}

// mailParams reads the parameters of MAIL. It returns the reply to one that is
// refused.
func (s *session) mailParams(b []byte) (refusal string) {
	for len(b) > 0 {
		if b[0] != ' ' {
			return badSyntax
		}
		b = b[1:]
		switch {
		case hasPrefixFold(b, "AUTH="):
			var user []byte
			user, b = smtpwire.XText(b[5:])
			s.setSender(string(user))
		case hasPrefixFold(b, "BODY=7BIT"):
			b = b[9:]
		case hasPrefixFold(b, "BODY=8BITMIME"):
			b = b[13:]
		case hasPrefixFold(b, "BODY="):
			return "501 5.5.4 Unrecognized BODY type"
		case hasPrefixFold(b, "SIZE="):
			if b, refusal = s.size(b[5:]); refusal != "" {
				return refusal
			}
		default:
			return badParam
		}
	}
	return ""
}

func hasPrefixFold(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && strings.EqualFold(string(b[:len(prefix)]), prefix)
}

// size reads the value of SIZE (RFC 1870).
func (s *session) size(b []byte) (rest []byte, refusal string) {
	n := 0
	for n < len(b) && b[n] >= '0' && b[n] <= '9' {
		n++
	}
	if n == 0 {
		return b, "501 5.5.2 SIZE requires a value"
	}
	size, err := strconv.ParseInt(string(b[:n]), 10, 64)
	if err != nil {
		size = math.MaxInt64
	}
	if size > s.srv.opts.MaxMessage {
		return b, fmt.Sprintf("552 5.2.3 Message SIZE exceeds fixed maximum message size (%d)", s.srv.opts.MaxMessage)
	}
	s.tx.size = size
	return b[n:], ""
}

// setSender takes the word of the client, who is trusted, for who posts.
func (s *session) setSender(user string) {
	if user == "" {
		return
	}
	s.tx.auth = user
	s.tx.sender = s.srv.rules.State(user)
}

func (s *session) rcpt(arg string) error {
	if !s.tx.begun {
		s.reply("503 5.5.1 Need MAIL command")
		return nil
	}
	path, params, ok := s.path(arg, "TO:")
	if !ok {
		s.reply(badSyntax)
		return nil
	}
	e := delivery.Envelope{Sender: s.tx.sender, Size: s.tx.size, Relayed: s.peer}
	for len(params) > 0 {
		if !hasPrefixFold(params, " IGNOREQUOTA") {
			s.reply(badParam)
			return nil
		}
		e.IgnoreQuota = true
		if params = params[len(" IGNOREQUOTA"):]; len(params) > 0 && params[0] != ' ' {
			s.reply(badParam)
			return nil
		}
	}
	if len(s.tx.to) >= maxRecipients {
		s.reply("452 4.5.3 Too many recipients")
		return nil
	}
	to, err := s.srv.deliver.Resolve(s.ctx, string(smtpwire.Mailbox(path)), e)
	if err != nil {
		s.refuse(err)
		return nil
	}
	s.tx.to = append(s.tx.to, to)
	s.reply("250 2.1.5 ok")
	return nil
}

// maxRecipients bounds the memory that one message can ask for; MTAs send the
// rest in another transaction (RFC 5321 section 4.5.3.1.10).
const maxRecipients = 10000
