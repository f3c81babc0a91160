package murder

import (
	"encoding/base64"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/cyrustest"
	"gocyrus/lib/mupdate"
)

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
	eachMaster(t, func(t *testing.T, m *master) {
		ours := m.backend(t, cyrustest.Start, "be1.example.org")
		login(t, ours, "cyrus").want("OK", work...)
		got := m.list(t)
		if !slices.ContainsFunc(got, func(l string) bool {
			return strings.HasPrefix(l, "MAILBOX DELETED.user.alice.Bar.Deep.TIME be1.example.org!default ")
		}) {
			t.Errorf("no deleted mailbox among\n%s", strings.Join(got, "\n"))
		}
		if out := ours.RunTool("", "ctl_mboxlist", "-m", "-w"); out != "Force Activate: user.dave\n" {
			t.Errorf("ctl_mboxlist -m -w: %q", out)
		}
		needReal(t)
		m.do(t, func(c *mupdate.Client) error {
			var all []mupdate.Entry
			err := c.List(t.Context(), "", func(e mupdate.Entry) error { all = append(all, e); return nil })
			for _, e := range all {
				if err == nil {
					err = c.Delete(t.Context(), e.Name)
				}
			}
			return err
		})
		real := m.backend(t, cyrustest.Real, "be1.example.org")
		login(t, real, "cyrus").want("OK", work...)
		want := m.list(t)
		for i, l := range want {
			if strings.Contains(l, "be1.example.org! ") {
				want[i] = strings.Replace(l, "be1.example.org! ", "be1.example.org!default ", 1)
				if strings.Contains(l, " user.bob ") {
					want[i] = strings.Replace(l, "be1.example.org! ", "be1.example.org!p2 ", 1)
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
	eachMaster(t, func(t *testing.T, m *master) {
		be1 := m.backend(t, cyrustest.Start, "be1.example.org")
		be2 := m.backend(t, cyrustest.Start, "be2.example.org")
		a, b := login(t, be1, "cyrus"), login(t, be2, "cyrus")
		a.want("OK", "CREATE user.alice", "CREATE user.alice.Foo")
		b.want("NO unable to reserve mailbox on mupdate server", "CREATE user.alice")
		b.want("OK", "LOCALCREATE user.alice", "LOCALCREATE user.alice.Bar")
		b.want("NO unable to reserve mailbox on mupdate server", "RENAME user.alice.Bar user.alice.Foo", "SETACL user.alice bob lr")
		before := m.list(t)
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
		b.want("OK", "LOCALCREATE user.moved")
		a.want("OK", "CREATE user.moved")
		b.want("OK", "MUPDATEPUSH user.moved")
		if !slices.ContainsFunc(m.list(t), func(l string) bool { return strings.HasPrefix(l, "MAILBOX user.moved be2.example.org!default ") }) {
			t.Error("user.moved has not moved")
		}
		// A Cyrus master breaks down of a DELETE for what it does not have.
		b.want("OK", "LOCALCREATE user.unknown", "LOCALCREATE user.unknown.Sub", "SETACL user.unknown cyrus lrxkta", "LOCALDELETE user.unknown.Sub")
		m.do(t, func(c *mupdate.Client) error { return c.Delete(t.Context(), "user.unknown") })
		b.want("OK", "DELETE user.unknown")
		be1.RunTool("", "ctl_mboxlist", "-ma")
		if !slices.ContainsFunc(m.list(t), func(l string) bool { return strings.HasPrefix(l, "MAILBOX user.moved be1.example.org!default ") }) {
			t.Error("user.moved has not moved back")
		}
		b.want("OK", "LOCALDELETE user.moved")
		// A frontend that acts for an administrator.
		be1.SetPassword("murder")
		raw := be1.Dial(be1.IMAP)
		if _, err := raw.Line(); err != nil {
			t.Fatal(err)
		}
		p := &session{t: t, raw: raw}
		p.want("OK", "AUTHENTICATE PLAIN "+base64.StdEncoding.EncodeToString([]byte("cyrus\x00murder\x00"+cyrustest.Password)), "CREATE user.eve")
		p.want("NO Permission denied", "MUPDATEPUSH user.eve")
		p.want("BAD Unrecognized command", "SYNCGET USER eve")
	})
}

// TestStartWithoutMaster: a backend whose START has the push starts without a master,
// and announces later what the push could not.
func TestStartWithoutMaster(t *testing.T) {
	eachMaster(t, func(t *testing.T, m *master) {
		script, err := filepath.Abs("../../packaging/mupdatepush")
		if err != nil {
			t.Fatal(err)
		}
		be := m.backend(t, cyrustest.Start, "be1.example.org", "mupdate_retry_delay: 1")
		be.Set(func(o *cyrustest.Options) {
			o.Entries = map[string][]string{"START": {`mupdatepush cmd="` + script + ` -C $conf"`}}
		})
		login(t, be, "cyrus").want("OK", "CREATE user.alice", "LOCALCREATE user.bob", "LOCALCREATE user.carol")
		m.do(t, func(c *mupdate.Client) error {
			return c.Activate(t.Context(), "user.carol", "be2.example.org!default", "")
		})
		m.Stop()
		if err := be.Stop(); err != nil {
			t.Error(err)
		}
		be.Resume()
		c := login(t, be, "cyrus")
		c.want("NO no connection to server", "CREATE user.dave")
		m.Resume()
		be.Eventually("the master to hear of user.bob", func() bool {
			conn, err := mupdate.Connect(t.Context(), m.opts)
			if err != nil {
				return false
			}
			conn.Close()
			return slices.ContainsFunc(m.list(t), func(l string) bool { return strings.HasPrefix(l, "MAILBOX user.bob be1.example.org!default ") })
		})
		// What another has is an administrator's to remove.
		c.want("OK", "MYRIGHTS user.carol", "CREATE user.dave")
		if err := be.Stop(); err != nil {
			t.Error(err)
		}
		be.Resume()
		login(t, be, "cyrus").want("NO Mailbox does not exist", "MYRIGHTS user.carol")
	})
}

// TestNoMaster: what works without a master, in Cyrus's words, and that a master that
// comes back is told.
func TestNoMaster(t *testing.T) {
	eachMaster(t, func(t *testing.T, m *master) {
		be := m.backend(t, cyrustest.Start, "be1.example.org", "mupdate_retry_delay: 1", "delete_mode: immediate")
		c := login(t, be, "cyrus")
		c.want("OK", "CREATE user.alice", "CREATE user.alice.Foo", "SETACL user.alice.Foo cyrus lrxkta", "CREATE user.alice.Bar", "SETACL user.alice.Bar cyrus lrxkta")
		had := m.list(t)
		m.Stop()
		c.want("NO no connection to server", "CREATE user.bob", "RENAME user.alice.Foo user.alice.New", "SETACL user.alice bob lr", "RENAME user.alice.Foo user.alice.Foo p2", "MUPDATEPUSH user.alice")
		c.want("OK", "SETQUOTA user.alice (STORAGE 1000)", "SUBSCRIBE user.alice.Foo", "SELECT user.alice.Foo", "UNSELECT", "DELETE user.alice.Bar")
		out, status, err := be.TryTool("", "ctl_mboxlist", "-m")
		if status != 1 || out != "" || !strings.HasSuffix(err.Error(), ": couldn't connect to mupdate server\n") {
			t.Errorf("ctl_mboxlist -m: %q, %d, %v", out, status, err)
		}
		m.Resume()
		want := slices.DeleteFunc(slices.Clone(had), func(l string) bool { return strings.Contains(l, "Bar") })
		be.Eventually("the master to hear of the removal", func() bool {
			conn, err := mupdate.Connect(t.Context(), m.opts)
			if err != nil {
				return false
			}
			conn.Close()
			return slices.Equal(m.list(t), want)
		})
		c.want("OK", "CREATE user.bob")
	})
}
