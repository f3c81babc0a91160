package seen

import (
	"testing"

	"gocyrus/lib/change"
	"gocyrus/lib/change/changetest"
	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/cyrusdb/kvtest"
	"gocyrus/lib/mboxname"
)

func TestJournal(t *testing.T) {
	var j changetest.Journal
	mem := kvtest.New()
	s := New(&mboxname.Layout{ConfigDir: "/c"}, func(string, kv.Flags) (kv.DB, error) { return mem, nil })
	s.SetJournal(&j)
	bob := s.For("bob", "")
	for name, do := range map[string]func() error{
		"put":    func() error { return bob.Put("id1", Record{LastUID: 3}) },
		"delete": func() error { return bob.Delete("id1") },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
		events, whole := j.Take()
		if !whole || len(events) != 1 || events[0] != (change.Event{Kind: change.SeenBy, User: "bob", UniqueID: "id1"}) {
			t.Errorf("%s: %+v, whole: %v", name, events, whole)
		}
	}
	if _, err := bob.Get("id1"); err != nil {
		t.Fatal(err)
	}
	if events, _ := j.Take(); len(events) != 0 {
		t.Errorf("reading: %+v", events)
	}
}
