package cyradm

import (
	"strings"
	"testing"
)

// What Cyrus 3.6.1's cyradm prints, blanks at the ends included.
func TestColumns(t *testing.T) {
	for _, tc := range []struct {
		name   string
		lines  string
		screen int
		want   string
	}{
		{"none", "", 79, ""},
		{"one", "user/tom", 79, "user/tom  \n"},
		{"across, sorted down", "e d c b a", 4, "a  d  \nb  e  \nc  \n"},
		{"too long for the screen", "abcdefgh b", 4, "abcdefgh\nb    \n"},
		{"one longer than the screen", "abcd b", 4, "abcd \nb    \n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := columns(strings.Fields(tc.lines), tc.screen); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func TestUsageText(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   []Usage
		want string
	}{
		{"none", nil, ""},
		{"part", []Usage{{"STORAGE", "10", "2048"}}, " STORAGE 10/2048 (0.48828125%)"},
		{"fifteen digits", []Usage{{"STORAGE", "1", "3"}}, " STORAGE 1/3 (33.3333333333333%)"},
		{"no limit", []Usage{{"STORAGE", "1", "0"}}, " STORAGE 1/0"},
		{"two", []Usage{{"STORAGE", "0", "9"}, {"MESSAGE", "9", "9"}}, " STORAGE 0/9 (0%) MESSAGE 9/9 (100%)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := usageText(tc.in); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func TestReferral(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"Cyrus's", "[REFERRAL imap://;AUTH=*@be2.example.org/user.eve] Remote mailbox.", "be2.example.org 143"},
		{"with a port", "[REFERRAL imap://tom;AUTH=*@be2:1143/x]", "be2 1143"},
		{"two places on one server", "[REFERRAL imap://a/x imap://a/y] x", "a 143"},
		{"two servers", "[REFERRAL imap://a/x imap://b/y] x", ""},
		{"no user", "[REFERRAL imap://a/x] x", "a 143"},
		{"none", "Permission denied", ""},
		{"no URL", "[REFERRAL x] y", ""},
		{"other code", "[NONEXISTENT] Mailbox does not exist", ""},
		{"no end", "[REFERRAL imap://a/x", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			host, port, ok := referral(tc.in)
			got := ""
			if ok {
				got = host + " " + port
			}
			if got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func TestComplete(t *testing.T) {
	for _, tc := range []struct{ line, want string }{
		{"lq", "lq lqm lqr"}, {"help xf", "help xfer,help xfermailbox"}, {"zz", ""}, {"lm u", ""},
	} {
		got := complete(tc.line)
		if s := strings.Join(got, " "); s != tc.want && strings.Join(got, ",") != tc.want {
			t.Errorf("complete(%q) = %q, want %q", tc.line, got, tc.want)
		}
	}
}

// TestTable: each word means one command, and each command says how it is used.
func TestTable(t *testing.T) {
	seen := make(map[string]string)
	for _, r := range table() {
		for _, w := range append([]string{r.name}, r.aliases...) {
			if seen[w] != "" {
				t.Errorf("%s is %s and %s", w, seen[w], r.name)
			}
			seen[w] = r.name
		}
		if r.about == "" || r.run == nil {
			t.Errorf("%s: incomplete", r.name)
		}
	}
}
