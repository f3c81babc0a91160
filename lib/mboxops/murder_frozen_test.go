package mboxops_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/mupdate"
	"gocyrus/lib/site"
)

// arrivals brings copies of some mailboxes, and returns what there is then.
func arrivals(t *testing.T, s *site.Site, names ...mboxname.Name) []*mboxops.Arrival {
	t.Helper()
	for _, n := range names {
		if _, err := s.Ops.Local().CreateReplica(ctx, n, replica("id-"+string(n))); err != nil {
			t.Fatal(err)
		}
	}
	all, err := s.Ops.Arrivals(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func at(state mupdate.State, server string, names ...mboxname.Name) (all []mupdate.Entry) {
	for _, n := range names {
		all = append(all, mupdate.Entry{State: state, Name: n, Location: server + "!default", ACL: aliceACL})
	}
	return all
}

func setAll(m *master, all []mupdate.Entry) {
	for _, e := range all {
		m.set(e)
	}
}

// TestArrivals: all that is frozen here is found, as what moves at once, with INBOX last.
func TestArrivals(t *testing.T) {
	for _, mode := range []string{"standard", "unified"} {
		m := newMaster(t)
		s := backend(t, m, "mupdate_config: "+mode)
		create(t, s, "cyrus", "user.bob")
		setAll(m, at(mupdate.Reserved, "be2.example.org", "user.alice"))
		setAll(m, at(mupdate.Active, "be2.example.org", "shared"))
		begun := time.Now().Add(-2 * time.Second)
		var got []string
		for _, a := range arrivals(t, s, "user.alice", "user.alice.a", "user.alice.a.b", "shared", "shared.x", "user.carol.x") {
			if a.Since.Before(begun) || a.Since.After(time.Now()) {
				t.Errorf("%s: since %v", a, a.Since)
			}
			got = append(got, fmt.Sprint(a, " ", a.Boxes, " ", a.Murder.State, a.Source()))
		}
		want := []string{
			fmt.Sprint("alice [user.alice.a.b user.alice.a user.alice] ", mupdate.Reserved, "be2.example.org"),
			fmt.Sprint("carol [user.carol.x] ", mupdate.Absent),
			fmt.Sprint("shared [shared] ", mupdate.Active, "be2.example.org"),
			fmt.Sprint("shared.x [shared.x] ", mupdate.Absent),
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", mode, got, want)
		}
	}
	if _, err := open(t).Ops.Arrivals(ctx); !errors.Is(err, mboxops.ErrNoMurder) {
		t.Errorf("without a murder: %v", err)
	}
}

// TestSettleArrival: copies are adopted, or discarded, whole; and what may cost mail only
// when it is said so.
func TestSettleArrival(t *testing.T) {
	boxes := []mboxname.Name{"user.alice", "user.alice.a"}
	for _, tc := range []struct {
		name           string
		murder         []mupdate.Entry
		adopt, discard error
		never          bool // to be adopted
	}{
		{"reserved", at(mupdate.Reserved, "be2.example.org", boxes...), nil, mboxops.ErrOnly, false},
		{"in use", at(mupdate.Active, "be2.example.org", boxes...), mboxops.ErrPartial, nil, false},
		{"unknown", nil, nil, mboxops.ErrOnly, false},
		{"one at a third server", slices.Concat(at(mupdate.Reserved, "be2.example.org", boxes[0]), at(mupdate.Active, "be3.example.org", boxes[1])),
			mboxops.ErrThird, mboxops.ErrOnly, true},
	} {
		for _, anyway := range []bool{false, true} {
			for _, adopt := range []bool{false, true} {
				m := newMaster(t)
				s := backend(t, m)
				setAll(m, tc.murder)
				before := m.content()
				a := arrivals(t, s, boxes...)[0]
				do, want := s.Ops.Discard, tc.discard
				if adopt {
					do, want = s.Ops.Adopt, tc.adopt
				}
				if anyway && !(adopt && tc.never) {
					want = nil
				}
				err := do(ctx, a, anyway)
				if !errors.Is(err, want) || want == nil && err != nil {
					t.Errorf("%s, adopt %v, anyway %v: %v, want %v", tc.name, adopt, anyway, err, want)
				}
				switch left := arrivals(t, s); {
				case want != nil:
					if len(left) != 1 || len(left[0].Boxes) != len(boxes) || fmt.Sprint(m.content()) != fmt.Sprint(before) {
						t.Errorf("%s, adopt %v: refused, and changed", tc.name, adopt)
					}
				case len(left) > 0:
					t.Errorf("%s, adopt %v: %v is left", tc.name, adopt, left[0].Boxes)
				case adopt:
					agree(t, m, s)
					for _, n := range boxes {
						opens(t, s, n)
					}
				default:
					if fmt.Sprint(m.content()) != fmt.Sprint(before) {
						t.Errorf("%s: the master was told of what was discarded", tc.name)
					}
					if got := types(t, s); len(got) > 0 {
						t.Errorf("%s: records %q", tc.name, got)
					}
				}
			}
		}
	}
}

// TestYield: what was adopted elsewhere while this server was away is deleted here with delay,
// what was not stays, and nothing goes that would not be kept.
func TestYield(t *testing.T) {
	for _, tc := range []struct {
		mode    string
		conf    string
		moving  bool
		adopted []mboxname.Name
		want    []string // of alice
	}{
		{"standard", "delayed", true, []mboxname.Name{"user.alice", "user.alice.Foo", "user.alice.Foo.Deep"},
			[]string{"DELETED.user.alice.Foo.Deep.TIME e", "DELETED.user.alice.Foo.TIME e", "DELETED.user.alice.Old.TIME e", "DELETED.user.alice.TIME e",
				"user.alice ed", "user.alice.Foo ed", "user.alice.Foo.Deep ed", "user.alice.Old ed"}},
		{"standard", "delayed", true, []mboxname.Name{"user.alice", "user.alice.Foo"},
			[]string{"DELETED.user.alice.Foo.TIME e", "DELETED.user.alice.Old.TIME e", "DELETED.user.alice.TIME e",
				"user.alice ed", "user.alice.Foo ed", "user.alice.Foo.Deep e", "user.alice.Old ed"}},
		{"unified", "delayed", false, []mboxname.Name{"user.alice", "user.alice.Foo", "user.alice.Foo.Deep"},
			[]string{"DELETED.user.alice.Foo.Deep.TIME e", "DELETED.user.alice.Foo.TIME e", "DELETED.user.alice.Old.TIME e", "DELETED.user.alice.TIME e",
				"user.alice er", "user.alice.Foo er", "user.alice.Foo.Deep er", "user.alice.Old ed"}},
		{"standard", "immediate", true, []mboxname.Name{"user.alice"}, []string{"user.alice e", "user.alice.Foo e", "user.alice.Foo.Deep e"}},
		{"standard", "delayed", true, nil, []string{"DELETED.user.alice.Old.TIME e", "user.alice e", "user.alice.Foo e", "user.alice.Foo.Deep e", "user.alice.Old ed"}},
	} {
		t.Run(fmt.Sprint(tc.mode, tc.conf, len(tc.adopted)), func(t *testing.T) {
			m := newMaster(t)
			s := traveller(t, m, "mupdate_config: "+tc.mode, "delete_mode: "+tc.conf)
			if tc.moving {
				if err := depart(t, s, alice, nothing); err != nil {
					t.Fatal(err)
				}
			}
			setAll(m, at(mupdate.Active, "be2.example.org", tc.adopted...))
			had := m.content()
			for range 2 {
				if err := s.Ops.Yield(ctx, alice); err != nil {
					t.Fatal(err)
				}
			}
			if now := m.content(); fmt.Sprint(now) != fmt.Sprint(had) {
				t.Errorf("the master has %v, want %v", now, had)
			}
			if err := s.Ops.Return(ctx, alice); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, l := range types(t, s) {
				if strings.Contains(l, "user.alice") {
					got = append(got, l)
				}
			}
			if tc.conf == "immediate" { // a tombstone or none of what was deleted before
				got = slices.DeleteFunc(got, func(l string) bool { return l == "user.alice.Old ed" })
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("records %q, want %q", got, tc.want)
			}
			if tc.mode == "unified" {
				if e := lookup(t, s, "user.alice"); e.Server != "be2.example.org" || e.Partition != "default" || e.UniqueID != "" {
					t.Errorf("%+v", e)
				}
			}
			all, err := s.Ops.OfUser("alice")
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range all {
				if !e.Is(mboxlist.FlagIntermediate) {
					opens(t, s, e.Name)
				}
			}
		})
	}
}
