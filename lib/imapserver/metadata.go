package imapserver

import (
	"fmt"
	"math"
	"strings"

	"gocyrus/lib/acl"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/mailbox"
)

// metadataQuery is what GETMETADATA and LIST RETURN (METADATA ...) ask for.
type metadataQuery struct {
	entries []string // in lower case, with /shared or /private in front
	depth   int      // 0, 1 or -1 for all below
	maxSize int64    // of a value that is told; -1 for any
}

var (
	errMetaArgs   = imapwire.Bad("Missing arguments to Getmetadata")
	errMetaEntry  = imapwire.Bad("Missing metadata entry")
	errMetaList   = imapwire.Bad("Missing metadata entry list")
	errMetaPrefix = imapwire.Bad("entry must begin with /shared or /private")
)

// getMetadata is GETMETADATA (RFC 5464 section 4.2). Cyrus also takes the options
// behind the mailbox.
func (s *session) getMetadata(p *imapwire.Parser) error {
	q := &metadataQuery{maxSize: -1}
	if err := p.SP(); err != nil {
		return err
	}
	if err := readMetaOptions(p, q); err != nil {
		return err
	}
	name, err := p.AString()
	if err != nil {
		return err
	}
	if ok, err := p.Accept(' '); err != nil || !ok {
		return firstOf(err, errMetaArgs)
	}
	if q.entries, err = p.StringOrList(errMetaEntry); err != nil {
		return err
	}
	if isMetaOption(q.entries[0]) {
		if err := metaOptions(q.entries, q); err != nil {
			return err
		}
		if ok, err := p.Accept(' '); err != nil || !ok {
			return firstOf(err, errMetaArgs)
		}
		if q.entries, err = p.StringOrList(errMetaEntry); err != nil {
			return err
		}
	}
	if !p.AtEOL() {
		return errMetaArgs
	}
	if err := p.EOL(); err != nil {
		return err
	}
	if err := q.fold(); err != nil {
		return err
	}
	return s.answerMetadata(name, q)
}

// fold brings entries into lower case, and checks what they begin with.
func (q *metadataQuery) fold() error {
	for i, e := range q.entries {
		e = strings.ToLower(e)
		if _, _, ok := splitEntry(e); !ok {
			return errMetaPrefix
		}
		q.entries[i] = e
	}
	return nil
}

// splitEntry takes /shared or /private off an entry.
func splitEntry(e string) (rest string, private, ok bool) {
	for i, prefix := range []string{"/shared", "/private"} {
		if rest, found := strings.CutPrefix(e, prefix); found && (rest == "" || rest[0] == '/') {
			return rest, i == 1, true
		}
	}
	return "", false, false
}

func isMetaOption(w string) bool {
	return strings.EqualFold(w, "DEPTH") || strings.EqualFold(w, "MAXSIZE")
}

func readMetaOptions(p *imapwire.Parser, q *metadataQuery) error {
	b, err := p.Peek()
	if err != nil || b != '(' {
		return err
	}
	words, err := p.StringOrList(errMetaArgs)
	if err != nil {
		return err
	}
	if err := metaOptions(words, q); err != nil {
		return err
	}
	return p.SP()
}

// metaOptions reads "DEPTH 1 MAXSIZE 1024" from its words.
func metaOptions(words []string, q *metadataQuery) error {
	if len(words)%2 != 0 {
		return errMetaArgs
	}
	for i := 0; i < len(words); i += 2 {
		value := strings.ToLower(words[i+1])
		switch strings.ToUpper(words[i]) {
		case "DEPTH":
			depth, ok := map[string]int{"0": 0, "1": 1, "infinity": -1}[value]
			if !ok {
				return errMetaArgs
			}
			q.depth = depth
		case "MAXSIZE":
			n, ok := number(value, math.MaxInt64)
			if !ok {
				return errMetaArgs
			}
			q.maxSize = int64(n)
		default:
			return errMetaArgs
		}
	}
	return nil
}

func (s *session) answerMetadata(name string, q *metadataQuery) error {
	at, err := s.metadataPlace(name)
	if err != nil {
		return err
	}
	if at != nil && !s.rules(at.name) {
		if err := at.need(acl.Read); err != nil {
			return err
		}
	}
	b, longest, err := s.appendMetadata(s.in.Scratch(), name, at, q)
	if err != nil {
		return err
	}
	if longest > 0 {
		s.text = fmt.Sprintf("[METADATA LONGENTRIES %d] Completed", longest) // RFC 5464 section 4.2.1
	}
	return s.in.Commit(b)
}

// metadataPlace is the mailbox of a name, nil for the server's, which is "".
func (s *session) metadataPlace(name string) (*place, error) {
	if name == "" {
		return nil, nil
	}
	return s.locate(name)
}

// appendMetadata appends the untagged line, nothing when no value is told.
// longest is the size of the largest that was too large.
func (s *session) appendMetadata(b []byte, name string, at *place, q *metadataQuery) (_ []byte, longest int, err error) {
	m, err := s.openMetadata(at)
	if err != nil {
		return b, 0, err
	}
	start := len(b)
	b = append(b, "* METADATA "...)
	b = s.mailbox(b, name)
	sep := " ("
	err = m.each(q, func(entry, value string, ok bool) {
		if ok && q.maxSize >= 0 && int64(len(value)) > q.maxSize {
			longest = max(longest, len(value))
			return
		}
		b = append(b, sep...)
		b = imapwire.AppendString(b, entry)
		b = imapwire.AppendNString(append(b, ' '), value, ok)
		sep = " "
	})
	if err != nil || sep == " (" {
		return b[:start], longest, err
	}
	return append(b, ")\r\n"...), longest, nil
}

// openMetadata reads what values are computed from.
func (s *session) openMetadata(at *place) (*metadataView, error) {
	m := &metadataView{s: s, at: at, entries: serverEntries}
	if at == nil {
		m.space = diskSpace(s.srv.site.Config.Partitions())
		return m, nil
	}
	m.entries = mailboxEntries
	box, err := s.srv.store.Open(s.ctx, at.entry)
	if err != nil {
		return nil, err
	}
	defer box.Close()
	m.updated = modified(box.Path("index"))
	return m, box.View(s.ctx, func(v *mailbox.View) error {
		m.header = *v.Header()
		return nil
	})
}

// setMetadata is SETMETADATA (RFC 5464 section 4.3).
func (s *session) setMetadata(p *imapwire.Parser) error {
	name, err := p.SPAString()
	if err != nil {
		return err
	}
	if err := p.SP(); err != nil {
		return err
	}
	if ok, err := p.Accept('('); err != nil || !ok {
		return firstOf(err, errMetaList)
	}
	var values []metadataValue
	for {
		v, err := readMetaValue(p)
		if err != nil {
			return err
		}
		if values = append(values, v); len(values) > maxMetaValues {
			return errMetaList
		}
		if more, err := p.Accept(' '); err != nil {
			return err
		} else if more {
			continue
		}
		if ok, err := p.Accept(')'); err != nil || !ok {
			return firstOf(err, errMetaEntry)
		}
		break
	}
	if err := p.EOL(); err != nil {
		return err
	}
	at, err := s.metadataPlace(name)
	if err != nil {
		return err
	}
	return s.storeMetadata(at, values)
}

// maxMetaValues bounds the entries of one SETMETADATA.
const maxMetaValues = 1000

// metadataValue is one entry to be set.
type metadataValue struct {
	entry   string // without /shared or /private
	private bool
	value   string
	unset   bool // NIL
	def     *entry
}

func readMetaValue(p *imapwire.Parser) (v metadataValue, err error) {
	name, err := p.AString()
	if err != nil {
		return v, idError(err, errMetaEntry)
	}
	if ok, err := p.Accept(' '); err != nil || !ok {
		return v, firstOf(err, errMetaEntry)
	}
	value, has, err := p.NString(true)
	if err != nil {
		return v, idError(err, errMetaEntry)
	}
	rest, private, ok := splitEntry(strings.ToLower(name))
	if !ok {
		return v, errMetaPrefix
	}
	return metadataValue{entry: rest, private: private, value: value, unset: !has}, nil
}
