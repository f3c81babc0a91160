package imapwire

import "strings"

// ListSelect is the set of selection options of LIST (RFC 5258 section 3.1).
type ListSelect uint8

const (
	SelectSubscribed ListSelect = 1 << iota
	SelectRemote
	SelectRecursiveMatch
	SelectSpecialUse  // RFC 6154
	SelectDeleted     // VENDOR.CMU-INCLUDE-DELETED, where the site allows it
	SelectNonExistent // VENDOR.FM-INCLUDE-NONEXISTENT
)

// ListReturn is the set of return options of LIST.
type ListReturn uint8

const (
	ReturnSubscribed ListReturn = 1 << iota
	ReturnChildren
	ReturnMyRights   // RFC 8440
	ReturnSpecialUse // RFC 6154
	ReturnStatus     // RFC 5819
	ReturnMetadata   // RFC 9590
)

// List is the argument of LIST.
type List struct {
	Extended  bool // any part of RFC 5258 was used
	Select    ListSelect
	Return    ListReturn
	Status    StatusItem
	Metadata  []string // entries of RETURN (METADATA (...))
	Reference string
	Patterns  []string
}

// ListRules say what a session's LIST understands.
type ListRules struct {
	Deleted  bool // option allowdeleted
	Metadata bool
	Status   StatusRules
}

var listSelect = map[string]ListSelect{
	"SUBSCRIBED": SelectSubscribed, "REMOTE": SelectRemote, "RECURSIVEMATCH": SelectRecursiveMatch,
	"SPECIAL-USE": SelectSpecialUse, "VENDOR.FM-INCLUDE-NONEXISTENT": SelectNonExistent,
	"VENDOR.CMU-INCLUDE-DELETED": SelectDeleted,
}

var listReturn = map[string]ListReturn{
	"SUBSCRIBED": ReturnSubscribed, "CHILDREN": ReturnChildren, "MYRIGHTS": ReturnMyRights,
	"SPECIAL-USE": ReturnSpecialUse, "STATUS": ReturnStatus, "METADATA": ReturnMetadata,
}

// maxPatterns bounds the patterns of one LIST.
const maxPatterns = 1000

var errListSyntax = Bad("Invalid syntax in List command")

// List reads the arguments of LIST, to the end of the line.
func (p *Parser) List(rules ListRules) (*List, error) {
	l := new(List)
	if err := p.SP(); err != nil {
		return nil, err
	}
	if err := p.listSelection(l, rules); err != nil {
		return nil, err
	}
	var err error
	if l.Reference, err = p.listString("reference name"); err != nil {
		return nil, err
	}
	if err := p.expect(' ', Bad("Missing required argument to List: mailbox pattern")); err != nil {
		return nil, err
	}
	if err := p.listPatterns(l); err != nil {
		return nil, err
	}
	if more, err := p.Accept(' '); err != nil {
		return nil, err
	} else if more {
		if err := p.listReturn(l, rules); err != nil {
			return nil, err
		}
	}
	return l, p.EOL()
}

func (p *Parser) listSelection(l *List, rules ListRules) error {
	if open, err := p.Accept('('); err != nil || !open {
		return err
	}
	l.Extended = true
	err := p.options(Bad("Missing close parenthesis for List selection options"), func(w string) error {
		sel := listSelect[strings.ToUpper(w)]
		if sel == 0 || sel == SelectDeleted && !rules.Deleted {
			return p.Bad("Invalid List selection option \"", strings.ToLower(w), "\"")
		}
		l.Select |= sel
		switch sel {
		case SelectSubscribed:
			l.Return |= ReturnSubscribed
		case SelectSpecialUse:
			l.Return |= ReturnSpecialUse
		}
		return nil
	})
	if err != nil {
		return err
	}
	// RFC 5258 section 3.1: RECURSIVEMATCH does not stand alone.
	if l.Select&SelectRecursiveMatch != 0 && l.Select&(SelectSubscribed|SelectSpecialUse) == 0 {
		return Bad("Invalid combination of selection options")
	}
	return p.SP()
}

// options reads words up to the close parenthesis and gives each to fn.
func (p *Parser) options(unclosed error, fn func(w string) error) error {
	if end, err := p.Accept(')'); err != nil || end {
		return err
	}
	for {
		w, _, err := p.Word()
		if err != nil {
			return err
		}
		if w == "" {
			return errListSyntax
		}
		if err := fn(w); err != nil {
			return err
		}
		if more, err := p.Accept(' '); err != nil {
			return err
		} else if !more {
			return p.expect(')', unclosed)
		}
	}
}

func (p *Parser) listPatterns(l *List) error {
	open, err := p.Accept('(')
	if err != nil {
		return err
	}
	if !open {
		s, err := p.listString("mailbox pattern")
		l.Patterns = []string{s}
		return err
	}
	l.Extended = true
	for {
		s, err := p.listString("mailbox pattern")
		if err != nil {
			return err
		}
		if l.Patterns = append(l.Patterns, s); len(l.Patterns) > maxPatterns {
			return errListSyntax
		}
		if more, err := p.Accept(' '); err != nil {
			return err
		} else if !more {
			return p.expect(')', errListSyntax)
		}
	}
}

// listString reads an astring; without one what names the argument.
func (p *Parser) listString(what string) (string, error) {
	s, _, err := p.str(asAtom | asQuoted | asLiteral)
	if err == errToken {
		err = Bad("Missing required argument to List: " + what)
	}
	return s, err
}

func (p *Parser) listReturn(l *List, rules ListRules) error {
	w, _, err := p.Word()
	switch {
	case err != nil:
		return err
	case w == "":
		return errListSyntax
	case !strings.EqualFold(w, "RETURN"):
		return p.Bad("Unexpected extra argument to List: \"", strings.ToLower(w), "\"")
	}
	l.Extended = true
	for _, c := range []byte(" (") {
		if err := p.expect(c, Bad("Missing return argument list")); err != nil {
			return err
		}
	}
	return p.options(Bad("Missing close parenthesis for List return options"), func(w string) error {
		ret := listReturn[strings.ToUpper(w)]
		if ret == 0 || ret == ReturnMetadata && !rules.Metadata {
			return p.Bad("Invalid List return option \"", strings.ToLower(w), "\"")
		}
		l.Return |= ret
		switch ret {
		case ReturnStatus:
			if err := p.expect(' ', errStatus); err != nil {
				return err
			}
			l.Status, err = p.StatusItems(rules.Status)
			return err
		case ReturnMetadata:
			if err := p.expect(' ', errListSyntax); err != nil {
				return err
			}
			l.Metadata, err = p.StringOrList(errListSyntax)
			return err
		}
		return nil
	})
}
