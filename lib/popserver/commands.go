package popserver

import (
	"strconv"
	"strings"
	"time"
)

// args is what a command takes.
type args uint8

const (
	none     args = iota
	some          // it must have one
	optional      // the handler looks
)

// command is one row of the command table.
type command struct {
	open func(*session) bool // whether the command exists now
	args args
	run  func(s *session, arg string) error
}

func always(*session) bool     { return true }
func signedIn(s *session) bool { return s.who != nil }
func notYet(s *session) bool   { return s.who == nil }
func canAPOP(s *session) bool  { return s.who == nil && s.challenge != "" }
func canSTLS(s *session) bool {
	return s.who == nil && s.srv.tls != nil && s.srv.opts.StartTLS
}

var commands map[string]command

func init() {
	// A variable that was initialised with its methods would depend on itself.
	commands = map[string]command{
		"quit": {always, none, (*session).quit},
		"capa": {always, none, (*session).capa}, // RFC 2449 section 5

		"user": {notYet, some, (*session).userCommand},
		"pass": {notYet, some, (*session).pass},
		"apop": {canAPOP, some, (*session).apop},
		"auth": {notYet, optional, (*session).auth}, // RFC 5034
		"stls": {canSTLS, none, (*session).stls},    // RFC 2595 section 4

		"stat": {signedIn, none, (*session).stat},
		"list": {signedIn, optional, (*session).list},
		"retr": {signedIn, some, (*session).retrieve},
		"dele": {signedIn, some, (*session).delete},
		"noop": {signedIn, none, (*session).noop},
		"rset": {signedIn, none, (*session).rset},
		"top":  {signedIn, optional, (*session).topCommand},
		"uidl": {signedIn, optional, (*session).uidl},
	}
}

func (s *session) noop(string) error {
	s.reply("+OK")
	return nil
}

func (s *session) capa(string) error {
	o := &s.srv.opts
	s.reply("+OK List of capabilities follows")
	if s.who == nil && !s.needsTLS() {
		if mechs := s.srv.sasl.Mechanisms(s.connState()); len(mechs) > 0 {
			s.reply("SASL ", strings.Join(mechs, " "))
		}
	}
	if canSTLS(s) && s.in.TLS() == nil {
		s.reply("STLS")
	}
	expire := "NEVER"
	if o.Expire >= 0 {
		expire = strconv.Itoa(int(o.Expire / (24 * time.Hour)))
	}
	s.reply("EXPIRE ", expire)
	s.reply("LOGIN-DELAY ", strconv.Itoa(int(o.MinPoll/time.Second)))
	s.reply("TOP")
	s.reply("UIDL")
	s.reply("PIPELINING")
	s.reply("RESP-CODES")
	s.reply("AUTH-RESP-CODE")
	if s.who == nil && s.mayUser() {
		s.reply("USER")
	}
	if s.who != nil || o.ServerInfo == "on" {
		s.reply("IMPLEMENTATION Cyrus POP3 ", o.Version)
	}
	s.reply(".")
	return nil
}

// quit ends the session. Only now are messages removed.
func (s *session) quit(string) error {
	if s.drop != nil && !s.commit() {
		// RFC 1939 section 6: the client is not to take for removed what will be there again.
		s.reply("-ERR [SYS/TEMP] some deleted messages not removed")
		return errBye
	}
	s.reply("+OK")
	return errBye
}

func (s *session) rset(string) error {
	for i := range s.drop.messages {
		s.drop.messages[i].marks = 0
	}
	s.reply("+OK")
	return nil
}

func (s *session) stat(string) error {
	count, size := 0, uint64(0)
	for _, m := range s.drop.messages {
		if m.marks&deleted == 0 {
			count++
			size += uint64(m.size)
		}
	}
	s.reply("+OK ", strconv.Itoa(count), " ", strconv.FormatUint(size, 10))
	return nil
}

func (s *session) list(arg string) error {
	if arg != "" {
		if n := s.number(arg); n > 0 {
			s.reply("+OK ", strconv.Itoa(n), " ", strconv.FormatUint(uint64(s.drop.messages[n-1].size), 10))
		}
		return nil
	}
	s.reply("+OK scan listing follows")
	s.each(func(b []byte, m *entry) []byte { return strconv.AppendUint(b, uint64(m.size), 10) })
	return nil
}

func (s *session) uidl(arg string) error {
	if arg != "" {
		if n := s.number(arg); n > 0 {
			b := strconv.AppendInt(append(s.in.Scratch(), "+OK "...), int64(n), 10)
			b = s.appendUIDL(append(b, ' '), &s.drop.messages[n-1])
			s.in.Commit(append(b, "\r\n"...))
		}
		return nil
	}
	s.reply("+OK unique-id listing follows")
	s.each(s.appendUIDL)
	return nil
}

// each writes a line for every message that is not deleted, and the end.
func (s *session) each(value func([]byte, *entry) []byte) {
	for i := range s.drop.messages {
		m := &s.drop.messages[i]
		if m.marks&deleted != 0 {
			continue
		}
		b := strconv.AppendInt(s.in.Scratch(), int64(i)+1, 10)
		b = value(append(b, ' '), m)
		s.in.Commit(append(b, "\r\n"...))
	}
	s.reply(".")
}

// number reads the number of a message that is there. It has answered when it
// returns 0.
func (s *session) number(arg string) int {
	n, rest, ok := parseNumber(arg)
	switch {
	case !ok:
		s.reply("-ERR Not a number")
	case rest != "":
		s.reply("-ERR Unexpected extra argument")
	case s.exists(n):
		return int(n)
	}
	return 0
}

// exists says whether a message is there, and answers when it is not.
func (s *session) exists(n uint32) bool {
	if n < 1 || uint64(n) > uint64(len(s.drop.messages)) || s.drop.messages[n-1].marks&deleted != 0 {
		s.reply("-ERR No such message")
		return false
	}
	return true
}

// parseNumber reads digits.
func parseNumber(s string) (n uint32, rest string, ok bool) {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	v, err := strconv.ParseUint(s[:i], 10, 32)
	return uint32(v), s[i:], err == nil
}

func (s *session) delete(arg string) error {
	switch {
	case s.srv.opts.UseACL && !s.drop.mayDelete:
		s.reply("-ERR [SYS/PERM] Permission denied")
		return nil
	case s.srv.opts.ReadOnly:
		s.reply("-ERR [SYS/PERM] Connection is read-only")
		return nil
	}
	if n := s.number(arg); n > 0 {
		s.drop.messages[n-1].marks |= deleted
		s.dele++
		s.reply("+OK message deleted")
	}
	return nil
}

func (s *session) retrieve(arg string) error {
	if n := s.number(arg); n > 0 {
		m := &s.drop.messages[n-1]
		s.send(m, -1)
		m.marks |= seen
		s.retr++
	}
	return nil
}

func (s *session) topCommand(arg string) error {
	n, rest, ok := parseNumber(arg)
	if !ok || rest == "" {
		s.reply("-ERR Missing argument")
		return nil
	}
	lines, rest, ok := parseNumber(strings.TrimLeftFunc(rest, isSpace))
	switch {
	case !ok:
		s.reply("-ERR Invalid number of lines")
	case rest != "":
		s.reply("-ERR Unexpected extra argument")
	case s.exists(n):
		s.send(&s.drop.messages[n-1], int64(lines))
		s.top++
	}
	return nil
}
