package imapwire

import (
	"math"
	"strings"

	"github.com/emersion/go-imap/v2"
)

// Select is the parameters of SELECT and EXAMINE.
type Select struct {
	CondStore bool
	Annotate  bool // RFC 5257: asked for, and nothing to do
	Expunged  bool // VENDOR.CMU-INCLUDE-EXPUNGED
	QResync   *QResync
}

// QResync is what a client knows of a mailbox it had selected before (RFC 7162
// section 3.2.5).
type QResync struct {
	UIDValidity uint32
	ModSeq      uint64
	UIDs        imap.UIDSet // nil: all
	MatchSeq    imap.SeqSet // numbers of a sample of messages, and
	MatchUID    imap.UIDSet // their UIDs
}

// SelectRules say what a session's SELECT understands.
type SelectRules struct {
	QResync  bool // after ENABLE QRESYNC
	Expunged bool // option allowdeleted
}

// Select reads the optional parameters after the mailbox, to the end of the
// line.
func (p *Parser) Select(rules SelectRules) (*Select, error) {
	s := new(Select)
	if more, err := p.Accept(' '); err != nil {
		return nil, err
	} else if more {
		if err := p.selectParams(s, rules); err != nil {
			return nil, err
		}
	}
	return s, p.EOL()
}

func (p *Parser) selectParams(s *Select, rules SelectRules) error {
	badList := p.Bad("Invalid modifier list in ", p.cmd)
	if err := p.expect('(', badList); err != nil {
		return err
	}
	for first := true; ; first = false {
		w, _, err := p.Word()
		if err != nil {
			return err
		}
		if w == "" && first {
			return badList
		}
		switch w = strings.ToUpper(w); {
		case w == "CONDSTORE":
			s.CondStore = true
		case w == "ANNOTATE":
			s.Annotate = true
		case w == "VENDOR.CMU-INCLUDE-EXPUNGED" && rules.Expunged:
			s.Expunged = true
		case w == "QRESYNC" && rules.QResync:
			if s.QResync, err = p.qresync(); err != nil {
				return err
			}
		default:
			return p.Bad("Invalid ", p.cmd, " modifier ", w)
		}
		if more, err := p.Accept(' '); err != nil {
			return err
		} else if !more {
			return p.expect(')', p.Bad("Missing close parenthesis in ", p.cmd))
		}
	}
}

// qresync reads " (uidvalidity modseq [uids] [(seqs uids)])".
func (p *Parser) qresync() (*QResync, error) {
	bad := p.Bad("Invalid QRESYNC parameter list in ", p.cmd)
	for _, c := range []byte(" (") {
		if err := p.expect(c, bad); err != nil {
			return nil, err
		}
	}
	q := new(QResync)
	n, ok, err := p.Number(math.MaxUint32)
	if err == nil && (!ok || n == 0) {
		err = bad
	}
	if err == nil {
		err = p.expect(' ', bad)
	}
	if err != nil {
		return nil, err
	}
	q.UIDValidity = uint32(n)
	if q.ModSeq, ok, err = p.Number(math.MaxUint64); err == nil && !ok {
		err = bad
	}
	if err != nil {
		return nil, err
	}
	if err := p.qresyncSets(q, bad); err != nil {
		return nil, err
	}
	return q, p.expect(')', bad)
}

// qresyncSets reads the two optional arguments, each after a space.
func (p *Parser) qresyncSets(q *QResync, bad error) error {
	more, err := p.Accept(' ')
	if err != nil || !more {
		return err
	}
	open, err := p.Accept('(')
	if err != nil {
		return err
	}
	if !open {
		set, err := p.set(bad)
		if err != nil {
			return err
		}
		q.UIDs = toUIDs(set)
		if more, err = p.Accept(' '); err != nil || !more {
			return err
		}
		if err := p.expect('(', bad); err != nil {
			return err
		}
	}
	if q.MatchSeq, err = p.set(bad); err != nil {
		return err
	}
	if err := p.expect(' ', bad); err != nil {
		return err
	}
	set, err := p.set(bad)
	if err != nil {
		return err
	}
	q.MatchUID = toUIDs(set)
	return p.expect(')', bad)
}

func (p *Parser) set(bad error) (imap.SeqSet, error) {
	w, _, err := p.Word()
	if err != nil {
		return nil, err
	}
	set, ok := ParseNums(w)
	if !ok {
		return nil, bad
	}
	return set, nil
}
