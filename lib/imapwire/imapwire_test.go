package imapwire

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
)

func TestAString(t *testing.T) {
	for _, tc := range []struct{ name, in, want, err string }{
		{"atom", "abc\r\n", "abc", ""},
		{"atom with specials that Cyrus takes", "a{b]*\r\n", "a{b]*", ""},
		{"quoted", `"a b" `, "a b", ""},
		{"escapes", `"a\"b\\c\d" `, `a"b\cd`, ""},
		{"empty quoted", "\"\"\r\n", "", ""},
		{"quote not closed", "\"ab\r\n", "", "BAD Missing required argument to Test"},
		{"literal", "{3}\r\na b\r\n", "a b", ""},
		{"literal+", "{3+}\r\na b\r\n", "a b", ""},
		{"literal of nothing", "{0+}\r\n\r\n", "", ""},
		{"NUL in a literal", "{3+}\r\na\x00b\r\n", "", "BAD Missing required argument to Test"},
		{"literal without number", "{}\r\n\r\n", "", "BAD Missing required argument to Test"},
		{"literal with junk", "{3x}\r\nabc\r\n", "", "BAD Missing required argument to Test"},
		{"nothing", "\r\n", "", "BAD Missing required argument to Test"},
		{"parenthesis", "(a)\r\n", "", "BAD Missing required argument to Test"},
		{"long word", strings.Repeat("a", 1001) + "\r\n", "", "BYE [TOOBIG] Word too long"},
		{"long quoted", `"` + strings.Repeat("a", 1001) + `"` + "\r\n", "", "BYE [TOOBIG] Quoted value too long"},
		{"large literal", "{1001}\r\n", "", "NO [TOOBIG] Literal size exceeds fixed limit in Test"},
		{"large literal+", "{1001+}\r\n", "", "BYE [TOOBIG] Literal size exceeds fixed limit"},
		{"very large literal", "{99999999999}\r\n", "", "NO [TOOBIG] Literal size exceeds fixed limit in Test"},
		{"number too large", "{99999999999999999}\r\n", "", "BYE Fatal error: num too big"},
		{"end of file", "abc", "", "EOF"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := parser(tc.in, "Test").AString()
			if check(t, err, tc.err) && got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestNString(t *testing.T) {
	for _, tc := range []struct {
		name, in, want string
		ok             bool
		err            string
	}{
		{"NIL", "NIL)", "", false, ""},
		{"the text NIL", `"NIL")`, "NIL", true, ""},
		{"binary", "~{3+}\r\na\x00b)", "a\x00b", true, ""},
		{"an atom is none", "abc)", "", true, "BAD Missing required argument to Test"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok, err := parser(tc.in, "Test").NString(true)
			if check(t, err, tc.err) && (got != tc.want || ok != tc.ok) {
				t.Errorf("got %q, %v", got, ok)
			}
		})
	}
}

func TestNumSet(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"1", "1"}, {"1:3,7", "1:3,7"}, {"*", "*"}, {"5:*", "5:*"}, {"*:5", "5:*"}, {"9:2", "2:9"},
		{"4294967295", "4294967295"}, {"$", "$"},
		{"0", ""}, {"1:0", ""}, {"4294967296", ""}, {"1,,2", ""}, {"1:", ""}, {":1", ""}, {"1,", ""}, {"a", ""}, {"-1", ""}, {"1:2:3", ""},
	} {
		t.Run(tc.in, func(t *testing.T) {
			want := ""
			if tc.want == "" {
				want = "BAD Invalid sequence in Fetch"
			}
			set, err := parser(tc.in+" ", "Fetch").NumSet(true)
			if check(t, err, want) && set.String() != tc.want {
				t.Errorf("got %v", set)
			}
		})
	}
}

// TestFetch has the texts of Cyrus 3.6.1 and 3.10.
func TestFetch(t *testing.T) {
	rules := FetchRules{Preview: true, Vanished: true}
	for _, tc := range []struct {
		in   string
		want Fetch
		err  string
	}{
		{"FLAGS", Fetch{Items: FetchFlags}, ""},
		{"(UID flags)", Fetch{Items: FetchFlags | FetchUID}, ""},
		{"ALL", Fetch{Items: fetchAll}, ""},
		{"(ALL)", Fetch{}, "BAD Invalid Fetch attribute ALL"},
		{"FOO", Fetch{}, "BAD Invalid Fetch attribute FOO"},
		{"CID", Fetch{}, "BAD Invalid Fetch attribute CID"},
		{"(FLAGS", Fetch{}, "BAD Missing close parenthesis in Fetch"},
		{"FLAGS UID", Fetch{}, "BAD Missing required open parenthesis in Fetch modifiers"},
		{"FLAGS (CHANGEDSINCE 5)", Fetch{Items: FetchFlags | FetchModSeq, ChangedSince: 5}, ""},
		{"FLAGS (CHANGEDSINCE 5 VANISHED)", Fetch{Items: FetchFlags | FetchModSeq, ChangedSince: 5, Vanished: true}, ""},
		{"FLAGS (VANISHED)", Fetch{}, "BAD Missing required argument to Fetch"},
		{"FLAGS (CHANGEDSINCE)", Fetch{}, "BAD Missing required argument to Fetch CHANGEDSINCE"},
		{"FLAGS (CHANGEDSINCE x)", Fetch{}, "BAD Invalid argument to Fetch CHANGEDSINCE"},
		{"FLAGS (FOO)", Fetch{}, "BAD Invalid Fetch modifier FOO"},
		{"(PREVIEW (LAZY) UID)", Fetch{Items: FetchPreview | FetchUID}, ""},
		{"(PREVIEW UID)", Fetch{Items: FetchPreview | FetchUID}, ""},
		{"PREVIEW (FOO)", Fetch{}, "BAD FETCH contains invalid preview modifier (FOO)"},
		{"RFC822", Fetch{Items: FetchRFC822, SetSeen: true}, ""},
		{"RFC822.PEEK", Fetch{Items: FetchRFC822}, ""},
		{"BODY[]", Fetch{SetSeen: true, Sections: []*imap.FetchItemBodySection{{}}}, ""},
		{"body.peek[1.2.mime]<0.5>", Fetch{Sections: []*imap.FetchItemBodySection{
			{Part: []int{1, 2}, Specifier: "MIME", Peek: true, Partial: &imap.SectionPartial{Size: 5}}}}, ""},
		{"BODY[1.HEADER.FIELDS (From \"to\")]", Fetch{SetSeen: true, Sections: []*imap.FetchItemBodySection{
			{Part: []int{1}, Specifier: "HEADER", HeaderFields: []string{"From", "to"}}}}, ""},
		{"BODY[HEADER.FIELDS.NOT (X)]<1.2>", Fetch{SetSeen: true, Sections: []*imap.FetchItemBodySection{
			{Specifier: "HEADER", HeaderFieldsNot: []string{"X"}, Partial: &imap.SectionPartial{Offset: 1, Size: 2}}}}, ""},
		{"BODY[HEADER.FIELDS]", Fetch{}, "BAD Invalid body section"},
		{"BODY[HEADER.FIELDS", Fetch{}, "BAD Missing required argument to Fetch BODY[HEADER.FIELDS"},
		{"BODY[MIME]", Fetch{}, "BAD Invalid body section"},
		{"BODY[1", Fetch{}, "BAD Invalid body section"},
		{"BODY[01]", Fetch{}, "BAD Invalid body section"},
		{"BODY[1.]", Fetch{}, "BAD Invalid body section"},
		{"BODY[]x", Fetch{}, "BAD Junk after body section"},
		{"BODY[]<1>", Fetch{}, "BAD Invalid body partial"},
		{"BODY[]<1.0>", Fetch{}, "BAD Invalid body partial"},
		{"BINARY[1]", Fetch{SetSeen: true, Binary: []*imap.FetchItemBinarySection{{Part: []int{1}}}}, ""},
		{"BINARY.SIZE[1.1]", Fetch{Sizes: []*imap.FetchItemBinarySectionSize{{Part: []int{1, 1}}}}, ""},
		{"BINARY.SIZE[1]<0.1>", Fetch{}, "BAD Junk after binary section"},
		{"BINARY[HEADER]", Fetch{}, "BAD Invalid binary section"},
		{"ANNOTATION (/comment (value.priv value.shared))", Fetch{Items: FetchAnnotation,
			Annotation: &AnnotationFetch{[]string{"/comment"}, []string{"value.priv", "value.shared"}}}, ""},
		{"ANNOTATION", Fetch{}, "BAD invalid Annotation"},
	} {
		t.Run(tc.in, func(t *testing.T) {
			got, err := parser(tc.in+"\r\n", "Fetch").Fetch(rules)
			if check(t, err, tc.err) && !reflect.DeepEqual(*got, tc.want) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// show spells a search program in prefix form.
func show(n *SearchNode) string {
	subs := ""
	for _, k := range n.Sub {
		subs += " " + show(k)
	}
	switch n.Op {
	case SearchAnd:
		return "(and" + subs + ")"
	case SearchOr:
		return "(or" + subs + ")"
	case SearchNot:
		return "(not" + subs + ")"
	}
	s := n.Key
	for _, v := range []string{n.Name, n.Attr, n.Str} {
		if v != "" {
			s += ":" + v
		}
	}
	if n.Set != nil {
		s += ":" + n.Set.String()
	}
	if n.Num > 0 {
		s += fmt.Sprint(":", n.Num)
	}
	if !n.Date.IsZero() {
		s += ":" + n.Date.Format("2006-01-02")
	}
	if n.Fuzzy {
		s += "~"
	}
	return s
}

func TestSearch(t *testing.T) {
	for _, tc := range []struct{ in, want, err string }{
		{"ALL", "(and ALL)", ""},
		{"1:3 UID 5:*", "(and SEQ:1:3 UID:5:*)", ""},
		{"$", "(and SEQ:$)", ""},
		{"unseen", "(and (not SEEN))", ""},
		{"NEW OLD", "(and (and RECENT (not SEEN)) (not RECENT))", ""},
		{"OR FROM a NOT (SUBJECT \"b c\" SEEN)", "(and (or FROM:a (not (and SUBJECT:b c SEEN))))", ""},
		{"SINCE 1-Feb-1994", "(and SINCE:1994-02-01)", ""},
		{"SINCE \"01-FEB-1994\"", "(and SINCE:1994-02-01)", ""},
		{"HEADER X-Foo {3+}\r\nbar", "(and HEADER:X-Foo:bar)", ""},
		{"FUZZY OR TEXT a BODY b TO c", "(and (or TEXT:a~ BODY:b~) TO:c)", ""},
		{"MODSEQ \"/flags/\\\\draft\" all 620162338", `(and MODSEQ:/flags/\draft:all:620162338)`, ""},
		{"MODSEQ 5", "(and MODSEQ:5)", ""},
		{"UNKEYWORD $Junk", "(and (not KEYWORD:$Junk))", ""},
		{"ANNOTATION /comment value \"x\"", "(and ANNOTATION:/comment:value:x)", ""},
		{"CHARSET UTF-8 TEXT x", "(and TEXT:x)", ""},
		{"RETURN (MIN MAX) ALL", "(and ALL)", ""},
		{"LARGER 5 YOUNGER 3600", "(and LARGER:5 YOUNGER:3600)", ""},
		{"", "", "BAD Invalid Search criteria"},
		{"FOO", "", "BAD Invalid Search criteria"},
		{"FROM", "", "BAD Missing required argument to Search from"},
		{"NOT", "", "BAD Missing required argument to Search not"},
		{"SINCE x", "", "BAD Invalid date in Search command"},
		{"SINCE 31-Feb-2001", "", "BAD Invalid date in Search command"},
		{"LARGER x", "", "BAD Invalid number in Search command"},
		{"OLDER x", "", "BAD Invalid interval in Search command"},
		{"KEYWORD a%", "", "BAD Invalid flag name a% in Search command"},
		{"(SEEN", "", "BAD Missing required close paren in Search command"},
		{"RETURN (FOO) ALL", "", "BAD Invalid Search return option foo"},
		{"RETURN ALL", "", "BAD Missing return options in Search"},
		{"CHARSET", "", "BAD Missing charset"},
		{"SEEN)", "", "BAD Unexpected extra arguments to Search"},
		{strings.Repeat("NOT ", 60) + "ALL", "", "BAD Search program too deeply nested"},
		{strings.Repeat("(", 60) + "ALL", "", "BAD Search program too deeply nested"},
	} {
		t.Run(tc.in, func(t *testing.T) {
			got, err := parser(tc.in+"\r\n", "Search").Search(SearchRules{})
			if check(t, err, tc.err) && show(got.Root) != tc.want {
				t.Errorf("got %s", show(got.Root))
			}
		})
	}
}

func TestStore(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want Store
		err  string
	}{
		{`+FLAGS (\seen $Junk)`, Store{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagSeen, "$Junk"}, UnchangedSince: 1<<64 - 1}, ""},
		{`-flags.silent \Deleted x`, Store{Op: imap.StoreFlagsDel, Silent: true, Flags: []imap.Flag{imap.FlagDeleted, "x"}, UnchangedSince: 1<<64 - 1}, ""},
		{`(UNCHANGEDSINCE 7) FLAGS ()`, Store{Flags: []imap.Flag{}, UnchangedSince: 7}, ""},
		{`(FOO) FLAGS`, Store{}, "BAD Invalid Store modifier FOO"},
		{`FLAGS`, Store{}, "BAD Missing required argument to Store"},
		{`FOO (x)`, Store{}, "BAD Invalid Store attribute"},
		{`FLAGS (\Recent)`, Store{}, "BAD Invalid system flag in Store command"},
		{`FLAGS (a*)`, Store{}, "BAD Invalid flag name a* in Store command"},
	} {
		t.Run(tc.in, func(t *testing.T) {
			got, err := parser(tc.in+"\r\n", "Store").Store()
			if check(t, err, tc.err) && !reflect.DeepEqual(*got, tc.want) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestSelect(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want Select
		err  string
	}{
		{"", Select{}, ""},
		{" (CONDSTORE)", Select{CondStore: true}, ""},
		{" (QRESYNC (1 2))", Select{QResync: &QResync{UIDValidity: 1, ModSeq: 2}}, ""},
		{" (QRESYNC (1 2 3:4 (1 2)))", Select{QResync: &QResync{UIDValidity: 1, ModSeq: 2,
			UIDs: imap.UIDSet{{Start: 3, Stop: 4}}, MatchSeq: imap.SeqSet{{Start: 1, Stop: 1}}, MatchUID: imap.UIDSet{{Start: 2, Stop: 2}}}}, ""},
		{" (QRESYNC (0 2))", Select{}, "BAD Invalid QRESYNC parameter list in Select"},
		{" (QRESYNC (1 2", Select{}, "BAD Invalid QRESYNC parameter list in Select"},
		{" ()", Select{}, "BAD Invalid modifier list in Select"},
		{" x", Select{}, "BAD Invalid modifier list in Select"},
		{" (FOO)", Select{}, "BAD Invalid Select modifier FOO"},
		{" (CONDSTORE) x", Select{}, "BAD Unexpected extra arguments to Select"},
	} {
		t.Run(tc.in, func(t *testing.T) {
			got, err := parser(tc.in+"\r\n", "Select").Select(SelectRules{QResync: true})
			if check(t, err, tc.err) && !reflect.DeepEqual(*got, tc.want) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestSkip checks that the rest of a refused line goes with its literals, and
// no more than that.
func TestSkip(t *testing.T) {
	for _, tc := range []struct{ name, in string }{
		{"plain", "a b c\r\nnext "},
		{"literal+", "a {5+}\r\n\r\n)x\n b\r\nnext "},
		{"synchronising literal is the line's end", "a {5}\r\nnext "},
		{"brace", "a {x} {\r\nnext "},
		{"bare LF", "a\nnext "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := parser(tc.in, "Test")
			if err := p.Skip(); err != nil {
				t.Fatal(err)
			}
			if w, _, err := p.Begin(); w != "next" || err != nil {
				t.Errorf("%q, %v", w, err)
			}
		})
	}
}

func TestAppendAString(t *testing.T) {
	for in, want := range map[string]string{
		"abc": "abc", "a b": `"a b"`, "": `""`, "NIL": `"NIL"`, "nil": `"nil"`, "INBOX": "INBOX",
		`a"b`: "{3}\r\na\"b", "a%b": "{3}\r\na%b", "é": "{2}\r\né", "a\nb": "{3}\r\na\nb", "a&b-": "a&b-",
		strings.Repeat("x", 1024): "{1024}\r\n" + strings.Repeat("x", 1024),
	} {
		if got := string(AppendAString(nil, in)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
