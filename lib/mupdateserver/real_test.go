package mupdateserver

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/cyrustest"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
)

// These tests run Cyrus's own programs, where they are installed, on the other
// side: package cyrustest says what that takes.

const realMupdate = "/usr/lib/cyrus/bin/mupdate"

// realMurder is a Cyrus server that takes a seat in a Murder; only imap listens
// beside what is asked for.
func realMurder(t *testing.T, imapd []string, services ...string) *cyrustest.Server {
	t.Helper()
	if _, err := os.Stat(realMupdate); err != nil {
		t.Skipf("Cyrus's mupdate is not installed: %v", err)
	}
	return cyrustest.Real(t, cyrustest.Options{
		Imapd: append([]string{"mupdate_admins: mupman", "sasl_mech_list: PLAIN", "unixhierarchysep: no"}, imapd...),
		Args:  map[string]string{"imaps": "-", "pop3": "-", "pop3s": "-", "lmtp": "-", "lmtpunix": "-"},
		Entries: map[string][]string{
			"SERVICES": services,
		},
		Unchecked: true,
	})
}

// toMaster are the lines of imapd.conf of who talks to the master at addr.
func toMaster(addr string) []string {
	return []string{"mupdate_server: " + addr, "mupdate_authname: mupman", "mupdate_password: mupsecret", "mupdate_retry_delay: 2"}
}

// someChanges are one of each kind.
func someChanges(t *testing.T, o mupdate.Options) {
	t.Helper()
	err := mupdate.Do(t.Context(), o, func(c *mupdate.Client) error {
		for _, step := range []func() error{
			func() error { return c.Reserve(t.Context(), "user.new", "be3.example.org!default") },
			func() error {
				return c.Activate(t.Context(), "user.new", "be3.example.org!default", "new\tlrswipkxtecdan\t")
			},
			func() error { return c.Reserve(t.Context(), "user.half", "be3.example.org!") },
			func() error { return c.Delete(t.Context(), "user.ord.b") },
			func() error { return c.Deactivate(t.Context(), "user.ord", "be1.example.org!default") },
			func() error { return c.Activate(t.Context(), "shared", "be2.example.org!p2", "anyone\tp\t") },
			func() error { return c.Activate(t.Context(), "user.gone", "be2.example.org!p2", "") },
			func() error { return c.Delete(t.Context(), "user.gone") },
		} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRealSlave: Cyrus's slave follows our master, is kicked, and comes back
// after a restart.
func TestRealSlave(t *testing.T) {
	if _, err := os.Stat(realMupdate); err != nil {
		t.Skipf("Cyrus's mupdate is not installed: %v", err)
	}
	master := testServer(t, testConfig(t, ""), nil)
	put(t, master.list, manyEntries(3000)...)
	addr, stop := listen(t, master)
	port := cyrustest.FreeAddress(t)
	real := realMurder(t, toMaster(addr), fmt.Sprintf(`mupdate cmd="$bin/mupdate -C $conf" listen="%s" prefork=1`, port))
	slave := clientOptions(port)
	kicks := mupdate.Options{Kicks: true, KickSocket: real.Path("conf/socket/mupdate.target")}
	kick := func() {
		eventually(t, "kick", func() bool { return kicks.Kick(t.Context()) == nil })
	}
	kick()
	sameLists(t, "after the sync", list(t, slave), content(t, master.list))
	someChanges(t, clientOptions(addr))
	kick()
	sameLists(t, "after changes", list(t, slave), content(t, master.list))

	stop() // all connections with it
	late := mupdate.Entry{State: mupdate.Active, Name: "user.late", Location: "be1.example.org!default", ACL: "late\tlrs\t"}
	put(t, master.list, late)
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, master, l)
	eventually(t, "the slave's return", func() bool {
		// While it makes up its list a slave of Cyrus's breaks all connections.
		got, err := tryList(t, slave)
		return err == nil && len(got) == len(content(t, master.list))
	})
	sameLists(t, "after a restart", list(t, slave), content(t, master.list))
}

// TestRealMaster: our slave follows Cyrus's master, and our client changes it
// without breaking it.
func TestRealMaster(t *testing.T) {
	port := cyrustest.FreeAddress(t)
	real := realMurder(t, nil, fmt.Sprintf(`mupdate cmd="$bin/mupdate -m -C $conf" listen="%s" prefork=1`, port))
	o := clientOptions(port)
	eventually(t, "the master", func() bool {
		c, err := net.Dial("tcp", port)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	err := mupdate.Do(t.Context(), o, func(c *mupdate.Client) error {
		entries := manyEntries(2000)
		for i := range entries {
			entries[i].State = mupdate.Active // whichever they are to be
		}
		return c.ActivateAll(t.Context(), entries, func(e mupdate.Entry, err error) {
			if err != nil {
				t.Errorf("%s: %v", e.Name, err)
			}
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	slave := testSlave(t, port, "", func(o *Options) { o.Client.RetryDelay = time.Second })
	synced(t, slave)
	sameLists(t, "after the sync", content(t, slave.list), list(t, o))
	someChanges(t, o)
	kick(t, slave)
	sameLists(t, "after changes", content(t, slave.list), list(t, o))

	pids := real.Children("mupdate")
	err = mupdate.Do(t.Context(), o, func(c *mupdate.Client) error {
		for what, err := range map[string]error{
			"delete":              c.Delete(t.Context(), "user.nosuch"),
			"deactivate":          c.Deactivate(t.Context(), "user.nosuch", "be1.example.org!default"),
			"deactivate reserved": c.Deactivate(t.Context(), "user.half", "be3.example.org!"),
		} {
			if err == nil {
				t.Errorf("%s: done", what)
			}
		}
		return c.Noop(t.Context())
	})
	if err != nil {
		t.Errorf("the master broke down: %v", err)
	}
	if now := real.Children("mupdate"); len(now) != 1 || fmt.Sprint(now) != fmt.Sprint(pids) {
		t.Errorf("mupdate was %v, is %v", pids, now)
	}
}

// TestRealOrder: our master lists in the order of Cyrus's.
func TestRealOrder(t *testing.T) {
	port := cyrustest.FreeAddress(t)
	realMurder(t, []string{"virtdomains: userid"}, fmt.Sprintf(`mupdate cmd="$bin/mupdate -m -C $conf" listen="%s" prefork=1`, port))
	ours := testServer(t, testConfig(t, ""), nil)
	addr, _ := listen(t, ours)
	names := append([]mboxname.Name{"example.org!user.zoe", "example.org!user.zoe.x", "example.org!user.zoe-x", "example.com!shared", "example-x!user.a"}, oddNames...)
	var orders [2][]mboxname.Name
	for i, o := range []mupdate.Options{clientOptions(addr), clientOptions(port)} {
		var c *mupdate.Client
		eventually(t, "the master", func() bool {
			var err error
			c, err = mupdate.Connect(t.Context(), o)
			return err == nil
		})
		defer c.Close()
		for _, n := range names {
			if err := c.Activate(t.Context(), n, "be1!default", ""); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.List(t.Context(), "", func(e mupdate.Entry) error { orders[i] = append(orders[i], e.Name); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(orders[0], orders[1]) {
		t.Errorf("ours:\n%q\nCyrus's:\n%q", orders[0], orders[1])
	}
}

// TestRealBackend: Cyrus's backend tells our master of what its users do, and
// ctl_mboxlist -m finds nothing to correct.
func TestRealBackend(t *testing.T) {
	if _, err := os.Stat(realMupdate); err != nil {
		t.Skipf("Cyrus's mupdate is not installed: %v", err)
	}
	master := testServer(t, testConfig(t, ""), nil)
	addr, _ := listen(t, master)
	real := realMurder(t, append(toMaster(addr), "servername: be1.example.org", "proxyservers: murder"))
	raw := real.Dial(real.IMAP)
	if _, err := raw.Line(); err != nil {
		t.Fatal(err)
	}
	for i, cmd := range []string{
		`LOGIN cyrus secret`, `CREATE user.alice`, `CREATE user.alice.Foo`, `CREATE user.alice-x`, `CREATE user.alice.Foo.Deep`, `CREATE shared`,
		`SETACL user.alice.Foo anyone lrs`, `RENAME user.alice.Foo user.alice.Bar`, `SETACL user.alice.Bar.Deep cyrus lrxkta`, `DELETE user.alice.Bar.Deep`,
	} {
		tag := fmt.Sprintf("a%d", i)
		lines, err := raw.Command(tag+" "+cmd, tag+" ")
		if err != nil {
			t.Fatal(err)
		}
		if last := lines[len(lines)-1]; !strings.HasPrefix(last, tag+" OK") {
			t.Fatalf("%s: %s", cmd, last)
		}
	}
	got := content(t, master.list)
	deleted := 0
	for n, e := range got {
		if n.IsDeleted() {
			deleted++
		}
		if e.State != mupdate.Active || !strings.HasPrefix(e.Location, "be1.example.org!") {
			t.Errorf("%s: %+v", n, e)
		}
	}
	if len(got)-deleted != 4 || deleted != 1 || got["user.alice-x"].Location != "be1.example.org!default" {
		t.Errorf("the master has %v", got)
	}
	// The location without a partition that Cyrus announces for renamed mailboxes
	// is what -m corrects.
	real.RunTool("", "ctl_mboxlist", "-m")
	if out := real.RunTool("", "ctl_mboxlist", "-m", "-w"); out != "" {
		t.Errorf("ctl_mboxlist -m -w: %s", out)
	}
	put(t, master.list, mupdate.Entry{State: mupdate.Active, Name: "user.ghost", Location: "be1.example.org!default"})
	if out := real.RunTool("", "ctl_mboxlist", "-m", "-w"); !strings.Contains(out, "Remove from MUPDATE: user.ghost") {
		t.Errorf("ctl_mboxlist -m -w: %s", out)
	}
	real.RunTool("", "ctl_mboxlist", "-m")
	if _, ok := content(t, master.list)["user.ghost"]; ok {
		t.Error("ctl_mboxlist -m left a ghost")
	}
}

// TestRealTester: Cyrus's mupdatetest logs in.
func TestRealTester(t *testing.T) {
	tester := ""
	for _, p := range []string{"/usr/bin/mupdatetest", "/usr/lib/cyrus/bin/mupdatetest"} {
		if _, err := os.Stat(p); err == nil {
			tester = p
		}
	}
	if tester == "" {
		t.Skip("Cyrus's mupdatetest is not installed")
	}
	srv := testServer(t, testConfig(t, ""), nil)
	addr, _ := listen(t, srv)
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tester, "-m", "PLAIN", "-a", "mupman", "-u", "mupman", "-w", "mupsecret", "-p", port, host)
	cmd.Stdin = strings.NewReader("1 RESERVE \"user.x\" \"be1!p\"\r\n2 LIST\r\n3 LOGOUT\r\n")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Authenticated.") {
		t.Errorf("%v\n%s", err, out)
	}
}
