package synclog

import (
	"os"
	"strings"
	"testing"
)

func TestLines(t *testing.T) {
	for _, tc := range []struct {
		name string
		line Line
		want string
	}{
		{"mailbox", Mailbox("user.alice"), "MAILBOX user.alice\n"},
		{"append", Append("user.alice"), "APPEND user.alice\n"},
		{"copy", Double("user.a", "user.b"), "DOUBLEMAILBOX user.a user.b\n"},
		{"removed", Unmailbox("user.a"), "UNMAILBOX user.a\n"},
		{"renamed, three lines", Rename("a", "b c"), "RENAME a \"b c\"\nMAILBOX a\nMAILBOX \"b c\"\n"},
		{"user", User("bob"), "USER bob\n"},
		{"user is gone", Unuser("bob"), "UNUSER bob\n"},
		{"state of a user", Meta("bob"), "META bob\n"},
		{"limits", Quota("user.bob"), "QUOTA user.bob\n"},
		{"annotations of the server", Annotation(""), "ANNOTATION \"\"\n"},
		{"seen", Seen("bob", "uniq1"), "SEEN bob uniq1\n"},
		{"subscription", Sub("bob", "user.x"), "SUB bob user.x\n"},
		{"as it is", Raw("FOO bar"), "FOO bar\n"},
		{"octets beyond ASCII stand", Mailbox("user.\xff\xc3\xbc"), "MAILBOX user.\xff\xc3\xbc\n"},
		{"a tab is quoted", Mailbox("a\tb"), "MAILBOX \"a\tb\"\n"},
		{"nil is no special word", Mailbox("NIL"), "MAILBOX NIL\n"},
		{"a line break is refused", Mailbox("a\nMAILBOX b"), ""},
		{"in a rename too", Rename("a", "b\rc"), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if string(tc.line) != tc.want {
				t.Errorf("%q, want %q", tc.line, tc.want)
			}
		})
	}
	if n := User(strings.Repeat("x", maxLine)); n != "" {
		t.Errorf("a line of %d octets", len(n))
	}
}

// The names of the fixture, as Cyrus's cyr_synclog wrote them.
func TestQuotingIsCyruss(t *testing.T) {
	want, err := os.ReadFile("testdata/quoting.txt")
	if err != nil {
		t.Fatal(err)
	}
	var got string
	for _, n := range []Line{
		Mailbox("user.a b"), Mailbox(`user.a"b`), Mailbox(`user.a\b`), Mailbox("user.a{b}"), Mailbox("user.a(b"),
		Mailbox("user.a%b"), Mailbox("user.*x"), Seen("bob", "uniq1"), Sub("bob", "user.x"), Annotation(""),
	} {
		got += string(n)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
