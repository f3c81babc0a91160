package replication

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"gocyrus/lib/cyrustest"
)

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

// A follower keeps a rolling sync_client running, as master's DAEMON section
// does: when it ends it is started again.
type follower struct {
	l    *link
	mu   sync.Mutex
	cmd  *exec.Cmd
	runs int
	stop bool
	gone chan struct{}
}

func (l *link) follow() *follower {
	f := &follower{l: l, gone: make(chan struct{})}
	go f.run()
	return f
}

func (f *follower) run() {
	defer close(f.gone)
	for f.start() {
		f.cmd.Wait() // how it ends is no matter: it is killed in all ways
	}
}

// start starts a client unless the follower is to stop.
func (f *follower) start() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stop {
		return false
	}
	f.runs++
	f.cmd = f.l.from.command("sync_client", f.l.args("-R")...)
	out, err := os.OpenFile(f.l.followed(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return false
	}
	defer out.Close()
	f.cmd.Stdout, f.cmd.Stderr = out, out
	// A process that ends at once is started again at once otherwise.
	time.Sleep(10 * time.Millisecond)
	return f.cmd.Start() == nil
}

// signal sends the client a signal, if there is one.
func (f *follower) signal(sig syscall.Signal) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cmd != nil && f.cmd.Process != nil {
		f.cmd.Process.Signal(sig)
	}
}

// end stops the client for good, kindly first.
func (f *follower) end() {
	f.mu.Lock()
	f.stop = true
	f.mu.Unlock()
	f.signal(syscall.SIGTERM)
	select {
	case <-f.gone:
	case <-time.After(cyrustest.Patience):
		f.signal(syscall.SIGKILL)
		<-f.gone
	}
}

// accidents are what may happen at any moment.
var accidents = []struct {
	name   string
	happen func(l *link, f *follower, r *rand.Rand)
}{
	{"client killed", func(l *link, f *follower, r *rand.Rand) { f.signal(syscall.SIGKILL) }},
	{"replica's workers killed", func(l *link, f *follower, r *rand.Rand) {
		l.to.killWorkers()
	}},
	{"network cut", func(l *link, f *follower, r *rand.Rand) { l.Cut() }},
	{"network cut in a batch", func(l *link, f *follower, r *rand.Rand) { l.CutAfter(1 + r.Int64N(50_000)) }},
	{"network away", func(l *link, f *follower, r *rand.Rand) {
		l.Away(true)
		time.Sleep(time.Duration(r.IntN(300)) * time.Millisecond)
		l.Away(false)
	}},
	{"client and workers killed", func(l *link, f *follower, r *rand.Rand) {
		f.signal(syscall.SIGKILL)
		l.to.killWorkers()
	}},
}

// killWorkers kills the processes that serve replication. Master gives a service
// up that fails often, until it is told to read its configuration.
func (s *site) killWorkers() {
	for _, pid := range s.Children("sync_server") {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	s.Signal(syscall.SIGHUP)
}

// TestKill has users at work on a master that replicates, and client, replica
// and network fail at any moment. In the end both sides are equal, and have
// what the users must have: nothing is lost and nothing doubled.
func TestKill(t *testing.T) {
	seed := uint64(setting(t, "GOCYRUS_CRASH_SEED", int(time.Now().UnixNano()>>16&0x7fffffff)))
	rounds := setting(t, "GOCYRUS_CRASH_ROUNDS", 5)
	t.Logf("GOCYRUS_CRASH_SEED=%d", seed)
	for _, p := range kindPairs {
		t.Run(fmt.Sprintf("%s-%s", p[0], p[1]), func(t *testing.T) {
			t.Parallel()
			testKill(t, p, seed, rounds)
		})
	}
}

func testKill(t *testing.T, p [2]kind, seed uint64, rounds int) {
	r := rand.New(rand.NewPCG(seed, 1))
	l := newLink(newSite(t, p[0], "master"), newSite(t, p[1], "replica"))
	work := newLoad(t, l.from, 3, seed)
	f := l.follow()
	defer f.end()
	for n := range rounds {
		work.start()
		time.Sleep(time.Duration(100+r.IntN(900)) * time.Millisecond)
		a := accidents[r.IntN(len(accidents))]
		a.happen(l, f, r)
		time.Sleep(time.Duration(r.IntN(300)) * time.Millisecond)
		work.halt()
		t.Logf("round %d: %s; %d messages, %d clients, %d connections", n, a.name, work.done(), f.runs, l.Connections())
		if t.Failed() {
			return
		}
	}
	l.CutAfter(-1)
	l.await()
	f.end()
	l.together("at the end")
	work.check(l.from)
	work.check(l.to)
}

// followed is the file of what the follower's clients say.
func (l *link) followed() string { return l.from.Path("followed-" + l.to.name) }

// await waits until a follower has done the log.
func (l *link) await() {
	l.t.Helper()
	for end := time.Now().Add(cyrustest.Patience); l.dirty(); time.Sleep(20 * time.Millisecond) {
		if time.Now().Before(end) {
			continue
		}
		said, err := os.ReadFile(l.followed())
		log, _ := os.ReadFile(l.logFile() + "-run")
		l.t.Fatalf("%s: the log is not done after %v: %v\n%s\nsync_client says\n%s", l, cyrustest.Patience, err, log, said[max(0, len(said)-4000):])
	}
}
