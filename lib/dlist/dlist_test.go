package dlist

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// Lines that real servers wrote.
var samples = []string{
	`%(T e I 8x3c P default V 1795323871 C 1 F 19 M 1795323873 A %(alice lrswipkxtecdan))`,
	`%(S (86244 20000) M (83 5000) AS (101 64) NF (15 100) MODSEQ 115)`,
	"%(T e N user\x1falice\x1fRenamed H (%(N user\x1falice\x1fToRename M 1 T ed)))",
	"%(N \"example.org\x1duser\x1fzoe\")",
	`()`, `%()`, `(NIL "" "NIL" "a b")`,
	"({3}\r\na\"b {1}\r\n\x00 c)",
}

func TestRoundTrip(t *testing.T) {
	for _, s := range samples {
		v, err := Parse([]byte(s))
		if err != nil {
			t.Errorf("%q: %v", s, err)
		} else if got := v.Printed(); got != s {
			t.Errorf("%q printed %q", s, got)
		}
	}
}

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     Value
		err      error
	}{
		{"escape", `"a\"\\b"`, Value{Kind: Text, Text: `a"\b`}, nil},
		{"non-synchronising literal", "{2+}\r\nab", Value{Kind: Text, Text: "ab"}, nil},
		{"nil", "NIL", Value{}, nil},
		{"only capitals are nil", "nil", Value{Kind: Text, Text: "nil"}, nil},
		{"a tree has no files", "%{default ab 3}", Value{}, ErrSyntax},
		{"spaces in a list end", "(a )", Value{Kind: List, List: []Value{{Kind: Text, Text: "a"}}}, nil},
		{"literal too long", "{9}\r\nab", Value{}, ErrSyntax},
		{"huge literal", "{99999999999999999999}\r\n", Value{}, ErrSyntax},
		{"no end", "(a", Value{}, ErrSyntax},
		{"key without value", "%(a)", Value{}, ErrSyntax},
		{"after the end", "a b", Value{}, ErrSyntax},
		{"empty", "", Value{}, ErrSyntax},
		{"deep", strings.Repeat("(", 1000), Value{}, ErrSyntax},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Parse([]byte(tc.in))
			if !errors.Is(err, tc.err) || err == nil && !reflect.DeepEqual(got, tc.want) {
				t.Errorf("Parse(%q) = %+v, %v", tc.in, got, err)
			}
		})
	}
}

func TestScanner(t *testing.T) {
	s := Scan([]byte(samples[2] + " rest"))
	if err := s.Skip(); err != nil {
		t.Fatal(err)
	}
	if w, err := s.Text(); err != nil || string(w) != "rest" {
		t.Errorf("after Skip: %q, %v", w, err)
	}
	n := Scan([]byte("18446744073709551615 18446744073709551616"))
	if v, err := n.Uint(); err != nil || v != 1<<64-1 {
		t.Errorf("largest number: %d, %v", v, err)
	}
	if v, err := n.Uint(); !errors.Is(err, ErrSyntax) {
		t.Errorf("too large a number: %d, %v", v, err)
	}
}

func TestScannerFile(t *testing.T) {
	s := Scan([]byte(`(%{default 0a 12} NIL %{"b c" 0b 0})`))
	if _, err := s.Open(); err != nil {
		t.Fatal(err)
	}
	if k, err := s.Kind(); k != File || err != nil {
		t.Errorf("kind %v, %v", k, err)
	}
	h, err := s.File()
	if got := fmt.Sprintf("%s|%s|%s", h.Partition, h.ID, h.Size); got != "default|0a|12" || err != nil {
		t.Errorf("head %s, %v", got, err)
	}
	if w, err := s.Word(); string(w) != "NIL" || err != nil {
		t.Errorf("word %q, %v", w, err)
	}
	if err := s.Skip(); err != nil || !s.Close() || !s.AtEnd() {
		t.Errorf("Skip stops at %d, %v", s.Pos(), err)
	}
	for _, bad := range []string{"%{a b c}", "%{a b}", "%{a b 1", "%{a", "%{", "%{(a) b 1}"} {
		s := Scan([]byte(bad))
		if _, err := s.File(); !errors.Is(err, ErrSyntax) || s.Pos() != 0 {
			t.Errorf("%s: %v at %d", bad, err, s.Pos())
		}
	}
}

// FuzzParse: what is read is printed and read back the same, and Skip passes
// over exactly what Parse reads.
func FuzzParse(f *testing.F) {
	for _, s := range samples {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := Parse(b)
		if err != nil {
			return
		}
		again, err := Parse(v.Append(nil))
		if err != nil || !reflect.DeepEqual(v, again) {
			t.Errorf("%q: read back %+v, %v; want %+v", b, again, err, v)
		}
		s := Scan(b)
		if err := s.Skip(); err != nil || !s.AtEnd() {
			t.Errorf("%q: Skip stops at %d, %v", b, s.Pos(), err)
		}
	})
}
