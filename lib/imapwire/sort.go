package imapwire

import (
	"strings"
)

// SortKey is one criterion of SORT (RFC 5256 section 3, RFC 5957).
type SortKey struct {
	Key     string // "ARRIVAL", "SUBJECT", ... in upper case
	Reverse bool
	Name    string // ANNOTATION: the entry; HASFLAG: the flag
	Attr    string // ANNOTATION: value.priv or value.shared
}

// Sort is the argument of SORT.
type Sort struct {
	Return SearchReturn // zero without RETURN (RFC 5267)
	Keys   []SortKey
	Search *Search
}

// Thread is the argument of THREAD.
type Thread struct {
	Algorithm string // in upper case
	Search    *Search
}

// sortKeys are the criteria: those of RFC 5256 and RFC 5957, and Cyrus's own.
var sortKeys = map[string]bool{
	"ARRIVAL": true, "CC": true, "DATE": true, "FROM": true, "SIZE": true,
	"SUBJECT": true, "TO": true, "DISPLAYFROM": true, "DISPLAYTO": true,
	"UID": true, "MODSEQ": true, "CREATEDMODSEQ": true, "FOLDER": true,
	"SPAMSCORE": true, "RELEVANCY": true, "ANNOTATION": true, "HASFLAG": true,
}

// maxSortKeys bounds the criteria of one SORT: there are not that many to
// compare by.
const maxSortKeys = 64

var errSortKeys = Bad("Missing Sort criteria")

// Sort reads what follows "SORT ", to the end of the line.
func (p *Parser) Sort(rules SearchRules) (*Sort, error) {
	out := &Sort{}
	if b, err := p.Peek(); err != nil {
		return nil, err
	} else if b != '(' {
		w, _, err := p.Word()
		if err != nil {
			return nil, err
		}
		if !strings.EqualFold(w, "RETURN") {
			return nil, errSortKeys
		}
		if out.Return, err = p.ReturnOptions(true); err != nil {
			return nil, err
		}
		if err := p.expect(' ', errSortKeys); err != nil {
			return nil, err
		}
	}
	var err error
	if out.Keys, err = p.sortCriteria(); err != nil {
		return nil, err
	}
	out.Search, err = p.charsetProgram(rules)
	return out, err
}

// Thread reads what follows "THREAD ", to the end of the line. known says which
// algorithms there are.
func (p *Parser) Thread(rules SearchRules, known func(algorithm string) bool) (*Thread, error) {
	w, end, err := p.Word()
	if err != nil {
		return nil, err
	}
	if w == "" || end != ' ' {
		return nil, Bad("Missing algorithm in Thread")
	}
	out := &Thread{Algorithm: strings.ToUpper(w)}
	if !known(out.Algorithm) {
		return nil, Bad("Invalid Thread algorithm " + out.Algorithm)
	}
	out.Search, err = p.charsetProgram(rules)
	return out, err
}

// charsetProgram reads " charset criteria".
func (p *Parser) charsetProgram(rules SearchRules) (*Search, error) {
	missing := Bad("Missing charset")
	if err := p.expect(' ', missing); err != nil {
		return nil, err
	}
	name, _, err := p.str(asAtom | asQuoted | asLiteral)
	if err == errToken {
		return nil, missing
	}
	if err != nil {
		return nil, err
	}
	if err := p.expect(' ', missing); err != nil {
		return nil, err
	}
	if name == "" {
		return nil, Bad("Unrecognized character set")
	}
	return p.SearchProgram(name, rules)
}

// sortCriteria reads the list in parentheses.
func (p *Parser) sortCriteria() ([]SortKey, error) {
	if err := p.expect('(', errSortKeys); err != nil {
		return nil, err
	}
	var keys []SortKey
	for {
		k, err := p.sortKey()
		if err != nil {
			return nil, err
		}
		if keys = append(keys, k); len(keys) > maxSortKeys {
			return nil, Bad("Too many Sort criteria")
		}
		if more, err := p.Accept(' '); err != nil {
			return nil, err
		} else if !more {
			return keys, p.expect(')', Bad("Missing close parenthesis in Sort"))
		}
	}
}

// sortKey reads one criterion.
func (p *Parser) sortKey() (k SortKey, err error) {
	w, _, err := p.Word()
	if err != nil {
		return k, err
	}
	if w == "" {
		return k, errSortKeys
	}
	for strings.EqualFold(w, "REVERSE") {
		k.Reverse = true
		if err := p.expect(' ', Bad("Missing Sort criterion to "+strings.ToLower(w))); err != nil {
			return k, err
		}
		if w, _, err = p.Word(); err != nil {
			return k, err
		}
	}
	k.Key = strings.ToUpper(w)
	if !sortKeys[k.Key] {
		return k, Bad("Invalid Sort criterion " + strings.ToLower(w))
	}
	switch k.Key {
	case "HASFLAG":
		k.Name, err = p.sortArgument(w)
	case "ANNOTATION":
		if k.Name, err = p.sortArgument(w); err != nil {
			return k, err
		}
		if k.Attr, err = p.sortArgument(k.Name); err != nil {
			return k, err
		}
		if k.Attr = strings.ToLower(k.Attr); k.Attr != "value.priv" && k.Attr != "value.shared" {
			err = missingSortArgument(k.Attr)
		}
	}
	return k, err
}

// sortArgument reads the space and the word that belong to a criterion.
func (p *Parser) sortArgument(of string) (string, error) {
	if err := p.expect(' ', missingSortArgument(of)); err != nil {
		return "", err
	}
	s, _, err := p.str(asAtom | asQuoted | asLiteral)
	if err == errToken {
		err = missingSortArgument(of)
	}
	return s, err
}

func missingSortArgument(of string) error {
	return Bad("Missing argument to Sort criterion " + strings.ToLower(of))
}
