package imapwire

import (
	"math"
	"strings"

	"github.com/emersion/go-imap/v2"
)

// Store is what a STORE does: flags or, when Annotations is set, annotations.
type Store struct {
	Op     imap.StoreFlagsOp
	Silent bool
	Flags  []imap.Flag // system flags in their usual spelling, keywords as sent
	// UnchangedSince is math.MaxUint64 without that modifier (RFC 7162).
	UnchangedSince uint64
	Annotations    []AnnotationStore
}

// AnnotationStore is one entry of STORE ANNOTATION (RFC 5257 section 4.4).
type AnnotationStore struct {
	Entry  string
	Values []AnnotationValue
}

// AnnotationValue is one attribute and its value; Nil deletes it.
type AnnotationValue struct {
	Attrib, Value string
	Nil           bool
}

const (
	// maxFlags bounds the flags of one command.
	maxFlags = 1000
	// maxAnnotations bounds the entries of one STORE.
	maxAnnotations = 1000
)

// Store reads what follows the set of messages and its space, to the end of the
// line.
func (p *Parser) Store() (*Store, error) {
	s := &Store{UnchangedSince: math.MaxUint64}
	if open, err := p.Accept('('); err != nil {
		return nil, err
	} else if open {
		if err := p.storeModifiers(s); err != nil {
			return nil, err
		}
	}
	w, _, err := p.Word()
	if err != nil {
		return nil, err
	}
	if err := p.SP(); err != nil {
		return nil, err
	}
	if err := p.storeWhat(s, strings.ToUpper(w)); err != nil {
		return nil, err
	}
	return s, p.EOL()
}

func (p *Parser) storeModifiers(s *Store) error {
	for {
		w, _, err := p.Word()
		if err != nil {
			return err
		}
		if w = strings.ToUpper(w); w != "UNCHANGEDSINCE" {
			return p.Bad("Invalid ", p.cmd, " modifier ", w)
		}
		if s.UnchangedSince, err = p.modSeqOf(w); err != nil {
			return err
		}
		if more, err := p.Accept(' '); err != nil {
			return err
		} else if !more {
			break
		}
	}
	if err := p.expect(')', Bad("Missing close paren in store modifier entry ")); err != nil {
		return err
	}
	return p.SP()
}

func (p *Parser) storeWhat(s *Store, w string) (err error) {
	w, s.Silent = strings.CutSuffix(w, ".SILENT")
	switch w {
	case "FLAGS":
		s.Op = imap.StoreFlagsSet
	case "+FLAGS":
		s.Op = imap.StoreFlagsAdd
	case "-FLAGS":
		s.Op = imap.StoreFlagsDel
	case "ANNOTATION":
		s.Silent = true
		s.Annotations, err = p.AnnotationStore()
		return err
	default:
		return p.Bad("Invalid ", p.cmd, " attribute")
	}
	s.Flags, err = p.Flags("Store")
	return err
}

// systemFlags are the flags a client may set, by their lower-case names.
var systemFlags = map[string]imap.Flag{
	`\seen`: imap.FlagSeen, `\answered`: imap.FlagAnswered, `\flagged`: imap.FlagFlagged,
	`\deleted`: imap.FlagDeleted, `\draft`: imap.FlagDraft,
}

// Flags reads "(flag flag)" or, as STORE also takes them, flags without
// parentheses. where names the command in errors: "Store" or "Append".
func (p *Parser) Flags(where string) ([]imap.Flag, error) {
	open, err := p.Accept('(')
	if err != nil {
		return nil, err
	}
	flags := []imap.Flag{}
	for {
		w, _, err := p.Word()
		if err != nil {
			return nil, err
		}
		if w == "" {
			break
		}
		f, err := p.flag(w, where)
		if err != nil {
			return nil, err
		}
		if flags = append(flags, f); len(flags) > maxFlags {
			return nil, p.Bad("Invalid flag in ", where, " command")
		}
		if more, err := p.Accept(' '); err != nil {
			return nil, err
		} else if !more {
			break
		}
	}
	if open {
		return flags, p.expect(')', p.Bad("Missing close parenthesis in ", p.cmd))
	}
	if len(flags) == 0 {
		return nil, p.Missing()
	}
	return flags, nil
}

func (p *Parser) flag(w, where string) (imap.Flag, error) {
	if w[0] == '\\' {
		if f := systemFlags[strings.ToLower(w)]; f != "" {
			return f, nil
		}
		if where == "Append" {
			return "", Bad("Invalid system flag in Append command")
		}
		return "", p.Bad("Invalid system flag in ", p.cmd, " command")
	}
	if !IsAtom(w) {
		return "", p.Bad("Invalid flag name ", w, " in ", p.cmd, " command")
	}
	return imap.Flag(w), nil
}

var errAnnotation = Bad("invalid Annotation")

// AnnotationStore reads "(entry (attrib value ...) ...)" (RFC 5257 section 4.4).
func (p *Parser) AnnotationStore() ([]AnnotationStore, error) {
	if err := p.expect('(', errAnnotation); err != nil {
		return nil, err
	}
	var all []AnnotationStore
	for {
		a, err := p.annotationEntry()
		if err != nil {
			return nil, err
		}
		if all = append(all, a); len(all) > maxAnnotations {
			return nil, errAnnotation
		}
		if more, err := p.Accept(' '); err != nil {
			return nil, err
		} else if !more {
			return all, p.expect(')', errAnnotation)
		}
	}
}

func (p *Parser) annotationEntry() (a AnnotationStore, err error) {
	if a.Entry, _, err = p.str(asAtom | asQuoted | asLiteral); err != nil {
		return a, badAnnotation(err)
	}
	for _, c := range []byte(" (") {
		if err := p.expect(c, errAnnotation); err != nil {
			return a, err
		}
	}
	for {
		var v AnnotationValue
		if v.Attrib, _, err = p.str(asAtom | asQuoted | asLiteral); err != nil {
			return a, badAnnotation(err)
		}
		if err := p.expect(' ', errAnnotation); err != nil {
			return a, err
		}
		if v.Value, v.Nil, err = p.str(asQuoted | asLiteral | asNil | asBinary); err != nil {
			return a, badAnnotation(err)
		}
		if a.Values = append(a.Values, v); len(a.Values) > maxAnnotations {
			return a, errAnnotation
		}
		if more, err := p.Accept(' '); err != nil {
			return a, err
		} else if !more {
			return a, p.expect(')', errAnnotation)
		}
	}
}

func badAnnotation(err error) error {
	if err == errToken {
		return errAnnotation
	}
	return err
}
