package etcdtable

import (
	"errors"
	"slices"
	"testing"

	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
)

func TestValue(t *testing.T) {
	for _, tc := range []struct {
		name, key, value string
		want             mupdate.Entry
		err              error
	}{
		{"active", "user\x1fa", "MAILBOX be1!default\ta\tlrs\t", mupdate.Entry{State: mupdate.Active, Name: "user.a", Location: "be1!default", ACL: "a\tlrs\t"}, nil},
		{"no access list", "user\x1fa", "MAILBOX be1!\t", mupdate.Entry{State: mupdate.Active, Name: "user.a", Location: "be1!"}, nil},
		{"a list of any octets", "user\x1fa", "MAILBOX p\t\xff\r\n\tl", mupdate.Entry{State: mupdate.Active, Name: "user.a", Location: "p", ACL: "\xff\r\n\tl"}, nil},
		{"reserved", "example.org\x1duser\x1fa.b", "RESERVE be1!default", mupdate.Entry{State: mupdate.Reserved, Name: "example.org!user.a^b", Location: "be1!default"}, nil},
		{"active without a list", "user\x1fa", "MAILBOX be1!default", mupdate.Entry{}, errValue},
		{"reserved with a list", "user\x1fa", "RESERVE be1!default\ta\tl\t", mupdate.Entry{}, errValue},
		{"nowhere", "user\x1fa", "RESERVE ", mupdate.Entry{}, errValue},
		{"another word", "user\x1fa", "DELETE be1!p\t", mupdate.Entry{}, errValue},
		{"nothing", "user\x1fa", "", mupdate.Entry{}, errValue},
		{"no name", "", "RESERVE be1!p", mupdate.Entry{}, errValue},
	} {
		got, err := entry(tc.key, tc.value)
		if !errors.Is(err, tc.err) || err == nil && got != tc.want {
			t.Errorf("%s: %+v, %v; want %+v, %v", tc.name, got, err, tc.want, tc.err)
		}
		if err == nil && value(&got) != tc.value {
			t.Errorf("%s: %q becomes %q", tc.name, tc.value, value(&got))
		}
	}
}

// FuzzEntry: what is read can be written, and is the same then.
func FuzzEntry(f *testing.F) {
	f.Add("user\x1fa", "MAILBOX be1!default\ta\tlrs\t")
	f.Add("example.org\x1duser\x1fa.b", "RESERVE be1!")
	f.Add("", "MAILBOX \t")
	f.Fuzz(func(t *testing.T, key, v string) {
		e, err := entry(key, v)
		if err != nil {
			return
		}
		if value(&e) != v || e.Name.DB() != key {
			t.Errorf("%q, %q became %+v, %q, %q", key, v, e, e.Name.DB(), value(&e))
		}
	})
}

// TestKeys: a watch sees mailboxes and the table's own keys, not the masters'.
func TestKeys(t *testing.T) {
	k := keysOf("/mupdate/", "mup1")
	order := []string{k.box + mboxname.Name("user.a").DB(), k.boxEnd(), k.format, k.head, k.end, k.master}
	if !slices.IsSorted(order) || k.box >= order[0] {
		t.Errorf("%q", order)
	}
}
