package imapserver

import (
	"strconv"
	"strings"

	"gocyrus/lib/glob"
	"gocyrus/lib/imapwire"
)

// The commands of draft-daboo-imap-annotatemore, from which METADATA came. A site
// has to turn them on (annotation_enable_legacy_commands).

var (
	errAnnotArg       = imapwire.Bad("Missing annotation entry")
	errAnnotAttribs   = imapwire.Bad("Missing annotation attribute(s)")
	errAnnotAttrib    = imapwire.Bad("Missing annotation attribute")
	errAnnotList      = imapwire.Bad("Missing annotation attribute-values list")
	errAnnotArgValue  = imapwire.Bad("Missing annotation value")
	errAnnotEndEntry  = imapwire.Bad("Missing close paren in annotation entry list ")
	errAnnotEndAttrib = imapwire.Bad("Missing close paren in annotation attribute list ")
)

// getAnnotation is GETANNOTATION mailbox entries attributes.
func (s *session) getAnnotation(p *imapwire.Parser) error {
	name, err := p.SPAString()
	if err != nil {
		return err
	}
	if err := p.SP(); err != nil {
		return err
	}
	list, err := p.Accept('(')
	if err != nil {
		return err
	}
	if list && s.proxied() {
		if b, err := p.Peek(); err != nil {
			return err
		} else if b == '/' {
			return s.proxiedMetadata(p, name)
		}
	}
	entries, err := quotedRest(p, list, errAnnotArg, errAnnotArg, errAnnotEndEntry)
	if err != nil {
		return err
	}
	if ok, err := p.Accept(' '); err != nil || !ok {
		return firstOf(err, errAnnotAttribs)
	}
	attribs, err := quotedList(p, errAnnotAttrib, errAnnotAttribs, errAnnotEndAttrib)
	if err != nil {
		return err
	}
	if err := p.EOL(); err != nil {
		return err
	}
	if !s.srv.opts.Annotations.Legacy {
		return errPermission
	}
	attrs := annotAttrsOf(attribs)
	var ask annotAsk
	for _, e := range entries {
		ask.add(e, attrs.values())
	}
	return s.eachMetadataPlace(name, func(at *place) error { return s.answerAnnotation(at, &ask, attrs) })
}

// annotAttrsOf is the attributes that names or patterns stand for; "value" and "size"
// are two each.
func annotAttrsOf(patterns []string) (attrs annotAttrs) {
	for _, a := range patterns {
		pattern := glob.Compile(a, '.')
		for i, name := range annotAttrNames {
			if pattern.Match(name) || strings.HasPrefix(name, a+".") {
				attrs |= 1 << i
			}
		}
	}
	return attrs
}

// values are those whose text or size is among the attributes.
func (a annotAttrs) values() (which values) {
	if a&(valueShared|sizeShared) != 0 {
		which |= forAll
	}
	if a&(valuePriv|sizePriv) != 0 {
		which |= forOne
	}
	return which
}

// quotedList reads a string, or a list of them in parentheses. The error is one or
// many where a string is missing, and end where the list's end is.
func quotedList(p *imapwire.Parser, one, many, end imapwire.Bad) ([]string, error) {
	list, err := p.Accept('(')
	if err != nil {
		return nil, err
	}
	return quotedRest(p, list, one, many, end)
}

// quotedRest is quotedList behind the parenthesis, if there was one.
func quotedRest(p *imapwire.Parser, list bool, one, many, end imapwire.Bad) ([]string, error) {
	missing := one
	if list {
		missing = many
	}
	var all []string
	for {
		word, err := p.String()
		if err != nil {
			return nil, idError(err, missing)
		}
		all = append(all, word)
		if !list {
			return all, nil
		}
		if len(all) > maxMetaValues {
			return nil, missing
		}
		if more, err := p.Accept(' '); err != nil {
			return nil, err
		} else if more {
			continue
		}
		ok, err := p.Accept(')')
		if err != nil || !ok {
			return nil, firstOf(err, end)
		}
		return all, nil
	}
}

// answerAnnotation answers for one mailbox: a line for attributes of one entry that
// follow each other.
func (s *session) answerAnnotation(at *place, ask *annotAsk, attrs annotAttrs) error {
	m, err := s.openMetadata(at)
	if err != nil {
		return err
	}
	b := s.in.Scratch()
	open, sep := "", ""
	err = m.each(ask, func(name string, private bool, value string, ok bool) {
		if open != name {
			if open != "" {
				b = append(b, ")\r\n"...)
			}
			b = append(b, "* ANNOTATION "...)
			b = s.mailbox(b, m.external())
			b = imapwire.AppendString(append(b, ' '), name)
			b = append(b, " ("...)
			open, sep = name, ""
		}
		b = append(b, sep...)
		b = attrs.appendTo(b, private, value, ok)
		sep = " "
	})
	if err != nil {
		return err
	}
	if open != "" {
		b = append(b, ")\r\n"...)
	}
	return s.in.Commit(b)
}

// appendTo appends the attributes of one value.
func (a annotAttrs) appendTo(b []byte, private bool, value string, ok bool) []byte {
	text, size, kind := valueShared, sizeShared, "shared"
	if private {
		text, size, kind = valuePriv, sizePriv, "priv"
	}
	if a&text != 0 {
		b = append(append(append(b, `"value.`...), kind...), `" `...)
		b = imapwire.AppendNString(b, value, ok)
	}
	if a&text != 0 && a&size != 0 {
		b = append(b, ' ')
	}
	if a&size != 0 {
		b = append(append(append(b, `"size.`...), kind...), `" "`...)
		b = append(strconv.AppendInt(b, int64(len(value)), 10), '"')
	}
	return b
}

// setAnnotation is SETANNOTATION mailbox entry (attribute value ...) ..., which may
// be in parentheses.
func (s *session) setAnnotation(p *imapwire.Parser) error {
	name, err := p.SPAString()
	if err != nil {
		return err
	}
	if err := p.SP(); err != nil {
		return err
	}
	list, err := p.Accept('(')
	if err != nil {
		return err
	}
	var all []metadataValue
	for more := true; more; {
		if all, err = readAnnotation(p, all); err != nil {
			return err
		}
		if more, err = p.Accept(' '); err != nil {
			return err
		}
	}
	if list {
		if ok, err := p.Accept(')'); err != nil || !ok {
			return firstOf(err, errAnnotEndEntry)
		}
	}
	if err := p.EOL(); err != nil {
		return err
	}
	if !s.srv.opts.Annotations.Legacy {
		return errPermission
	}
	for i := range all {
		if all[i].unknown {
			return errPermission
		}
	}
	return s.eachMetadataPlace(name, func(at *place) error { return s.storeMetadata(at, all) })
}

// readAnnotation reads one entry with its attributes.
func readAnnotation(p *imapwire.Parser, all []metadataValue) ([]metadataValue, error) {
	name, err := p.String()
	if err != nil {
		return nil, idError(err, errAnnotArg)
	}
	if ok, err := p.Accept(' '); err != nil || !ok {
		return nil, firstOf(err, errAnnotList)
	}
	if ok, err := p.Accept('('); err != nil || !ok {
		return nil, firstOf(err, errAnnotList)
	}
	for {
		attrib, err := p.String()
		if err != nil {
			return nil, idError(err, errAnnotAttrib)
		}
		if ok, err := p.Accept(' '); err != nil || !ok {
			return nil, firstOf(err, errAnnotArgValue)
		}
		v := metadataValue{entry: name}
		if v.value, _, err = p.NString(true); err != nil {
			return nil, idError(err, errAnnotArgValue)
		}
		switch attrib {
		case "value.priv":
			v.private = true
			all = append(all, v)
		case "value.shared":
			all = append(all, v)
		case "content-type.priv", "content-type.shared": // of the first drafts
		default:
			v.unknown = true
			all = append(all, v)
		}
		if len(all) > maxMetaValues {
			return nil, errAnnotArg
		}
		if more, err := p.Accept(' '); err != nil {
			return nil, err
		} else if more {
			continue
		}
		ok, err := p.Accept(')')
		if err != nil || !ok {
			return nil, firstOf(err, errAnnotEndAttrib)
		}
		return all, nil
	}
}
