package main

import (
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"gocyrus/lib/command/commandtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"cyradm": main})
}

func TestScripts(t *testing.T) { commandtest.Scripts(t) }

func TestManPage(t *testing.T) { commandtest.ManPage(t, app(), "../../man/man1/cyradm.1") }

func TestSpell(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"long after one dash", "-user cyrus host", "--user cyrus host"},
		{"short", "-u cyrus -p 143", "-u cyrus -p 143"},
		{"a value that looks like a flag", "-w -t host", "-w -t host"},
		{"cut short", "-pass x", "--pass x"},
		{"key with a file", "--tlskey f host", "--tlskey f host"},
		{"key without", "--tlskey -u cyrus", "--tlskey= -u cyrus"},
		{"key without, short and last", "-t", "--tlskey="},
		{"key attached", "-tlskey=f host", "--tlskey=f host"},
		{"end of flags", "-u x -- -user", "-u x -- -user"},
		{"unknown", "-bogus x", "--bogus x"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := strings.Join(spell(app().Flags, strings.Fields("cyradm "+tc.in))[1:], " ")
			if got != tc.want {
				t.Errorf("%q becomes %q, want %q", tc.in, got, tc.want)
			}
		})
	}
}

func TestFirstLine(t *testing.T) {
	for _, tc := range []struct{ name, in, want, rest string }{
		{"one", "secret\nlm\n", "secret", "lm\n"},
		{"empty", "\nlm\n", "", "lm\n"},
		{"no end", "secret", "error", ""},
		{"too long", strings.Repeat("a", 1024) + "\n", "error", "\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := strings.NewReader(tc.in)
			got, err := firstLine(r)
			if err != nil {
				got = "error"
			}
			if rest := tc.in[len(tc.in)-r.Len():]; got != tc.want || rest != tc.rest {
				t.Errorf("%q, rest %q; want %q, %q", got, rest, tc.want, tc.rest)
			}
		})
	}
}
