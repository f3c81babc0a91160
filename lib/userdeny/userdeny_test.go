package userdeny

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestCovers(t *testing.T) {
	for _, tc := range []struct {
		services, service string
		want              bool
	}{
		{"*", "imap", true},
		{"imap", "imap", true},
		{"imap", "imaps", false},
		{"imap*", "imaps", true},
		{"pop3,imap", "imap", true},
		{"!imap,*", "imap", false}, // seen with 3.6.1: imap stays, pop3 is denied
		{"!imap,*", "pop3", true},
		{"*,!imap", "imap", true},
		{"", "imap", false},
		{"?map", "imap", true},
		{"[h-j]map", "imap", true},
		{"[^h-j]map", "imap", false},
		{`\imap`, "imap", true},
		{"*a*p", "imap", true},
		{"[imap", "[imap", true},
		{"[", "imap", false},
	} {
		if got := (Record{Services: tc.services}).Covers(tc.service); got != tc.want {
			t.Errorf("%q covers %q: %v; want %v", tc.services, tc.service, got, tc.want)
		}
	}
}

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want Record
		err  error
	}{
		{"2\t*\tGo away", Record{"*", "Go away"}, nil},
		{"2\timap", Record{"imap", DefaultMessage}, nil},
		{"2\t*\ta\tb", Record{"*", "a\tb"}, nil},
		{"1\t*\tx", Record{}, ErrRecord},
		{"2", Record{}, ErrRecord},
		{"", Record{}, ErrRecord},
	} {
		if got, err := Parse([]byte(tc.in)); got != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("Parse(%q) = %+v, %v; want %+v, %v", tc.in, got, err, tc.want, tc.err)
		}
	}
}

// TestCyrusFile reads a file that cyr_deny of Cyrus 3.6.1 wrote, and changes it.
func TestCyrusFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "user_deny.db")
	data, err := os.ReadFile("testdata/user_deny.db")
	if err != nil {
		t.Fatal(err)
	}
	d := New(Options{Kind: "flat", Path: path}, t.Errorf)
	defer d.Close()
	if _, denied := d.Denied("alice", "imap"); denied {
		t.Error("denied before there is a file")
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	check := func(user, service, message string, want bool) {
		t.Helper()
		if msg, denied := d.Denied(user, service); denied != want || denied && msg != message {
			t.Errorf("Denied(%q, %q) = %q, %v; want %q, %v", user, service, msg, denied, message, want)
		}
	}
	check("alice", "imap", "Go away", true)
	check("bob", "imap", "", false)
	check("bob", "pop3", DefaultMessage, true)
	check("carol", "imap", "", false)
	if err := d.Set("carol", "", "Not you"); err != nil {
		t.Fatal(err)
	}
	check("carol", "imap", "Not you", true)
	if err := d.Delete("alice"); err != nil {
		t.Fatal(err)
	}
	check("alice", "imap", "", false)
	if err := d.Set("x", "a\tb", ""); !errors.Is(err, ErrService) {
		t.Errorf("a tab in services: %v", err)
	}
}

// FuzzMatch checks that no pattern takes too long or fails, and that a name
// matches itself with every octet escaped.
func FuzzMatch(f *testing.F) {
	f.Add("*a*b*c", "aabbcc")
	f.Add("[a-", "x")
	f.Add(`\`, `\`)
	f.Fuzz(func(t *testing.T, pattern, name string) {
		match(pattern, name)
		var escaped []byte
		for i := range len(name) {
			escaped = append(escaped, '\\', name[i])
		}
		if !match(string(escaped), name) || !match("*", name) {
			t.Errorf("%q does not match itself", name)
		}
	})
}
