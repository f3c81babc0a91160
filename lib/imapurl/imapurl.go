// Package imapurl reads the URLs that point into mailboxes (RFC 5092), as
// CATENATE (RFC 4469) and URLAUTH (RFC 4467) have them.
//
// A URL may be relative, as CATENATE's are, and then has no server; one that begins
// with its parameters is relative to the selected mailbox, and has no mailbox either:
//
//	imap://joe@example.org/INBOX;UIDVALIDITY=3/;UID=20/;SECTION=1.2/;PARTIAL=0.1024
//	/INBOX/;UID=20
//	;UID=20/;SECTION=HEADER
//
// As in Cyrus the slash before a parameter may be missing, and names of parameters are
// in any case. Names of messages' parts are as the client wrote them: what they name is
// for the reader of messages to say.
package imapurl

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ErrBad is the error of what is no URL of a mailbox or message.
var ErrBad = errors.New("improperly specified URL")

// MaxLen bounds a URL in octets.
const MaxLen = 8192

// URL is one, decoded.
type URL struct {
	User    string
	Auth    string // the mechanism that ;AUTH= names
	Server  string // host[:port]; "" when the URL is relative
	Mailbox string // UTF-8; "" when the URL is relative to the mailbox too

	UIDValidity uint32 // 0: not said
	UID         uint32 // 0: not said
	Section     string
	Partial     *Partial

	// What RFC 4467 adds; Rump is all that the token vouches for.
	Expire    string // a date-time, "" for never
	Access    string // "user+joe", "authuser", ...; "" where the URL needs no token
	Mechanism string // "INTERNAL"; "" in a URL that has no token yet
	Token     string
	Rump      string
}

// Partial is a range of octets. Count 0 is all that follow.
type Partial struct{ Offset, Count uint32 }

// Parse reads a URL.
func Parse(s string) (*URL, error) {
	if len(s) > MaxLen {
		return nil, ErrBad
	}
	u := new(URL)
	rest := s
	if scheme := "imap://"; len(s) >= len(scheme) && strings.EqualFold(s[:len(scheme)], scheme) {
		server, path, ok := strings.Cut(s[len(scheme):], "/")
		if !ok {
			return nil, ErrBad
		}
		if err := u.authority(server); err != nil {
			return nil, err
		}
		rest = path
	} else {
		rest = strings.TrimPrefix(rest, "/")
	}
	name, params, _ := strings.Cut(rest, ";")
	var err error
	if u.Mailbox, err = decode(strings.TrimSuffix(name, "/")); err != nil {
		return nil, err
	}
	if !utf8.ValidString(u.Mailbox) {
		return nil, ErrBad
	}
	if params == "" {
		if len(name) != len(rest) {
			return nil, ErrBad
		}
		return u, nil
	}
	if err := u.params(s, params); err != nil {
		return nil, err
	}
	return u, nil
}

// authority reads "user;AUTH=mech@host:port".
func (u *URL) authority(s string) (err error) {
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		user, auth, _ := strings.Cut(s[:i], ";")
		if u.User, err = decode(user); err != nil {
			return err
		}
		if auth != "" {
			mech, ok := cutFold(auth, "AUTH=")
			if !ok {
				return ErrBad
			}
			if u.Auth, err = decode(mech); err != nil {
				return err
			}
		}
		s = s[i+1:]
	}
	if u.Server = s; s == "" {
		return ErrBad
	}
	return nil
}

// params reads what stands behind the mailbox: "UIDVALIDITY=3/;UID=20/;SECTION=1", each at
// most once and in this order.
func (u *URL) params(whole, s string) error {
	const order = "UIDVALIDITY= UID= SECTION= PARTIAL= EXPIRE= URLAUTH="
	left := strings.Fields(order)
	at := len(whole) - len(s) // of s in whole
	for {
		one, more, again := strings.Cut(s, ";")
		name, value := "", ""
		for len(left) > 0 && name == "" {
			if v, ok := cutFold(one, left[0]); ok {
				name, value = left[0], v
			}
			left = left[1:]
		}
		if name == "" {
			return ErrBad
		}
		if name == "URLAUTH=" {
			if again {
				return ErrBad
			}
			return u.urlAuth(whole, at+len(name), value)
		}
		if err := u.param(name, strings.TrimSuffix(value, "/")); err != nil {
			return err
		}
		if !again {
			return nil
		}
		at += len(one) + 1
		s = more
	}
}

func (u *URL) param(name, value string) (err error) {
	switch name {
	case "UIDVALIDITY=":
		u.UIDValidity, err = number(value)
	case "UID=":
		u.UID, err = number(value)
	case "SECTION=":
		if u.UID == 0 {
			return ErrBad
		}
		u.Section, err = decode(value)
	case "PARTIAL=":
		if u.UID == 0 {
			return ErrBad
		}
		u.Partial, err = partial(value)
	case "EXPIRE=":
		u.Expire = value
	}
	return err
}

// urlAuth reads "user+joe" or "user+joe:INTERNAL:0123..."; it begins at octet from of the
// whole.
func (u *URL) urlAuth(whole string, from int, value string) (err error) {
	access, rest, done := strings.Cut(value, ":")
	if u.Access, err = decode(access); err != nil || u.Access == "" {
		return ErrBad
	}
	u.Rump = whole[:from+len(access)]
	if !done {
		return nil
	}
	var ok bool
	if u.Mechanism, u.Token, ok = strings.Cut(rest, ":"); !ok || u.Mechanism == "" || u.Token == "" {
		return ErrBad
	}
	return nil
}

func number(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 0 {
		return 0, ErrBad
	}
	return uint32(n), nil
}

// partial reads "offset" or "offset.count".
func partial(s string) (*Partial, error) {
	from, count, dot := strings.Cut(s, ".")
	offset, err := strconv.ParseUint(from, 10, 32)
	if err != nil {
		return nil, ErrBad
	}
	p := &Partial{Offset: uint32(offset)}
	if dot {
		if p.Count, err = number(count); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Cut is the octets of data that a URL with this range means; a nil one means all.
func (p *Partial) Cut(data []byte) []byte {
	if p == nil {
		return data
	}
	from := min(int64(p.Offset), int64(len(data)))
	n := int64(p.Count)
	if n == 0 {
		n = math.MaxUint32
	}
	return data[from : from+min(n, int64(len(data))-from)]
}

// cutFold is what follows prefix, in any case, at the start of s.
func cutFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return "", false
	}
	return s[len(prefix):], true
}

// decode undoes %XX. NUL and octets that end lines are in no name.
func decode(s string) (string, error) {
	if strings.IndexByte(s, '%') < 0 {
		return s, nil
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if i+2 >= len(s) {
				return "", ErrBad
			}
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil || n == 0 || n == '\r' || n == '\n' {
				return "", ErrBad
			}
			c = byte(n)
			i += 2
		}
		b = append(b, c)
	}
	return string(b), nil
}
