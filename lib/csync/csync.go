// Package csync is the sync protocol of Cyrus: the words with which sync_client
// and sync_server speak of mailboxes, records, quota, subscriptions and scripts,
// a reader for each side, and a client that keeps many requests under way on one
// connection.
//
//	C: GET MAILBOXES (user.alice)
//	S: * MAILBOX %(UNIQUEID ... MBOXNAME user.alice ... HIGHESTMODSEQ 15 ...)
//	S: OK success
//	C: APPLY MESSAGE (%{default 33bd... 133}
//	C: ...133 octets...)
//	S: OK success
//
// Every object has a type with Append, which writes it as Cyrus does, keys in
// Cyrus's order, and a Parse function, which takes keys in any order, ignores
// those it does not know and takes the first of several. What a reader hands out
// is the text of a value in normal form: one blank between items, literals as
// {n}, of files only the heads, for their octets go straight to a callback. A
// list of a million records stays text until it is walked over.
//
// The package knows no stores: what a command means is the server's, what to ask
// the client's. Source: imap/sync_support.c, imap/dlist.c of Cyrus 3.10.
package csync

import (
	"gocyrus/lib/dlist"
)

// Form is who writes: the two sides write literals differently, and each side
// of Cyrus fails on the other's.
type Form bool

const (
	FromServer Form = false // {3}
	FromClient Form = true  // {3+}
)

// Verbs, in capitals as Command has them.
const (
	Get     = "GET"
	Apply   = "APPLY"
	Restore = "RESTORE"
	Restart = "RESTART"
	Noop    = "NOOP"
	Exit    = "EXIT"
)

// Capabilities, on csync lines of the greeting. In IMAP they have an X- in front.
const (
	CapSieveMailbox = "SIEVE-MAILBOX"
	CapArchive      = "REPLICATION-ARCHIVE"
)

// CapOurs says in a greeting of csync and among the capabilities of IMAP that the
// server is of our kind: whatever arrives ahead of the answers is read, and a
// message that was not staged is an error and no end of the process. Real clients
// pass over it.
const CapOurs = "X-GOCYRUS-SYNC"

// text appends a text that is never NIL.
func (f Form) text(dst, t []byte) []byte {
	if t == nil {
		t = []byte{}
	}
	if f == FromClient {
		return dlist.AppendTextPlus(dst, t)
	}
	return dlist.AppendText(dst, t)
}

// Text is the value of a command with one argument: a name, a user, a root.
func (f Form) Text(t string) []byte { return f.AppendString(nil, t) }

// AppendString appends a text as atom, string or literal.
func (f Form) AppendString(dst []byte, t string) []byte { return f.text(dst, []byte(t)) }

// List is the value of a command with a list of texts.
func (f Form) List(texts []string) []byte { return f.AppendList(nil, texts) }

// AppendList appends a list of texts.
func (f Form) AppendList(dst []byte, texts []string) []byte {
	dst = append(dst, '(')
	for i, t := range texts {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = f.AppendString(dst, t)
	}
	return append(dst, ')')
}

// Empty is the value of a command that has none to give: FORCE.
func Empty() []byte { return []byte("%()") }

// ParseText reads the value of a command with one argument. A list is
// ErrBadParameters.
func ParseText(value []byte) (string, error) {
	s := dlist.Scan(value)
	t, err := scanText(&s)
	return string(t), atEnd(&s, err)
}

// ParseList reads a list of texts. A text alone is a list of one.
func ParseList(value []byte) ([]string, error) {
	s := dlist.Scan(value)
	list, err := scanTexts(&s)
	return list, atEnd(&s, err)
}

// scanText reads a text, NIL being none.
func scanText(s *dlist.Scanner) ([]byte, error) {
	switch k, err := s.Kind(); {
	case err != nil:
		return nil, bad(err)
	case k != dlist.Text && k != dlist.Nil:
		return nil, ErrBadParameters
	}
	t, err := s.Text()
	return t, bad(err)
}

func scanTexts(s *dlist.Scanner) ([]string, error) {
	if k, err := s.Kind(); err != nil {
		return nil, bad(err)
	} else if k == dlist.Text {
		t, err := scanText(s)
		return []string{string(t)}, err
	}
	list := []string{}
	err := eachItem(s, func() error {
		t, err := scanText(s)
		list = append(list, string(t))
		return err
	})
	return list, err
}

// eachItem calls f at each item of the plain list that stands next; f passes over it.
func eachItem(s *dlist.Scanner, f func() error) error {
	keyed, err := s.Open()
	if err != nil || keyed {
		return ErrBadParameters
	}
	for !s.Close() {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

func atEnd(s *dlist.Scanner, err error) error {
	if err == nil && !s.AtEnd() {
		return ErrBadParameters
	}
	return err
}
