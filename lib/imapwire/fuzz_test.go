package imapwire

import (
	"errors"
	"io"
	"testing"
)

// FuzzParse gives a line to every argument parser: none may panic, all errors
// have words, and after Skip the next line is read.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"RETURN (MIN) (REVERSE DATE ANNOTATION /comment value.priv) UTF-8 ALL", "REFERENCES us-ascii SUBJECT {1+}\r\nx",
		"(FLAGS BODY.PEEK[1.2.HEADER.FIELDS (A B)]<0.5>) (CHANGEDSINCE 1)",
		"(UNCHANGEDSINCE 5) +FLAGS.SILENT (\\Seen x)", "RETURN (MIN) CHARSET UTF-8 OR FROM {1+}\r\na NOT (TEXT \"b\" MODSEQ 5)",
		" (SUBSCRIBED RECURSIVEMATCH) \"\" (a %) RETURN (STATUS (MESSAGES))", " (QRESYNC (1 2 3:* (1 2)))",
		"ANNOTATION (/a (value.priv \"x\"))", "{3+}\r\nabc \"q\\\"\" NIL", "\"unterminated", "((((", "{99999999999+}\r\n",
	} {
		f.Add(s)
	}
	parsers := []func(*Parser) error{
		func(p *Parser) error { _, err := p.Fetch(FetchRules{true, true, true}); return err },
		func(p *Parser) error { _, err := p.Store(); return err },
		func(p *Parser) error { _, err := p.Search(SearchRules{Conversations: true}); return err },
		func(p *Parser) error { _, err := p.SearchProgram("utf-8", SearchRules{}); return err },
		func(p *Parser) error { _, err := p.Sort(SearchRules{}); return err },
		func(p *Parser) error {
			_, err := p.Thread(SearchRules{}, func(a string) bool { return a != "" })
			return err
		},
		func(p *Parser) error { _, err := p.List(ListRules{Deleted: true, Metadata: true}); return err },
		func(p *Parser) error { _, err := p.Select(SelectRules{true, true}); return err },
		func(p *Parser) error { _, err := p.StatusItems(StatusRules{}); return err },
		func(p *Parser) error { _, err := p.NumSetSP(true); return err },
		func(p *Parser) error { _, err := p.AString(); return err },
		func(p *Parser) error { _, _, err := p.NString(true); return err },
		func(p *Parser) error { _, err := p.StringOrList(Bad("bad")); return err },
	}
	f.Fuzz(func(t *testing.T, line string) {
		for i, parse := range parsers {
			p := parser(line+"\r\nnext ", "Test")
			err := parse(p)
			var fatal Fatal
			if errors.Is(err, io.EOF) || errors.As(err, &fatal) {
				continue
			}
			if got := text(err); len(got) > 6 && got[:6] == "other:" {
				t.Errorf("parser %d: %s", i, got)
			}
			if err := p.Skip(); err != nil {
				continue // a literal swallowed the rest
			}
			if _, _, err := p.Begin(); err != nil && !errors.Is(err, io.EOF) && !errors.As(err, &fatal) {
				t.Errorf("parser %d: next line: %v", i, err)
			}
		}
	})
}

// FuzzAString checks that what AppendAString writes, AString reads.
func FuzzAString(f *testing.F) {
	for _, s := range []string{"", "abc", "a b", "NIL", "é\"\\%", "\r\n", "{3}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for i := range len(s) {
			if s[i] == 0 {
				return
			}
		}
		if len(s) > 500 {
			return
		}
		got, err := parser(string(AppendAString(nil, s))+"\r\n", "Test").AString()
		if err != nil || got != s {
			t.Errorf("%q came back as %q, %v", s, got, err)
		}
	})
}
