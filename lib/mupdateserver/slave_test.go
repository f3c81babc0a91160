package mupdateserver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
	"gocyrus/lib/relaytest"
)

// testSlave is a slave of the master at addr, that loses no time between connections. had is
// what its list has before it starts.
func testSlave(t testing.TB, addr, more string, change func(*Options), had ...mupdate.Entry) *Server {
	t.Helper()
	cfg := testConfig(t, "mupdate_server: "+addr+"\nmupdate_authname: mupman\nmupdate_password: mupsecret\n"+more)
	if len(had) > 0 {
		list, err := mboxlist.Open(mboxlist.OptionsFrom(cfg))
		if err != nil {
			t.Fatal(err)
		}
		put(t, list, had...)
		if err := list.Close(); err != nil {
			t.Fatal(err)
		}
	}
	srv := testServer(t, cfg, func(o *Options) {
		o.Master = false
		o.Client.RetryDelay = time.Millisecond
		o.Client.KickSocket = cfg.Dir() + "/socket/mupdate.target"
		if change != nil {
			change(o)
		}
	})
	return srv
}

func synced(t testing.TB, srv *Server) {
	t.Helper()
	select {
	case <-srv.slave.synced:
	case <-time.After(patience):
		t.Fatal("the slave does not come into sync")
	}
}

// kick is what a frontend's imapd does before it looks again.
func kick(t testing.TB, srv *Server) {
	t.Helper()
	o := srv.opts.Client
	o.Kicks = true
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var err error
	eventually(t, "kick", func() bool {
		err = o.Kick(ctx)
		return err == nil || ctx.Err() != nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func sameContent(t testing.TB, got, want *Server) {
	t.Helper()
	g, w := content(t, got.list), content(t, want.list)
	if maps.Equal(g, w) {
		return
	}
	for n, e := range w {
		if g[n] != e {
			t.Errorf("%s: has %+v, want %+v", n, g[n], e)
		}
	}
	for n := range g {
		if _, ok := w[n]; !ok {
			t.Errorf("%s: has %+v, want none", n, g[n])
		}
	}
}

// TestSlave: what the master had, and what is changed, is on the slave after a
// kick.
func TestSlave(t *testing.T) {
	master := testServer(t, testConfig(t, ""), nil)
	put(t, master.list, mupdate.Entry{State: mupdate.Active, Name: "user.a", Location: "be1!default", ACL: "a\tlrs\t"},
		mupdate.Entry{State: mupdate.Reserved, Name: "user.b", Location: "be1!"},
		mupdate.Entry{State: mupdate.Active, Name: "user.c", Location: "nobang"})
	addr, _ := listen(t, master)
	slave := testSlave(t, addr, "", nil, mupdate.Entry{State: mupdate.Active, Name: "user.old", Location: "be1!default", ACL: "a\tlrs\t"},
		mupdate.Entry{State: mupdate.Active, Name: "user.a", Location: "be2!default"})
	synced(t, slave)
	sameContent(t, slave, master)

	c := connect(t, addr)
	for _, err := range []error{
		c.Reserve(t.Context(), "user.d", "be1!default"),
		c.Activate(t.Context(), "user.d", "be1!default", "d\tlrswipkxtecdan\t"),
		c.Activate(t.Context(), "user.a", "be3!default", ""),
		c.Delete(t.Context(), "user.c"),
		c.Activate(t.Context(), "user.dave^smith.x", "be1!default", ""),
		c.Activate(t.Context(), "example.org!user.zoe", "be1!default", ""),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	kick(t, slave)
	sameContent(t, slave, master)
	if n := len(content(t, slave.list)); n != 5 {
		t.Errorf("%d mailboxes", n)
	}
}

// TestSlaveOrder is the case in which Cyrus's slave loses a mailbox at a
// resync: names in hierarchy order are not in the order of their octets.
func TestSlaveOrder(t *testing.T) {
	master := testServer(t, testConfig(t, ""), nil)
	active := func(name mboxname.Name) mupdate.Entry {
		return mupdate.Entry{State: mupdate.Active, Name: name, Location: "be1!default"}
	}
	put(t, master.list, active("user.ord"), active("user.ord-b"))
	addr, _ := listen(t, master)
	slave := testSlave(t, addr, "", nil, active("user.ord"), active("user.ord.b"), active("user.ord-b"))
	synced(t, slave)
	kick(t, slave)
	sameContent(t, slave, master)
}

// TestSlaveUnsorted: a master that lists in another order is understood.
func TestSlaveUnsorted(t *testing.T) {
	var remote []keyed
	for _, n := range []mboxname.Name{"user.b", "user.a-b", "user.a", "user.a.b", "user.a"} {
		remote = append(remote, keyed{n.DB(), mupdate.Entry{State: mupdate.Active, Name: n, Location: fmt.Sprintf("be%d!default", len(remote))}})
	}
	srv := testServer(t, testConfig(t, ""), nil)
	put(t, srv.list, mupdate.Entry{State: mupdate.Active, Name: "user.a.b", Location: "x"}, mupdate.Entry{State: mupdate.Active, Name: "user.z", Location: "x"})
	s := newSlave(srv.table, srv.list, srv.opts)
	if err := s.resync(remote); err != nil {
		t.Fatal(err)
	}
	got := content(t, srv.list)
	for name, where := range map[mboxname.Name]string{"user.a": "be4!default", "user.a.b": "be3!default", "user.a-b": "be1!default", "user.b": "be0!default"} {
		if got[name].Location != where {
			t.Errorf("%s: %+v, want %s", name, got[name], where)
		}
	}
	if len(got) != 4 {
		t.Errorf("%d mailboxes: %v", len(got), got)
	}
}

// TestConverge changes mailboxes at random while connections are cut at random
// and the master's process is replaced now and then. Then the slave, and the
// slave of the slave, have what the master has, which is what was answered OK.
func TestConverge(t *testing.T) {
	quick := func(o *Options) { o.FlushEvery = time.Millisecond }
	cfg := testConfig(t, "")
	master := testServer(t, cfg, quick)
	addr, stop := listen(t, master)
	toMaster := relaytest.New(t, addr)
	slave := testSlave(t, toMaster.Addr(), "", quick)
	synced(t, slave)
	slaveAddr, _ := listen(t, slave)
	toSlave := relaytest.New(t, slaveAddr)
	second := testSlave(t, toSlave.Addr(), "", nil)
	synced(t, second)

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	model := map[mboxname.Name]mupdate.Entry{}
	c := connect(t, addr)
	for i := range 1500 {
		if err := randomChange(t.Context(), c, rnd, model); err != nil {
			t.Fatal(err)
		}
		switch rnd.IntN(60) {
		case 0:
			toMaster.Cut()
		case 1:
			toSlave.Cut()
		case 2:
			kick(t, slave)
			sameContent(t, slave, master)
		case 3:
			stop()
			shutdown(master)
			master = testServer(t, cfg, quick)
			l, err := net.Listen("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			stop = serveOn(t, master, l)
			c = connect(t, addr)
		}
		if t.Failed() {
			t.Fatalf("after %d changes", i)
		}
	}
	sameLists(t, "the master", content(t, master.list), model)
	kick(t, slave)
	sameContent(t, slave, master)
	// The second hears of it by its own NOOP, which the first passes on.
	kick(t, second)
	sameContent(t, second, master)
}

// TestResyncWhole: while a slave makes up for what it missed, a mailbox that was
// there before and is there afterwards is there all the time, and one that was
// renamed is there under one name at least.
func TestResyncWhole(t *testing.T) {
	const n = maxBatch + 1000 // more than one transaction
	at := func(i int, suffix, where string) keyed {
		name := nameOf(fmt.Sprintf("user.n%05d%s", i, suffix))
		return keyed{name.DB(), mupdate.Entry{State: mupdate.Active, Name: name, Location: where}}
	}
	srv := testServer(t, testConfig(t, ""), nil)
	var old []mupdate.Entry
	var remote []keyed
	for i := range n {
		old = append(old, at(i, "", "be1!p").entry)
		if i%2 == 0 {
			remote = append(remote, at(i, "", "be2!p"))
		} else {
			remote = append(remote, at(i, "-renamed", "be1!p"))
		}
	}
	put(t, srv.list, old...)
	done := make(chan error)
	go func() { done <- newSlave(srv.table, srv.list, srv.opts).resync(remote) }()
	for looks := 0; ; looks++ {
		// The list is read in pieces, so what moves behind the reader's back is
		// looked for by name.
		all := content(t, srv.list)
		for i := range n {
			if _, ok := all[at(i, "", "").entry.Name]; ok {
				continue
			}
			if _, ok := all[at(i, "-renamed", "").entry.Name]; ok && i%2 == 1 {
				continue
			}
			if i%2 == 1 {
				if _, err := srv.list.Lookup(at(i, "-renamed", "").entry.Name); err == nil {
					continue
				}
			}
			t.Fatalf("look %d: mailbox %d is gone", looks, i)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			if got := content(t, srv.list); len(got) != n {
				t.Errorf("%d mailboxes", len(got))
			}
			return
		default:
		}
	}
}

// TestBadRecord: one damaged record costs that mailbox alone.
func TestBadRecord(t *testing.T) {
	srv := testServer(t, testConfig(t, ""), nil)
	put(t, srv.list, mupdate.Entry{State: mupdate.Active, Name: "user.a", Location: "be1!p"})
	bad := mboxname.Name("user.bad")
	if err := srv.list.DB().Update(func(tx kv.Tx) error { return tx.Put([]byte("N"+bad.DB()), []byte("%(T e A %(")) }); err != nil {
		t.Fatal(err)
	}
	addr, _ := listen(t, srv)
	w := newWire(t, addr)
	w.greeting()
	w.talk(login, `A01 OK "Authenticated"`)
	w.talk("1 ACTIVATE \"user.b\" \"b!p\" \"\"\r\n2 ACTIVATE \"user.bad\" \"b!p\" \"\"\r\n3 ACTIVATE \"user.c\" \"b!p\" \"\"\r\n",
		`1 OK "done"`, `2 NO "mailbox list cannot be written"`, `3 OK "done"`)
	if got := list(t, clientOptions(addr)); len(got) != 3 {
		t.Errorf("listed %v", got)
	}
	s := newSlave(srv.table, srv.list, srv.opts)
	if err := s.resync([]keyed{{bad.DB(), mupdate.Entry{State: mupdate.Active, Name: bad, Location: "b!p"}}}); err != nil {
		t.Error(err)
	}
	if got := content(t, srv.list); len(got) != 0 {
		t.Errorf("left %v", got)
	}
}

// randomChange has the master do something, and notes what it must have then.
func randomChange(ctx context.Context, c *mupdate.Client, rnd *rand.Rand, model map[mboxname.Name]mupdate.Entry) error {
	name := mboxname.Name(fmt.Sprintf("user.%c%s", 'a'+rune(rnd.IntN(8)), []string{"", ".x", "-x", ".x.y", " x"}[rnd.IntN(5)]))
	where := fmt.Sprintf("be%d!%s", rnd.IntN(3), []string{"default", "", "p2"}[rnd.IntN(3)])
	acl := fmt.Sprintf("u%d\tlrs\t", rnd.IntN(5))
	was := model[name]
	var err, want error
	switch rnd.IntN(4) {
	case 0:
		err = c.Reserve(ctx, name, where)
		if was.State != mupdate.Absent && was.Location != where {
			want = mupdate.ErrExists
		} else {
			model[name] = mupdate.Entry{State: mupdate.Reserved, Name: name, Location: where}
		}
	case 1:
		err = c.Activate(ctx, name, where, acl)
		model[name] = mupdate.Entry{State: mupdate.Active, Name: name, Location: where, ACL: acl}
	case 2:
		err = c.Deactivate(ctx, name, where)
		switch was.State {
		case mupdate.Absent:
			want = mupdate.ErrNotFound
		case mupdate.Reserved:
			want = mupdate.ErrNotActive
		default:
			model[name] = mupdate.Entry{State: mupdate.Reserved, Name: name, Location: where}
		}
	case 3:
		err = c.Delete(ctx, name)
		if was.State == mupdate.Absent {
			want = mupdate.ErrNotFound
		}
		delete(model, name)
	}
	if !isErr(err, want) {
		return fmt.Errorf("%s %s: %v, want %v", name, where, err, want)
	}
	return nil
}

// TestKickAlone: a slave that has lost its master is not there to be kicked, and
// who kicks it goes on at once with what the list has.
func TestKickAlone(t *testing.T) {
	master := testServer(t, testConfig(t, ""), nil)
	addr, stop := listen(t, master)
	slave := testSlave(t, addr, "", func(o *Options) { o.Client.RetryDelay = time.Hour })
	synced(t, slave)
	o := slave.opts.Client
	o.Kicks = true
	if err := o.Kick(t.Context()); err != nil {
		t.Errorf("a kick: %v", err)
	}
	stop()
	eventually(t, "nobody to kick", func() bool { return errors.Is(o.Kick(t.Context()), mupdate.ErrNoKick) })
	// A master has nothing to catch up with.
	m := mupdate.Options{Kicks: true, KickSocket: master.opts.Client.KickSocket}
	if err := m.Kick(t.Context()); err != nil {
		t.Errorf("a kick of a master: %v", err)
	}
}

// TestSilentMaster: a connection on which nothing comes any more is given up.
func TestSilentMaster(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	noops := make(chan struct{}, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				fmt.Fprint(c, "* AUTH \"PLAIN\"\r\n* OK MUPDATE \"silent\"\r\n")
				r := bufio.NewReader(c)
				for {
					line, err := r.ReadString('\n')
					switch {
					case err != nil:
						return
					case strings.HasPrefix(line, "A01"):
						fmt.Fprint(c, "A01 OK \"Authenticated\"\r\n")
					case strings.HasPrefix(line, "U01"):
						fmt.Fprint(c, "U01 OK \"streaming starts\"\r\n")
					case strings.Contains(line, "NOOP"):
						noops <- struct{}{}
					}
				}
			}()
		}
	}()
	slave := testSlave(t, l.Addr().String(), "", func(o *Options) { o.Client.RetryDelay = time.Second })
	synced(t, slave)
	o := slave.opts.Client
	o.Kicks = true
	// The kick waits for the NOOP, and hears of the connection's end.
	if err := o.Kick(t.Context()); err == nil || errors.Is(err, mupdate.ErrNoKick) {
		t.Errorf("a kick: %v", err)
	}
	if len(noops) == 0 {
		t.Error("the slave did not ask")
	}
}

// TestUnified: the records of a server of its own are not what a master says of
// them, and all others are.
func TestUnified(t *testing.T) {
	master := testServer(t, testConfig(t, ""), nil)
	for _, e := range []mupdate.Entry{
		{State: mupdate.Active, Name: "user.own", Location: "me.example.org!elsewhere", ACL: "a\tl\t"},
		{State: mupdate.Active, Name: "user.ghost", Location: "me.example.org!default"},
		{State: mupdate.Active, Name: "user.claimed", Location: "be2!default"},
		{State: mupdate.Active, Name: "user.other", Location: "be2!default"},
	} {
		put(t, master.list, e)
	}
	addr, _ := listen(t, master)
	slave := testSlave(t, addr, "mupdate_config: unified\n", func(o *Options) { o.ServerName = "me.example.org" })
	own := map[mboxname.Name]*mboxlist.Entry{}
	for _, n := range []mboxname.Name{"user.own", "user.claimed", "user.unknown"} {
		own[n] = &mboxlist.Entry{Name: n, Type: "e", UniqueID: "id-" + string(n), Partition: "default", UIDValidity: 7, ACL: "me\tlrs\t"}
		if err := slave.list.Update(func(tx *mboxlist.Tx) error { return tx.Put(own[n]) }); err != nil {
			t.Fatal(err)
		}
	}
	synced(t, slave)
	c := connect(t, addr)
	for _, n := range []mboxname.Name{"user.own", "user.claimed", "user.unknown"} {
		if err := c.Activate(t.Context(), n, "me.example.org!p9", "x\tp\t"); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Delete(t.Context(), "user.own"); err != nil {
		t.Fatal(err)
	}
	kick(t, slave)
	for n, want := range own {
		got, err := slave.list.Lookup(n)
		if err != nil {
			t.Errorf("%s: %v", n, err)
			continue
		}
		if got.UniqueID != want.UniqueID || got.Partition != want.Partition || got.ACL != want.ACL || got.UIDValidity != 7 || got.Server != "" {
			t.Errorf("%s: %+v", n, got)
		}
	}
	if _, err := slave.list.Lookup("user.ghost"); err == nil {
		t.Error("a mailbox of ours that we do not have was made up")
	}
	if e, err := slave.list.Lookup("user.other"); err != nil || e.Server != "be2" {
		t.Errorf("another's: %+v, %v", e, err)
	}
}

func TestRetryAfter(t *testing.T) {
	for _, d := range []time.Duration{0, 1, 2, time.Second, 20 * time.Second} {
		for range 50 {
			if got := retryAfter(d); got < d || got > d+d/2 {
				t.Errorf("%v after %v", got, d)
			}
		}
	}
}

// TestIsLocal: -a makes a master of who finds mupdate_server among its own
// addresses, and nowhere of a loopback one.
func TestIsLocal(t *testing.T) {
	for _, s := range []string{"127.0.0.1", "localhost:3905", "[::1]:3905/tls", "192.0.2.1", "no.such.host.invalid"} {
		if isLocal([]string{s}) {
			t.Errorf("%s is taken for this host", s)
		}
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range own {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			if !isLocal([]string{"192.0.2.1", n.IP.String() + ":3905"}) {
				t.Errorf("%s is not taken for this host", n.IP)
			}
		}
	}
}
