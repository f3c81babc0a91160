package imapserver

import (
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"gocyrus/lib/imapproxy"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/log"
)

// Bounds of RFC 2971 section 3.3.
const (
	maxIDField = 30
	maxIDValue = 1024
	maxIDPairs = 30
)

// id is ID (RFC 2971). Before login one is answered; a second gets no list.
func (s *session) id(p *imapwire.Parser) error {
	if err := p.SP(); err != nil {
		return err
	}
	if s.who == nil && s.didID {
		s.text = "NIL"
		return p.Skip()
	}
	pairs, name, relay, err := readID(p)
	if err != nil {
		return err
	}
	s.idName, s.idRelay = name, s.idRelay || relay
	if err := p.EOL(); err != nil {
		return err
	}
	s.didID = true
	if len(pairs) > 0 && !relay {
		log.Info("client id sessionid=<%s> userid=<%s>:%s", s.svc.ID(), s.user, strings.Join(pairs, ""))
	}
	s.untagged(s.srv.idLine(s.who != nil))
	return nil
}

// readID reads NIL or the list, and gives the pairs as the log has them, the client's
// name, and whether it is a server that continues a session.
func readID(p *imapwire.Parser) (pairs []string, name string, relay bool, err error) {
	w, _, err := p.Word()
	if err != nil || strings.EqualFold(w, "NIL") {
		return nil, "", false, err
	}
	badList := imapwire.Bad("Invalid parameter list in Id")
	badPair := imapwire.Bad("Invalid field-value pair in Id")
	if open, err := p.Accept('('); err != nil || !open || w != "" {
		return nil, "", false, firstOf(err, badList)
	}
	if end, err := p.Accept(')'); err != nil || end {
		return nil, "", false, err
	}
	for {
		field, err := p.String()
		if err != nil {
			return nil, "", false, idError(err, badPair)
		}
		if ok, err := p.Accept(' '); err != nil || !ok {
			return nil, "", false, firstOf(err, badPair)
		}
		value, has, err := p.NString(false)
		if err != nil {
			return nil, "", false, idError(err, badPair)
		}
		switch {
		case len(field) > maxIDField:
			return nil, "", false, imapwire.Bad(fmt.Sprintf("field longer than %d octets in Id", maxIDField))
		case len(value) > maxIDValue:
			return nil, "", false, imapwire.Bad(fmt.Sprintf("value longer than %d octets in Id", maxIDValue))
		case len(pairs) == maxIDPairs:
			return nil, "", false, imapwire.Bad(fmt.Sprintf("too many (%d) field-value pairs in ID", maxIDPairs))
		}
		switch {
		case strings.EqualFold(field, "name"):
			name = value
		case field == imapproxy.RelayField:
			relay = true
		}
		pairs = append(pairs, idPair(field, value, has))
		if more, err := p.Accept(' '); err != nil {
			return nil, "", false, err
		} else if more {
			continue
		}
		if ok, err := p.Accept(')'); err != nil || !ok {
			return nil, "", false, firstOf(err, badPair)
		}
		return pairs, name, relay, nil
	}
}

// idError turns a missing argument into what Cyrus calls it here.
func idError(err error, bad imapwire.Bad) error {
	if _, ok := err.(imapwire.Bad); ok {
		return bad
	}
	return err
}

// firstOf is err or, without one, other.
func firstOf(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

func idPair(field, value string, has bool) string {
	if !has {
		return fmt.Sprintf(" %q NIL", field)
	}
	return fmt.Sprintf(" %q %q", field, value)
}

// idLine is the answer to ID. cyradm splits "environment" at semicolons.
func (srv *Server) idLine(signed bool) string {
	o := srv.opts
	if o.ServerInfo == "off" {
		return "ID NIL"
	}
	var b strings.Builder
	b.WriteString(`ID ("name" "Cyrus IMAPD"`)
	if o.ServerInfo == "on" {
		fmt.Fprintf(&b, ` "version" %q`, o.Version)
	}
	b.WriteString(` "vendor" "Project Cyrus" "support-url" "https://www.cyrusimap.org"`)
	if o.IDResponse && (signed || o.ServerInfo == "on") {
		fmt.Fprintf(&b, ` "os" %q "os-version" %q "environment" %q`, osName, osVersion, environment)
	}
	b.WriteByte(')')
	return b.String()
}

var osName, osVersion = uname()

func uname() (name, release string) {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return runtime.GOOS, ""
	}
	return unix.ByteSliceToString(u.Sysname[:]), unix.ByteSliceToString(u.Release[:])
}

// environment tells what the server is built of, in Cyrus's form.
var environment = "Built w/" + runtime.Version() + "; CMU Sieve 3.0; mmap = shared; lock = fcntl; nonblock = fcntl; idle = idled"
