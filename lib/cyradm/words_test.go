package cyradm

import (
	"fmt"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	env := map[string]string{"A": "x y", "B": ";", "EMPTY": ""}
	for _, tc := range []struct{ name, in, want string }{
		{"words", "lm  a\tb ", "[lm a b]"},
		{"empty", "  ", ""},
		{"double quotes", `cm "a b"c`, "[cm a bc]"},
		{"single quotes", `cm 'a "b'`, `[cm a "b]`},
		{"empty word", `lm "" x`, "[lm  x]"},
		{"backslash", `cm a\ b\;c \\Sent`, `[cm a b;c \Sent]`},
		{"backslash in quotes", `cm '\\Sent' "\""`, `[cm \Sent "]`},
		{"backslash at the end", `a\`, `[a\]`},
		{"commands", "lm;lam x ; ;", "[lm] [lam x]"},
		{"variable", "lm $A ${A}z", "[lm x y x yz]"},
		{"variable in quotes", `lm "$A"`, "[lm x y]"},
		{"a variable is no syntax", "lm $B x", "[lm ; x]"},
		{"no value is a word", "lm $EMPTY x", "[lm  x]"},
		{"no value in quotes is one", `lm "$EMPTY"`, "[lm ]"},
		{"a dollar alone", "lm $ ${ $-", "[lm $ ${ $-]"},
		{"output", "lm>f", "[lm]{1>f}"},
		{"append", "lm >> f", "[lm]{1>>f}"},
		{"errors", "lm 2> f", "[lm]{2>f}"},
		{"a number before a blank is a word", "sq x 2 > f", "[sq x 2]{1>f}"},
		{"a quoted number is a word", "sq x '2'> f", "[sq x 2]{1>f}"},
		{"duplicate", "lm > f 2>&1", "[lm]{1>f}{2>&1}"},
		{"close", "lm 2>&-", "[lm]{2>&-}"},
		{"input", "lm < f", "[lm]{0<f}"},
		{"redirection before the command", "> f lm", "[lm]{1>f}"},
		{"background", "lm &", "syntax error: cannot deal with `&' here"},
		{"two at once", "lm > < f", "syntax error: cannot deal with `<' here"},
		{"no target", "lm >", "syntax error: nothing after `>'"},
		{"no target before ;", "lm > ; lm", "syntax error: nothing after `>'"},
		{"open quote", `lm "a`, "syntax error: quote without end"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cmds, err := split(tc.in, func(n string) string { return env[n] })
			got := show(cmds)
			if err != nil {
				got = err.Error()
			}
			if got != tc.want {
				t.Errorf("split(%q) = %s, want %s", tc.in, got, tc.want)
			}
		})
	}
}

func show(cmds []simple) string {
	var out []string
	for _, c := range cmds {
		s := fmt.Sprint(c.words)
		for _, r := range c.redirs {
			amp := ""
			if r.dup {
				amp = "&"
			}
			s += fmt.Sprintf("{%d%s%s%s}", r.fd, r.op, amp, r.target)
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

// FuzzSplit checks that a word, quoted, is read back as it was.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{"a", `a "b' $X \`, "> 2>&1;", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		none := func(string) string { return "" }
		split(s, none)
		q := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`).Replace(s) + `"`
		cmds, err := split(q, none)
		if err != nil || len(cmds) != 1 || len(cmds[0].words) != 1 || cmds[0].words[0] != s {
			t.Errorf("split(%q) = %s, %v", q, show(cmds), err)
		}
	})
}
