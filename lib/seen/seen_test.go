package seen

import (
	"errors"
	"testing"

	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/cyrusdb/kvtest"
	"gocyrus/lib/mboxname"
)

func TestDB(t *testing.T) {
	dbs := map[string]*kvtest.Memory{}
	s := New(&mboxname.Layout{ConfigDir: "/c"}, func(path string, flags kv.Flags) (kv.DB, error) {
		if dbs[path] == nil {
			if flags&kv.Create == 0 {
				return nil, kv.ErrNotFound
			}
			dbs[path] = kvtest.New()
		}
		return dbs[path], nil
	})
	bob := s.For("bob", "")
	if r, err := bob.Get("id1"); r != (Record{}) || err != nil {
		t.Errorf("never looked: %+v, %v", r, err)
	}
	if err := bob.Delete("id1"); err != nil {
		t.Error(err)
	}
	want := Record{1795323871, 8, 1795323873, "2,4:5"}
	if err := bob.Put("id1", want); err != nil {
		t.Fatal(err)
	}
	if got := dbs["/c/user/b/bob.seen"].Rows()["id1"]; got != "1 1795323871 8 1795323873 2,4:5" {
		t.Errorf("row %q", got)
	}
	if r, err := bob.Get("id1"); r != want || err != nil {
		t.Errorf("got %+v, %v", r, err)
	}
	n := 0
	if err := bob.Scan(func(id string, r Record) error { n++; return nil }); n != 1 || err != nil {
		t.Errorf("Scan: %d, %v", n, err)
	}
	if err := bob.Delete("id1"); err != nil || len(dbs["/c/user/b/bob.seen"].Rows()) != 0 {
		t.Errorf("Delete: %v", err)
	}
}

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		in  string
		out Record
		err error
	}{
		{"1 10 20 30 2,4:5", Record{10, 20, 30, "2,4:5"}, nil},
		{"1 10 20 30 ", Record{10, 20, 30, ""}, nil},
		{"1 10 20 30", Record{10, 20, 30, ""}, nil},
		{"2 10 20 30 1", Record{}, ErrFormat},
		{"1 10 20 x 1", Record{}, ErrFormat},
		{"", Record{}, ErrFormat},
	} {
		if got, err := parse(tc.in); got != tc.out || !errors.Is(err, tc.err) {
			t.Errorf("parse(%q) = %+v, %v", tc.in, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("1 10 20 30 2,4:5")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := parse(s)
		if err != nil {
			return
		}
		if again, err := parse(r.String()); again != r || err != nil {
			t.Errorf("%q: %+v, then %+v, %v", s, r, again, err)
		}
	})
}
