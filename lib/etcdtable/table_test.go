package etcdtable

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"gocyrus/lib/etcdtest"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
)

// patience is how long an operation may take that succeeds at once on a machine
// that is not busy.
const patience = 30 * time.Second

func options(c *etcdtest.Cluster, master string) Options {
	return Options{Servers: c.URLs(), Prefix: "/mupdate/", Timeout: patience, Master: master}
}

func open(t testing.TB, o Options) *Table {
	t.Helper()
	table, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { table.Close() })
	return table
}

// raw is a client of etcd itself.
func raw(table *Table) *clientv3.Client {
	c, err := table.members.asked()
	if err != nil {
		panic(err)
	}
	return c.Client
}

// join is a table, founded with entries where there is none yet.
func join(t testing.TB, o Options, entries ...mupdate.Entry) *Table {
	t.Helper()
	table := open(t, o)
	if err := table.Found(t.Context(), entries); err != nil && !errors.Is(err, ErrFounded) {
		t.Fatal(err)
	}
	if _, err := table.Join(t.Context()); err != nil {
		t.Fatal(err)
	}
	return table
}

func content(t testing.TB, table *Table) map[mboxname.Name]mupdate.Entry {
	t.Helper()
	all := map[mboxname.Name]mupdate.Entry{}
	if _, err := table.Read(t.Context(), func(_ string, e mupdate.Entry) { all[e.Name] = e }); err != nil {
		t.Fatal(err)
	}
	return all
}

func boxes(n int) []mupdate.Entry {
	all := make([]mupdate.Entry, n)
	for i := range all {
		all[i] = mupdate.Entry{State: mupdate.Active, Name: mboxname.Name(fmt.Sprintf("user.u%05d.Box", i)), Location: "be1!default", ACL: "a\tlrs\t"}
	}
	return all
}

const here, there = "be1!default", "be2!default"

func reserved1(where string) mupdate.Entry {
	return mupdate.Entry{State: mupdate.Reserved, Name: "user.x", Location: where}
}

func active1(where string) mupdate.Entry {
	return mupdate.Entry{State: mupdate.Active, Name: "user.x", Location: where, ACL: "a\tl\t"}
}

// states is the table of states of a master.
var states = []struct {
	name    string
	was     mupdate.Entry
	op      Op
	where   string
	want    mupdate.Entry
	err     error
	lenient mupdate.Entry // what it is in a configuration that is not standard
}{
	{"reserve", mupdate.Entry{}, Reserve, here, reserved1(here), nil, reserved1(here)},
	{"reserve again", reserved1(here), Reserve, here, reserved1(here), nil, reserved1(here)},
	{"reserve another's", reserved1(here), Reserve, there, reserved1(here), mupdate.ErrExists, reserved1(there)},
	{"reserve on another partition", reserved1(here), Reserve, "be1!p2", reserved1(here), mupdate.ErrExists, reserved1("be1!p2")},
	{"reserve what is active", active1(here), Reserve, here, active1(here), nil, reserved1(here)},
	{"reserve what is active elsewhere", active1(here), Reserve, there, active1(here), mupdate.ErrExists, reserved1(there)},
	{"reserve what is active at a longer place", active1("be1!default2"), Reserve, here, active1("be1!default2"), mupdate.ErrExists, reserved1(here)},
	{"reserve what is active at a shorter place", active1("be1!d"), Reserve, here, active1("be1!d"), mupdate.ErrExists, reserved1(here)},
	{"activate", mupdate.Entry{}, Activate, here, active1(here), nil, active1(here)},
	{"activate reserved", reserved1(there), Activate, here, active1(here), nil, active1(here)},
	{"activate what is active", active1(there), Activate, here, active1(here), nil, active1(here)},
	{"deactivate", active1(here), Deactivate, there, reserved1(there), nil, reserved1(there)},
	{"deactivate nothing", mupdate.Entry{}, Deactivate, here, mupdate.Entry{}, mupdate.ErrNotFound, mupdate.Entry{}},
	{"deactivate reserved", reserved1(here), Deactivate, there, reserved1(here), mupdate.ErrNotActive, reserved1(here)},
	{"delete", active1(here), Delete, "", mupdate.Entry{}, nil, mupdate.Entry{}},
	{"delete reserved", reserved1(here), Delete, "", mupdate.Entry{}, nil, mupdate.Entry{}},
	{"delete nothing", mupdate.Entry{}, Delete, "", mupdate.Entry{}, mupdate.ErrNotFound, mupdate.Entry{}},
}

// TestStates makes each change alone and, of as many names, all in one transaction;
// and the answer that was lost is found to be the same.
func TestStates(t *testing.T) {
	c := etcdtest.Start(t, 1)
	for _, lenient := range []bool{false, true} {
		o := options(c, "mup1")
		o.Prefix, o.Lenient = fmt.Sprintf("/%v/", lenient), lenient
		var before []mupdate.Entry
		var changes []Change
		for i, tc := range states {
			name := mboxname.Name(fmt.Sprintf("user.x%d", i))
			if tc.was.State != mupdate.Absent {
				tc.was.Name = name
				before = append(before, tc.was)
			}
			e := mupdate.Entry{Name: name, Location: tc.where}
			if tc.op == Activate {
				e.ACL = "a\tl\t"
			}
			changes = append(changes, Change{tc.op, e})
		}
		table := join(t, o, before...)
		fence := table.fence
		results, err := table.Commit(t.Context(), changes, always)
		if err != nil {
			t.Fatal(err)
		}
		has := content(t, table)
		for i, tc := range states {
			name := changes[i].Entry.Name
			err, want := tc.err, tc.want
			if lenient {
				want = tc.lenient
				if tc.op == Reserve || tc.op == Delete {
					err = nil
				}
			}
			if want.State != mupdate.Absent {
				want.Name = name
			}
			if results[i].Err != err || has[name] != want {
				t.Errorf("%s, lenient %v: %v, %+v; want %v, %+v", tc.name, lenient, results[i].Err, has[name], err, want)
			}
			if tc.op == Activate && results[i].Was.Location != tc.was.Location {
				t.Errorf("%s: was %+v, want %+v", tc.name, results[i].Was, tc.was)
			}
		}
		// As if the answer had not come.
		table.fence = fence
		again, err := table.attempt(t.Context(), raw(table), fmt.Sprintf("%s %d", table.process, table.seq), table.known(), nil, changes)
		for !slices.Equal(results, again) || err != nil {
			if errors.Is(err, errMoved) {
				again, err = table.attempt(t.Context(), raw(table), fmt.Sprintf("%s %d", table.process, table.seq), table.known(), nil, changes)
				continue
			}
			t.Fatalf("%v, %v; want %v", again, err, results)
		}
		if now := content(t, table); !maps.Equal(now, has) {
			t.Errorf("it was done twice: %v, %v", has, now)
		}
	}
}

// TestGivenUp: a transaction that was given up, and may still be under way, comes to
// nothing once another of that master has succeeded.
func TestGivenUp(t *testing.T) {
	c := etcdtest.Start(t, 1)
	one := join(t, options(c, "mup1"))
	late := func(fence string) error {
		one.mu.Lock()
		defer one.mu.Unlock()
		one.fence = fence
		change := []Change{{Activate, active1(here)}}
		_, err := one.attempt(t.Context(), raw(one), "late", one.known(), []clientv3.Op{clientv3.OpPut(one.keys.head, ""), clientv3.OpPut(one.keys.master, "late"), one.op(&change[0])}, change)
		return err
	}
	was := one.fence
	// Another process of the same master, as during a restart.
	two := join(t, options(c, "mup1"))
	if _, err := two.Commit(t.Context(), []Change{{Activate, active1(there)}}, always); err != nil {
		t.Fatal(err)
	}
	if err := late(was); !errors.Is(err, errMoved) {
		t.Fatalf("it was carried out: %v", err)
	}
	if got := content(t, one)["user.x"].Location; got != there {
		t.Errorf("is at %s", got)
	}
	for _, table := range []*Table{one, two, one} {
		if _, err := table.Commit(t.Context(), []Change{{Activate, active1(here)}}, always); err != nil {
			t.Errorf("the next: %v", err)
		}
	}
}

// always is a client that waits for as long as it takes.
func always() bool { return true }

// TestUnwanted: another master changes what somebody here has given up. Whatever the
// moment of it, before the attempt or after, his change comes to nothing.
func TestUnwanted(t *testing.T) {
	c := etcdtest.Start(t, 1)
	one, two := join(t, options(c, "mup1")), join(t, options(c, "mup2"))
	for attempts := range 2 {
		if _, err := one.Commit(t.Context(), []Change{{Activate, active1(here)}}, always); err != nil {
			t.Fatal(err)
		}
		asked := 0
		_, err := one.Commit(t.Context(), []Change{{Activate, active1("be9!p")}}, func() bool {
			if asked++; asked == 1 {
				if _, err := two.Commit(t.Context(), []Change{{Activate, active1(there)}}, always); err != nil {
					t.Error(err)
				}
			}
			return asked <= attempts
		})
		if !errors.Is(err, ErrUnwanted) || asked != attempts+1 {
			t.Errorf("asked %d times: %v", asked, err)
		}
		if got := content(t, one)["user.x"].Location; got != there {
			t.Errorf("is at %s after %d attempts", got, attempts)
		}
	}
}

// TestContended: two masters reserve the same names at once, and each name is
// granted once.
func TestContended(t *testing.T) {
	c := etcdtest.Start(t, 1)
	const names = 700
	granted := make([][]string, names)
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, master := range []string{"mup1", "mup2"} {
		table := join(t, options(c, master))
		for w := range 4 {
			where := fmt.Sprintf("%s-%d!default", master, w)
			all.Go(func() {
				for from := 0; from < names; from += MaxChanges / 2 {
					var changes []Change
					for i := range MaxChanges / 2 {
						changes = append(changes, Change{Reserve, mupdate.Entry{Name: mboxname.Name(fmt.Sprintf("user.u%d", from+i)), Location: where}})
					}
					results, err := table.Commit(t.Context(), changes, always)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					for i, r := range results {
						if r.Err == nil {
							granted[from+i] = append(granted[from+i], where)
						} else if r.Err != mupdate.ErrExists {
							t.Error(r.Err)
						}
					}
					mu.Unlock()
				}
			})
		}
	}
	all.Wait()
	has := content(t, join(t, options(c, "mup3")))
	for i, who := range granted {
		if name := mboxname.Name(fmt.Sprintf("user.u%d", i)); len(who) != 1 || has[name].Location != who[0] {
			t.Errorf("%s: granted to %v, is at %s", name, who, has[name].Location)
		}
	}
}

// TestFound: a founding is finished by whoever does it again, and done once.
func TestFound(t *testing.T) {
	c := etcdtest.Start(t, 1)
	o := options(c, "mup1")
	table := open(t, o)
	if _, err := table.Join(t.Context()); !errors.Is(err, ErrNoTable) {
		t.Errorf("nothing there: %v", err)
	}
	id, err := table.claim(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stray := mupdate.Entry{State: mupdate.Reserved, Name: "user.stray", Location: here}
	for _, e := range append(boxes(3), stray) {
		if _, err := raw(table).Put(t.Context(), table.keys.box+e.Name.DB(), value(&e)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := table.Join(t.Context()); !errors.Is(err, ErrFounding) {
		t.Errorf("half done: %v", err)
	}
	want := boxes(4321)
	want[1].Location = "be2!p"
	if err := table.Found(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	p, err := table.Join(t.Context())
	if err != nil || p.ID != id || p.Revision == 0 || p.Cluster == 0 {
		t.Errorf("%+v, %v; want %s", p, err, id)
	}
	var got []mupdate.Entry
	if _, err := table.Read(t.Context(), func(_ string, e mupdate.Entry) { got = append(got, e) }); err != nil || !slices.Equal(got, want) {
		t.Errorf("%d of %d, %v", len(got), len(want), err)
	}
	if err := table.Found(t.Context(), nil); !errors.Is(err, ErrFounded) {
		t.Errorf("once more: %v", err)
	}
	if _, err := raw(table).Delete(t.Context(), table.keys.format); err != nil {
		t.Fatal(err)
	}
	if err := table.Found(t.Context(), nil); !errors.Is(err, ErrRubbish) {
		t.Errorf("mailboxes without a table: %v", err)
	}
	if _, err := table.Commit(t.Context(), []Change{{Activate, active1(here)}}, always); !errors.Is(err, ErrNoTable) {
		t.Errorf("a change of a table that was taken away: %v", err)
	}
}

// TestWatch sees what the other master does, whole transactions at a time.
func TestWatch(t *testing.T) {
	c := etcdtest.Start(t, 1)
	one, two := join(t, options(c, "mup1")), join(t, options(c, "mup2"))
	start, err := one.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	seen := make(chan Batch)
	ended := make(chan error, 1)
	go func() {
		ended <- one.Watch(ctx, start.Revision, func(b Batch) error { seen <- b; return nil })
	}()
	var all []mupdate.Entry
	wait := func(rev int64) {
		for {
			select {
			case b := <-seen:
				if all = append(all, b.Entries...); b.Revision >= rev {
					return
				}
			case err := <-ended:
				t.Fatal(err)
			}
		}
	}
	for _, changes := range [][]Change{
		{{Reserve, mupdate.Entry{Name: "user.x", Location: here}}, {Activate, mupdate.Entry{Name: "user.a", Location: there, ACL: "a\tl\t"}}},
		{{Reserve, mupdate.Entry{Name: "user.x", Location: there}}}, // refused
		{{Delete, mupdate.Entry{Name: "user.x"}}},
	} {
		if _, err := two.Commit(ctx, changes, always); err != nil {
			t.Fatal(err)
		}
		p, err := one.Head(ctx)
		if err != nil {
			t.Fatal(err)
		}
		wait(p.Revision)
	}
	want := []mupdate.Entry{reserved1(here), {State: mupdate.Active, Name: "user.a", Location: there, ACL: "a\tl\t"}, {Name: "user.x"}}
	if !slices.Equal(all, want) {
		t.Errorf("saw %+v, want %+v", all, want)
	}
	// Everything at a stroke: nobody is told that all mailboxes are gone.
	if _, err := raw(two).Delete(ctx, "/mupdate/", clientv3.WithPrefix()); err != nil {
		t.Fatal(err)
	}
	select {
	case b := <-seen:
		t.Errorf("told %+v of a table that was taken away", b)
	case err := <-ended:
		if !errors.Is(err, ErrNoTable) {
			t.Error(err)
		}
	}
	if _, err := one.Head(ctx); !errors.Is(err, ErrNoTable) {
		t.Errorf("Head: %v", err)
	}
}

func TestCompacted(t *testing.T) {
	c := etcdtest.Start(t, 1)
	table := join(t, options(c, "mup1"))
	start, err := table.Head(t.Context())
	for range 3 {
		if err == nil {
			_, err = table.Commit(t.Context(), []Change{{Activate, active1(here)}}, always)
		}
	}
	var now Position
	if err == nil {
		now, err = table.Head(t.Context())
	}
	if err == nil {
		_, err = raw(table).Compact(t.Context(), now.Revision)
	}
	if err != nil {
		t.Fatal(err)
	}
	// Others have gone on, and the last change is forgotten as such.
	other, err := raw(table).Put(t.Context(), "/other", "x")
	if err == nil {
		_, err = raw(table).Compact(t.Context(), other.Header.Revision)
	}
	if err != nil {
		t.Fatal(err)
	}
	if has := content(t, table); len(has) != 1 {
		t.Errorf("read %+v", has)
	}
	if err := table.Watch(t.Context(), start.Revision, func(Batch) error { return errors.New("it saw something") }); !errors.Is(err, ErrCompacted) {
		t.Errorf("watch: %v", err)
	}
}

// TestAway: an etcd that is not there, or does not answer, is found out in time; and
// of three one may be.
func TestAway(t *testing.T) {
	c := etcdtest.Start(t, 3)
	o := options(c, "mup1")
	o.Timeout = 10 * time.Second
	table := join(t, o)
	change := []Change{{Activate, active1(here)}}
	for _, m := range c.Members {
		m.Hold()
		if _, err := table.Commit(t.Context(), change, always); err != nil {
			t.Errorf("with one that hangs: %v", err)
		}
		m.Release()
		m.Wait()
	}
	for _, m := range c.Members {
		m.Kill()
		if _, err := table.Commit(t.Context(), change, always); err != nil {
			t.Errorf("with one that is down: %v", err)
		}
		m.Resume()
		m.Wait()
	}
	o.Timeout = time.Second
	hasty := join(t, o)
	c.Members[0].Kill()
	c.Members[1].Hold()
	if _, err := hasty.Commit(t.Context(), change, always); !errors.Is(err, ErrAway) {
		t.Errorf("change: %v", err)
	}
	if _, err := hasty.Head(t.Context()); !errors.Is(err, ErrAway) {
		t.Errorf("head: %v", err)
	}
	c.Members[1].Release()
	if _, err := table.Commit(t.Context(), change, always); err != nil {
		t.Errorf("with two again: %v", err)
	}
}
