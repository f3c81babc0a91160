package replication

import (
	"bufio"
	"slices"
	"strings"
	"testing"
)

// The client of the tests reads what servers of Cyrus were seen to write.
func TestReadItem(t *testing.T) {
	for _, c := range []struct{ wire, key, want string }{
		{"MAILBOX %(UNIQUEID abc ACL \"alice\tlrs\t\" LAST_UID 3)\r\n", "MAILBOX", `(UNIQUEID="abc" ACL="alice\tlrs\t" LAST_UID="3")`},
		{"LSUB (user.a \"user.a.With Space\")\r\n", "LSUB", `("user.a" "user.a.With Space")`},
		{"A %(V {9}\r\na)\r\n(b\" c W () X (%(K v) %(K w)))\r\n", "A", `(V="a)\r\n(b\" c" W=() X=((K="v") (K="w")))`},
		{"M %(PARTITION NIL NAME \"NIL\" E \"\")\r\n", "M", `(PARTITION=NIL NAME="NIL" E="")`},
		{"MESSAGE %{default 0123 5}\r\nhello\r\n", "MESSAGE", "file of 5 octets"},
		{`Q "a \"b\" \\c"` + "\r\n", "Q", `"a \"b\" \\c"`},
	} {
		n, err := readItem(bufio.NewReader(strings.NewReader(c.wire)))
		if err != nil || n.key != c.key || n.String() != c.want {
			t.Errorf("%q: %v %v, want %s %s", c.wire, n, err, c.key, c.want)
		}
	}
	for _, wire := range []string{"", "A", "A \r\n", "A (b\r\n", "A b c\r\n", "A {x}\r\n", "A {5}\r\nabc", "A %{a b}\r\n"} {
		if n, err := readItem(bufio.NewReader(strings.NewReader(wire))); err == nil {
			t.Errorf("%q is read as %v", wire, n)
		}
	}
}

func TestTokens(t *testing.T) {
	got := tokens(`UID 3 FLAGS (\Seen "a)b") X "q \" (" BODY[] {4} N NIL`, [][]byte{[]byte("lite")})
	want := []string{"UID", "3", "FLAGS", `(\Seen "a)b")`, "X", `q " (`, "BODY[]", "lite", "N", "NIL"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestDivide(t *testing.T) {
	users, shared := divide([]string{"DELETED/user/bob/x/1", "shared", "shared/sub", "user/alice", "user/alice/Sent", "user/anna/x@example.org", "user/anna@example.org"})
	if !slices.Equal(users, []string{"alice", "anna@example.org"}) || !slices.Equal(shared, []string{"shared", "shared/sub"}) {
		t.Errorf("%q %q", users, shared)
	}
}
