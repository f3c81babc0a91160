package saslserver

import (
	"errors"
	"fmt"
)

// Code is a result code of the SASL library that Cyrus is built on. Log
// readers know its numbers; as an error it can be looked for with errors.Is.
type Code int

// The codes that occur, with libsasl's numbers.
const (
	Fail      Code = -1
	NoMech    Code = -4
	BadProt   Code = -5
	NotDone   Code = -6
	BadAuth   Code = -13
	NoAuthZ   Code = -14
	TooWeak   Code = -15
	Encrypt   Code = -16
	NoUser    Code = -20
	Unavail   Code = -24
	NoVerify  Code = -26
	BadBind   Code = -33
	ConfigErr Code = -100
)

var codeText = map[Code]string{
	Fail:      "generic failure",
	NoMech:    "no mechanism available",
	BadProt:   "bad protocol / cancel",
	NotDone:   "can't request information until later in exchange",
	BadAuth:   "authentication failure",
	NoAuthZ:   "authorization failure",
	TooWeak:   "mechanism too weak for this user",
	Encrypt:   "encryption needed to use mechanism",
	NoUser:    "user not found",
	Unavail:   "remote authentication server unavailable",
	NoVerify:  "user exists, but no verifier for user",
	BadBind:   "channel binding failure",
	ConfigErr: "error when parsing configuration file",
}

// Error returns libsasl's text.
func (c Code) Error() string {
	if s, ok := codeText[c]; ok {
		return s
	}
	return "undefined error!"
}

// Error is a login refused. It has one text for the log, which Error returns,
// and one for the client.
type Error struct {
	Code   Code
	User   string // whom the log names; empty when nobody is known yet
	Detail string // for the log
}

// Error returns the text of the log: "SASL(-13): user not found: checkpass
// failed". A user not found has the number of a wrong password there, as
// libsasl writes it.
func (e *Error) Error() string {
	return fmt.Sprintf("SASL(%d): %s: %s", e.Code.public(), e.Code.Error(), e.Detail)
}

// Unwrap makes errors.Is(err, BadAuth) work.
func (e *Error) Unwrap() error { return e.Code }

// Client returns what the client is told. It does not tell an unknown user
// from a wrong password.
func (e *Error) Client() string { return e.Code.public().Error() }

// Library returns the line that libsasl itself logs at level err, before the
// service's own: "SASL Password verification failed"; empty where it is silent.
func (e *Error) Library() string {
	switch {
	case e.Detail == "checkpass failed", e.Detail == "login incorrect", e.Detail == "only admins may authenticate", e.Code == NoAuthZ:
		return ""
	}
	return "SASL " + logSafe(e.Detail)
}

// public is the code with the existence of users hidden.
func (c Code) public() Code {
	if c == NoUser || c == NoVerify {
		return BadAuth
	}
	return c
}

// ClientText returns what a client is told of any error of this package: an
// Error's own words, and for all others those of a generic failure.
func ClientText(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Client()
	}
	return Fail.Error()
}

func fail(c Code, user, format string, args ...any) *Error {
	return &Error{Code: c, User: user, Detail: fmt.Sprintf(format, args...)}
}
