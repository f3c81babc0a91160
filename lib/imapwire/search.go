package imapwire

import (
	"math"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
)

// SearchOp is how a node of a search program is made up.
type SearchOp uint8

const (
	SearchKey SearchOp = iota // one key with its argument
	SearchAnd                 // all of Sub; of none: every message
	SearchOr                  // any of the two in Sub
	SearchNot                 // not the one in Sub
)

// SearchNode is one node of a search program (RFC 9051 section 6.4.4). NEW, OLD
// and the UN- forms come as AND and NOT of the keys they stand for. SearchCriteria
// of package imap cannot say FUZZY, the keys of RFC 5032, 5257 and 8514, or
// Cyrus's own.
type SearchNode struct {
	Op  SearchOp
	Sub []*SearchNode

	Key  string      // "SUBJECT", "SEEN", "SEQ", ... in upper case
	Str  string      // text as the client sent it, in the charset of the program
	Name string      // HEADER: the field; ANNOTATION: the entry; MODSEQ: the entry or ""
	Attr string      // ANNOTATION: value, value.priv or value.shared; MODSEQ: all, priv or shared
	Num  uint64      // LARGER, SMALLER, MODSEQ, CONVMODSEQ; seconds of YOUNGER and OLDER
	Date time.Time   // the midnight that begins the day, local time
	Set  imap.NumSet // SEQ, UID
	// Fuzzy is set under the FUZZY key (RFC 6203).
	Fuzzy bool
}

// SearchReturn is the set of RETURN options (RFC 4731, 5182, 6203).
type SearchReturn uint8

const (
	ReturnMin SearchReturn = 1 << iota
	ReturnMax
	ReturnAll
	ReturnCount
	ReturnSave
	ReturnRelevancy
)

// Search is the argument of SEARCH.
type Search struct {
	Return  SearchReturn // zero without RETURN
	Charset string       // lower case; "" when none was named
	Root    *SearchNode  // an And
}

// SearchRules say what a session's SEARCH understands.
type SearchRules struct {
	Conversations bool
	NoReturn      bool // SORT and THREAD read their own
	NoSave        bool // SEARCHRES is not offered
}

const (
	// maxSearchDepth bounds nested keys, as Cyrus does.
	maxSearchDepth = 50
	// maxSearchKeys bounds the keys of one program.
	maxSearchKeys = 20000
)

// argument is the kind of argument a search key takes.
type argument uint8

const (
	argNone argument = iota + 1
	argString
	argDate
	argNumber
	argInterval
	argConv // no argument; known with conversations
)

var searchKeys = map[string]argument{
	"ALL": argNone, "ANSWERED": argNone, "DELETED": argNone, "DRAFT": argNone,
	"FLAGGED": argNone, "RECENT": argNone, "SEEN": argNone, "SAVEDATESUPPORTED": argNone,
	"BCC": argString, "BODY": argString, "CC": argString, "FROM": argString,
	"SUBJECT": argString, "TEXT": argString, "TO": argString,
	"EMAILID": argString, "THREADID": argString, "DELIVEREDTO": argString, "FOLDER": argString,
	"XATTACHMENTNAME": argString, "XATTACHMENTBODY": argString, "XLISTID": argString, "XCONTENTTYPE": argString,
	"BEFORE": argDate, "ON": argDate, "SINCE": argDate,
	"SENTBEFORE": argDate, "SENTON": argDate, "SENTSINCE": argDate,
	"SAVEDBEFORE": argDate, "SAVEDON": argDate, "SAVEDSINCE": argDate,
	"LARGER": argNumber, "SMALLER": argNumber,
	"SPAMABOVE": argNumber, "SPAMBELOW": argNumber,
	"OLDER": argInterval, "YOUNGER": argInterval,
	"CONVREAD": argConv, "CONVSEEN": argConv,
}

// searchUn are the keys that say the contrary of another.
var searchUn = map[string]string{
	"UNANSWERED": "ANSWERED", "UNDELETED": "DELETED", "UNDRAFT": "DRAFT",
	"UNFLAGGED": "FLAGGED", "UNSEEN": "SEEN", "OLD": "RECENT",
	"CONVUNREAD": "CONVREAD", "CONVUNSEEN": "CONVSEEN",
}

// searchParser carries what one program needs along.
type searchParser struct {
	*Parser
	out   *Search
	rules SearchRules
	keys  int
	first bool // RETURN and CHARSET may still come
	fuzzy bool
}

// Search reads the argument of SEARCH, to the end of the line.
func (p *Parser) Search(rules SearchRules) (*Search, error) {
	s := &searchParser{Parser: p, out: &Search{Root: &SearchNode{Op: SearchAnd}}, rules: rules, first: true}
	if err := s.program(); err != nil {
		return nil, err
	}
	return s.out, nil
}

// SearchProgram reads the criteria that follow "charset " in SORT and THREAD.
func (p *Parser) SearchProgram(charset string, rules SearchRules) (*Search, error) {
	rules.NoReturn = true
	s := &searchParser{Parser: p, out: &Search{Root: &SearchNode{Op: SearchAnd}, Charset: strings.ToLower(charset)}, rules: rules}
	if err := s.program(); err != nil {
		return nil, err
	}
	return s.out, nil
}

func (p *searchParser) program() error {
	if err := p.conjunction(p.out.Root, 0); err != nil {
		return err
	}
	return p.EOL()
}

// conjunction reads keys into n.Sub as long as spaces follow.
func (p *searchParser) conjunction(n *SearchNode, depth int) error {
	for {
		k, err := p.key(depth)
		if err != nil {
			return err
		}
		if k != nil {
			n.Sub = append(n.Sub, k)
		}
		if more, err := p.Accept(' '); err != nil || !more {
			return err
		}
	}
}

// key reads one key; nil for RETURN and CHARSET, which are none.
func (p *searchParser) key(depth int) (*SearchNode, error) {
	if p.keys++; depth > maxSearchDepth || p.keys > maxSearchKeys {
		return nil, Bad("Search program too deeply nested")
	}
	w, end, err := p.Word()
	if err != nil {
		return nil, err
	}
	if w == "" {
		return p.group(end, depth)
	}
	if b := w[0]; b == '*' || b == '$' || b >= '0' && b <= '9' {
		set, ok := NumSetFrom(w, false)
		if !ok {
			return nil, errCriteria
		}
		p.first = false
		return &SearchNode{Key: "SEQ", Set: set, Fuzzy: p.fuzzy}, nil
	}
	w = strings.ToUpper(w)
	if p.first && !p.rules.NoReturn {
		switch w {
		case "RETURN":
			return nil, p.returnOptions()
		case "CHARSET":
			return nil, p.charset()
		}
	}
	p.first = false
	return p.named(w, depth)
}

var errCriteria = Bad("Invalid Search criteria")

func (p *searchParser) group(end byte, depth int) (*SearchNode, error) {
	if end != '(' {
		return nil, errCriteria
	}
	p.in.ReadByte()
	p.first = false
	n := &SearchNode{Op: SearchAnd}
	if err := p.conjunction(n, depth+1); err != nil {
		return nil, err
	}
	return n, p.expect(')', Bad("Missing required close paren in Search command"))
}

func (p *searchParser) named(w string, depth int) (*SearchNode, error) {
	switch w {
	case "NOT":
		k, err := p.operand(w, depth)
		return not(k), err
	case "OR":
		a, err := p.operand(w, depth)
		if err != nil {
			return nil, err
		}
		b, err := p.operand(w, depth)
		return &SearchNode{Op: SearchOr, Sub: []*SearchNode{a, b}}, err
	case "FUZZY":
		was := p.fuzzy
		p.fuzzy = true
		k, err := p.operand(w, depth)
		p.fuzzy = was
		return k, err
	case "NEW": // RFC 3501 section 6.4.4: RECENT UNSEEN
		return &SearchNode{Op: SearchAnd, Sub: []*SearchNode{{Key: "RECENT"}, not(&SearchNode{Key: "SEEN"})}}, nil
	}
	if of := searchUn[w]; of != "" {
		if searchKeys[of] == argConv && !p.rules.Conversations {
			return nil, errCriteria
		}
		return not(&SearchNode{Key: of, Fuzzy: p.fuzzy}), nil
	}
	return p.leaf(w)
}

func not(k *SearchNode) *SearchNode { return &SearchNode{Op: SearchNot, Sub: []*SearchNode{k}} }

func (p *searchParser) operand(w string, depth int) (*SearchNode, error) {
	if err := p.space(w); err != nil {
		return nil, err
	}
	return p.key(depth + 1)
}

// space reads the space that an argument of the key w needs.
func (p *searchParser) space(w string) error {
	return p.expect(' ', Bad("Missing required argument to Search "+strings.ToLower(w)))
}

// text reads a space and the string that the key w needs.
func (p *searchParser) text(w string) (string, error) {
	if err := p.space(w); err != nil {
		return "", err
	}
	s, _, err := p.str(asAtom | asQuoted | asLiteral)
	if err == errToken {
		err = Bad("Missing required argument to Search " + strings.ToLower(w))
	}
	return s, err
}

func (p *searchParser) leaf(w string) (*SearchNode, error) {
	n := &SearchNode{Key: w, Fuzzy: p.fuzzy}
	var err error
	switch searchKeys[w] {
	case argNone:
	case argConv:
		if !p.rules.Conversations {
			return nil, errCriteria
		}
	case argString:
		n.Str, err = p.text(w)
	case argDate:
		if err = p.space(w); err == nil {
			n.Date, err = p.date()
		}
	case argNumber:
		n.Num, err = p.number(w, Bad("Invalid number in Search command"))
	case argInterval:
		n.Num, err = p.number(w, Bad("Invalid interval in Search command"))
	default:
		return p.special(n)
	}
	return n, err
}

func (p *searchParser) number(w string, bad error) (uint64, error) {
	if err := p.space(w); err != nil {
		return 0, err
	}
	n, ok, err := p.Number(math.MaxUint64)
	if err == nil && !ok {
		err = bad
	}
	return n, err
}

// special reads the arguments of the keys that take more than one, or one of a
// kind of its own.
func (p *searchParser) special(n *SearchNode) (*SearchNode, error) {
	switch n.Key {
	case "UID":
		return n, p.uids(n)
	case "HEADER":
		var err error
		if n.Name, err = p.text(n.Key); err == nil {
			n.Str, err = p.text(n.Key)
		}
		return n, err
	case "KEYWORD":
		return n, p.keyword(n)
	case "UNKEYWORD":
		n.Key = "KEYWORD"
		return not(n), p.keyword(n)
	case "MODSEQ":
		return n, p.modSeq(n)
	case "ANNOTATION":
		return n, p.annotation(n)
	case "CID", "CONVFLAG", "CONVMODSEQ":
		if p.rules.Conversations {
			return n, p.conversation(n)
		}
	}
	return nil, errCriteria
}

func (p *searchParser) conversation(n *SearchNode) (err error) {
	if n.Key == "CONVMODSEQ" {
		n.Num, err = p.number(n.Key, Bad("Invalid number in Search command"))
		return err
	}
	n.Str, err = p.text(n.Key)
	return err
}

func (p *searchParser) uids(n *SearchNode) error {
	if err := p.space("UID"); err != nil {
		return err
	}
	w, _, err := p.Word()
	if err != nil {
		return err
	}
	set, ok := NumSetFrom(w, true)
	if !ok {
		return Bad("Invalid UID sequence in Search command")
	}
	n.Set = set
	return nil
}

func (p *searchParser) keyword(n *SearchNode) error {
	if err := p.space(n.Key); err != nil {
		return err
	}
	w, _, err := p.Word()
	if err != nil {
		return err
	}
	if !IsAtom(w) {
		return Bad("Invalid flag name " + w + " in Search command")
	}
	n.Str = w
	return nil
}

// modSeq reads [entry type] number (RFC 7162 section 3.1.5).
func (p *searchParser) modSeq(n *SearchNode) error {
	if err := p.space(n.Key); err != nil {
		return err
	}
	if b, err := p.Peek(); err != nil {
		return err
	} else if b == '"' {
		if n.Name, _, err = p.str(asQuoted); err != nil {
			return p.argument(err)
		}
		if err := p.space(n.Key); err != nil {
			return err
		}
		if n.Attr, _, err = p.Word(); err != nil {
			return err
		}
		if err := p.space(n.Key); err != nil {
			return err
		}
	}
	num, ok, err := p.Number(math.MaxUint64)
	if err == nil && !ok {
		err = Bad("Invalid number in Search command")
	}
	n.Num = num
	return err
}

// annotation reads entry, attribute and value (RFC 5257 section 4.7).
func (p *searchParser) annotation(n *SearchNode) error {
	for _, dst := range []*string{&n.Name, &n.Attr} {
		if err := p.expect(' ', errCriteria); err != nil {
			return err
		}
		s, _, err := p.str(asAtom | asQuoted | asLiteral)
		if err == errToken || err == nil && s == "" {
			return errCriteria
		}
		if err != nil {
			return err
		}
		*dst = s
	}
	switch n.Attr {
	case "value", "value.priv", "value.shared":
	default:
		return errCriteria
	}
	if err := p.expect(' ', errCriteria); err != nil {
		return err
	}
	s, isNil, err := p.str(asQuoted | asLiteral | asNil | asBinary)
	if err == errToken {
		return errCriteria
	}
	if !isNil { // no value is an empty one
		n.Str = s
	}
	return err
}

func (p *searchParser) charset() error {
	if err := p.expect(' ', Bad("Missing charset")); err != nil {
		return err
	}
	s, _, err := p.str(asAtom | asQuoted | asLiteral)
	if err == errToken || err == nil && s == "" {
		return Bad("Missing charset")
	}
	if err != nil {
		return err
	}
	p.out.Charset = strings.ToLower(s)
	p.first = false
	b, err := p.Peek()
	if err == nil && b != ' ' {
		return Bad("Missing charset")
	}
	return err
}

var returnOptions = map[string]SearchReturn{
	"MIN": ReturnMin, "MAX": ReturnMax, "ALL": ReturnAll, "COUNT": ReturnCount,
	"SAVE": ReturnSave, "RELEVANCY": ReturnRelevancy,
}

// returnOptions reads the list after RETURN. An empty one means ALL (RFC 4731
// section 3.1).
func (p *searchParser) returnOptions() error {
	r, err := p.ReturnOptions(p.rules.NoSave)
	p.out.Return = r
	return err
}

// ReturnOptions reads " (MIN MAX)" after RETURN, of SEARCH or SORT.
func (p *Parser) ReturnOptions(noSave bool) (SearchReturn, error) {
	var r SearchReturn
	for _, c := range []byte(" (") {
		if err := p.expect(c, Bad("Missing return options in Search")); err != nil {
			return 0, err
		}
	}
	for {
		w, _, err := p.Word()
		if err != nil {
			return 0, err
		}
		if w == "" {
			break
		}
		opt := returnOptions[strings.ToUpper(w)]
		if opt == 0 || opt == ReturnSave && noSave {
			return 0, Bad("Invalid Search return option " + strings.ToLower(w))
		}
		r |= opt
		if more, err := p.Accept(' '); err != nil {
			return 0, err
		} else if !more {
			break
		}
	}
	if r&^(ReturnSave|ReturnRelevancy) == 0 && r&ReturnSave == 0 {
		r |= ReturnAll
	}
	return r, p.expect(')', Bad("Missing close parenthesis in Search"))
}
