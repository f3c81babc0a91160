package crash_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"gocyrus/test/internal/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

// setting reads a number from the environment.
func setting(t *testing.T, name string, otherwise int) int {
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// layouts are the sites that are killed: they differ in what a commit writes.
var layouts = []struct {
	name    string
	options []string
}{
	{"default", nil},
	{"at-once", []string{"expunge_mode: immediate", "delete_mode: immediate", "mailbox_legacy_dirs: yes", "conversations: yes"}},
}

const users = 6

// TestKill kills all processes of a site at random moments.
func TestKill(t *testing.T) {
	rounds := setting(t, "GOCYRUS_CRASH_ROUNDS", 2)
	seed := setting(t, "GOCYRUS_CRASH_SEED", int(time.Now().UnixNano()>>16&0x7fffffff))
	t.Logf("GOCYRUS_CRASH_SEED=%d", seed)
	for i, l := range layouts {
		t.Run(l.name, func(t *testing.T) {
			g := newGround(t, uint64(seed+i), l.options)
			for n := range (rounds + 1) / len(layouts) {
				end := g.kill
				if g.r.IntN(4) == 0 {
					end = g.killWorkers
				}
				g.round(t, n, end)
				if t.Failed() && os.Getenv("GOCYRUS_CRASH_GOON") == "" {
					return
				}
			}
		})
	}
}

// A ground is a site with its ledger.
type ground struct {
	site *rig.Site
	s    *store
	r    *rand.Rand
}

func newGround(t *testing.T, seed uint64, options []string) *ground {
	t.Helper()
	// Few sessions a process make several processes share the mailboxes.
	g := &ground{site: rig.New(t, append(options, "sessions_per_process: 4")...), s: newStore(users), r: rand.New(rand.NewPCG(seed, 0))}
	g.site.Start()
	admin, err := rig.Login(g.site.IMAP, "admin")
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	for _, u := range g.s.users {
		u.limit = choice{"1000000", "1000000"}
		for _, cmd := range []string{"CREATE user/" + u.name, "CREATE user/" + u.name + "/Keep",
			"CREATE user/" + u.name + "/Sub/Deep", "SETQUOTA user/" + u.name + " (STORAGE 1000000)"} {
			if r, err := admin.Do(cmd); err != nil || !r.OK() {
				t.Fatalf("%s: %v %v", cmd, r, err)
			}
		}
	}
	return g
}

// round lets clients work on a running site, ends it, starts it again and
// verifies; in the end the site runs.
func (g *ground) round(t *testing.T, n int, end func()) {
	t.Helper()
	f := &faults{}
	work := time.Duration(50+g.r.IntN(1450)) * time.Millisecond
	c := g.crew(f)
	c.start(g.site)
	time.Sleep(work)
	end()
	c.wait()
	g.after(t, f, n, c.done())
}

// after starts a site that has ended, verifies it, and starts it again.
func (g *ground) after(t *testing.T, f *faults, n, done int) {
	t.Helper()
	g.site.Start()
	g.verify(f)
	g.site.Terminate(syscall.SIGTERM, grace)
	checkFiles(t, g.site, f)
	g.site.NoPanics()
	g.site.Start()
	t.Logf("round %d: %d acknowledged, %d faults", n, done, len(f.all))
	for _, text := range f.all {
		t.Errorf("round %d: %s", n, text)
	}
}

// fork makes a source of choices for one goroutine.
func (g *ground) fork() *rand.Rand { return rand.New(rand.NewPCG(g.r.Uint64(), g.r.Uint64())) }

func (g *ground) kill() { g.site.Kill() }

// killWorkers kills a few processes under a living master, which starts others,
// and then all.
func (g *ground) killWorkers() {
	for range 1 + g.r.IntN(3) {
		all := g.site.Processes()[1:] // the first is master
		if len(all) > 0 {
			all[g.r.IntN(len(all))].Signal(syscall.SIGKILL)
		}
		time.Sleep(time.Duration(g.r.IntN(200)) * time.Millisecond)
	}
	g.site.Kill()
}

// verify reads what every user has.
func (g *ground) verify(f *faults) {
	var wg sync.WaitGroup
	for _, u := range g.s.users {
		v := &verifier{u: u, s: g.s, f: f}
		wg.Go(func() { v.verify(g.site.IMAP) })
	}
	wg.Wait()
}
