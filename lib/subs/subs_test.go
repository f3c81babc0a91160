package subs

import (
	"reflect"
	"testing"

	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/cyrusdb/kvtest"
	"gocyrus/lib/mboxname"
)

// users is a store with one database in memory for each path.
func users(dbs map[string]*kvtest.Memory) *Store {
	layout := &mboxname.Layout{ConfigDir: "/c"}
	return New(layout, func(path string, flags kv.Flags) (kv.DB, error) {
		if dbs[path] == nil {
			if flags&kv.Create == 0 {
				return nil, kv.ErrNotFound
			}
			dbs[path] = kvtest.New()
		}
		return dbs[path], nil
	})
}

var alice = User{ID: "alice", InboxID: "8x3c"}

const aliceFile = "/c/user/uuid/8/x/8x3c/sub.db"

func names(list ...mboxname.Name) []mboxname.Name { return list }

func TestSetAndList(t *testing.T) {
	dbs := map[string]*kvtest.Memory{}
	s := users(dbs)
	if got, err := s.List(alice); got != nil || err != nil {
		t.Errorf("nobody: %v, %v", got, err)
	}
	for _, n := range names("user.bob.x", "user.alice.Sent", "user.alice", "shared.a^b", "user.alice.Sent") {
		if err := s.Set(alice, n, true); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Set(alice, "user.nobody", false); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{versionKey: "2", "NINBOX": "", "NINBOX\x1fSent": "", "Nuser\x1fbob\x1fx": "", "Nshared\x1fa.b": ""}
	if got := dbs[aliceFile].Rows(); !reflect.DeepEqual(got, want) {
		t.Errorf("rows %q, want %q", got, want)
	}
	if got, err := s.List(alice); !reflect.DeepEqual(got, names("user.alice", "user.alice.Sent", "shared.a^b", "user.bob.x")) || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if err := s.Set(alice, "user.alice", false); err != nil {
		t.Fatal(err)
	}
	if err := s.Replace(alice, append(names("news"), must(s.List(alice))...)); err != nil {
		t.Fatal(err)
	}
	if got := must(s.List(alice)); !reflect.DeepEqual(got, names("user.alice.Sent", "news", "shared.a^b", "user.bob.x")) {
		t.Errorf("got %q", got)
	}
}

func must(n []mboxname.Name, err error) []mboxname.Name {
	if err != nil {
		panic(err)
	}
	return n
}

func TestOldForm(t *testing.T) {
	old := map[string]string{"user.alice": "", "user.alice.a^b": "", "News": ""}
	dbs := map[string]*kvtest.Memory{aliceFile: kvtest.With(old)}
	s := users(dbs)
	want := names("user.alice", "user.alice.a^b", "News")
	if got := must(s.List(alice)); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
	if !reflect.DeepEqual(dbs[aliceFile].Rows(), old) {
		t.Error("reading changed the database")
	}
	if err := s.Set(alice, "user.bob", true); err != nil {
		t.Fatal(err)
	}
	if got := must(s.List(alice)); !reflect.DeepEqual(got, append(want, "user.bob")) {
		t.Errorf("got %q", got)
	}
	rows := map[string]string{versionKey: "2", "NINBOX": "", "NINBOX\x1fa.b": "", "NNews": "", "Nuser\x1fbob": ""}
	if got := dbs[aliceFile].Rows(); !reflect.DeepEqual(got, rows) {
		t.Errorf("rows %q", got)
	}
}
