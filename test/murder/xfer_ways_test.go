package murder

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/cyrustest"
	"gocyrus/lib/mboxlist"
	"gocyrus/test/internal/murder"
)

// TestMoveWays: all that can be said to have something moved, at a backend and through a
// frontend, what is refused and how, and that the tagged answer is the truth.
func TestMoveWays(t *testing.T) {
	m := murder.New(t, murder.Options{
		Backends: []murder.Kind{murder.Ours, murder.Ours}, Frontends: []murder.Kind{murder.Ours},
		Imapd: map[string][]string{"": {"allowusermoves: yes"}, "be2": {"allowusermoves: no"}},
	})
	be1, be2, fe := m.Backends[0], m.Backends[1], m.Frontends[0]
	admin := be1.Session(cyrustest.Admin)
	for _, u := range []string{"a1", "a2", "b1", "b2", "c1"} {
		admin.Must("CREATE user."+u, "CREATE user."+u+".Sub")
	}
	admin.Must("CREATE user.p1 p2", "CREATE user.p1.Sub p2", "CREATE shared", "CREATE shared.x", "CREATE other p2", "CREATE other.y p2",
		"SETQUOTA shared.x (STORAGE 77)", "SETACL shared.x alice lrswi")
	m.Settled()
	seats := map[string]func() *murder.Session{
		"be1": func() *murder.Session { return admin },
		"be2": func() *murder.Session { return be2.Session(cyrustest.Admin) },
		"fe":  func() *murder.Session { return fe.Session(cyrustest.Admin) },
		"a1":  func() *murder.Session { return be1.Session("a1") },
	}
	for _, tc := range []struct {
		at, say, want string
		untagged      []string
	}{
		{"a1", "XFER user.a1 $be2", "NO Permission denied", nil},
		{"be1", "XFER user.nobody $be2", "NO Mailbox does not exist", nil},
		{"be1", "XFER user.none* $be2", "NO Mailbox does not exist", nil},
		{"be1", "XFER user.a1.Sub $be2", "NO Operation is not supported on mailbox", nil},
		{"be1", "XFER user.a1 $be1", "NO Invalid server requested", nil},
		{"be1", "RENAME user.a1 user.a1 $be1!p2", "NO Invalid server requested", nil},
		{"be1", "XFER user.a1 127.0.0.1:1", "NO Server(s) unavailable to complete operation", []string{"NO USER a1 (Server(s) unavailable to complete operation)"}},
		{"be1", "RENAME user.a1 user.a1 nosuch", "NO Server(s) unavailable to complete operation", []string{"NO USER a1 (Server(s) unavailable to complete operation)"}},
		{"be1", "RENAME user.a1 user.zz $be2!p2", "NO Cross-server or cross-partition move w/rename not supported", nil},
		{"fe", "RENAME user.a1 user.zz $be2!p2", "NO Cross-server or cross-partition move w/rename not supported", nil},
		{"be1", "XFER user.a1 $be2 nosuch", "NO ", []string{"NO USER a1 ("}},
		{"be1", "RENAME user.a1.Sub user.a1.Sub $be2", "NO Operation is not supported on mailbox", nil},
		// A partition of this server.
		{"be1", "RENAME user.c1 user.c1 p2", "OK Completed", nil},
		{"fe", "RENAME user.c1 user.c1 default", "OK Completed", nil},
		{"fe", "RENAME user.c1 user.c1 $be1!p2", "NO Invalid server requested", nil},
		// One user, in each form.
		{"be1", "XFER user.a1 $be2", "OK Completed", []string{"OK USER a1"}},
		{"fe", "XFER user.a2 $be2 p2", "OK Completed", []string{"OK USER a2"}},
		{"be2", "XFER user.a2 $be1", "NO Operation is not supported on mailbox", []string{"NO USER a2 (Operation is not supported on mailbox)"}},
		{"fe", "RENAME user.a2 user.a2 $be1!", "NO Operation is not supported on mailbox", []string{"NO USER a2 (Operation is not supported on mailbox)"}},
		{"fe", "RENAME user.c1 user.c1 $be2!p2", "OK Completed", []string{"OK USER c1"}},
		{"fe", "XFER user.c1 $be2", "NO Invalid server requested", nil},
		// Several.
		{"be1", "XFER user.b% $be2", "OK Completed", []string{"OK USER b1", "OK USER b2"}},
		{"be1", "XFER p2 $be2 default", "OK Completed", []string{`OK MAILBOX "other"`, `OK MAILBOX "other.y"`, "OK USER p1"}},
		{"fe", "XFER shared.x $be2", "OK Completed", []string{`OK MAILBOX "shared.x"`}},
		{"fe", "XFER shared* $be1", "NO ", []string{`OK MAILBOX "shared.x"`}},
		{"fe", "XFER shared.x $be2 p2", "OK Completed", []string{`OK MAILBOX "shared.x"`}},
	} {
		say := strings.NewReplacer("$be1", be1.IP, "$be2", be2.IP).Replace(tc.say)
		r := seats[tc.at]().Ask("%s", say)
		got := r.Status + " " + r.Text
		var untagged []string
		for _, u := range r.Untagged {
			untagged = append(untagged, u.Text)
		}
		same := slices.EqualFunc(untagged, tc.untagged, func(a, b string) bool { return a == b || strings.HasSuffix(b, "(") && strings.HasPrefix(a, b) })
		if !strings.HasPrefix(got, tc.want) || !same {
			t.Errorf("%s: %s\n%s %q\nwant\n%s %q", tc.at, tc.say, got, untagged, tc.want, tc.untagged)
		}
	}
	want := []string{
		"MAILBOX other be2!default", "MAILBOX other.y be2!default", "MAILBOX shared be1!default", "MAILBOX shared.x be2!p2",
		"MAILBOX user.a1 be2!default", "MAILBOX user.a1.Sub be2!default", "MAILBOX user.a2 be2!p2", "MAILBOX user.a2.Sub be2!p2",
		"MAILBOX user.b1 be2!default", "MAILBOX user.b1.Sub be2!default", "MAILBOX user.b2 be2!default", "MAILBOX user.b2.Sub be2!default",
		"MAILBOX user.c1 be2!p2", "MAILBOX user.c1.Sub be2!p2", "MAILBOX user.p1 be2!default", "MAILBOX user.p1.Sub be2!default",
	}
	var got []string
	for _, l := range m.Master.Table() {
		f := strings.Fields(l)
		got = append(got, strings.Join(f[:3], " "))
	}
	if !slices.Equal(got, want) {
		t.Errorf("the master has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if r := be2.Session(cyrustest.Admin).Ask("GETQUOTA shared.x"); !r.OK() || r.Untagged[0].Text != "QUOTA shared.x (STORAGE 0 77)" {
		t.Errorf("the quota root of shared.x: %+v", r)
	}
	for _, be := range []*murder.Seat{be1, be2} {
		if out := be.RunTool("", "ctl_mboxlist", "-m", "-w"); out != "" {
			t.Errorf("%v: ctl_mboxlist -m -w: %s", be, out)
		}
	}
}

// TestMoveSelected: what the session has selected stays, and so does who asks.
func TestMoveSelected(t *testing.T) {
	m := murder.New(t, murder.Options{Backends: []murder.Kind{murder.Ours, murder.Ours}, Imapd: map[string][]string{"": {"allowusermoves: yes"}}})
	be1, be2 := m.Backends[0], m.Backends[1]
	c := be1.Session(cyrustest.Admin)
	c.Must("CREATE user.cyrus", "CREATE user.alice", "CREATE user.alice.Foo", "SETACL user.alice.Foo cyrus lr", "CREATE shared", "SELECT user.alice.Foo")
	c.Want("NO Mailbox is locked", "XFER user.alice "+be2.IP)
	c.Want("NO Operation is not supported on mailbox", "XFER user.cyrus "+be2.IP)
	c.Must("SELECT shared")
	c.Want("NO Mailbox is locked", "XFER shared "+be2.IP)
	c.Must("XFER user.alice " + be2.IP)
	c.Want("NO 2 of 2 were not moved: ", "XFER * "+be2.IP)
}

// TestMoveCollision: the id of a mailbox is that of another one there, which lives: it is
// said, and nothing is lost.
func TestMoveCollision(t *testing.T) {
	m := murder.New(t, murder.Options{Backends: []murder.Kind{murder.Ours, murder.Ours}, Imapd: map[string][]string{"": {"allowusermoves: yes"}}})
	be1, be2 := m.Backends[0], m.Backends[1]
	be1.Session(cyrustest.Admin).Must("CREATE user.alice", "CREATE user.alice.Foo", "CREATE user.alice.Foo.Deep")
	be2.Session(cyrustest.Admin).Must("CREATE shared")
	here := be1.OpenSite()
	box, err := here.List.Lookup("user.alice.Foo")
	if err != nil {
		t.Fatal(err)
	}
	if err := here.Close(); err != nil {
		t.Error(err)
	}
	site := be2.OpenSite()
	err = site.List.Update(func(tx *mboxlist.Tx) error {
		return tx.Put(&mboxlist.Entry{Name: "elsewhere", UniqueID: box.UniqueID, Partition: "default", Type: "e", ACL: "anyone\tlrs\t", UIDValidity: 1})
	})
	if err != nil {
		t.Fatal(err)
	}
	before := stateOf(t, be1, "alice")
	const reason = "Another mailbox has the same unique id on that server"
	r := be1.Session(cyrustest.Admin).Ask("XFER user.alice %s", be2.IP)
	if r.Status+" "+r.Text != "NO "+reason || fmt.Sprint(r.Untagged) != "[{NO USER alice ("+reason+") []}]" {
		t.Errorf("%+v", r)
	}
	same(t, before, stateOf(t, be1, "alice"))
	if left := stateOf(t, be2, "alice"); len(left) > 0 {
		t.Errorf("left there: %q", left)
	}
	err = site.List.Update(func(tx *mboxlist.Tx) error { return tx.Remove("elsewhere") })
	if err != nil {
		t.Fatal(err)
	}
	if err := site.Close(); err != nil {
		t.Error(err)
	}
	be1.Session(cyrustest.Admin).Must("XFER user.alice " + be2.IP)
	same(t, before, stateOf(t, be2, "alice"))
}
