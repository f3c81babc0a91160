package auth

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/config"
)

// fakeGroups are the groups of each user.
type fakeGroups map[string][]string

func (f fakeGroups) of(user string) []string { return f[user] }

func (f fakeGroups) exists(group string) bool {
	for _, g := range f {
		if slices.Contains(g, group) {
			return true
		}
	}
	return false
}

func TestMember(t *testing.T) {
	r := New(Options{UnixGroups: true})
	r.groups = newGroupCache(fakeGroups{"alice": {"staff", "mail"}})
	alice := r.State("alice")
	for _, tc := range []struct {
		state      *State
		identifier string
		want       bool
	}{
		{alice, "alice", true},
		{alice, "Alice", false},
		{alice, "anyone", true},
		{alice, "anonymous", false},
		{alice, "group:staff", true},
		{alice, "GROUP:mail", true},
		{alice, "group:wheel", false},
		{alice, "group:", false},
		{alice, "", false},
		{nil, "anyone", true},
		{nil, "anonymous", true},
		{Anonymous, "anonymous", true},
		{r.State("bob"), "group:staff", false},
	} {
		if got := tc.state.Member(tc.identifier); got != tc.want {
			t.Errorf("%+v.Member(%q) = %v; want %v", tc.state, tc.identifier, got, tc.want)
		}
	}
}

func TestRoles(t *testing.T) {
	cfg, err := config.Parse(strings.NewReader("configdirectory: /var/lib/cyrus\nadmins: cyrus group:staff root@other.org\n"+
		"imap_proxyservers: murder\nvirtdomains: userid\ndefaultdomain: example.com\n"), "test", "imap")
	if err != nil {
		t.Fatal(err)
	}
	o, err := OptionsFrom(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := New(o)
	r.groups = newGroupCache(fakeGroups{"dan": {"staff"}})
	for _, tc := range []struct {
		user                 string
		admin, global, proxy bool
		domain               string
	}{
		{"cyrus", true, true, false, ""},
		{"dan", true, true, false, ""},
		{"alice", false, false, false, ""},
		{"root@other.org", true, false, false, "other.org"}, // rules its own domain only
		{"murder", false, false, true, ""},
	} {
		s := r.State(tc.user)
		if s.IsAdmin != tc.admin || s.IsGlobalAdmin() != tc.global || s.IsProxy != tc.proxy || s.Domain != tc.domain {
			t.Errorf("State(%q) = %+v, global %v", tc.user, s, s.IsGlobalAdmin())
		}
	}
}

func TestGroupFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "group")
	text := "root:x:0:\n#mail:x:1:alice\nmail:x:8:alice,bob\nstaff:x:50:alice\nbroken:alice\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := membersIn(path, "alice"); !slices.Equal(got, []string{"mail", "staff"}) {
		t.Errorf("groups of alice: %q", got)
	}
	if got := membersIn(path, "carol"); got != nil {
		t.Errorf("groups of carol: %q", got)
	}
	if !definedIn(path, "staff") || definedIn(path, "broken") || definedIn(path+"x", "staff") {
		t.Error("definedIn is wrong of staff, broken or a file that is not there")
	}
}

// TestGroupCache checks that the source is asked once for a name.
func TestGroupCache(t *testing.T) {
	src := &countingGroups{}
	c := newGroupCache(src)
	for range 3 {
		c.of("alice")
	}
	if src.asked != 1 {
		t.Errorf("asked %d times", src.asked)
	}
	c.of("bob")
	if src.asked != 2 {
		t.Errorf("asked %d times after another name", src.asked)
	}
}

type countingGroups struct{ asked int }

func (c *countingGroups) of(string) []string { c.asked++; return nil }
func (c *countingGroups) exists(string) bool { return false }

func BenchmarkMember(b *testing.B) {
	s := &State{User: "alice", Groups: []string{"mail", "staff", "users"}}
	b.ReportAllocs()
	for b.Loop() {
		if !s.Member("group:users") {
			b.Fatal("not a member")
		}
	}
}
