package mupdateserver

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"gocyrus/lib/config"
	"gocyrus/lib/etcdtable"
	"gocyrus/lib/etcdtest"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
)

// etcdOptions are those of a master that shares its list in c.
func etcdOptions(c *etcdtest.Cluster, master string) etcdtable.Options {
	return etcdtable.Options{Servers: c.URLs(), Prefix: "/mupdate/", Timeout: 10 * time.Second, Master: master}
}

// found makes the list in etcd.
func found(t testing.TB, c *etcdtest.Cluster, entries ...mupdate.Entry) {
	t.Helper()
	store := shared(t, c)
	if err := store.Found(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
}

// shared is the list in etcd.
func shared(t testing.TB, c *etcdtest.Cluster) *etcdtable.Table {
	t.Helper()
	store, err := etcdtable.Open(etcdOptions(c, "test"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// sharing is a master that shares its list, and has it.
func sharing(t testing.TB, cfg *config.Config, c *etcdtest.Cluster, change func(*Options)) *Server {
	t.Helper()
	srv := startSharing(t, cfg, c, change)
	if err := srv.truth.wait(); err != nil {
		t.Fatal(err)
	}
	return srv
}

// TestStartWithoutEtcd: a master that starts while etcd is out of reach sends everybody
// away at once, so that they go to another, and serves when it is back.
func TestStartWithoutEtcd(t *testing.T) {
	c := etcdtest.Start(t, 1)
	found(t, c, manyEntries(5)...)
	c.Members[0].Kill()
	srv := startSharing(t, testConfig(t, ""), c, func(o *Options) { o.Etcd.Timeout = time.Second })
	if err := srv.truth.wait(); err != nil {
		t.Fatal(err)
	}
	addr, _ := listen(t, srv)
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	if text, err := io.ReadAll(nc); string(text) != notReady || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	c.Members[0].Resume()
	c.Members[0].Wait()
	eventually(t, "the list to be served", func() bool { return !srv.truth.away.Load() })
	n := 0
	eventually(t, "a list", func() bool {
		n = 0
		return mupdate.Do(t.Context(), clientOptions(addr), func(c *mupdate.Client) error {
			return c.List(t.Context(), "", func(mupdate.Entry) error { n++; return nil })
		}) == nil
	})
	if n != 5 {
		t.Errorf("%d mailboxes", n)
	}
}

func startSharing(t testing.TB, cfg *config.Config, c *etcdtest.Cluster, change func(*Options)) *Server {
	t.Helper()
	return testServer(t, cfg, func(o *Options) {
		o.Etcd = etcdOptions(c, cfg.Dir())
		if change != nil {
			change(o)
		}
	})
}

// pair are two masters of one list.
func pair(t testing.TB, c *etcdtest.Cluster, change func(*Options)) (srvs [2]*Server, addrs [2]string) {
	t.Helper()
	for i := range srvs {
		srvs[i] = sharing(t, testConfig(t, ""), c, change)
		addrs[i], _ = listen(t, srvs[i])
	}
	return srvs, addrs
}

// raw is a client of etcd itself.
func raw(t testing.TB, c *etcdtest.Cluster) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: c.URLs()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// compact has etcd forget all but what is.
func compact(t testing.TB, c *etcdtest.Cluster) {
	t.Helper()
	client := raw(t, c)
	r, err := client.Get(t.Context(), "x")
	if err == nil {
		_, err = client.Compact(t.Context(), r.Header.Revision)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestTwoMasters: what one master has said OK to, the other one knows at once, in
// whatever way it is asked.
func TestTwoMasters(t *testing.T) {
	c := etcdtest.Start(t, 1)
	old := manyEntries(50)
	found(t, c, old...)
	_, addrs := pair(t, c, nil)
	a, b := connect(t, addrs[0]), connect(t, addrs[1])
	want := map[mboxname.Name]mupdate.Entry{}
	for _, e := range old {
		want[e.Name] = e
	}
	sameLists(t, "as founded", list(t, clientOptions(addrs[1])), want)
	stream, _ := openStream(t, addrs[1])
	ctx := t.Context()
	for i := range 40 {
		name := nameOf(fmt.Sprintf("user.new%d", i))
		if err := a.Reserve(ctx, name, "be1!p"); err != nil {
			t.Fatal(err)
		}
		if e, err := b.Find(ctx, name); err != nil || e.State != mupdate.Reserved {
			t.Fatalf("%s: %+v, %v", name, e, err)
		}
		if err := b.Reserve(ctx, name, "be2!p"); !errors.Is(err, mupdate.ErrExists) {
			t.Fatalf("%s, once more: %v", name, err)
		}
		if err := b.Activate(ctx, name, "be1!p", "a\tlrs"); err != nil {
			t.Fatal(err)
		}
		want[name] = mupdate.Entry{State: mupdate.Active, Name: name, Location: "be1!p", ACL: "a\tlrs\t"}
		switch i % 4 {
		case 1:
			if err := a.Deactivate(ctx, name, "be2!p"); err != nil {
				t.Fatal(err)
			}
			want[name] = mupdate.Entry{State: mupdate.Reserved, Name: name, Location: "be2!p"}
		case 2:
			if err := b.Delete(ctx, name); err != nil {
				t.Fatal(err)
			}
			delete(want, name)
			if err := a.Delete(ctx, name); !errors.Is(err, mupdate.ErrNotFound) {
				t.Fatalf("%s, deleted twice: %v", name, err)
			}
		}
		if e, err := a.Find(ctx, name); e != want[name] || (err != nil) != (want[name].State == mupdate.Absent) {
			t.Fatalf("%s: %+v, %v; want %+v", name, e, err, want[name])
		}
	}
	for _, addr := range addrs {
		sameLists(t, addr, list(t, clientOptions(addr)), want)
	}
	// A stream of the other master, up to the answer to a NOOP.
	got := map[mboxname.Name]mupdate.Entry{}
	for _, e := range append(old, upTo(t, stream)...) {
		if got[e.Name] = e; e.State == mupdate.Absent {
			delete(got, e.Name)
		}
	}
	sameLists(t, "the stream", got, want)
}

// TestReserveOnce: many clients of two masters want the same names at once.
func TestReserveOnce(t *testing.T) {
	const names, clients = 300, 4
	c := etcdtest.Start(t, 1)
	found(t, c)
	_, addrs := pair(t, c, nil)
	var mu sync.Mutex
	granted := map[mboxname.Name][]string{}
	var all sync.WaitGroup
	for _, addr := range addrs {
		for i := range clients {
			conn := connect(t, addr)
			where := fmt.Sprintf("be%d-%s!p", i, addr)
			all.Go(func() {
				for n := range names {
					name := nameOf(fmt.Sprintf("user.n%d", n))
					err := conn.Reserve(t.Context(), name, where)
					if err == nil {
						mu.Lock()
						granted[name] = append(granted[name], where)
						mu.Unlock()
					} else if !errors.Is(err, mupdate.ErrExists) {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	all.Wait()
	has := list(t, clientOptions(addrs[0]))
	if len(has) != names {
		t.Errorf("%d names, want %d", len(has), names)
	}
	for name, who := range granted {
		if len(who) != 1 || has[name].Location != who[0] {
			t.Errorf("%s: granted to %v, is at %s", name, who, has[name].Location)
		}
	}
}

// TestPipelined: changes of one name that come together keep their order.
func TestPipelined(t *testing.T) {
	c := etcdtest.Start(t, 1)
	found(t, c)
	srv := sharing(t, testConfig(t, ""), c, nil)
	var reqs []*request
	for i := range 5 * etcdtable.MaxChanges {
		r := &request{op: activate, entry: mupdate.Entry{Name: nameOf(fmt.Sprintf("user.n%d", i%7)), Location: fmt.Sprintf("be%d!p", i)}}
		srv.submit(r)
		reqs = append(reqs, r)
	}
	for _, r := range reqs {
		if <-r.done; r.err != nil {
			t.Fatal(r.err)
		}
	}
	if err := srv.fresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, e := range content(t, srv.list) {
		var want string
		for _, r := range reqs {
			if r.entry.Name == name {
				want = r.entry.Location
			}
		}
		if e.Location != want {
			t.Errorf("%s is at %s, want %s", name, e.Location, want)
		}
	}
}

// TestMirrorRestart: a master that was away reads what it missed, whether etcd still
// knows it or not, and whether it ended as it should or not.
func TestMirrorRestart(t *testing.T) {
	for _, tc := range []struct {
		name    string
		compact bool
		spoil   func(t *testing.T, cfg *config.Config)
	}{
		{"in order", false, nil},
		{"etcd has forgotten", true, nil},
		{"the list was changed meanwhile", false, func(t *testing.T, cfg *config.Config) {
			l, err := mboxlist.Open(mboxlist.OptionsFrom(cfg))
			if err != nil {
				t.Fatal(err)
			}
			put(t, l, mupdate.Entry{State: mupdate.Active, Name: "user.stray", Location: "be9!p"})
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}},
		{"the position cannot be read", false, func(t *testing.T, cfg *config.Config) {
			if err := os.WriteFile(OptionsFrom(cfg).PositionFile, []byte("rubbish\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := etcdtest.Start(t, 1)
			want := map[mboxname.Name]mupdate.Entry{}
			entries := manyEntries(200)
			for _, e := range entries {
				want[e.Name] = e
			}
			found(t, c, entries...)
			cfg := testConfig(t, "")
			shutdown(sharing(t, cfg, c, nil))
			store := shared(t, c)
			if _, err := store.Join(t.Context()); err != nil {
				t.Fatal(err)
			}
			n := mupdate.Entry{State: mupdate.Active, Name: "user.missed", Location: "be3!p", ACL: "a\tl\t"}
			if _, err := store.Commit(t.Context(), []etcdtable.Change{{Op: etcdtable.Activate, Entry: n}}, func() bool { return true }); err != nil {
				t.Fatal(err)
			}
			want[n.Name] = n
			if tc.compact {
				for range 2 { // the last revision of all cannot be forgotten
					if _, err := store.Commit(t.Context(), []etcdtable.Change{{Op: etcdtable.Activate, Entry: n}}, func() bool { return true }); err != nil {
						t.Fatal(err)
					}
				}
				compact(t, c)
			}
			if tc.spoil != nil {
				tc.spoil(t, cfg)
			}
			srv := sharing(t, cfg, c, nil)
			if err := srv.fresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			sameLists(t, "the list", content(t, srv.list), want)
		})
	}
}

// TestStray: what somebody writes into the mirror is undone, and no stream hears of
// it for long.
func TestStray(t *testing.T) {
	c := etcdtest.Start(t, 1)
	entries := manyEntries(20)
	found(t, c, entries...)
	srv := sharing(t, testConfig(t, ""), c, nil)
	want := content(t, srv.list)
	spoilt := entries[0]
	spoilt.Location = "be9!p"
	put(t, srv.list, spoilt, mupdate.Entry{State: mupdate.Active, Name: "user.stray", Location: "be9!p"})
	eventually(t, "the mirror to be right", func() bool {
		now := content(t, srv.list)
		return len(now) == len(want) && now[spoilt.Name] == want[spoilt.Name]
	})
	sameLists(t, "the list", content(t, srv.list), want)
}

// TestForeignList: a list that is no mirror of the one in etcd is made one only where
// nothing is lost by that, and without a list in etcd nothing is served.
func TestForeignList(t *testing.T) {
	c := etcdtest.Start(t, 1)
	refused := func(what string, cfg *config.Config, want error) {
		t.Helper()
		srv := startSharing(t, cfg, c, nil)
		before := content(t, srv.list)
		if err := srv.truth.wait(); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
		sameLists(t, what, content(t, srv.list), before)
		shutdown(srv)
	}
	cfg := testConfig(t, "")
	refused("no list in etcd", cfg, etcdtable.ErrNoTable)
	entries := manyEntries(30)
	found(t, c, entries...)
	fill := func(cfg *config.Config, entries ...mupdate.Entry) {
		l, err := mboxlist.Open(mboxlist.OptionsFrom(cfg))
		if err != nil {
			t.Fatal(err)
		}
		put(t, l, entries...)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	more := testConfig(t, "")
	fill(more, append(manyEntries(31)[20:], entries[0])...)
	refused("one mailbox more", more, errNotMirror)
	older := entries[0]
	older.Location = "be9!p"
	fill(cfg, older)
	srv := sharing(t, cfg, c, nil)
	if got := content(t, srv.list); len(got) != len(entries) || got[older.Name] != entries[0] {
		t.Errorf("a list that is older has %d mailboxes, %+v", len(got), got[older.Name])
	}
}

// TestEtcdAway: without etcd nothing is answered that might not be so, newcomers are
// sent away, and streams are held; when it is back everything is as before.
func TestEtcdAway(t *testing.T) {
	for name, hurt := range map[string]struct{ away, back func(*etcdtest.Member) }{
		"down":  {(*etcdtest.Member).Kill, (*etcdtest.Member).Resume},
		"hangs": {(*etcdtest.Member).Hold, (*etcdtest.Member).Release},
	} {
		t.Run(name, func(t *testing.T) {
			c := etcdtest.Start(t, 1)
			found(t, c, manyEntries(10)...)
			srv := sharing(t, testConfig(t, ""), c, func(o *Options) { o.Etcd.Timeout = time.Second })
			addr, _ := listen(t, srv)
			slave := testSlave(t, addr, "", func(o *Options) { o.Client.RetryDelay = time.Minute })
			synced(t, slave)
			writer, reader, lister := connect(t, addr), connect(t, addr), connect(t, addr)
			hurt.away(c.Members[0])
			if err := writer.Reserve(t.Context(), "user.new", "be1!p"); !errors.Is(err, mupdate.ErrAway) {
				t.Errorf("RESERVE: %v", err)
			}
			if _, err := reader.Find(t.Context(), oddNames[0]); !errors.Is(err, mupdate.ErrAway) {
				t.Errorf("FIND: %v", err)
			}
			if err := lister.List(t.Context(), "", func(mupdate.Entry) error { return nil }); !errors.Is(err, mupdate.ErrAway) {
				t.Errorf("LIST: %v", err)
			}
			if _, err := mupdate.Connect(t.Context(), clientOptions(addr)); err == nil {
				t.Error("a newcomer is let in")
			}
			if slave.slave.cur.Load() == nil {
				t.Error("the stream was broken off")
			}
			hurt.back(c.Members[0])
			eventually(t, "the master to be back", func() bool {
				return mupdate.Do(t.Context(), clientOptions(addr), func(c *mupdate.Client) error {
					return c.Activate(t.Context(), "user.new", "be1!p", "")
				}) == nil
			})
			kick(t, slave)
			sameContent(t, slave, srv)
			if got := content(t, slave.list)["user.new"]; got.State != mupdate.Active {
				t.Errorf("the slave has %+v", got)
			}
		})
	}
}

// TestTakenAway: a list that somebody removes from etcd empties nobody's.
func TestTakenAway(t *testing.T) {
	c := etcdtest.Start(t, 1)
	found(t, c, manyEntries(40)...)
	cfg := testConfig(t, "")
	srv := sharing(t, cfg, c, nil)
	addr, stop := listen(t, srv)
	slave := testSlave(t, addr, "", nil)
	synced(t, slave)
	want := content(t, slave.list)
	conn := connect(t, addr)
	if _, err := raw(t, c).Delete(t.Context(), "/mupdate/", clientv3.WithPrefix()); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Find(t.Context(), oddNames[0]); !errors.Is(err, mupdate.ErrAway) {
		t.Errorf("FIND: %v", err)
	}
	if _, err := mupdate.Connect(t.Context(), clientOptions(addr)); err == nil {
		t.Error("a newcomer is let in")
	}
	stop()
	shutdown(srv)
	again := startSharing(t, cfg, c, nil)
	if err := again.truth.wait(); !errors.Is(err, etcdtable.ErrNoTable) {
		t.Errorf("it starts: %v", err)
	}
	sameLists(t, "the mirror", content(t, again.list), want)
	sameLists(t, "the slave", content(t, slave.list), want)
}

// TestBackInTime: an etcd that was set back is not taken for the list that was
// mirrored, for it may lack mailboxes.
func TestBackInTime(t *testing.T) {
	now := etcdtable.Position{ID: "A", Cluster: 7, Revision: 50, Now: 100}
	for _, tc := range []struct {
		before etcdtable.Position
		want   error
	}{
		{etcdtable.Position{ID: "A", Cluster: 7, Revision: 100}, nil},
		{etcdtable.Position{ID: "A", Cluster: 7, Revision: 99}, nil},
		{etcdtable.Position{ID: "A", Cluster: 7, Revision: 101}, errBackInTime},
		{etcdtable.Position{ID: "A", Cluster: 8, Revision: 99}, errBackInTime},
		{etcdtable.Position{ID: "B", Cluster: 7, Revision: 99}, errBackInTime},
		{etcdtable.Position{}, errBackInTime},
	} {
		if err := same(now, tc.before); !errors.Is(err, tc.want) {
			t.Errorf("%+v: %v, want %v", tc.before, err, tc.want)
		}
	}
}

// TestMemberHangs: one member of etcd after the other hangs, among them that from which
// a mirror hears of changes. What is changed at one master is known at the other.
func TestMemberHangs(t *testing.T) {
	c := etcdtest.Start(t, 3)
	found(t, c)
	_, addrs := pair(t, c, nil)
	a, b := connect(t, addrs[0]), connect(t, addrs[1])
	for i, m := range c.Members {
		m.Hold()
		for n := range 5 {
			name := nameOf(fmt.Sprintf("user.m%d.n%d", i, n))
			if err := a.Activate(t.Context(), name, "be1!p", ""); err != nil {
				t.Fatalf("member %d hangs: %v", i, err)
			}
			if _, err := b.Find(t.Context(), name); err != nil {
				t.Fatalf("member %d hangs: %s: %v", i, name, err)
			}
		}
		m.Release()
		m.Wait()
	}
}
