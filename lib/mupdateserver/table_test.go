package mupdateserver

import (
	"errors"
	"testing"

	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mupdate"
)

// TestStates is the table of states of a master, with what Cyrus's breaks down of
// answered.
func TestStates(t *testing.T) {
	const here, there = "be1.example.org!default", "be2.example.org!default"
	none := mupdate.Entry{Name: "user.x"}
	reserved := func(where string) mupdate.Entry {
		return mupdate.Entry{State: mupdate.Reserved, Name: "user.x", Location: where}
	}
	active := func(where, acl string) mupdate.Entry {
		return mupdate.Entry{State: mupdate.Active, Name: "user.x", Location: where, ACL: acl}
	}
	for _, tc := range []struct {
		name    string
		was     mupdate.Entry
		op      op
		where   string
		want    mupdate.Entry
		err     error
		lenient error // in a configuration that is not standard
	}{
		{"reserve", none, reserve, here, reserved(here), nil, nil},
		{"reserve again", reserved(here), reserve, here, reserved(here), nil, nil},
		{"reserve another's", reserved(here), reserve, there, reserved(here), mupdate.ErrExists, nil},
		{"reserve on another partition", reserved(here), reserve, "be1.example.org!p2", reserved(here), mupdate.ErrExists, nil},
		{"reserve what is active", active(here, "a\tl\t"), reserve, here, reserved(here), nil, nil},
		{"reserve what is active elsewhere", active(here, "a\tl\t"), reserve, there, active(here, "a\tl\t"), mupdate.ErrExists, nil},
		{"activate", none, activate, here, active(here, "n\tlrs\t"), nil, nil},
		{"activate reserved", reserved(here), activate, here, active(here, "n\tlrs\t"), nil, nil},
		{"activate another's", reserved(here), activate, there, active(there, "n\tlrs\t"), nil, nil},
		{"activate what is active", active(here, "a\tl\t"), activate, there, active(there, "n\tlrs\t"), nil, nil},
		{"deactivate", active(here, "a\tl\t"), deactivate, there, reserved(there), nil, nil},
		{"deactivate nothing", none, deactivate, here, none, mupdate.ErrNotFound, mupdate.ErrNotFound},
		{"deactivate reserved", reserved(here), deactivate, here, reserved(here), mupdate.ErrNotActive, mupdate.ErrNotActive},
		{"deactivate reserved elsewhere", reserved(here), deactivate, there, reserved(here), mupdate.ErrNotActive, mupdate.ErrNotActive},
		{"delete", active(here, "a\tl\t"), remove, "", none, nil, nil},
		{"delete reserved", reserved(here), remove, "", none, nil, nil},
		{"delete nothing", none, remove, "", none, mupdate.ErrNotFound, nil},
	} {
		for _, config := range []string{"standard", "replicated"} {
			srv := testServer(t, testConfig(t, "mupdate_config: "+config+"\n"), nil)
			if tc.was.State != mupdate.Absent {
				put(t, srv.list, tc.was)
			}
			r := &request{op: tc.op, entry: mupdate.Entry{Name: "user.x", Location: tc.where}}
			if tc.op == activate {
				r.entry.ACL = "n\tlrs" // its end is made up for
			}
			srv.table.submit(r)
			<-r.done
			wantErr, want := tc.err, tc.want
			if config != "standard" && tc.lenient == nil && tc.err != nil {
				wantErr = nil
				if tc.op == reserve {
					want = reserved(tc.where)
				}
			}
			got, ok := content(t, srv.list)["user.x"]
			if !ok {
				got = none
			}
			if !isErr(r.err, wantErr) || got != want {
				t.Errorf("%s, %s: %+v, %v; want %+v, %v", tc.name, config, got, r.err, want, wantErr)
			}
		}
	}
}

// TestNotMailboxes: tombstones and intermediate names of a list that was a
// backend's are nothing to a master.
func TestNotMailboxes(t *testing.T) {
	srv := testServer(t, testConfig(t, ""), nil)
	err := srv.list.Update(func(tx *mboxlist.Tx) error {
		return errors.Join(
			tx.Put(&mboxlist.Entry{Name: "user.dead", Type: "ed", UniqueID: "1"}),
			tx.Put(&mboxlist.Entry{Name: "user.dead.between", Type: "ei", UniqueID: "2"}))
	})
	if err != nil {
		t.Fatal(err)
	}
	addr, _ := listen(t, srv)
	c := connect(t, addr)
	if got := list(t, clientOptions(addr)); len(got) != 0 {
		t.Errorf("listed %v", got)
	}
	for _, n := range []string{"user.dead", "user.dead.between"} {
		if _, err := c.Find(t.Context(), nameOf(n)); !errors.Is(err, mupdate.ErrNotFound) {
			t.Errorf("%s: %v", n, err)
		}
		if err := c.Reserve(t.Context(), nameOf(n), "be1!p"); err != nil {
			t.Errorf("%s: %v", n, err)
		}
	}
	if got := list(t, clientOptions(addr)); len(got) != 2 {
		t.Errorf("listed %v", got)
	}
}
