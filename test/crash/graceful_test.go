package crash_test

import (
	"math/rand/v2"
	"syscall"
	"testing"
	"time"
)

// grace is how long a site may take to end in an orderly way.
const grace = 20 * time.Second

// TestGraceful ends a site under load as an administrator does: no command is
// refused, nothing acknowledged is lost, no process stays. The sessions end
// without a word, as Cyrus's do.
func TestGraceful(t *testing.T) {
	g := newGround(t, uint64(setting(t, "GOCYRUS_CRASH_SEED", rand.IntN(1<<30))), nil)
	ends := []struct {
		name string
		end  func()
	}{
		{"SIGTERM", func() { g.site.Terminate(syscall.SIGTERM, grace) }},
		{"SIGHUP and SIGTERM", func() {
			g.site.Signal(syscall.SIGHUP)
			time.Sleep(time.Duration(g.r.IntN(300)) * time.Millisecond)
			g.site.Terminate(syscall.SIGTERM, grace)
		}},
		{"SIGINT", func() { g.site.Terminate(syscall.SIGINT, grace) }},
	}
	for n := range setting(t, "GOCYRUS_CRASH_ROUNDS", len(ends)) {
		e := ends[n%len(ends)]
		t.Log(e.name)
		g.gracefulRound(t, n, e.end)
	}
}

func (g *ground) gracefulRound(t *testing.T, n int, end func()) {
	f := &faults{}
	c := g.crew(f)
	c.start(g.site)
	time.Sleep(time.Duration(200+g.r.IntN(800)) * time.Millisecond)
	end()
	c.wait()
	g.after(t, f, n, c.done())
}

// TestReload reloads a site under load: no session notices.
func TestReload(t *testing.T) {
	g := newGround(t, uint64(setting(t, "GOCYRUS_CRASH_SEED", rand.IntN(1<<30))), nil)
	f := &faults{}
	c := g.crew(f)
	c.start(g.site)
	for range 4 {
		time.Sleep(150 * time.Millisecond)
		g.site.Signal(syscall.SIGHUP)
	}
	time.Sleep(150 * time.Millisecond)
	c.wait()
	for _, one := range c.clients {
		if one.broken != nil {
			t.Errorf("a session of %s broke: %v", one.u.name, one.broken)
		}
	}
	g.site.Terminate(syscall.SIGTERM, grace)
	g.after(t, f, 0, c.done())
}
