package search

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"gocyrus/lib/cachefile"
	"gocyrus/lib/charset"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/index"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/message"
	"gocyrus/lib/seqset"
)

// compiler turns the nodes of the wire into ours.
type compiler struct {
	s      *index.State
	saved  seqset.Set
	opt    Options
	cs     *charset.Charset
	now    time.Time
	modseq bool
}

func newCompiler(name string, s *index.State, saved seqset.Set, opt Options) (*compiler, error) {
	// Without a name it is US-ASCII before, UTF-8 after ENABLE IMAP4rev2; the one
	// is part of the other, and clients send UTF-8 without having asked.
	c := &compiler{s: s, saved: saved, opt: opt, cs: charset.Lookup("utf-8")}
	if name != "" {
		if c.cs = charset.Lookup(name); c.cs == nil {
			return nil, fmt.Errorf("%q: %w", name, ErrCharset)
		}
	}
	if opt.Now != nil {
		c.now = opt.Now()
	} else {
		c.now = time.Now()
	}
	return c, nil
}

func (c *compiler) node(w *imapwire.SearchNode) (node, error) {
	switch w.Op {
	case imapwire.SearchAnd:
		return c.group(opAnd, w.Sub)
	case imapwire.SearchOr:
		return c.group(opOr, w.Sub)
	case imapwire.SearchNot:
		return c.group(opNot, w.Sub)
	}
	return c.key(w)
}

func (c *compiler) group(o op, sub []*imapwire.SearchNode) (node, error) {
	n := node{op: o, sub: make([]node, len(sub))}
	for i, w := range sub {
		var err error
		if n.sub[i], err = c.node(w); err != nil {
			return n, err
		}
	}
	return n, nil
}

var systemKeys = map[string]indexfile.Flags{
	"ANSWERED": indexfile.Answered, "DELETED": indexfile.Deleted,
	"DRAFT": indexfile.Draft, "FLAGGED": indexfile.Flagged,
}

// itemKeys are the keys that a text of the cache answers.
var itemKeys = map[string]cachefile.Item{
	"FROM": cachefile.From, "TO": cachefile.To, "CC": cachefile.Cc, "BCC": cachefile.Bcc, "SUBJECT": cachefile.Subject,
}

func (c *compiler) key(w *imapwire.SearchNode) (node, error) {
	if mask, ok := systemKeys[w.Key]; ok {
		return node{op: opSystem, mask: mask}, nil
	}
	if item, ok := itemKeys[w.Key]; ok {
		return node{op: opItem, item: item, text: c.pattern(w.Str)}, nil
	}
	switch w.Key {
	case "ALL":
		return node{op: opAll}, nil
	case "SEQ", "UID":
		return node{op: opNumbers, nums: c.s.Resolve(w.Set, c.saved)}, nil
	case "SEEN":
		if c.s.SeenInRecord() {
			return node{op: opSystem, mask: indexfile.Seen}, nil
		}
		return node{op: opSeen}, nil
	case "RECENT":
		return node{op: opRecent}, nil
	case "KEYWORD":
		return c.keyword(w.Str), nil
	case "HEADER":
		return c.header(w.Name, w.Str), nil
	case "BODY":
		return node{op: opBody, text: c.pattern(w.Str), skipHTML: c.opt.Text.SkipHTML}, nil
	case "TEXT":
		return node{op: opText, text: c.pattern(w.Str), skipHTML: c.opt.Text.SkipHTML}, nil
	case "XLISTID":
		return c.header("List-Id", w.Str), nil
	case "XCONTENTTYPE":
		return c.header("Content-Type", w.Str), nil
	}
	return c.value(w)
}

// value compiles keys that compare a number, a time or an id.
func (c *compiler) value(w *imapwire.SearchNode) (node, error) {
	if n, ok := c.date(w); ok {
		return n, nil
	}
	switch w.Key {
	case "LARGER":
		if w.Num == math.MaxUint64 {
			return node{op: opNone}, nil
		}
		return node{op: opSize, lo: w.Num + 1, hi: math.MaxUint64}, nil
	case "SMALLER":
		return node{op: opSize, hi: w.Num}, nil
	case "OLDER": // RFC 5032: at least so long ago
		return node{op: opInternal, hi: c.ago(w.Num) + 1}, nil
	case "YOUNGER":
		return node{op: opInternal, lo: c.ago(w.Num), hi: math.MaxUint64}, nil
	case "MODSEQ":
		c.modseq = true
		return node{op: opModSeq, lo: w.Num, hi: math.MaxUint64}, nil
	case "SAVEDATESUPPORTED":
		return node{op: opAll}, nil
	case "EMAILID":
		return emailID(w.Str), nil
	case "THREADID":
		return threadID(w.Str)
	case "CID":
		cid, err := strconv.ParseUint(w.Str, 16, 64)
		if err != nil {
			return node{op: opNone}, nil
		}
		return node{op: opCID, lo: cid}, nil
	case "ANNOTATION":
		return node{op: opAnnot, annot: newAnnotation(w)}, nil
	}
	return node{}, fmt.Errorf("%s: %w", w.Key, ErrKey)
}

// ago is the time so many seconds ago; before 1970 it is 0.
func (c *compiler) ago(seconds uint64) uint64 {
	now := uint64(c.now.Unix())
	if seconds > now {
		return 0
	}
	return now - seconds
}

// date compiles the keys of a day. w.Date is its local midnight.
func (c *compiler) date(w *imapwire.SearchNode) (node, bool) {
	key, o := w.Key, opInternal
	if rest, ok := strings.CutPrefix(key, "SENT"); ok {
		key, o = rest, opSent
	} else if rest, ok := strings.CutPrefix(key, "SAVED"); ok {
		key, o = rest, opSaved
	}
	from, to := w.Date, w.Date.AddDate(0, 0, 1)
	if o == opSent {
		// RFC 9051 section 6.4.4: the date as written, whatever its zone.
		from = time.Date(from.Year(), from.Month(), from.Day(), 0, 0, 0, 0, time.UTC)
		to = from.AddDate(0, 0, 1)
	}
	lo, hi := seconds(from), seconds(to)
	switch key {
	case "BEFORE":
		return node{op: o, hi: lo}, true
	case "ON":
		return node{op: o, lo: lo, hi: hi}, true
	case "SINCE":
		return node{op: o, lo: lo, hi: math.MaxUint64}, true
	}
	return node{}, false
}

// seconds is t since 1970, 0 before.
func seconds(t time.Time) uint64 { return uint64(max(t.Unix(), 0)) }

func (c *compiler) keyword(name string) node {
	slot := c.s.Slot(name)
	if slot < 0 {
		return node{op: opNone}
	}
	return node{op: opKeyword, slot: slot}
}

func (c *compiler) header(name, text string) node {
	if item, ok := itemKeys[strings.ToUpper(name)]; ok {
		return node{op: opItem, item: item, text: c.pattern(text)}
	}
	n := node{op: opHeader, field: name, text: c.pattern(text), cached: -1}
	if version, ok := message.CachedSince(name); ok {
		n.cached = version
	}
	return n
}

// pattern is a text of the client's, in the character set it named.
func (c *compiler) pattern(text string) *charset.Pattern {
	utf8 := c.cs.ToUTF8(nil, []byte(text))
	return charset.NewPattern(string(utf8), c.opt.Text)
}

// emailID compiles "M" and 24 hexadecimal digits (RFC 8474): what is not of that
// form is no message's.
func emailID(s string) node {
	if len(s) == 25 && s[0] == 'M' {
		if b, err := hex.DecodeString(s[1:]); err == nil && strings.ToLower(s[1:]) == s[1:] {
			return node{op: opGUID, bytes: b}
		}
	}
	return node{op: opNone}
}

func threadID(s string) (node, error) {
	if len(s) == 17 && s[0] == 'T' {
		if cid, err := strconv.ParseUint(s[1:], 16, 64); err == nil {
			if cid == 0 {
				return node{op: opNone}, nil
			}
			return node{op: opCID, lo: cid}, nil
		}
	}
	return node{}, ErrThreadID
}
