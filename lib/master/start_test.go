package master

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestEvents(t *testing.T) {
	s := newSite(t, "")
	script := s.script("ran", "echo $1 >>DIR/ran\necho $CYRUS_SERVICE,$CYRUS_ID >>DIR/ran\n")
	s.start(fmt.Sprintf("EVENTS {\n once cmd=\"%s once\"\n often cmd=\"%s often\" period=1\n daily cmd=\"%s daily\" at=2960\n}\n", script, script, script))
	ran := func() string {
		data, _ := os.ReadFile(filepath.Join(s.dir, "ran"))
		return string(data)
	}
	s.wait("three events", func() bool { return strings.Count(ran(), "\n") == 6 })
	if strings.Count(ran(), ",\n") != 3 {
		t.Errorf("events have CYRUS_SERVICE or CYRUS_ID: %q", ran())
	}
	s.reload("")
	s.wait("all of them again", func() bool { return strings.Count(ran(), "\n") == 12 })
}

// script makes a shell script.
func (s *site) script(name, body string) string {
	path := s.write(name+".sh", "#!/bin/sh\n"+s.expand(body))
	os.Chmod(path, 0o755)
	return path
}

func TestDaemons(t *testing.T) {
	s, addr := newSite(t, ""), freePort(t)
	plain := s.script("plain", "echo plain $CYRUS_ISDAEMON $CYRUS_SERVICE `ulimit -n` >>DIR/order\nexec sleep 1000\n")
	wait := s.script("wait", "echo $1 >>DIR/order\nprintf 'ok\\r\\n' >&3\nexec sleep 1000\n")
	s.start(fmt.Sprintf("DAEMON {\n one cmd=\"%s one\" wait=yes\n plain cmd=\"%s\" maxfds=77\n two cmd=\"%s two\" wait=yes\n}\n%s",
		wait, plain, wait, service1(addr, "")))
	order := func() string {
		data, _ := os.ReadFile(filepath.Join(s.dir, "order"))
		return string(data)
	}
	s.wait("three daemons", func() bool { return strings.Count(order(), "\n") == 3 })
	if got, want := order(), "one\ntwo\nplain 1 plain 77\n"; got != want {
		t.Errorf("order %q, want %q", got, want)
	}
	entries, _ := os.ReadDir(filepath.Join(s.dir, "proc"))
	if len(entries) != 3 {
		t.Errorf("%d files in proc, want 3", len(entries))
	}
	if code := s.stop(); code != 0 {
		t.Errorf("exit status %d", code)
	}
	log := s.logged()
	first, second := strings.Index(log, "of two/daemon to exit"), strings.Index(log, "of one/daemon to exit")
	if first < 0 || second < first {
		t.Errorf("wait daemons were not stopped in reverse order")
	}
}

func TestExitStatus(t *testing.T) {
	addr := freePort(t)
	for _, tc := range []struct {
		name, imapd, conf string
		flags             []string
		want              int
	}{
		{"version", "", "", []string{"-V"}, 0},
		{"debug and daemon", "", "", []string{"-d", "-D"}, 78},
		{"no janitor", "", "", []string{"-j", "0"}, 78},
		{"bad imapd.conf", "allowapop: perhaps\n", "", nil, 78},
		{"bad cyrus.conf", "", "SERVICES {\n a_b cmd=\"x\"\n}\n", nil, 78},
		{"no program", "", "SERVICES {\n a cmd=\"/nonesuch\" listen=\"1\"\n}\n", nil, 78},
		{"twice", "", service1(addr, "") + "DAEMON {\n line cmd=\"/bin/sleep 9\"\n}\n", nil, 78},
		{"start fails", "", "START {\n a cmd=\"/bin/false\"\n}\n", nil, 1},
		{"bind error fatal", "master_bind_errors_fatal: yes\n", "SERVICES {\n a cmd=\"LINED\" listen=\"192.0.2.1:4711\"\n}\n", nil, 69},
		{"wait daemon not ready", "", "DAEMON {\n a cmd=\"/bin/true\" wait=yes\n}\n", nil, 78},
		{"pid file nowhere", "", "", []string{"-p", "/nonesuch/pid"}, 71},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSite(t, tc.imapd)
			s.conf(tc.conf)
			cmd := s.command(tc.flags...)
			out, _ := cmd.CombinedOutput()
			if got := cmd.ProcessState.ExitCode(); got != tc.want {
				t.Errorf("exit status %d, want %d; output %q", got, tc.want, out)
			}
			if silent := !slices.Contains([]string{"version", "debug and daemon"}, tc.name); silent && len(out) > 0 {
				t.Errorf("output %q, want none", out)
			}
		})
	}
}

func TestStartPassesTempFail(t *testing.T) {
	s := newSite(t, "")
	script := s.script("start", "id -u >DIR/uid\nexit 75\n")
	s.start("START {\n a cmd=\"" + script + "\"\n}\n")
	data, err := os.ReadFile(filepath.Join(s.dir, "uid"))
	if err != nil {
		t.Fatal(err)
	}
	want := os.Getuid()
	if want == 0 {
		want, _ = ordinary(t)
	}
	if got := strings.TrimSpace(string(data)); got != strconv.Itoa(want) {
		t.Errorf("START ran as %s, want %d", got, want)
	}
}

func TestPidFileLocked(t *testing.T) {
	s := newSite(t, "")
	s.start("")
	second := s.command("-D")
	out, _ := second.CombinedOutput()
	if got := second.ProcessState.ExitCode(); got != 71 || !strings.Contains(string(out), "is another master still running?") {
		t.Errorf("exit status %d, %q; want 71", got, out)
	}
	data, _ := os.ReadFile(filepath.Join(s.dir, "master.pid"))
	if got, want := string(data), strconv.Itoa(s.cmd.Process.Pid)+"\n"; got != want {
		t.Errorf("pid file %q, want %q", got, want)
	}
}

func TestDaemonise(t *testing.T) {
	s, addr := newSite(t, ""), freePort(t)
	s.conf(service1(addr, ""))
	cmd := s.command("-d", "-L", filepath.Join(s.dir, "out"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data, _ := os.ReadFile(filepath.Join(s.dir, "master.pid"))
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || pid == cmd.Process.Pid {
		t.Fatalf("pid file %q", data)
	}
	t.Cleanup(func() { syscall.Kill(pid, syscall.SIGKILL) })
	s.wait("ready file", func() bool { return s.exists("master.ready") })
	connect(t, addr).quit()
	if s.exists("master.pid.lock") {
		t.Error("the lock of the start stays")
	}
	again := exec.Command(cmd.Path, cmd.Args[1:]...)
	again.Env = cmd.Env
	again.Run()
	if got := again.ProcessState.ExitCode(); got != 71 {
		t.Errorf("second start: status %d, want 71", got)
	}
	syscall.Kill(pid, syscall.SIGTERM)
	s.wait("its end", func() bool { return refused(addr) && !s.exists("master.ready") })
}
