package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"gocyrus/lib/command"
	"gocyrus/lib/idle"
)

// The test program is idled when it is told so, also when it starts itself
// again to go into the background.
const beIdled = "TEST_BE_IDLED"

func TestMain(m *testing.M) {
	if os.Getenv(beIdled) != "" {
		command.Main(app())
	}
	os.Exit(m.Run())
}

const testWait = 30 * time.Second

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(testWait); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// start runs idled on a site of its own, in a process group of its own.
func start(t *testing.T, dir string, env ...string) *exec.Cmd {
	t.Helper()
	conf := filepath.Join(dir, "imapd.conf")
	if err := os.WriteFile(conf, []byte("configdirectory: "+dir+"\ncyrus_user: root\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe", "-C", conf)
	cmd.Env = append(append(os.Environ(), beIdled+"=1"), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	return cmd
}

func hub(t *testing.T, dir, own string) *idle.Hub {
	t.Helper()
	h := idle.New(idle.Options{Socket: filepath.Join(dir, "socket", "idle"), Dir: filepath.Join(dir, own), Poll: time.Minute})
	t.Cleanup(h.Close)
	return h
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// wakes checks that idled carries a change from one process to another.
func wakes(t *testing.T, dir string) {
	t.Helper()
	one, two := hub(t, dir, "one"), hub(t, dir, "two")
	ch, stop := two.Watch("id")
	defer stop()
	eventually(t, "a wake-up", func() bool {
		one.Notify("id")
		select {
		case <-ch:
			return true
		default:
			return false
		}
	})
}

// From START idled returns once it can be reached, and runs on.
func TestStart(t *testing.T) {
	dir := t.TempDir()
	cmd := start(t, dir)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("the foreground process: %v", err)
	}
	socket := filepath.Join(dir, "socket", "idle")
	if !exists(socket) {
		t.Fatal("no socket yet")
	}
	wakes(t, dir)
	syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
	eventually(t, "its end", func() bool { return !exists(socket) })
}

// Below DAEMON it stays, and ends at SIGHUP.
func TestDaemon(t *testing.T) {
	dir := t.TempDir()
	cmd := start(t, dir, "CYRUS_ISDAEMON=1")
	socket := filepath.Join(dir, "socket", "idle")
	eventually(t, "the socket", func() bool { return exists(socket) })
	wakes(t, dir)
	cmd.Process.Signal(syscall.SIGHUP)
	if err := cmd.Wait(); err != nil {
		t.Errorf("its end: %v", err)
	}
	if exists(socket) {
		t.Error("the socket stays")
	}
}

func TestCannotBind(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "socket", "idle", "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	err := start(t, dir).Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("%v, want status 1", err)
	}
}
