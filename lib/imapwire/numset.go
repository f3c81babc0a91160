package imapwire

import (
	"strings"

	"github.com/emersion/go-imap/v2"
)

// ParseNums reads a sequence set in the form of RFC 9051: "1:3,7,9:*". A zero
// in a range is the star. A reversed range is turned; ranges are kept in the
// order they came in. Zero as a number, and anything else, is not a set.
func ParseNums(s string) (imap.SeqSet, bool) {
	if s == "" {
		return nil, false
	}
	set := make(imap.SeqSet, 0, min(1+strings.Count(s, ","), 64))
	for {
		part, rest, more := strings.Cut(s, ",")
		r, ok := parseRange(part)
		if !ok {
			return nil, false
		}
		set = append(set, r)
		if !more {
			return set, true
		}
		s = rest
	}
}

func parseRange(s string) (r imap.SeqRange, ok bool) {
	a, b, ranged := strings.Cut(s, ":")
	if r.Start, ok = parseNum(a); !ok {
		return r, false
	}
	r.Stop = r.Start
	if ranged {
		if r.Stop, ok = parseNum(b); !ok {
			return r, false
		}
	}
	if r.Start == 0 || r.Stop != 0 && r.Start > r.Stop {
		r.Start, r.Stop = r.Stop, r.Start
	}
	return r, true
}

// parseNum reads a number, or a star as zero.
func parseNum(s string) (uint32, bool) {
	if s == "*" {
		return 0, true
	}
	if s == "" || len(s) > 10 {
		return 0, false
	}
	var n uint64
	for i := range len(s) {
		d := uint64(s[i]) - '0'
		if d > 9 {
			return 0, false
		}
		n = n*10 + d
	}
	return uint32(n), n > 0 && n <= 1<<32-1
}

// toUIDs is the same set as UIDs.
func toUIDs(s imap.SeqSet) imap.UIDSet {
	u := make(imap.UIDSet, len(s))
	for i, r := range s {
		u[i] = imap.UIDRange{Start: imap.UID(r.Start), Stop: imap.UID(r.Stop)}
	}
	return u
}

// NumSet reads the set of messages that a command works on: sequence numbers,
// or UIDs when uid is set. "$" is the saved result of a search (RFC 5182),
// imap.SearchRes, in both cases.
func (p *Parser) NumSet(uid bool) (imap.NumSet, error) {
	w, end, err := p.Word()
	if err != nil {
		return nil, err
	}
	if w == "" && (end == '\r' || end == '\n') {
		return nil, p.Missing()
	}
	set, ok := NumSetFrom(w, uid)
	if !ok {
		return nil, Bad("Invalid sequence in " + p.cmd)
	}
	return set, nil
}

// NumSetSP is NumSet and the space behind it, for the commands that go on.
func (p *Parser) NumSetSP(uid bool) (imap.NumSet, error) {
	set, err := p.NumSet(uid)
	if err == nil {
		err = p.SP()
	}
	if err == nil && p.then != "" {
		p.cmd = p.then
	}
	return set, err
}

// NumSetFrom is NumSet on a word already read.
func NumSetFrom(w string, uid bool) (imap.NumSet, bool) {
	if w == "$" {
		return imap.SearchRes(), true
	}
	set, ok := ParseNums(w)
	if !ok {
		return nil, false
	}
	if uid {
		return toUIDs(set), true
	}
	return set, true
}
