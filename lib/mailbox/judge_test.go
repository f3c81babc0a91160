package mailbox

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gocyrus/lib/mboxlist"
)

// cyrusBin is where the real Cyrus is installed, for tests that let it judge
// what this package wrote.
func cyrusBin(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("CYRUS_BIN")
	if dir == "" {
		dir = "/usr/lib/cyrus/bin"
	}
	if _, err := os.Stat(filepath.Join(dir, "reconstruct")); err != nil {
		t.Skip("no Cyrus to judge: ", err)
	}
	if os.Getuid() != 0 {
		t.Skip("Cyrus's tools run as user cyrus: the test has to start as root")
	}
	return dir
}

// asCyrus runs one of Cyrus's programs on a spool, as user cyrus, and returns
// what it says.
func asCyrus(t testing.TB, sp *realSpool, program string, args ...string) string {
	t.Helper()
	out, err := cyrusCommand(t, sp, program, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v", program, err)
	}
	return string(bytes.TrimSpace(out))
}

// cyrusCommand is such a program, ready to be started.
func cyrusCommand(t testing.TB, sp *realSpool, program string, args ...string) *exec.Cmd {
	t.Helper()
	bin := cyrusBin(t)
	u, err := user.Lookup("cyrus")
	if err != nil {
		t.Skip("no user cyrus: ", err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	err = filepath.WalkDir(sp.root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, gid)
	})
	if err != nil {
		t.Fatal(err)
	}
	// The directories of the test are closed to others.
	for d := filepath.Dir(sp.root); len(d) > len(os.TempDir()); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(filepath.Join(bin, program), append([]string{"-C", filepath.Join(sp.root, "imapd.conf")}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return cmd
}

// TestCyrusWaits checks that Cyrus's reconstruct waits while this package reads a
// mailbox, and goes on afterwards: the locks are the same ones.
func TestCyrusWaits(t *testing.T) {
	for _, name := range []string{"cyrus-3.6.1-default", "cyrus-3.6.1-classic"} {
		t.Run(name, func(t *testing.T) {
			sp := unpack(t, name)
			s := NewStore(OptionsFrom(sp.cfg), nil, nil)
			defer s.Close()
			var e *mboxlist.Entry
			for _, e = range sp.entries {
				if e.Name == "user.bob" {
					break
				}
			}
			m := open(t, s, e)
			defer m.Close()
			cmd := cyrusCommand(t, sp, "reconstruct", external(e.Name, sp))
			done := make(chan error, 1)
			err := m.View(t.Context(), func(*View) error {
				if err := cmd.Start(); err != nil {
					return err
				}
				go func() { done <- cmd.Wait() }()
				for !waits(t, cmd.Process.Pid) {
					select {
					case err := <-done:
						t.Errorf("reconstruct did not wait: %v", err)
						return nil
					default:
						runtime.Gosched()
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Errorf("reconstruct: %v", err)
			}
			checkMailbox(t, m)
		})
	}
}

// waits says whether a process waits for a lock: a line of /proc/locks with an
// arrow.
func waits(t testing.TB, pid int) bool {
	t.Helper()
	b, err := os.ReadFile("/proc/locks")
	if err != nil {
		t.Skip("the kernel does not tell of locks: ", err)
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 5 && f[1] == "->" && f[5] == strconv.Itoa(pid) {
			return true
		}
	}
	return false
}
