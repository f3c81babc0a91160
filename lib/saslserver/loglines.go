package saslserver

import (
	"errors"
	"fmt"
	"strings"
)

// LoginEvent is what a log line of a login tells.
type LoginEvent struct {
	Host    string // "name [address]", "[address]" or "[unix socket]"
	User    string // as logged in, or as tried
	Mech    string // a mechanism or Plaintext
	TLS     bool
	Session string // session id; empty in the services whose line has none
}

// LogLogin returns the line of a good login, for level notice:
//
//	login: localhost [127.0.0.1] alice PLAIN+TLS User logged in SESSIONID=<...>
func LogLogin(e LoginEvent) string {
	mech := e.Mech
	if e.TLS {
		mech += "+TLS"
	}
	line := fmt.Sprintf("login: %s %s %s User logged in", e.Host, logSafe(e.User), mech)
	if e.Session != "" {
		line += " SESSIONID=<" + e.Session + ">"
	}
	return line
}

// LogAnonymous returns the line of an anonymous login, with what the client
// said of itself.
func LogAnonymous(host, trace string) string {
	return fmt.Sprintf("login: %s anonymous %s", host, logSafe(trace))
}

// Form is the shape of a service's badlogin line.
type Form int

// The shapes, by the services that use them.
const (
	FormIMAP  Form = iota // imap and all others: MECH (user) [SASL(-13): text: detail]
	FormPOP               // pop3 AUTH: MECH (user) [text]
	FormSieve             // sieve: MECH text
	FormLMTP              // lmtp, mupdate, at level err: MECH (user) [SASL(-13): ...]
	FormSync              // csync: MECH [SASL(-13): ...]
	FormAPOP              // pop3 APOP, User being the challenge: APOP (challenge) SASL(-13): ...
)

// LogBadLogin returns the line of a failed login, for level notice, with
// FormLMTP err. Log watchers match it: the address in brackets, the mechanism,
// and what follows. e.User counts only where err does not know the name.
func LogBadLogin(form Form, e LoginEvent, err error) string {
	user, detail, text := badTexts(e, err)
	prefix := "badlogin: " + e.Host + " " + logSafe(e.Mech)
	switch form {
	case FormPOP:
		return fmt.Sprintf("%s (%s) [%s]", prefix, user, text)
	case FormSieve:
		return prefix + " " + text
	case FormSync:
		return fmt.Sprintf("%s [%s]", prefix, detail)
	case FormAPOP:
		return fmt.Sprintf("badlogin: %s APOP (%s) %s", e.Host, logSafe(e.User), detail)
	}
	if errors.Is(err, ErrAnonymous) {
		return "badlogin: " + e.Host + " anonymous login refused"
	}
	var sasl *Error
	if !errors.As(err, &sasl) {
		return fmt.Sprintf("%s (%s) invalid user", prefix, user)
	}
	return fmt.Sprintf("%s (%s) [%s]", prefix, user, detail)
}

func badTexts(e LoginEvent, err error) (user, detail, text string) {
	var sasl *Error
	if !errors.As(err, &sasl) {
		return orNotSet(e.User), err.Error(), Fail.Error()
	}
	user = sasl.User
	if user == "" && e.Mech == Plaintext {
		user = e.User
	}
	detail = sasl.Error()
	if sasl.Code == NoMech || sasl.Code == BadProt && sasl.User == "" {
		// libsasl's last error by then is that nobody is known yet.
		detail = (&Error{Code: NotDone, Detail: "Information that was requested is not yet available."}).Error()
	}
	return orNotSet(user), logSafe(detail), sasl.Code.Error()
}

func orNotSet(user string) string {
	if user == "" {
		return "-notset-"
	}
	return logSafe(user)
}

// maxLogged bounds what a stranger can put into one line, in octets.
const maxLogged = 256

// logSafe keeps a stranger's text from forging lines.
func logSafe(s string) string {
	if len(s) > maxLogged {
		s = s[:maxLogged]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}
