package murder

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gocyrus/lib/cyrustest"
	"gocyrus/lib/etcdtable"
	"gocyrus/lib/etcdtest"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
	"gocyrus/test/internal/murder"
)

// shared is a Murder whose two masters have their list in an etcd of three.
func shared(t *testing.T) (*murder.Murder, *etcdtest.Cluster) {
	t.Helper()
	c := etcdtest.Start(t, 3)
	store, err := etcdtable.Open(etcdtable.Options{Servers: c.URLs(), Prefix: "/mupdate/", Timeout: cyrustest.Patience, Master: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := store.Found(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return murder.New(t, murder.Options{
		Masters:   []murder.Kind{murder.Ours, murder.Ours},
		Backends:  []murder.Kind{murder.Ours},
		Frontends: []murder.Kind{murder.Ours, murder.Ours},
		Imapd: map[string][]string{
			"master":   {"mupdate_etcd_servers: " + strings.Join(c.URLs(), " ")},
			"frontend": {"mupdate_retry_delay: 20"},
		},
		Tolerate: cyrustest.AfterCrash,
	}), c
}

// writer does what a backend does: it keeps a connection, and does what broke off once
// more on another.
type writer struct {
	t    *testing.T
	opts mupdate.Options
	c    *mupdate.Client
}

func newWriter(t *testing.T, m *murder.Murder, first int) *writer {
	w := &writer{t: t, opts: m.Master.Mupdate()}
	w.opts.Servers = nil
	for i := range m.Masters {
		w.opts.Servers = append(w.opts.Servers, m.Masters[(first+i)%len(m.Masters)].Mupdate().Servers...)
	}
	return w
}

func (w *writer) do(fn func(c *mupdate.Client) error) error {
	var err error
	for range 2 {
		if w.c == nil {
			if w.c, err = mupdate.Connect(w.t.Context(), w.opts); err != nil {
				return err
			}
		}
		var lost *mupdate.ConnError
		if err = fn(w.c); !errors.As(err, &lost) {
			return err
		}
		w.c.Close()
		w.c = nil
	}
	return err
}

// claims are what the writers were told.
type claims struct {
	mu      sync.Mutex
	is      map[mboxname.Name][]string // where a name may be; "" for nowhere
	told    int                        // how many OKs
	slowest time.Duration
	failed  int
}

// note notes that a name was to go to a place.
func (c *claims) note(name mboxname.Name, place string, took time.Duration, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.failed++
		if c.is[name] == nil {
			c.is[name] = []string{""}
		}
		c.is[name] = append(c.is[name], place) // perhaps
		return
	}
	c.told++
	c.slowest = max(c.slowest, took)
	c.is[name] = []string{place}
}

// TestKills: while several backends announce 200 changes a second, each member of etcd
// and each master is killed once. Whatever was told OK is in the list of both masters
// and of every frontend.
func TestKills(t *testing.T) {
	const writers, everyWriter = 4, 20 * time.Millisecond
	m, c := shared(t)
	got := &claims{is: map[mboxname.Name][]string{}}
	stop := make(chan struct{})
	var all sync.WaitGroup
	start := time.Now()
	for n := range writers {
		all.Go(func() {
			w := newWriter(t, m, n)
			tick := time.NewTicker(everyWriter)
			defer tick.Stop()
			for i := 0; ; i++ {
				select {
				case <-tick.C:
				case <-stop:
					return
				}
				// A name that is there once, and one that changes all the time.
				for _, name := range []mboxname.Name{mboxname.Name(fmt.Sprintf("user.w%d.n%d", n, i)), mboxname.Name(fmt.Sprintf("user.w%d", n))} {
					place := fmt.Sprintf("be%d!p%d", n, i)
					before := time.Now()
					err := w.do(func(c *mupdate.Client) error { return c.Activate(t.Context(), name, place, "a\tlrs\t") })
					got.note(name, place, time.Since(before), err)
				}
			}
		})
	}
	// Each step goes on when so many more changes have been told OK.
	after := func(changes int) {
		t.Helper()
		got.mu.Lock()
		want := got.told + changes
		got.mu.Unlock()
		m.Master.Eventually("the writers to go on", func() bool {
			got.mu.Lock()
			defer got.mu.Unlock()
			return got.told >= want
		})
	}
	after(200)
	for i, member := range c.Members {
		member.Kill()
		after(200)
		member.Resume()
		member.Wait()
		if i < len(m.Masters) {
			m.Masters[i].Kill()
			after(200)
			m.Masters[i].Resume()
		}
		after(100)
	}
	close(stop)
	all.Wait()
	took := time.Since(start)
	m.Settled()
	for _, s := range slices.Concat(m.Masters, m.Frontends) {
		has := places(t, s)
		for name, may := range got.is {
			if !slices.Contains(may, has[name]) {
				t.Errorf("%s: %s is at %q, was told OK for %q", s.Name, name, has[name], may)
			}
		}
		for name := range has {
			if got.is[name] == nil {
				t.Errorf("%s: %s was never there", s.Name, name)
			}
		}
	}
	t.Logf("%d changes told OK in %v (%.0f a second), %d failed; the slowest took %v",
		got.told, took.Round(time.Millisecond), float64(got.told)/took.Seconds(), got.failed, got.slowest.Round(time.Millisecond))
}

// places is where a seat has each mailbox.
func places(t *testing.T, s *murder.Seat) map[mboxname.Name]string {
	t.Helper()
	list, err := s.Entries()
	if err != nil {
		t.Fatal(err)
	}
	has := map[mboxname.Name]string{}
	for _, e := range list {
		if _, twice := has[e.Name]; twice {
			t.Errorf("%s: %s is there twice", s.Name, e.Name)
		}
		has[e.Name] = e.Location
	}
	return has
}

// TestClaimsKilled: backends want the same names while a master and a member of etcd
// are killed: nobody is told OK for what another has.
func TestClaimsKilled(t *testing.T) {
	const names, backends = 600, 4
	m, c := shared(t)
	var mu sync.Mutex
	granted := map[mboxname.Name][]string{}
	done := 0
	var all sync.WaitGroup
	for n := range backends {
		all.Go(func() {
			w := newWriter(t, m, n)
			where := fmt.Sprintf("be%d!p", n)
			for i := range names {
				name := mboxname.Name(fmt.Sprintf("user.n%d", i))
				err := w.do(func(c *mupdate.Client) error { return c.Reserve(t.Context(), name, where) })
				mu.Lock()
				if done++; err == nil {
					granted[name] = append(granted[name], where)
				}
				mu.Unlock()
			}
		})
	}
	at := func(n int) {
		t.Helper()
		m.Master.Eventually("the backends to go on", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return done >= n
		})
	}
	at(names / 2)
	m.Masters[1].Kill()
	at(names)
	c.Members[0].Kill()
	at(2 * names)
	m.Masters[1].Resume()
	c.Members[0].Resume()
	all.Wait()
	m.Settled()
	for _, s := range slices.Concat(m.Masters, m.Frontends) {
		has := places(t, s)
		for name, who := range granted {
			if len(who) != 1 || has[name] != who[0] {
				t.Errorf("%s: %s was granted to %v, is at %q", s.Name, name, who, has[name])
			}
		}
	}
	t.Logf("%d of %d names granted", len(granted), names)
}

// TestLifeWithTwoMasters: mailboxes are made, moved about and used while one master after
// the other is down, and no user notices.
func TestLifeWithTwoMasters(t *testing.T) {
	m, _ := shared(t)
	be, fe := m.Backends[0], m.Frontends[0]
	for i, s := range m.Masters {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		admin := fe.Session(cyrustest.Admin)
		user := fmt.Sprintf("user.u%d", i)
		admin.Must(fmt.Sprintf("CREATE %s %s!default", user, be.IP), "SETACL "+user+" cyrus lrswipkxteca",
			"CREATE "+user+".a", "RENAME "+user+".a "+user+".b", "CREATE "+user+".c", "DELETE "+user+".c", "SELECT "+user+".b")
		if got := fe.Deliver(cyrustest.Message("hello"), fmt.Sprintf("u%d", i)); !strings.HasPrefix(got[0], "250") {
			t.Errorf("delivered: %q", got)
		}
		s.Resume()
		m.Settled()
	}
	if out := be.RunTool("", "ctl_mboxlist", "-m", "-w"); out != "" {
		t.Errorf("ctl_mboxlist -m -w: %q", out)
	}
}
