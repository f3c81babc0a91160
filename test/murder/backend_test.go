package murder

import (
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/mupdate"
	"gocyrus/test/internal/murder"
)

// eachMaster runs a test with each kind of master.
func eachMaster(t *testing.T, fn func(t *testing.T, master murder.Kind)) {
	for _, master := range []murder.Kind{murder.Ours, murder.Real} {
		t.Run(master.String()+" master", func(t *testing.T) { fn(t, master) })
	}
}

// do runs commands at the master.
func do(t *testing.T, m *murder.Murder, fn func(c *mupdate.Client) error) {
	t.Helper()
	if err := mupdate.Do(t.Context(), m.Master.Mupdate(), fn); err != nil {
		t.Fatal(err)
	}
}

// work is what an administrator does to a backend's mailboxes.
var work = []string{
	`CREATE user.alice`, `CREATE user.alice.Foo`, `CREATE user.alice-x`, `CREATE user.alice.Foo.Deep`, `CREATE user.alice.a.b`, `CREATE shared p2`,
	`SETACL user.alice.Foo anyone lrs`, `SETACL user.alice.Foo cyrus lrxkta`, `RENAME user.alice.Foo user.alice.Bar`,
	`SETACL user.alice.Bar.Deep cyrus lrxkta`, `DELETE user.alice.Bar.Deep`, `CREATE user.bob`, `RENAME user.bob user.bob p2`,
	`DELETEACL shared anyone`, `CREATE user.carol`, `CREATE user.carol.Sub`, `SETACL user.carol cyrus lrxkta`,
	`SETACL user.carol.Sub cyrus lrxkta`, `DELETE user.carol`, `LOCALCREATE user.dave`,
}

// TestBackend does the same work on a backend of ours and on one of Cyrus's, at each
// kind of master: it then has the same, but for the partitions that Cyrus leaves out
// of what it renames.
func TestBackend(t *testing.T) {
	eachMaster(t, func(t *testing.T, master murder.Kind) {
		m := murder.New(t, murder.Options{Master: master, Backends: []murder.Kind{murder.Ours}})
		ours := m.Backends[0]
		ours.Session("cyrus").Must(work...)
		got := m.Master.Table()
		if !slices.ContainsFunc(got, func(l string) bool {
			return strings.HasPrefix(l, "MAILBOX DELETED.user.alice.Bar.Deep.TIME be1!default ")
		}) {
			t.Errorf("no deleted mailbox among\n%s", strings.Join(got, "\n"))
		}
		if out := ours.RunTool("", "ctl_mboxlist", "-m", "-w"); out != "Force Activate: user.dave\n" {
			t.Errorf("ctl_mboxlist -m -w: %q", out)
		}
		cyrus := murder.New(t, murder.Options{Master: master, Backends: []murder.Kind{murder.Real}})
		cyrus.Backends[0].Session("cyrus").Must(work...)
		want := cyrus.Master.Table()
		for i, l := range want {
			if strings.Contains(l, "be1! ") {
				want[i] = strings.Replace(l, "be1! ", "be1!default ", 1)
				if strings.Contains(l, " user.bob ") {
					want[i] = strings.Replace(l, "be1! ", "be1!p2 ", 1)
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("of ours the master has\n%s\n\nand of Cyrus's\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// TestClaims: two backends want the same names.
func TestClaims(t *testing.T) {
	eachMaster(t, func(t *testing.T, master murder.Kind) {
		m := murder.New(t, murder.Options{Master: master, Backends: []murder.Kind{murder.Ours, murder.Ours}})
		be1, be2 := m.Backends[0], m.Backends[1]
		a, b := be1.Session("cyrus"), be2.Session("cyrus")
		a.Must("CREATE user.alice", "CREATE user.alice.Foo")
		b.Want("NO unable to reserve mailbox on mupdate server", "CREATE user.alice")
		b.Must("LOCALCREATE user.alice", "LOCALCREATE user.alice.Bar")
		b.Want("NO unable to reserve mailbox on mupdate server", "RENAME user.alice.Bar user.alice.Foo", "SETACL user.alice bob lr")
		before := m.Master.Table()
		if n := slices.IndexFunc(before, func(l string) bool { return strings.Contains(l, "be2") }); n >= 0 {
			t.Errorf("be2 has %s", before[n])
		}
		if out := be2.RunTool("", "ctl_mboxlist", "-m", "-w"); out != "Remove Local Mailbox: user.alice\nForce Activate: user.alice.Bar\n" {
			t.Errorf("ctl_mboxlist -m -w: %q", out)
		}
		out, status, err := be2.TryTool("n\n", "ctl_mboxlist", "-m", "-i")
		if status != 1 || out != "" || !strings.HasSuffix(err.Error(), "OK to delete 1 local mailboxes? Cancelled!\n") {
			t.Errorf("ctl_mboxlist -m -i: %q, %d, %v", out, status, err)
		}
		be2.RunTool("y\n", "ctl_mboxlist", "-m", "-i")
		if out := be2.RunTool("", "ctl_mboxlist", "-m", "-w"); !strings.HasPrefix(out, "Force Activate: DELETED.user.alice.") || strings.Count(out, "\n") != 1 {
			t.Errorf("ctl_mboxlist -m -w, then: %q", out)
		}
		// What a mailbox that arrives does: it is announced, whoever had it.
		b.Must("LOCALCREATE user.moved")
		a.Must("CREATE user.moved")
		b.Must("MUPDATEPUSH user.moved")
		if !slices.ContainsFunc(m.Master.Table(), func(l string) bool { return strings.HasPrefix(l, "MAILBOX user.moved be2!default ") }) {
			t.Error("user.moved has not moved")
		}
		// A Cyrus master breaks down of a DELETE for what it does not have.
		b.Must("LOCALCREATE user.unknown", "LOCALCREATE user.unknown.Sub", "SETACL user.unknown cyrus lrxkta", "LOCALDELETE user.unknown.Sub")
		do(t, m, func(c *mupdate.Client) error { return c.Delete(t.Context(), "user.unknown") })
		b.Must("DELETE user.unknown")
		be1.RunTool("", "ctl_mboxlist", "-ma")
		if !slices.ContainsFunc(m.Master.Table(), func(l string) bool { return strings.HasPrefix(l, "MAILBOX user.moved be1!default ") }) {
			t.Error("user.moved has not moved back")
		}
		b.Must("LOCALDELETE user.moved")
		// A frontend that acts for an administrator.
		p := be1.Proxied("cyrus")
		p.Must("CREATE user.eve")
		p.Want("NO Permission denied", "MUPDATEPUSH user.eve")
		p.Want("BAD Unrecognized command", "SYNCGET USER eve")
	})
}

// TestStartWithoutMaster: a backend whose START has the push starts without a master,
// and announces later what the push could not.
func TestStartWithoutMaster(t *testing.T) {
	eachMaster(t, func(t *testing.T, master murder.Kind) {
		m := murder.New(t, murder.Options{Master: master, Backends: []murder.Kind{murder.Ours},
			Imapd: map[string][]string{"be1": {"mupdate_retry_delay: 1"}}})
		be := m.Backends[0]
		be.Session("cyrus").Must("CREATE user.alice", "LOCALCREATE user.bob", "LOCALCREATE user.carol")
		do(t, m, func(c *mupdate.Client) error {
			return c.Activate(t.Context(), "user.carol", "be2!default", "")
		})
		if err := m.Master.Stop(); err != nil {
			t.Logf("the master ended with %v", err)
		}
		if err := be.Stop(); err != nil {
			t.Error(err)
		}
		be.Resume()
		c := be.Session("cyrus")
		c.Want("NO no connection to server", "CREATE user.dave")
		m.Master.Resume()
		be.Eventually("the master to hear of user.bob", func() bool {
			return slices.ContainsFunc(m.Master.Table(), func(l string) bool { return strings.HasPrefix(l, "MAILBOX user.bob be1!default ") })
		})
		// What another has is an administrator's to remove.
		c.Must("MYRIGHTS user.carol", "CREATE user.dave")
		if err := be.Stop(); err != nil {
			t.Error(err)
		}
		be.Resume()
		be.Session("cyrus").Want("NO Mailbox does not exist", "MYRIGHTS user.carol")
	})
}

// TestNoMaster: what works without a master, in Cyrus's words, and that a master that
// comes back is told.
func TestNoMaster(t *testing.T) {
	eachMaster(t, func(t *testing.T, master murder.Kind) {
		m := murder.New(t, murder.Options{Master: master, Backends: []murder.Kind{murder.Ours},
			Imapd: map[string][]string{"be1": {"mupdate_retry_delay: 1", "delete_mode: immediate"}}})
		be := m.Backends[0]
		c := be.Session("cyrus")
		c.Must("CREATE user.alice", "CREATE user.alice.Foo", "SETACL user.alice.Foo cyrus lrxkta", "CREATE user.alice.Bar", "SETACL user.alice.Bar cyrus lrxkta")
		had := m.Master.Table()
		if err := m.Master.Stop(); err != nil {
			t.Logf("the master ended with %v", err)
		}
		c.Want("NO no connection to server", "CREATE user.bob", "RENAME user.alice.Foo user.alice.New", "SETACL user.alice bob lr", "RENAME user.alice.Foo user.alice.Foo p2", "MUPDATEPUSH user.alice")
		c.Must("SETQUOTA user.alice (STORAGE 1000)", "SUBSCRIBE user.alice.Foo", "SELECT user.alice.Foo", "UNSELECT", "DELETE user.alice.Bar")
		out, status, err := be.TryTool("", "ctl_mboxlist", "-m")
		if status != 1 || out != "" || !strings.HasSuffix(err.Error(), ": couldn't connect to mupdate server\n") {
			t.Errorf("ctl_mboxlist -m: %q, %d, %v", out, status, err)
		}
		m.Master.Resume()
		want := slices.DeleteFunc(slices.Clone(had), func(l string) bool { return strings.Contains(l, "Bar") })
		be.Eventually("the master to hear of the removal", func() bool {
			return slices.Equal(m.Master.Table(), want)
		})
		c.Must("CREATE user.bob")
	})
}
