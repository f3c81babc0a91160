package mupdate

import (
	"fmt"

	"gocyrus/lib/mboxname"
)

// Kind is what a line of a server is.
type Kind uint8

// The kinds of lines.
const (
	Other Kind = iota // greeting, capabilities
	OK
	NO
	BAD
	BYE
	About // MAILBOX, RESERVE or DELETE
)

// Answer is a line of a server.
type Answer struct {
	Tag   string
	Kind  Kind
	Text  string // of OK, NO, BAD and BYE
	Entry Entry  // of About
}

var answers = map[string]struct {
	kind  Kind
	state State
}{
	"OK": {kind: OK}, "NO": {kind: NO}, "BAD": {kind: BAD}, "BYE": {kind: BYE},
	"MAILBOX": {About, Active}, "RESERVE": {About, Reserved}, "DELETE": {About, Absent},
}

// Answer reads a line of a server into a. The error ErrProtocol, as any other,
// ends the connection.
func (r *Reader) Answer(a *Answer) error {
	w, err := r.word()
	if err != nil {
		return err
	}
	if string(w) != r.tag {
		r.tag = string(w)
	}
	*a = Answer{Tag: r.tag}
	if r.sep != ' ' {
		return fmt.Errorf("%w: no keyword after %q", ErrProtocol, a.Tag)
	}
	if w, err = r.word(); err != nil {
		return unexpected(err, true)
	}
	what, ok := answers[string(w)]
	if !ok {
		what, ok = answers[upper(w)]
	}
	switch {
	case !ok && a.Tag == "*":
		return r.EatLine()
	case !ok:
		return fmt.Errorf("%w: %q", ErrProtocol, w)
	case what.kind == About:
		a.Kind, a.Entry.State = About, what.state
		return r.entry(&a.Entry)
	}
	a.Kind = what.kind
	return r.text(a)
}

func upper(w []byte) string {
	b := make([]byte, len(w))
	for i, c := range w {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		b[i] = c
	}
	return string(b)
}

// entry reads the strings about a mailbox.
func (r *Reader) entry(e *Entry) error {
	name, err := r.field()
	if err != nil {
		return err
	}
	e.Name = mboxname.Name(name)
	if e.State != Absent {
		where, err := r.field()
		if err != nil {
			return err
		}
		e.Location = r.place(where)
	}
	if e.State == Active {
		acl, err := r.field()
		if err != nil {
			return err
		}
		e.ACL = string(acl)
	}
	ok, err := r.newline()
	if err == nil && !ok {
		err = fmt.Errorf("%w: extra arguments", ErrProtocol)
	}
	r.sep = 0
	return err
}

func (r *Reader) field() ([]byte, error) {
	if r.sep != ' ' {
		return nil, fmt.Errorf("%w: missing arguments", ErrProtocol)
	}
	s, ok, err := r.str()
	if err == nil && !ok {
		err = fmt.Errorf("%w: no string", ErrProtocol)
	}
	return s, err
}

// maxPlaces bounds how many locations are remembered.
const maxPlaces = 4096

// place is b as a string, the same one each time.
func (r *Reader) place(b []byte) string {
	if s, ok := r.places[string(b)]; ok {
		return s
	}
	s := string(b)
	if r.places == nil {
		r.places = map[string]string{}
	}
	if len(r.places) < maxPlaces {
		r.places[s] = s
	}
	return s
}

// text reads what an answer says: a string or, from some of Cyrus's refusals,
// words without quotes.
func (r *Reader) text(a *Answer) error {
	ok, err := r.newline()
	if ok || err != nil {
		r.sep = 0
		return err
	}
	if r.sep != ' ' {
		return fmt.Errorf("%w: after %s", ErrProtocol, a.Tag)
	}
	s, ok, err := r.str()
	if err != nil {
		return err
	}
	if ok {
		a.Text = string(s)
		return r.EatLine()
	}
	s, err = r.line()
	a.Text = string(s)
	return err
}
