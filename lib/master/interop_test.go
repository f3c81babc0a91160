package master

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Where Debian's packages put Cyrus; CYRUS_BIN and CYRUS_MASTER name others.
func realBin() string { return envOr("CYRUS_BIN", "/usr/lib/cyrus/bin") }

func realMaster() string { return envOr("CYRUS_MASTER", "/usr/sbin/cyrmaster") }

func envOr(name, def string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return def
}

// realSite is a site that belongs to the cyrus user, as real Cyrus wants it.
func realSite(t *testing.T, program string) *site {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: real Cyrus changes to its own user")
	}
	if _, err := os.Stat(program); err != nil {
		t.Skipf("real Cyrus is not installed: %v", err)
	}
	u, err := user.Lookup("cyrus")
	if err != nil {
		t.Skip("there is no user cyrus")
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	s := newSite(t, "")
	s.write("imapd.conf", s.expand("configdirectory: DIR\npartition-default: DIR/spool\ndefaultpartition: default\n"+
		"allowplaintext: yes\nsasl_pwcheck_method: alwaystrue\ndebug: yes\n"))
	for _, d := range []string{"", "spool", "db", "lock", "msg", "proc", "socket", "ptclient", "sync", "quota", "user"} {
		path := filepath.Join(s.dir, d)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// TestRealServices: Cyrus's own workers, which take one connection at a time,
// below our master.
func TestRealServices(t *testing.T) {
	for _, tc := range []struct{ program, greeting, farewell string }{
		{"pop3d", "+OK ", "QUIT"},
		{"imapd", "* OK ", "a LOGOUT"},
	} {
		t.Run(tc.program, func(t *testing.T) {
			program := filepath.Join(realBin(), tc.program)
			s, addr := realSite(t, program), freePort(t)
			s.user = "cyrus"
			s.start(fmt.Sprintf("SERVICES {\n real cmd=\"%s -C DIR/imapd.conf\" listen=\"%s\" prefork=1 maxchild=2\n}\n", program, addr))
			hello := func(c *session) {
				t.Helper()
				if line := c.line(); !strings.HasPrefix(line, tc.greeting) {
					t.Fatalf("greeting %q", line)
				}
			}
			one, two := dial(t, addr), dial(t, addr)
			hello(one)
			hello(two)
			if n := s.count("about to exec " + program); n != 2 {
				t.Errorf("%d workers for 2 sessions, want 2", n)
			}
			// The third waits for one to end (messages 2 and 3 of the others),
			// and is served by a worker that is free again (message 1).
			three := dial(t, addr)
			fmt.Fprintf(one.c, "%s\r\n", tc.farewell)
			hello(three)
			if n := s.count("about to exec " + program); n != 2 {
				t.Errorf("%d workers started, want the 2 used again", n)
			}
			if code := s.stop(); code != 0 {
				t.Errorf("exit status %d", code)
			}
			for _, bad := range []string{"Software bug", "already busy", "forced to", "terminated abnormally"} {
				if s.count(bad) > 0 {
					t.Errorf("in the log: %s", bad)
				}
			}
		})
	}
}

// TestRealMaster: our worker below Cyrus's own master.
func TestRealMaster(t *testing.T) {
	s, addr := realSite(t, realMaster()), freePort(t)
	s.conf(service1(addr, "prefork=1"))
	pidFile := filepath.Join(s.dir, "real.pid")
	cmd := exec.Command(realMaster(), "-D", "-C", filepath.Join(s.dir, "imapd.conf"), "-M", filepath.Join(s.dir, "cyrus.conf"), "-p", pidFile)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = append(os.Environ(), "CYRUS_LOG_STDERR=1") // of our worker
	log, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stderr = log
	s.cmd = cmd
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.cleanup)
	s.wait("its port", func() bool { return !refused(addr) })

	first := connect(t, addr)
	for range 5 {
		if c := connect(t, addr); c.pid != first.pid {
			t.Errorf("session in process %d, want all in %d: it is not full", c.pid, first.pid)
		}
	}
	// HUP: the worker leaves its sessions be, and another takes over.
	s.signal(syscall.SIGHUP)
	s.wait("another process", func() bool {
		c := connect(t, addr)
		defer c.quit()
		return c.pid != first.pid
	})
	if first.ask("still here") != "still here" {
		t.Error("the old session is gone")
	}
	first.c.SetDeadline(time.Now().Add(testWait))
	if code := s.stop(); code != 0 {
		t.Errorf("exit status %d", code)
	}
	first.ends()
	if s.count("graceful shutdown") == 0 {
		t.Error("the worker did not stop by SIGTERM")
	}
}
