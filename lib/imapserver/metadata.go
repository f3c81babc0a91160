package imapserver

import (
	"fmt"
	"math"
	"strings"

	"gocyrus/lib/imapwire"
)

// metadataQuery is what GETMETADATA and LIST RETURN (METADATA ...) ask for.
type metadataQuery struct {
	entries []string // in lower case, with /shared or /private in front
	depth   int      // 0, 1 or -1 for all below
	maxSize int64    // of a value that is told; -1 for any
	ask     annotAsk // the same, once fold has been called
}

var (
	errMetaArgs   = imapwire.Bad("Missing arguments to Getmetadata")
	errMetaEntry  = imapwire.Bad("Missing metadata entry")
	errMetaList   = imapwire.Bad("Missing metadata entry list")
	errMetaPrefix = imapwire.Bad("entry must begin with /shared or /private")

	errMetaValueArg = imapwire.Bad("Missing metadata value")
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
	return s.tellServer(q, s.answerMetadata(name, q))
}

// fold brings entries into lower case, checks what they begin with, and prepares
// ask.
func (q *metadataQuery) fold() error {
	for i, e := range q.entries {
		e = strings.ToLower(e)
		rest, private, ok := splitEntry(e)
		if !ok {
			return errMetaPrefix
		}
		q.entries[i] = e
		which := forAll
		if private {
			which = forOne
		}
		q.ask.add(rest, which)
		switch {
		case q.depth < 0:
			q.ask.add(rest+"/*", which)
		case q.depth > 0:
			q.ask.add(rest+"/%", which)
		}
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

// answerMetadata answers for one mailbox, for the server with the name "", or for
// all mailboxes that a pattern matches.
func (s *session) answerMetadata(name string, q *metadataQuery) error {
	longest := 0
	err := s.eachMetadataPlace(name, func(at *place) error {
		b, n, err := s.appendMetadata(s.in.Scratch(), at, q)
		if err != nil {
			return err
		}
		longest = max(longest, n)
		return s.in.Commit(b)
	})
	if longest > 0 {
		s.text = fmt.Sprintf("[METADATA LONGENTRIES %d] Completed", longest) // RFC 5464 section 4.2.1
	}
	return err
}

// appendMetadata appends the untagged line of a mailbox, of the server with nil,
// and nothing when no value is told. longest is the size of the largest that was
// too large.
func (s *session) appendMetadata(b []byte, at *place, q *metadataQuery) (_ []byte, longest int, err error) {
	m, err := s.openMetadata(at)
	if err != nil {
		return b, 0, err
	}
	start := len(b)
	b = append(b, "* METADATA "...)
	b = s.mailbox(b, m.external())
	sep := " ("
	err = m.each(&q.ask, func(name string, private bool, value string, ok bool) {
		if ok && q.maxSize >= 0 && int64(len(value)) > q.maxSize {
			longest = max(longest, len(value))
			return
		}
		prefix := "/shared"
		if private {
			prefix = "/private"
		}
		b = append(b, sep...)
		b = imapwire.AppendString(b, prefix+name)
		b = imapwire.AppendNString(append(b, ' '), value, ok)
		sep = " "
	})
	if err != nil || sep == " (" {
		return b[:start], longest, err
	}
	return append(b, ")\r\n"...), longest, nil
}
