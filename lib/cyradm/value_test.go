package cyradm

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestParseValues(t *testing.T) {
	for _, tc := range []struct {
		name, in, want string
		err            error
	}{
		{"words", `user/tom (STORAGE 0 2048)`, `user/tom (STORAGE 0 2048)`, nil},
		{"quoted", `"user/a b" "say \"hi\" \\"`, `user/a b say "hi" \`, nil},
		{"literal", "{5}\r\na\r\nb) x", "a\r\nb) x", nil},
		{"nil", `(x NIL "NIL")`, `(x NIL NIL)`, nil},
		{"nested", `(a (b ()) c)`, `(a (b ()) c)`, nil},
		{"flags", `(\HasChildren \Sent) "/" INBOX`, `(\HasChildren \Sent) / INBOX`, nil},
		{"empty", ``, ``, nil},
		{"open list", `(a`, ``, ErrProtocol},
		{"closed list", `a)`, ``, ErrProtocol},
		{"open string", `"a`, ``, ErrProtocol},
		{"short literal", "{5}\r\nabcd", ``, ErrProtocol},
		{"no literal", "{5} x", ``, ErrProtocol},
		{"large literal", "{99999999999999999999}\r\n", ``, ErrProtocol},
	} {
		t.Run(tc.name, func(t *testing.T) {
			vs, err := parseValues(tc.in)
			if !errors.Is(err, tc.err) {
				t.Fatalf("error %v, want %v", err, tc.err)
			}
			if got := join(vs); err == nil && got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// FuzzParseValues checks that what is read, written plainly, is read again.
func FuzzParseValues(f *testing.F) {
	for _, s := range []string{`a (b "c" {1}` + "\r\nd) NIL", `((((`, `"\`, `{0}` + "\r\n", `)`, `a"b"c`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		vs, err := parseValues(s)
		if err != nil {
			if !errors.Is(err, ErrProtocol) {
				t.Errorf("error %v", err)
			}
			return
		}
		again, err := parseValues(plainly(vs))
		if err != nil || join(again) != join(vs) {
			t.Errorf("%q, read again %q, %v", join(vs), join(again), err)
		}
	})
}

// plainly writes each string as a literal.
func plainly(vs []value) string {
	var b strings.Builder
	for _, v := range vs {
		switch {
		case v.isList:
			b.WriteString("(" + plainly(v.items) + ") ")
		case v.isNil:
			b.WriteString("NIL ")
		default:
			fmt.Fprintf(&b, "{%d}\r\n%s ", len(v.text), v.text)
		}
	}
	return b.String()
}
