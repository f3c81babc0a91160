package master

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestKilledWorker(t *testing.T) {
	s, addr := newSite(t, ""), freePort(t)
	s.start(service1(addr, "prefork=1"))
	c := connect(t, addr)
	s.wait("proc file", func() bool { return s.exists("proc/" + strconv.Itoa(c.pid)) })
	syscall.Kill(c.pid, syscall.SIGKILL)
	c.ends()
	d := connect(t, addr)
	if d.pid == c.pid {
		t.Error("served by the dead")
	}
	s.waitLog(fmt.Sprintf("pid:%d signaled to death by signal 9 (Killed)", c.pid))
	if s.exists("proc/" + strconv.Itoa(c.pid)) {
		t.Error("proc file of a killed worker stays")
	}
}

func TestPanicCostsOneSession(t *testing.T) {
	s, addr := newSite(t, ""), freePort(t)
	s.start(service1(addr, "prefork=1"))
	good, bad := connect(t, addr), connect(t, addr)
	fmt.Fprintf(bad.c, "panic\r\n")
	bad.ends()
	if good.ask("still here") != "still here" {
		t.Error("the other session is gone")
	}
	s.waitLog("panic in session of localhost [127.0.0.1]: told to panic")
	s.waitLog("main.go:")
}

// A process that may hold two sessions at once retires, with -U 1, after two.
func TestRetiresAfterUses(t *testing.T) {
	s, addr := newSite(t, "sessions_per_process: 2\n"), freePort(t)
	s.start(strings.Replace(service1(addr, ""), "LINED", "LINED -U 1", 1))
	first, second := connect(t, addr), connect(t, addr)
	if second.pid != first.pid {
		t.Errorf("processes %d, %d; want one", first.pid, second.pid)
	}
	first.quit()
	if third := connect(t, addr); third.pid == first.pid {
		t.Error("the third use of two")
	}
	if second.ask("still here") != "still here" {
		t.Error("a session of the retired process is gone")
	}
	second.quit()
	s.wait("the retired process's end", func() bool { return s.count(fmt.Sprintf("pid:%d exited normally", first.pid)) > 0 })
}

func TestExitsWhenIdle(t *testing.T) {
	s, addr := newSite(t, ""), freePort(t)
	s.start(strings.Replace(service1(addr, ""), "LINED", "LINED -T 1", 1))
	c := connect(t, addr)
	c.quit()
	s.wait("the idle process's end", func() bool { return s.count(fmt.Sprintf("pid:%d exited normally", c.pid)) > 0 })
	connect(t, addr).quit()
}

func TestLoginLimitAcrossProcesses(t *testing.T) {
	s, addr := newSite(t, "sessions_per_process: 1\nmaxlogins_per_user: 2\n"), freePort(t)
	s.start(service1(addr, ""))
	a, b, c := connect(t, addr), connect(t, addr), connect(t, addr)
	if a.pid == b.pid || b.pid == c.pid {
		t.Fatal("want three processes")
	}
	for _, ok := range []*session{a, b} {
		if got := ok.ask("login alice"); got != "ok" {
			t.Errorf("login: %s", got)
		}
	}
	if got, want := c.ask("login alice"), "Too many open connections (2 of 2 for alice)"; got != want {
		t.Errorf("third login: %q, want %q", got, want)
	}
	a.quit()
	s.wait("its place to be free", func() bool { return c.ask("login alice") == "ok" })
}

// TestProcFile: what cyr_info proc reads.
func TestProcFile(t *testing.T) {
	s, addr := newSite(t, ""), freePort(t)
	s.start(service1(addr, ""))
	a, b := connect(t, addr), connect(t, addr)
	a.ask("login alice")
	b.ask("login bob")
	want := "line\tlocalhost [127.0.0.1]\talice\t\t\nline\tlocalhost [127.0.0.1]\tbob\t\t\n"
	if got := a.ask("peer"); got != "localhost [127.0.0.1]" {
		want = strings.ReplaceAll(want, "localhost [127.0.0.1]", got)
	}
	s.wait("both lines", func() bool {
		data, _ := os.ReadFile(filepath.Join(s.dir, "proc", strconv.Itoa(a.pid)))
		return string(data) == want
	})
}

// TestStdio: -X serves one session on descriptors 0 and 1, without master.
func TestStdio(t *testing.T) {
	s := newSite(t, "cyrus_user: nobody\n")
	cmd := exec.Command(bin+"/lined", "-C", filepath.Join(s.dir, "imapd.conf"), "-X")
	cmd.Env = append(os.Environ(), "CYRUS_SERVICE=line", "CYRUS_ID=0")
	cmd.Stdin = strings.NewReader("peer\r\nquit\r\n")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(out), "\r\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "hello ") || lines[1] != "[unix socket]" {
		t.Errorf("output %q", out)
	}
}

func TestServiceByHand(t *testing.T) {
	for _, tc := range []struct {
		name string
		env  []string
		want int
	}{
		{"no environment", nil, 70},
		{"no id", []string{"CYRUS_SERVICE=line"}, 70},
		{"no imapd.conf", []string{"CYRUS_SERVICE=line", "CYRUS_ID=0"}, 78},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cmd := exec.Command(bin+"/lined", "-C", "/nonesuch")
			cmd.Env = tc.env
			out, _ := cmd.CombinedOutput()
			if got := cmd.ProcessState.ExitCode(); got != tc.want || len(out) > 0 {
				t.Errorf("exit status %d, output %q; want %d and silence", got, out, tc.want)
			}
		})
	}
}
