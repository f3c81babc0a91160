package mupdateserver

import (
	"fmt"
	"math/rand/v2"
	"net"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
)

// openStream logs in and begins a stream. What was dumped is returned.
func openStream(t testing.TB, addr string, hosts ...string) (*mupdate.Stream, []mupdate.Entry) {
	t.Helper()
	c := connect(t, addr)
	var dump []mupdate.Entry
	s, err := c.Update(t.Context(), hosts, func(e mupdate.Entry) { dump = append(dump, e) })
	if err != nil {
		t.Fatal(err)
	}
	return s, dump
}

// upTo reads a stream up to the answer to a NOOP that it sends.
func upTo(t testing.TB, s *mupdate.Stream) []mupdate.Entry {
	t.Helper()
	if err := s.Noop(); err != nil {
		t.Fatal(err)
	}
	return untilSynced(t, s)
}

func untilSynced(t testing.TB, s *mupdate.Stream) []mupdate.Entry {
	t.Helper()
	var all []mupdate.Entry
	for {
		ev, err := s.Next()
		if err != nil {
			t.Fatal(err)
		}
		if ev.Synced {
			return all
		}
		all = append(all, ev.Entry)
	}
}

// TestTenStreams: every one of ten slaves is told of every change, in the order
// in which they were made, while they are made.
func TestTenStreams(t *testing.T) {
	srv := testServer(t, testConfig(t, ""), func(o *Options) { o.FlushEvery = 10 * time.Millisecond })
	addr, _ := listen(t, srv)
	const slaves, changes = 10, 600
	var all sync.WaitGroup
	for range slaves {
		s, _ := openStream(t, addr)
		all.Go(func() {
			for i := range changes {
				ev, err := s.Next()
				if err != nil {
					t.Errorf("change %d: %v", i, err)
					return
				}
				if want := nameOf(fmt.Sprintf("user.n%05d", i)); ev.Entry.Name != want || ev.Entry.State != mupdate.Active {
					t.Errorf("got %+v, want %s", ev.Entry, want)
					return
				}
			}
		})
	}
	c := connect(t, addr)
	for i := range changes {
		if err := c.Activate(t.Context(), nameOf(fmt.Sprintf("user.n%05d", i)), "be1!default", "a\tlrs\t"); err != nil {
			t.Fatal(err)
		}
	}
	all.Wait()
	srv.changes.flush()
	if n := len(srv.changes.items) + len(srv.changes.records); n != 0 {
		t.Errorf("%d changes are kept for nobody", n)
	}
}

// TestWriters: many backends at once share commits, and every stream agrees with
// the list afterwards.
func TestWriters(t *testing.T) {
	srv := testServer(t, testConfig(t, ""), func(o *Options) { o.FlushEvery = time.Millisecond })
	addr, _ := listen(t, srv)
	s, _ := openStream(t, addr)
	var all sync.WaitGroup
	for w := range 8 {
		c := connect(t, addr)
		all.Go(func() {
			for i := range 60 {
				name, where := nameOf(fmt.Sprintf("user.x%d", (i*7+w)%11)), fmt.Sprintf("be%d!p", w)
				var err error
				switch (i + w) % 3 {
				case 0:
					err = c.Activate(t.Context(), name, where, fmt.Sprintf("u%d\tl\t", i))
				case 1:
					err = c.Reserve(t.Context(), name, where)
				case 2:
					err = c.Delete(t.Context(), name)
				}
				if err != nil && !isErr(err, mupdate.ErrExists) && !isErr(err, mupdate.ErrNotFound) {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	got := map[mboxname.Name]mupdate.Entry{}
	for _, e := range upTo(t, s) {
		got[e.Name] = e
		if e.State == mupdate.Absent {
			delete(got, e.Name)
		}
	}
	sameLists(t, "a stream", got, content(t, srv.list))
}

// TestPartial: a stream of one server sees mailboxes come and go.
func TestPartial(t *testing.T) {
	srv := testServer(t, testConfig(t, ""), func(o *Options) { o.FlushEvery = time.Hour })
	put(t, srv.list, mupdate.Entry{State: mupdate.Active, Name: "a", Location: "be1!p"}, mupdate.Entry{State: mupdate.Active, Name: "b", Location: "be10!p"},
		mupdate.Entry{State: mupdate.Reserved, Name: "c", Location: "be1"})
	addr, _ := listen(t, srv)
	s, dump := openStream(t, addr, "be1", "be7")
	if want := []mupdate.Entry{{State: mupdate.Active, Name: "a", Location: "be1!p"}, {State: mupdate.Reserved, Name: "c", Location: "be1"}}; !reflect.DeepEqual(dump, want) {
		t.Errorf("dumped %+v", dump)
	}
	c := connect(t, addr)
	move := func(where string) {
		if err := c.Activate(t.Context(), "m", where, ""); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		moves []string
		want  []string // locations told
	}{
		{[]string{"be2!p"}, nil},
		{[]string{"be1!p"}, []string{"be1!p"}},
		{[]string{"be2!p"}, []string{"be2!p"}},
		// The way there and back: what is told is where it is now.
		{[]string{"be7!p", "be3!p"}, []string{"be3!p", "be3!p"}},
		{[]string{"be4!p"}, nil},
		// It left and went on: it must be told that it left.
		{[]string{"be1!p", "be2!p", "be3!p"}, []string{"be3!p", "be3!p"}},
	} {
		for _, m := range tc.moves {
			move(m)
		}
		var got []string
		for _, e := range upTo(t, s) {
			got = append(got, e.Location)
		}
		if !reflect.DeepEqual(got, tc.want) {
			t.Errorf("after %v: told %v, want %v", tc.moves, got, tc.want)
		}
	}
	move("be1!p")
	upTo(t, s)
	if err := c.Delete(t.Context(), "m"); err != nil {
		t.Fatal(err)
	}
	if got := upTo(t, s); len(got) != 1 || got[0] != (mupdate.Entry{Name: "m"}) {
		t.Errorf("told %+v of a deletion", got)
	}
}

// TestOnce: a mailbox that changed often is told of once, in its last state and
// at the place of its last change.
func TestOnce(t *testing.T) {
	srv := testServer(t, testConfig(t, ""), func(o *Options) { o.FlushEvery = time.Hour })
	addr, _ := listen(t, srv)
	s, _ := openStream(t, addr)
	c := connect(t, addr)
	for _, err := range []error{
		c.Reserve(t.Context(), "a", "be1!p"), c.Reserve(t.Context(), "b", "be1!p"), c.Activate(t.Context(), "a", "be1!p", "x\tl\t"),
		c.Reserve(t.Context(), "c", "be1!p"), c.Delete(t.Context(), "c"), c.Activate(t.Context(), "b", "be1!p", ""),
		c.Activate(t.Context(), "b", "be1!p", ""), // which changes nothing
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := []mupdate.Entry{
		{State: mupdate.Active, Name: "a", Location: "be1!p", ACL: "x\tl\t"}, {Name: "c"}, {State: mupdate.Active, Name: "b", Location: "be1!p"},
	}
	if got := upTo(t, s); !reflect.DeepEqual(got, want) {
		t.Errorf("told %+v, want %+v", got, want)
	}
}

// TestForeign: what another process does to the list is told, too.
func TestForeign(t *testing.T) {
	srv := testServer(t, testConfig(t, ""), func(o *Options) { o.FlushEvery = time.Millisecond })
	put(t, srv.list, manyEntries(50)...)
	addr, _ := listen(t, srv)
	s, _ := openStream(t, addr)
	partial, _ := openStream(t, addr, "be2.example.org")
	err := srv.list.Update(func(tx *mboxlist.Tx) error { // as ctl_mboxlist -u would
		for _, n := range oddNames[:2] {
			if err := tx.Remove(n); err != nil {
				return err
			}
		}
		return tx.Put(recordOf(&mupdate.Entry{State: mupdate.Active, Name: "user.undumped", Location: "be9!p"}))
	})
	if err != nil {
		t.Fatal(err)
	}
	got := map[mboxname.Name]mupdate.State{}
	for _, e := range upTo(t, s) {
		got[e.Name] = e.State
	}
	want := map[mboxname.Name]mupdate.State{oddNames[0]: mupdate.Absent, oddNames[1]: mupdate.Absent, "user.undumped": mupdate.Active}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
	// The second of the names was on be2, as each seventh is.
	if got := upTo(t, partial); len(got) != 1 || got[0].Name != oddNames[1] {
		t.Errorf("be2's stream was told %v", got)
	}
	// Our own changes beside it are told once.
	c := connect(t, addr)
	if err := c.Activate(t.Context(), "user.ours", "be9!p", ""); err != nil {
		t.Fatal(err)
	}
	if got := upTo(t, s); len(got) != 1 || got[0].Name != "user.ours" {
		t.Errorf("told %v", got)
	}
}

// TestTwoProcesses: while master replaces a process there are two with one list,
// and the streams of each hear of what the other was told.
func TestTwoProcesses(t *testing.T) {
	cfg := testConfig(t, "")
	var streams []*mupdate.Stream
	var clients []*mupdate.Client
	var srv *Server
	for range 2 {
		srv = testServer(t, cfg, func(o *Options) { o.FlushEvery = time.Millisecond })
		addr, _ := listen(t, srv)
		s, _ := openStream(t, addr)
		streams, clients = append(streams, s), append(clients, connect(t, addr))
	}
	got := []map[mboxname.Name]mupdate.Entry{{}, {}}
	rnd := rand.New(rand.NewPCG(7, 7))
	model := map[mboxname.Name]mupdate.Entry{}
	for round := range 20 {
		for range rnd.IntN(10) {
			if err := randomChange(t.Context(), clients[rnd.IntN(2)], rnd, model); err != nil {
				t.Fatal(err)
			}
		}
		for i, s := range streams {
			for _, e := range upTo(t, s) {
				got[i][e.Name] = e
				if e.State == mupdate.Absent {
					delete(got[i], e.Name)
				}
			}
			sameLists(t, fmt.Sprintf("round %d, stream %d", round, i), got[i], model)
		}
		if t.Failed() {
			return
		}
	}
	sameLists(t, "the list", content(t, srv.list), model)
}

// TestSlowStream: one that does not read costs the others nothing, is cut off
// when it is too far behind, and what is kept for it has a bound.
func TestSlowStream(t *testing.T) {
	const behind = 2000
	srv := testServer(t, testConfig(t, ""), func(o *Options) { o.FlushEvery, o.MaxBehind = time.Millisecond, behind })
	addr, _ := listen(t, srv)
	slow, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	if err := slow.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(slow, "A01 AUTHENTICATE \"PLAIN\" \"AG11cG1hbgBtdXBzZWNyZXQ=\"\r\nU01 UPDATE\r\n")
	quick, _ := openStream(t, addr)
	eventually(t, "both stream", func() bool {
		srv.changes.mu.Lock()
		defer srv.changes.mu.Unlock()
		return len(srv.changes.streams) == 2
	})

	c := connect(t, addr)
	acl := strings.Repeat("somebody\tlrs\t", 100) // 1.2 kB a change: more than the sockets take
	told := 0
	streams := 2
	for round := 0; streams == 2; round++ {
		if round == 400 {
			t.Fatal("the slow stream was not cut off")
		}
		var batch []mupdate.Entry
		for i := range 200 {
			batch = append(batch, mupdate.Entry{Name: nameOf(fmt.Sprintf("user.r%dx%d", round, i)), Location: "be1!p", ACL: acl})
		}
		if err := c.ActivateAll(t.Context(), batch, func(e mupdate.Entry, err error) {
			if err != nil {
				t.Error(err)
			}
		}); err != nil {
			t.Fatal(err)
		}
		told += len(upTo(t, quick)) // it is not held up
		srv.changes.mu.Lock()
		streams = len(srv.changes.streams)
		kept := len(srv.changes.items)
		srv.changes.mu.Unlock()
		if kept > behind {
			t.Fatalf("%d changes are kept", kept)
		}
		if told != (round+1)*200 {
			t.Fatalf("the quick stream was told of %d of %d", told, (round+1)*200)
		}
	}
	eventually(t, "the session's end", func() bool { return srv.sessions.Load() == 2 })
}

// TestManyStreams states what a stream costs: one encoding serves all, and an
// idle one is little more than its goroutine.
func TestManyStreams(t *testing.T) {
	if testing.Short() {
		t.Skip("opens many connections")
	}
	srv := testServer(t, testConfig(t, ""), func(o *Options) { o.Connections = 0 })
	addr, _ := listen(t, srv)
	var before, after runtime.MemStats
	const n = 500
	conns := make([]net.Conn, n)
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range conns {
		var err error
		if conns[i], err = net.Dial("tcp", addr); err != nil {
			t.Fatal(err)
		}
		defer conns[i].Close()
		fmt.Fprint(conns[i], "A01 AUTHENTICATE \"PLAIN\" \"AG11cG1hbgBtdXBzZWNyZXQ=\"\r\nU01 UPDATE\r\n")
	}
	eventually(t, "all stream", func() bool {
		srv.changes.mu.Lock()
		defer srv.changes.mu.Unlock()
		return len(srv.changes.streams) == n
	})
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := int64(after.HeapInuse+after.StackInuse-before.HeapInuse-before.StackInuse) / n
	t.Logf("%d octets a stream", each)
	if each > 64<<10 {
		t.Errorf("a stream costs %d octets", each)
	}
}
