package subs

import (
	"reflect"
	"testing"

	"gocyrus/lib/change"
	"gocyrus/lib/change/changetest"
	"gocyrus/lib/cyrusdb/kvtest"
)

func TestJournal(t *testing.T) {
	var j changetest.Journal
	s := users(map[string]*kvtest.Memory{})
	s.SetJournal(&j)
	for _, tc := range []struct {
		name string
		do   func() error
		want []string // names, of alice
	}{
		{"subscribed", func() error { return s.Set(alice, "user.alice", true) }, []string{"user.alice"}},
		{"ended", func() error { return s.Set(alice, "user.alice", false) }, []string{"user.alice"}},
		{"replaced", func() error { return s.Replace(alice, names("a", "b")) }, []string{"a", "b"}},
		{"replaced in part", func() error { return s.Replace(alice, names("b", "c")) }, []string{"a", "c"}},
		{"replaced by the same", func() error { return s.Replace(alice, names("b", "c")) }, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := tc.do(); err != nil {
				t.Fatal(err)
			}
			events, whole := j.Take()
			var got []string
			for _, e := range events {
				if e.Kind != change.Subscribed || e.User != "alice" {
					t.Errorf("%+v", e)
				}
				got = append(got, string(e.Name))
			}
			if !whole || !reflect.DeepEqual(got, tc.want) {
				t.Errorf("%v, whole: %v; want %v", got, whole, tc.want)
			}
		})
	}
}
