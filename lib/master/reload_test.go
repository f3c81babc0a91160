package master

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestReloadMovesService(t *testing.T) {
	s, old, fresh := newSite(t, ""), freePort(t), freePort(t)
	s.start(service1(old, "prefork=1"))
	c := connect(t, old)
	s.reload(service1(fresh, "prefork=1"))
	if !refused(old) {
		t.Error("the old port is still open")
	}
	d := connect(t, fresh)
	if d.pid == c.pid {
		t.Error("the new port is served by the old process")
	}
	if c.ask("still here") != "still here" {
		t.Error("the old session is gone")
	}
	c.quit()
	s.wait("end of the old process", func() bool { return syscall.Kill(c.pid, 0) != nil })
	s.waitLog("Services reconfigured. 2 out of 5 (max 2147483637) services structures and 0 out of 0 (max 2147483637) daemon structures are now in use")
}

// What a worker that leaves still serves counts against maxchild, and its
// other places are its successor's at once.
func TestReloadKeepsMaxchild(t *testing.T) {
	s, addr := newSite(t, ""), freePort(t)
	s.start(service1(addr, "maxchild=2"))
	old := connect(t, addr)
	s.reload("")
	fresh := connect(t, addr)
	s.wait("end of what the process takes that was told to leave", func() bool {
		if fresh.pid != old.pid {
			return true
		}
		fresh.quit() // taken before it had heard
		fresh = connect(t, addr)
		return false
	})
	third := dial(t, addr)
	in := make(chan struct{})
	go func() { third.r.Peek(1); close(in) }()
	old.ask("word")
	fresh.ask("word")
	select {
	case <-in:
		t.Fatal("a third session was let in")
	default:
	}
	old.quit()
	<-in
	third.greeted()
}

func TestReloadOfBadFile(t *testing.T) {
	for _, tc := range []struct{ name, conf, says string }{
		{"syntax", "SERVICES {\n li_ne cmd=\"x\"\n}\n", "bad character '_' in name on line 2"},
		{"no program", "SERVICES {\n line cmd=\"/nonesuch\" listen=\"1\"\n}\n", "cannot find executable for service 'line'"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, addr := newSite(t, ""), freePort(t)
			s.start(service1(addr, "prefork=1"))
			c := connect(t, addr)
			s.conf(tc.conf)
			s.signal(syscall.SIGHUP)
			s.waitLog(tc.says)
			if d := connect(t, addr); d.pid != c.pid {
				t.Error("the worker was replaced")
			}
			s.reload(service1(addr, "prefork=1"))
			connect(t, addr).quit()
		})
	}
}

func TestChangedProgram(t *testing.T) {
	s, addr := newSite(t, ""), freePort(t)
	install := func() {
		data, err := os.ReadFile(bin + "/lined")
		if err != nil {
			t.Fatal(err)
		}
		tmp := filepath.Join(s.dir, "new")
		if err := os.WriteFile(tmp, data, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(tmp, filepath.Join(s.dir, "mine")); err != nil {
			t.Fatal(err)
		}
	}
	install()
	s.start(strings.ReplaceAll(service1(addr, "prefork=1"), "LINED", "DIR/mine -C DIR/imapd.conf"))
	old := connect(t, addr)
	install()
	// The old process is waiting in accept and takes one more; then it looks.
	connect(t, addr)
	s.waitLog("process file has changed")
	if c := connect(t, addr); c.pid == old.pid {
		t.Error("served by the old program")
	}
	if old.ask("still here") != "still here" {
		t.Error("the old session is gone")
	}
}

// TestReloadBindsLowPort: master has become an ordinary user and binds a port
// below 1024 all the same; its workers could not.
func TestReloadBindsLowPort(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: ports below 1024")
	}
	low := ""
	for port := 1023; port > 600 && low == ""; port-- {
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		if l, err := net.Listen("tcp", addr); err == nil {
			l.Close()
			low = addr
		}
	}
	s, addr := newSite(t, ""), freePort(t)
	s.start(service1(addr, "prefork=1"))
	s.reload(service1(low, "prefork=1"))
	c := connect(t, low)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.pid))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(status), "CapPrm:\t0000000000000000\n") {
		t.Errorf("the worker has capabilities: %s", status)
	}
}
