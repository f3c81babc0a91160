package auth

import (
	"errors"
	"strings"
	"testing"
)

func TestCanon(t *testing.T) {
	off := Options{ToLower: true}
	userid := Options{ToLower: true, Virtual: VirtualUserID, DefaultDomain: "example.com"}
	on := Options{ToLower: true, Virtual: VirtualOn, DefaultDomain: "example.com"}
	for _, tc := range []struct {
		name          string
		opts          Options
		id, login, at string
		want          string
		err           error
	}{
		{"plain", off, "alice", "", "", "alice", nil},
		{"lower case", off, "AlIcE", "", "", "alice", nil},
		{"case kept", Options{}, "AlIcE", "", "", "AlIcE", nil},
		{"domain is only text when off", off, "Alice@Example.com", "", "", "alice@example.com", nil},
		{"percent is forbidden when off", off, "alice%example.com", "", "", "", ErrUser},
		{"default domain dropped", userid, "alice@EXAMPLE.com", "", "", "alice", nil},
		{"other domain kept", userid, "alice@Other.org", "", "", "alice@other.org", nil},
		{"percent for at", userid, "alice%other.org", "", "", "alice@other.org", nil},
		{"percent and default", userid, "alice%example.com", "", "", "alice", nil},
		{"last at counts", userid, "a@b@example.com", "", "", "a@b", nil},
		{"domain of the login", userid, "bob", "alice@other.org", "", "bob@other.org", nil},
		{"login without domain", userid, "bob", "alice", "", "bob", nil},
		{"address counts only when on", userid, "bob", "", "host.org", "bob", nil},
		{"domain of the address", on, "bob", "", "host.org", "bob@host.org", nil},
		{"address in the default domain", on, "bob", "", "Example.com", "bob", nil},
		{"anonymous", off, "Anonymous", "", "", "anonymous", nil},
		{"anonymous of a domain", userid, "anonymous@other.org", "", "", "anonymous", nil},
		{"anybody", off, "anybody", "", "", "anyone", nil},
		{"slash", off, "al/ice", "", "", "", ErrUser},
		{"ampersand", off, "al&ice", "", "", "", ErrUser},
		{"star", off, "al*ice", "", "", "", ErrUser},
		{"colon", off, "al:ice", "", "", "", ErrUser},
		{"control", off, "al\nice", "", "", "", ErrUser},
		{"eight bits", off, "al\xefce", "", "", "", ErrUser},
		{"empty", off, "", "", "", "", ErrUser},
		{"only a domain", userid, "@example.com", "", "", "", ErrUser},
		{"digits", off, "12345", "", "", "12345", nil},
		{"80 octets", off, strings.Repeat("a", 80), "", "", strings.Repeat("a", 80), nil},
		{"81 octets", off, strings.Repeat("a", 81), "", "", "", ErrUser},
		{"plus stays", off, "alice+Work", "", "", "alice+work", nil},
		{"group that exists", off, "group:mail", "", "", "group:mail", nil},
		{"group that does not", off, "group:nosuch", "", "", "", ErrUser},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := New(tc.opts)
			r.groups = newGroupCache(fakeGroups{"alice": {"mail"}})
			got, err := r.canon(tc.id, tc.login, tc.at)
			if got != tc.want || !errors.Is(err, tc.err) {
				t.Errorf("canon(%q, %q, %q) = %q, %v; want %q, %v", tc.id, tc.login, tc.at, got, err, tc.want, tc.err)
			}
		})
	}
}

func TestCheckRealm(t *testing.T) {
	for _, tc := range []struct {
		name string
		opts Options
		id   string
		err  error
	}{
		{"no realm", Options{}, "alice", nil},
		{"foreign realm", Options{}, "alice@foo.com", ErrRealm},
		{"welcome realm", Options{Realms: []string{"bar.org", "FOO.com"}}, "alice@foo.com", nil},
		{"not a prefix", Options{Realms: []string{"foo.com.evil"}}, "alice@foo.com", ErrRealm},
		{"virtual domains", Options{Virtual: VirtualUserID}, "alice@foo.com", nil},
		{"virtual domains with realms", Options{Virtual: VirtualUserID, Realms: []string{"bar.org"}}, "alice@foo.com", ErrRealm},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := New(tc.opts).CheckRealm(tc.id); !errors.Is(err, tc.err) {
				t.Errorf("CheckRealm(%q) = %v; want %v", tc.id, err, tc.err)
			}
		})
	}
}

// FuzzCanon checks that a canonical id is canonical.
func FuzzCanon(f *testing.F) {
	for _, s := range []string{"alice", "A@b", "a%b@c", "anyone", "group:x", "@", "a@example.com@example.com"} {
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, id string, virtual bool) {
		o := Options{ToLower: true}
		if virtual {
			o.Virtual = VirtualUserID
		}
		r := New(o)
		r.groups = newGroupCache(fakeGroups{})
		got, err := r.Canon(id)
		if err != nil {
			return
		}
		if got == "" || len(got) > maxID || strings.ContainsAny(got, "/*:\x00\r\n") {
			t.Errorf("Canon(%q) = %q", id, got)
		}
		if again, err := r.Canon(got); again != got || err != nil {
			t.Errorf("Canon(%q) = %q, and of that %q, %v", id, got, again, err)
		}
	})
}
