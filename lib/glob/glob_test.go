package glob

import (
	"regexp"
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	for _, tc := range []struct {
		name, pattern, mailbox string
		want                   bool
	}{
		{"star crosses levels", "*", "Work/2024/May", true},
		{"percent stays on one", "%", "Work/2024", false},
		{"percent on its level", "%", "Work", true},
		{"percent at a level", "Work/%", "Work/2024", true},
		{"percent not below it", "Work/%", "Work/2024/May", false},
		{"percent matches nothing", "Work%", "Work", true},
		{"two levels", "%/%", "Work/2024", true},
		{"inside a word", "W%k", "Work", true},
		{"percent goes on", "%o%k", "Work", true},
		{"percent after star", "*/%", "a/b/c", true},
		{"percent after star, last level", "*/x%", "a/xb/c", false},
		{"star after percent", "%/*", "a/b/c", true},
		{"star and text", "*c", "a/b/c", true},
		{"star and text behind separators", "%/*/d%", "a/b/c/de", true},
		{"no wildcard", "Work", "Work", true},
		{"no wildcard, longer", "Work", "Work/2024", false},
		{"case counts", "work", "Work", false},
		{"INBOX in any case", "inbox", "INBOX", true},
		{"INBOX below", "iNbOx/%", "INBOX/sub", true},
		{"inboxes are not INBOX", "inboxes", "INBOXes", false},
		{"run of wildcards", "%*%", "a/b", true},
		{"empty", "", "", true},
		{"empty pattern, a name", "", "a", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Compile(tc.pattern, '/').Match(tc.mailbox); got != tc.want {
				t.Errorf("%q matches %q: %v", tc.pattern, tc.mailbox, got)
			}
		})
	}
}

func TestTail(t *testing.T) {
	for pattern, want := range map[string]string{
		"Work/%": "", "*": "", "*@example.org": "@example.org", "a%b*c": "c", "exact": "exact", "": "",
	} {
		if got := Compile(pattern, '/').Tail(); got != want {
			t.Errorf("%q: %q, want %q", pattern, got, want)
		}
	}
}

func TestLiteral(t *testing.T) {
	for pattern, want := range map[string]string{
		"Work/%": "Work/", "*": "", "inbox/*": "INBOX/", "a%b": "a", "exact": "exact",
	} {
		if got, _ := Compile(pattern, '/').Literal(); got != want {
			t.Errorf("%q: %q, want %q", pattern, got, want)
		}
	}
	if _, whole := Compile("Work", '/').Literal(); !whole {
		t.Error("a pattern without wildcard is not whole")
	}
}

// FuzzMatch compares with a regular expression of the same meaning.
func FuzzMatch(f *testing.F) {
	for _, s := range [][2]string{{"%/*a%", "b/ca/da"}, {"*%*a", "aaa/b"}, {"%a%b*c%", "xaybzc/d"}, {"inbox*", "INBOX"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern) > 50 || len(name) > 200 {
			return
		}
		var re strings.Builder
		re.WriteString(`(?s)^`)
		for _, c := range []byte(foldInbox(pattern, '/')) {
			switch c {
			case '*':
				re.WriteString(`.*`)
			case '%':
				re.WriteString(`[^/]*`)
			default:
				if c >= 0x80 {
					return // regexp works on characters, Match on octets
				}
				re.WriteString(regexp.QuoteMeta(string(c)))
			}
		}
		re.WriteString(`$`)
		for _, c := range []byte(name) {
			if c >= 0x80 {
				return
			}
		}
		if want, got := regexp.MustCompile(re.String()).MatchString(name), Compile(pattern, '/').Match(name); got != want {
			t.Errorf("%q, %q: %v, want %v", pattern, name, got, want)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	p := Compile("user/*/Archive%/2024", '/')
	b.ReportAllocs()
	for b.Loop() {
		if !p.Match("user/alice.smith/Projects/Archive old/2024") {
			b.Fatal("no match")
		}
	}
}
