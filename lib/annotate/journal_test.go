package annotate

import (
	"reflect"
	"testing"

	"gocyrus/lib/change"
	"gocyrus/lib/change/changetest"
	"gocyrus/lib/cyrusdb/kvtest"
)

func TestJournal(t *testing.T) {
	var j changetest.Journal
	d := NewDB(kvtest.New())
	d.SetJournal(&j)
	server := Change{Key: Key{Server, "/comment", ""}, Data: []byte("x")}
	box := func(entry string) Change { return Change{Key: Key{"id1", entry, ""}, Data: []byte("x")} }
	for _, tc := range []struct {
		name    string
		changes []Change
		want    []change.Event
	}{
		{"nothing", nil, nil},
		{"server", []Change{server}, []change.Event{{Kind: change.ServerAnnots}}},
		{"mailbox, once", []Change{box("/comment"), box("/color")}, []change.Event{{Kind: change.MailboxAnnots, UniqueID: "id1"}}},
		{"both", []Change{box("/comment"), server},
			[]change.Event{{Kind: change.MailboxAnnots, UniqueID: "id1"}, {Kind: change.ServerAnnots}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := d.Apply(tc.changes...); err != nil {
				t.Fatal(err)
			}
			events, whole := j.Take()
			if !whole || !reflect.DeepEqual(events, tc.want) {
				t.Errorf("%+v, whole: %v; want %+v", events, whole, tc.want)
			}
		})
	}
}
