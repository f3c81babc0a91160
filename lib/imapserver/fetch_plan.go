package imapserver

import (
	"strconv"
	"strings"

	"github.com/emersion/go-imap/v2"

	"gocyrus/lib/imapwire"
	"gocyrus/lib/message"
)

// fetchPlan is a FETCH made ready: what each message takes to answer it, and
// the words that are the same for all.
type fetchPlan struct {
	items    imapwire.FetchItem
	fields   []sectionPlan // HEADER.FIELDS sections, first in the answer as with Cyrus
	sections []sectionPlan // other BODY sections
	binary   []sectionPlan
	sizes    []sectionPlan
	annot    *annotPlan // ANNOTATION; nil when not asked for

	needFile   bool
	needCache  bool
	headerOnly bool   // of the file
	since      uint64 // CHANGEDSINCE; 0 is none
	folder     string // the mailbox's name for its user, of FOLDER
	condStore  bool   // unasked flags carry the modseq
	qresync    bool   // and the UID
}

// sectionPlan is one section.
type sectionPlan struct {
	label     string // " BODY[1.MIME]<0> "
	part      []int
	specifier imap.PartSpecifier
	names     []string // of HEADER.FIELDS or HEADER.FIELDS.NOT
	not       bool
	partial   *imap.SectionPartial
	cached    int // the cache version that holds all of names; -1: read the file
}

// fromFile are items that need the message file, fromCache those of cyrus.cache.
const (
	fromFile  = imapwire.FetchRFC822 | imapwire.FetchRFC822Header | imapwire.FetchRFC822Text | imapwire.FetchSHA1 | imapwire.FetchFileSize
	fromCache = imapwire.FetchEnvelope | imapwire.FetchBodyStructure | imapwire.FetchBody
)

func planFetch(f *imapwire.Fetch) *fetchPlan {
	p := &fetchPlan{items: f.Items, since: f.ChangedSince}
	p.needFile = f.Items&fromFile != 0
	p.needCache = f.Items&fromCache != 0
	for _, s := range f.Sections {
		plan := planSection(s)
		if plan.names != nil {
			p.fields = append(p.fields, plan)
		} else {
			p.sections = append(p.sections, plan)
		}
		p.needFile = p.needFile || plan.cached < 0
		p.needCache = p.needCache || plan.cached >= 0 || !plan.topHeader()
	}
	for _, s := range f.Binary {
		p.binary = append(p.binary, sectionPlan{
			label: " BINARY[" + partText(s.Part) + "]" + originText(s.Partial) + " ", part: s.Part, partial: s.Partial,
		})
	}
	for _, s := range f.Sizes {
		p.sizes = append(p.sizes, sectionPlan{label: " BINARY.SIZE[" + partText(s.Part) + "] ", part: s.Part})
	}
	p.lines(f.Lines, false)
	p.lines(f.LinesNot, true)
	if len(p.binary) > 0 || len(p.sizes) > 0 {
		p.needCache, p.needFile = true, true
	}
	p.headerOnly = p.readsHeader()
	return p
}

// readsHeader says whether no more than the header of the file is asked for.
func (p *fetchPlan) readsHeader() bool {
	for _, s := range [...][]sectionPlan{p.fields, p.sections} {
		for i := range s {
			if !s[i].topHeader() {
				return false
			}
		}
	}
	return len(p.binary) == 0 && len(p.sizes) == 0 && p.items&(fromFile&^imapwire.FetchRFC822Header) == 0
}

// topHeader says whether a section is the header of the message, or fields of it.
func (s *sectionPlan) topHeader() bool {
	return len(s.part) == 0 && (s.names != nil || s.specifier == imap.PartSpecifierHeader)
}

// lines adds the fields of RFC822.HEADER.LINES (RFC 1730), which are answered
// under the name of the whole header.
func (p *fetchPlan) lines(names []string, not bool) {
	if names == nil {
		return
	}
	s := sectionPlan{label: " RFC822.HEADER ", names: names, not: not, cached: cacheFor(names, not)}
	p.fields = append([]sectionPlan{s}, p.fields...)
	p.needFile = p.needFile || s.cached < 0
	p.needCache = p.needCache || s.cached >= 0
}

func planSection(s *imap.FetchItemBodySection) sectionPlan {
	plan := sectionPlan{part: s.Part, specifier: s.Specifier, partial: s.Partial, cached: -1}
	text := partText(s.Part)
	if text != "" && s.Specifier != "" {
		text += "."
	}
	text += string(s.Specifier)
	switch {
	case s.HeaderFields != nil:
		plan.names = s.HeaderFields
		text += ".FIELDS " + fieldList(s.HeaderFields)
	case s.HeaderFieldsNot != nil:
		plan.names, plan.not = s.HeaderFieldsNot, true
		text += ".FIELDS.NOT " + fieldList(s.HeaderFieldsNot)
	}
	if plan.names != nil && len(s.Part) == 0 {
		plan.cached = cacheFor(plan.names, plan.not)
	}
	plan.label = " BODY[" + text + "]" + originText(s.Partial) + " "
	return plan
}

// cacheFor is the version of cache records that hold all fields of names, -1
// when none does.
func cacheFor(names []string, not bool) int {
	if not {
		return -1
	}
	need := 0
	for _, n := range names {
		version, ok := message.CachedSince(n)
		if !ok {
			return -1
		}
		need = max(need, version)
	}
	return need
}

func partText(part []int) string {
	words := make([]string, len(part))
	for i, n := range part {
		words[i] = strconv.Itoa(n)
	}
	return strings.Join(words, ".")
}

func originText(p *imap.SectionPartial) string {
	if p == nil {
		return ""
	}
	return "<" + strconv.FormatInt(p.Offset, 10) + ">"
}

func fieldList(names []string) string {
	b := []byte{'('}
	for i, n := range names {
		if i > 0 {
			b = append(b, ' ')
		}
		b = imapwire.AppendAString(b, n)
	}
	return string(append(b, ')'))
}
