package master

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func service1(addr, attrs string) string {
	return fmt.Sprintf("SERVICES {\n  line cmd=\"LINED\" listen=\"%s\" %s\n}\n", addr, attrs)
}

func TestOneProcessServesMany(t *testing.T) {
	s, addr := newSite(t, ""), freePort(t)
	s.start(service1(addr, "prefork=5"))
	s.waitLog("needs 1 more ready workers")
	first := connect(t, addr)
	for range 7 {
		if c := connect(t, addr); c.pid != first.pid {
			t.Errorf("session in process %d, want all in %d", c.pid, first.pid)
		}
	}
	if got := first.ask("word"); got != "word" {
		t.Errorf("echo %q", got)
	}
}

func TestStartsWorkerWhenCalled(t *testing.T) {
	s, addr := newSite(t, ""), freePort(t)
	s.start(service1(addr, ""))
	if n := s.count("/lined"); n != 0 {
		t.Errorf("%d workers started before anyone called", n)
	}
	connect(t, addr).quit()
}

// A client beyond maxchild is connected and waits for its greeting, as long as
// it takes (process model, 5.2).
func TestMaxchild(t *testing.T) {
	for _, perProcess := range []int{1, 2, 100} {
		t.Run(strconv.Itoa(perProcess), func(t *testing.T) {
			s, addr := newSite(t, fmt.Sprintf("sessions_per_process: %d\n", perProcess)), freePort(t)
			s.start(service1(addr, "maxchild=3"))
			var in []*session
			for range 3 {
				in = append(in, connect(t, addr))
			}
			pids := map[int]bool{}
			for _, c := range in {
				pids[c.pid] = true
			}
			if want := (3 + perProcess - 1) / perProcess; len(pids) != want {
				t.Errorf("3 sessions in %d processes, want %d", len(pids), want)
			}
			out := make(chan *session, 1)
			fourth := dial(t, addr)
			go func() { fourth.r.Peek(1); out <- fourth }()
			// Every process answers, so none had the fourth in its way.
			for _, c := range in {
				c.ask("word")
			}
			select {
			case <-out:
				t.Fatal("a fourth session was let in")
			default:
			}
			in[1].quit()
			<-out
			fourth.greeted().quit()
		})
	}
}

func TestCrashLoop(t *testing.T) {
	for _, tc := range []struct{ name, cmd string }{
		{"the server cannot start", "LINED -f"},
		{"the program is none", "DIR/broken"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, addr := newSite(t, ""), freePort(t)
			os.Chmod(s.write("broken", "no program\n"), 0o755)
			s.start(strings.Replace(service1(addr, "prefork=1"), "LINED", tc.cmd, 1))
			s.waitLog("too many failures for service line/ipv4, disabling until next SIGHUP")
			if n := s.count("in READY state: terminated abnormally"); n != 5 {
				t.Errorf("%d failures before the socket was closed, want 5", n)
			}
			if !refused(addr) {
				t.Error("the socket is still open")
			}
			s.reload(service1(addr, "prefork=1"))
			connect(t, addr).quit()
		})
	}
}

func TestTerm(t *testing.T) {
	s, addr := newSite(t, ""), freePort(t)
	s.start(service1(addr, "prefork=1"))
	c := connect(t, addr)
	if code := s.stop(); code != 0 {
		t.Errorf("exit status %d, want 0", code)
	}
	c.ends()
	for _, line := range []string{
		"attempting clean shutdown on signal", "graceful shutdown", "was killed",
		"All children have exited, closing down",
	} {
		if s.count(line) == 0 {
			t.Errorf("not in the log: %s", line)
		}
	}
	if s.exists("master.ready") {
		t.Error("ready file stays")
	}
	if !s.exists("master.pid") {
		t.Error("pid file is gone")
	}
	if !s.exists("shutdown." + strconv.Itoa(c.pid)) {
		t.Error("the server's Shutdown was not called")
	}
	if s.exists("proc/" + strconv.Itoa(c.pid)) {
		t.Error("proc file stays")
	}
}

func TestUnixSocketAndIdentity(t *testing.T) {
	s := newSite(t, "")
	path := filepath.Join(s.dir, "sock")
	s.start(service1(path, "prefork=1"))
	c := connect(t, path)
	if got := c.ask("peer"); got != "[unix socket]" {
		t.Errorf("peer %q", got)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o777 {
		t.Errorf("socket mode %v, %v; want 0777", st.Mode(), err)
	}
	want := fmt.Sprintf("%d %d", os.Getuid(), os.Getuid())
	if os.Getuid() == 0 {
		uid, _ := ordinary(t)
		want = fmt.Sprintf("%d %d", uid, uid)
	}
	if got := c.ask("uid"); got != want {
		t.Errorf("uid %q, want %q", got, want)
	}
}

func TestOrphansLetGo(t *testing.T) {
	s, addr := newSite(t, ""), freePort(t)
	s.start(service1(addr, "prefork=1"))
	c := connect(t, addr)
	s.signal(syscall.SIGKILL)
	s.cmd.Wait()
	s.waitLog("unable to tell master 2: Broken pipe")
	s.wait("the port to be free", func() bool { return refused(addr) })
	if c.ask("still here") != "still here" {
		t.Error("the session is gone")
	}
	c.quit()
	s.wait("the orphan's end", func() bool { return syscall.Kill(c.pid, 0) != nil })
}
