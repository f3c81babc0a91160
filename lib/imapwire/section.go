package imapwire

import (
	"strconv"
	"strings"

	"github.com/emersion/go-imap/v2"
)

var (
	errBodySection   = Bad("Invalid body section")
	errBodyJunk      = Bad("Junk after body section")
	errBinarySection = Bad("Invalid binary section")
	errBinaryJunk    = Bad("Junk after binary section")
	errPartial       = Bad("Invalid body partial")
)

// maxParts bounds the depth of a part number.
const maxParts = 100

// bodySection reads the rest of w, "BODY[1.2.HEADER]<0.100>" in upper case. The
// field lists of HEADER.FIELDS come after it.
func (p *Parser) bodySection(f *Fetch, w string) error {
	s := new(imap.FetchItemBodySection)
	_, text, _ := strings.Cut(w, "[")
	s.Peek = strings.HasPrefix(w, "BODY.PEEK[")
	part, text, ok := parsePart(text)
	if !ok {
		return errBodySection
	}
	s.Part = part
	var err error
	if strings.HasPrefix(text, "HEADER.FIELDS") {
		s.Specifier = imap.PartSpecifierHeader
		err = p.headerFields(s, w, text)
	} else {
		err = sectionText(s, text)
	}
	if err != nil {
		return err
	}
	f.SetSeen = f.SetSeen || !s.Peek
	f.Sections = append(f.Sections, s)
	return nil
}

// sectionText reads what follows the part number: "HEADER]<0.100>".
func sectionText(s *imap.FetchItemBodySection, text string) (err error) {
	name, rest, closed := strings.Cut(text, "]")
	if !closed {
		return errBodySection
	}
	switch name {
	case "", "HEADER", "TEXT":
	case "MIME":
		if len(s.Part) == 0 {
			return errBodySection
		}
	default:
		return errBodySection
	}
	s.Specifier = imap.PartSpecifier(name)
	s.Partial, err = parsePartial(rest, errBodyJunk)
	return err
}

// ParseSection reads a section that stands alone, as in URLs: "1.2.HEADER", or
// "HEADER.FIELDS (To Cc)"; "" is the whole message.
func ParseSection(text string) (*imap.FetchItemBodySection, bool) {
	s := new(imap.FetchItemBodySection)
	var ok bool
	if s.Part, text, ok = parsePart(strings.ToUpper(text) + "]"); !ok {
		return nil, false
	}
	names, fields := strings.CutPrefix(text, "HEADER.FIELDS")
	if !fields {
		return s, sectionText(s, text) == nil
	}
	s.Specifier = imap.PartSpecifierHeader
	to := &s.HeaderFields
	if rest, not := strings.CutPrefix(names, ".NOT"); not {
		names, to = rest, &s.HeaderFieldsNot
	}
	inner, open := strings.CutPrefix(names, " (")
	inner, closed := strings.CutSuffix(inner, ")]")
	*to = strings.Fields(inner)
	return s, open && closed && len(*to) > 0
}

// parsePart reads "1.2." or "1.2" in front of "]" from text.
func parsePart(text string) (part []int, rest string, ok bool) {
	for {
		n := 0
		for n < len(text) && text[n] >= '0' && text[n] <= '9' {
			n++
		}
		if n == 0 {
			return part, text, true
		}
		// A lone 0 is the header of old clients' BODY[0]; no other part number
		// begins with it.
		if text[0] == '0' && !strings.HasPrefix(text, "0]") {
			return nil, "", false
		}
		num, err := strconv.ParseUint(text[:n], 10, 31)
		if err != nil || len(part) == maxParts {
			return nil, "", false
		}
		part = append(part, int(num))
		text = text[n:]
		if strings.HasPrefix(text, "]") {
			return part, text, true
		}
		if !strings.HasPrefix(text, ".") {
			return nil, "", false
		}
		text = text[1:]
		if text == "" || text[0] == ']' {
			return nil, "", false
		}
	}
}

// parsePartial reads "<offset.count>" or nothing.
func parsePartial(s string, junk error) (*imap.SectionPartial, error) {
	if s == "" {
		return nil, nil
	}
	if s[0] != '<' {
		return nil, junk
	}
	inner, rest, closed := strings.Cut(s[1:], ">")
	from, count, dot := strings.Cut(inner, ".")
	offset, err1 := strconv.ParseUint(from, 10, 32)
	size, err2 := strconv.ParseUint(count, 10, 32)
	if !closed || !dot || err1 != nil || err2 != nil || size == 0 {
		return nil, errPartial
	}
	if rest != "" {
		return nil, junk
	}
	return &imap.SectionPartial{Offset: int64(offset), Size: int64(size)}, nil
}

// headerFields reads the list after HEADER.FIELDS or HEADER.FIELDS.NOT, the
// bracket and the partial.
func (p *Parser) headerFields(s *imap.FetchItemBodySection, w, text string) (err error) {
	switch text {
	case "HEADER.FIELDS":
		err = p.fieldNames(&s.HeaderFields, w)
	case "HEADER.FIELDS.NOT":
		err = p.fieldNames(&s.HeaderFieldsNot, w)
	default:
		return errBodySection
	}
	if err != nil {
		return err
	}
	tail, _, err := p.Word()
	if err != nil {
		return err
	}
	if !strings.HasPrefix(tail, "]") {
		return p.Bad("Missing required close bracket after ", p.cmd, " ", w)
	}
	s.Partial, err = parsePartial(tail[1:], errBodyJunk)
	return err
}

// fieldNames reads " (name name)" into dst, for the attribute w.
func (p *Parser) fieldNames(dst *[]string, w string) error {
	if err := p.expect(' ', p.Bad("Missing required argument to ", p.cmd, " ", w)); err != nil {
		return err
	}
	if err := p.expect('(', p.Bad("Missing required open parenthesis in ", p.cmd, " ", w)); err != nil {
		return err
	}
	for {
		name, _, err := p.str(asAtom | asQuoted | asLiteral)
		if err == errToken || err == nil && !isFieldName(name) {
			return p.Bad("Invalid field-name in ", p.cmd, " ", w)
		}
		if err != nil {
			return err
		}
		*dst = append(*dst, name)
		if more, err := p.Accept(' '); err != nil {
			return err
		} else if !more {
			return p.expect(')', p.Bad("Missing required close parenthesis in ", p.cmd, " ", w))
		}
	}
}

func isFieldName(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x80 || s[i] == ':' {
			return false
		}
	}
	return s != ""
}

// binarySection reads the rest of w, "BINARY.PEEK[1.2]<0.100>".
func (p *Parser) binarySection(f *Fetch, w string) error {
	_, text, _ := strings.Cut(w, "[")
	part, text, ok := parsePart(text)
	if !ok || !strings.HasPrefix(text, "]") {
		return errBinarySection
	}
	if strings.HasPrefix(w, "BINARY.SIZE") {
		if text != "]" {
			return errBinaryJunk
		}
		f.Sizes = append(f.Sizes, &imap.FetchItemBinarySectionSize{Part: part})
		return nil
	}
	partial, err := parsePartial(text[1:], errBinaryJunk)
	if err != nil {
		return err
	}
	peek := strings.HasPrefix(w, "BINARY.PEEK")
	f.SetSeen = f.SetSeen || !peek
	f.Binary = append(f.Binary, &imap.FetchItemBinarySection{Part: part, Partial: partial, Peek: peek})
	return nil
}

// annotationFetch reads " (entries attribs)" after ANNOTATION (RFC 5257
// section 4.3): each half a name or a list of names.
func (p *Parser) annotationFetch(f *Fetch) (err error) {
	bad := Bad("invalid Annotation")
	a := new(AnnotationFetch)
	for _, c := range []byte(" (") {
		if err := p.expect(c, bad); err != nil {
			return err
		}
	}
	if a.Entries, err = p.StringOrList(bad); err != nil {
		return err
	}
	if err := p.expect(' ', bad); err != nil {
		return err
	}
	if a.Attribs, err = p.StringOrList(bad); err != nil {
		return err
	}
	f.Annotation = a
	return p.expect(')', bad)
}

// maxList bounds the strings of one list.
const maxList = 10000

// StringOrList reads an astring, or a parenthesised list of some; anything else
// is the error bad.
func (p *Parser) StringOrList(bad error) ([]string, error) {
	one := func() (string, error) {
		s, _, err := p.str(asAtom | asQuoted | asLiteral)
		if err == errToken {
			err = bad
		}
		return s, err
	}
	list, err := p.Accept('(')
	if err != nil {
		return nil, err
	}
	if !list {
		s, err := one()
		return []string{s}, err
	}
	var all []string
	for {
		s, err := one()
		if err != nil {
			return nil, err
		}
		if all = append(all, s); len(all) > maxList {
			return nil, bad
		}
		if more, err := p.Accept(' '); err != nil {
			return nil, err
		} else if !more {
			return all, p.expect(')', bad)
		}
	}
}
