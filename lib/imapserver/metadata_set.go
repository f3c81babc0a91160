package imapserver

import (
	"strings"

	"gocyrus/lib/imapwire"
)

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
		v, err := readMetaValue(p, s.proxied())
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
	return s.eachMetadataPlace(name, func(at *place) error { return s.storeMetadata(at, values) })
}

// maxMetaValues bounds the entries of one SETMETADATA.
const maxMetaValues = 1000

// metadataValue is one value to be set.
type metadataValue struct {
	entry   string // without /shared or /private
	private bool
	value   string // "" for NIL too
	unknown bool   // an attribute that cannot be set
}

func (v *metadataValue) which() values {
	if v.private {
		return forOne
	}
	return forAll
}

// metaText reads a value.
func metaText(p *imapwire.Parser, atoms bool) (string, error) {
	b, err := p.Peek()
	if err != nil {
		return "", err
	}
	if !atoms || strings.IndexByte("\"{~", b) >= 0 {
		value, _, err := p.NString(true)
		return value, err
	}
	w, err := p.AString()
	if strings.EqualFold(w, "NIL") {
		w = ""
	}
	return w, err
}

// readMetaValue reads an entry and its value, which may be an atom where atoms says so.
func readMetaValue(p *imapwire.Parser, atoms bool) (v metadataValue, err error) {
	name, err := p.AString()
	if err != nil {
		return v, idError(err, errMetaEntry)
	}
	if ok, err := p.Accept(' '); err != nil || !ok {
		return v, firstOf(err, errMetaEntry)
	}
	value, err := metaText(p, atoms)
	if err != nil {
		return v, idError(err, errMetaValueArg)
	}
	rest, private, ok := splitEntry(strings.ToLower(name))
	if !ok {
		return v, errMetaPrefix
	}
	return metadataValue{entry: rest, private: private, value: value}, nil
}
