package spool_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A server runs on an unpacked spool.
type server struct {
	addr, dir, conf, bin string

	t      testing.TB
	master *exec.Cmd
	ended  chan error
}

// patience is what a server may take for what it does at once.
const patience = 60 * time.Second

// programs is where our programs are, built once.
var programs = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "gocyrus-spool")
	if err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", dir+"/", "gocyrus/cmd/...")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return dir, nil
})

// TestMain removes the programs.
func TestMain(m *testing.M) {
	code := m.Run()
	if built {
		if dir, err := programs(); err == nil {
			os.RemoveAll(dir)
		}
	}
	os.Exit(code)
}

var built bool

// ours runs our server on a directory until the test ends or stop.
func ours(t testing.TB, dir, conf string) *server {
	t.Helper()
	built = true
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	return start(t, dir, conf+"cyrus_user: "+owner(t)+"\n", bin, filepath.Join(bin, "master"))
}

// realBin and realMaster are where Debian's packages put Cyrus.
const (
	realBin    = "/usr/lib/cyrus/bin"
	realMaster = "/usr/sbin/cyrmaster"
)

// needReal skips the test where there is no real Cyrus to judge.
func needReal(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: real Cyrus changes to the user cyrus")
	}
	for _, file := range []string{realMaster, realBin + "/imapd"} {
		if _, err := os.Stat(file); err != nil {
			t.Skipf("real Cyrus is not installed: %v", err)
		}
	}
	if _, err := user.Lookup("cyrus"); err != nil {
		t.Skipf("real Cyrus needs its user: %v", err)
	}
}

func start(t testing.TB, dir, conf, bin, master string) *server {
	t.Helper()
	s := &server{t: t, dir: dir, bin: bin, addr: freeAddress(t), conf: filepath.Join(dir, "imapd.conf")}
	services := fmt.Sprintf("START {\n recover cmd=\"%[1]s/ctl_cyrusdb -C %[2]s -r\"\n}\nSERVICES {\n imap cmd=\"%[1]s/imapd -C %[2]s\" listen=\"%[3]s\"\n}\n",
		bin, s.conf, s.addr)
	for name, text := range map[string]string{s.conf: conf, filepath.Join(dir, "cyrus.conf"): services} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	give(t, dir)
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.master = exec.Command(master, "-D", "-C", s.conf, "-M", filepath.Join(dir, "cyrus.conf"), "-p", filepath.Join(dir, "master.pid"))
	s.master.Dir, s.master.Stdout, s.master.Stderr = "/", log, log
	s.master.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.master.Start(); err != nil {
		t.Fatal(err)
	}
	s.ended = make(chan error, 1)
	go func() { s.ended <- s.master.Wait() }()
	t.Cleanup(s.stop)
	s.await()
	return s
}

// await returns when the server greets.
func (s *server) await() {
	s.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("tcp", s.addr); err == nil {
			c.SetDeadline(deadline)
			n, err := c.Read(make([]byte, 4))
			c.Close()
			if err == nil && n == 4 {
				return
			}
		}
		select {
		case err := <-s.ended:
			s.t.Fatalf("master ended: %v\n%s", err, s.log())
		default:
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("no greeting\n%s", s.log())
		}
	}
}

func (s *server) log() string {
	text, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-8000):])
}

// stop ends the server as an administrator does.
func (s *server) stop() {
	if s.master == nil {
		return
	}
	m := s.master
	s.master = nil
	if err := m.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Error(err)
	}
	select {
	case <-s.ended:
	case <-time.After(patience):
		s.t.Errorf("master does not end\n%s", s.log())
		syscall.Kill(-m.Process.Pid, syscall.SIGKILL)
	}
	if strings.Contains(s.log(), "panic") || s.t.Failed() {
		s.t.Errorf("log of the server:\n%s", s.log())
	}
}

// tool runs one of the server's programs as the owner of the spool and returns
// all it wrote.
func (s *server) tool(name string, args ...string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, name), append([]string{"-C", s.conf}, args...)...)
	cmd.Dir = "/"
	if uid, gid := ids(s.t); os.Getuid() == 0 && uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, &out)
	}
	return out.String()
}

func ids(t testing.TB) (uid, gid int) {
	t.Helper()
	u, err := user.Lookup(owner(t))
	if err != nil {
		t.Fatal(err)
	}
	if uid, err = strconv.Atoi(u.Uid); err == nil {
		gid, err = strconv.Atoi(u.Gid)
	}
	if err != nil {
		t.Fatal(err)
	}
	return uid, gid
}

// give makes all files the owner's.
func give(t testing.TB, dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	uid, gid := ids(t)
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, gid)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
