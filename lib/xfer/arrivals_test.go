package xfer

import (
	"errors"
	"net"
	"slices"
	"testing"

	"gocyrus/lib/backend"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/mupdate"
	"gocyrus/lib/servertest"
)

// TestAbandoned: what a server that answers has sent is left to it, unless somebody insists.
func TestAbandoned(t *testing.T) {
	m := mover(t, at("be2.example.org", mupdate.Reserved, "user.alice", "user.bob").serve(t)...)
	alive := servertest.Listen(t, "tcp", func(c net.Conn) { c.Close() })
	for _, tc := range []struct {
		name    string
		at      string
		anyway  bool
		settle  func(*Mover) func(a *mboxops.Arrival, anyway bool) error
		want    error
		records int
	}{
		{"adopted, and alive", alive, false, adopt, ErrAlive, 1},
		{"discarded, and alive", alive, false, discard, ErrAlive, 1},
		{"discarded, and gone", "127.0.0.1:1", false, discard, mboxops.ErrOnly, 1},
		{"discarded, and alive, anyway", alive, true, discard, nil, 0},
		{"adopted, and gone", "127.0.0.1:1", false, adopt, nil, 0},
	} {
		m.opt.Proxy.Address = func(*backend.Protocol, string) string { return tc.at }
		_, err := m.site.Ops.Local().CreateReplica(t.Context(), "user.alice", mboxops.ReplicaParams{
			UniqueID: "11111111-2222-4333-8444-555555555555", Partition: "default", ACL: "alice\tlr\t", UIDValidity: 7, CreatedModSeq: 1, FolderModSeq: 1,
		})
		if err != nil && !errors.Is(err, mboxops.ErrExists) {
			t.Fatal(err)
		}
		all, err := m.site.Ops.Arrivals(t.Context())
		if err != nil || len(all) != 1 {
			t.Fatalf("%s: %v, %v", tc.name, all, err)
		}
		if err := tc.settle(m)(all[0], tc.anyway); !errors.Is(err, tc.want) || tc.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
		if all, err = m.site.Ops.Arrivals(t.Context()); err != nil || len(all) != tc.records {
			t.Errorf("%s: %v, %v", tc.name, all, err)
		}
	}
	if e, err := m.site.List.Lookup("user.alice"); err != nil || e.Is(mboxlist.FlagRemote) {
		t.Errorf("%+v, %v", e, err)
	}
}

func adopt(m *Mover) func(*mboxops.Arrival, bool) error {
	return func(a *mboxops.Arrival, anyway bool) error { return m.Adopt(m.ctx, a, anyway) }
}

func discard(m *Mover) func(*mboxops.Arrival, bool) error {
	return func(a *mboxops.Arrival, anyway bool) error { return m.Discard(m.ctx, a, anyway) }
}

// TestAdoptedMeanwhile: a source that comes back and finds that its copies are in use takes
// its own mailboxes away, which stay as deleted ones; of another user it takes none.
func TestAdoptedMeanwhile(t *testing.T) {
	for _, stage := range []string{"e", "em"} {
		m := mover(t, at("be2.example.org", mupdate.Active, "user.alice", "user.alice.Foo").serve(t)...)
		m.opt.Proxy.Address = func(*backend.Protocol, string) string { return "127.0.0.1:1" }
		create(t, m, "", "user.alice", "user.alice.Foo", "user.alice.New", "user.bob")
		err := m.site.List.Update(func(tx *mboxlist.Tx) error {
			for _, n := range []mboxname.Name{"user.alice", "user.alice.Foo", "user.alice.New"} {
				e, err := tx.Lookup(n)
				if err != nil {
					return err
				}
				if e.Type = stage; stage == "em" {
					e.Server = "be2.example.org"
				}
				if err := tx.Put(e); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, user := range []string{"alice", "bob"} {
			// The copies cannot be looked for, as that server is away again.
			if _, err := m.end(t.Context(), journey{mboxops.Cargo{User: user}, "be2.example.org", ""}); err == nil {
				t.Error("ended")
			}
		}
		var got []string
		err = m.site.List.Scan("", func(v mboxlist.View) error {
			if n := string(v.Name()); v.Name().IsDeleted() {
				got = append(got, n[:len(n)-len(".12345678")]+" "+string(v.Type()))
			} else {
				got = append(got, n+" "+string(v.Type()))
			}
			return nil
		})
		want := []string{"DELETED.user.alice e", "DELETED.user.alice.Foo e", "user.alice ed", "user.alice.Foo ed", "user.alice.New e", "user.bob e"}
		if slices.Sort(got); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v, want %q", stage, got, err, want)
		}
	}
}
