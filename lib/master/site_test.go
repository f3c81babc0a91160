package master

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
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

// bin is where TestMain builds master and the service of these tests.
var bin string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	var err error
	if bin, err = os.MkdirTemp("", "mastertest"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(bin)
	os.Chmod(bin, 0o755) // the cyrus user must get at it
	build := exec.Command("go", "build", "-buildvcs=false", "-o", bin+"/", "gocyrus/cmd/master", "gocyrus/lib/service/testdata/lined")
	// As it is shipped: with cgo master cannot keep the right to low ports.
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// patience of every wait in these tests.
const testWait = 30 * time.Second

// site is a server in a directory.
type site struct {
	t   *testing.T
	dir string
	cmd *exec.Cmd
	log string

	user string // CYRUS_USER
}

// newSite makes the directory and its imapd.conf. As root the server runs as
// an ordinary user, who owns it.
func newSite(t *testing.T, imapdConf string) *site {
	t.Helper()
	dir := t.TempDir()
	os.Chmod(filepath.Dir(dir), 0o755)
	s := &site{t: t, dir: dir, log: filepath.Join(dir, "log"), user: "nobody"}
	s.write("imapd.conf", fmt.Sprintf("configdirectory: %s\ndebug: yes\n%s", dir, imapdConf))
	if os.Getuid() == 0 {
		uid, gid := ordinary(t)
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// ordinary is the user that servers of tests run as below root.
func ordinary(t *testing.T) (uid, gid int) {
	t.Helper()
	u, err := user.Lookup("nobody")
	if err != nil {
		t.Skip("running as root needs a user nobody")
	}
	uid, _ = strconv.Atoi(u.Uid)
	gid, _ = strconv.Atoi(u.Gid)
	return uid, gid
}

func (s *site) write(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// expand replaces LINED by the command of the test service and DIR by the
// directory.
func (s *site) expand(text string) string {
	text = strings.ReplaceAll(text, "LINED", bin+"/lined -C "+s.dir+"/imapd.conf")
	return strings.ReplaceAll(text, "DIR", s.dir)
}

// conf writes cyrus.conf.
func (s *site) conf(text string) { s.write("cyrus.conf", s.expand(text)) }

// command is master on this site.
func (s *site) command(flags ...string) *exec.Cmd {
	args := append([]string{"-C", "imapd.conf", "-M", "cyrus.conf", "-p", "master.pid"}, flags...)
	cmd := exec.Command(bin+"/master", args...)
	for i, a := range cmd.Args {
		if a == "imapd.conf" || a == "cyrus.conf" || a == "master.pid" {
			cmd.Args[i] = filepath.Join(s.dir, a)
		}
	}
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "CYRUS_USER="+s.user)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// start starts master in the foreground and waits until it is ready.
func (s *site) start(conf string) {
	s.t.Helper()
	s.conf(conf)
	s.cmd = s.command("-D", "-v")
	out, err := os.OpenFile(s.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
	if err != nil {
		s.t.Fatal(err)
	}
	defer out.Close()
	s.cmd.Stdout, s.cmd.Stderr = out, out
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(s.cleanup)
	s.wait("ready file", func() bool { return s.exists("master.ready") || s.cmd.ProcessState != nil })
}

func (s *site) cleanup() {
	if s.t.Failed() {
		s.t.Logf("log:\n%s", s.logged())
	}
	if s.cmd.ProcessState == nil {
		s.stop()
	}
}

// stop ends master and returns its exit status.
func (s *site) stop() int {
	s.t.Helper()
	s.signal(syscall.SIGTERM)
	timer := time.AfterFunc(testWait, func() {
		s.t.Errorf("master does not stop")
		syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	})
	defer timer.Stop()
	err := s.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return 0
}

func (s *site) signal(sig syscall.Signal) {
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// reload sends SIGHUP and waits until it is dealt with.
func (s *site) reload(conf string) {
	s.t.Helper()
	if conf != "" {
		s.conf(conf)
	}
	n := s.count("Services reconfigured.")
	s.signal(syscall.SIGHUP)
	s.wait("reload", func() bool { return s.count("Services reconfigured.") > n })
}

func (s *site) wait(what string, cond func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(testWait); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("never: %s", what)
		}
	}
}

func (s *site) exists(name string) bool {
	_, err := os.Stat(filepath.Join(s.dir, name))
	return err == nil
}

func (s *site) logged() string {
	data, _ := os.ReadFile(s.log)
	return string(data)
}

func (s *site) count(text string) int { return strings.Count(s.logged(), text) }

func (s *site) waitLog(text string) {
	s.t.Helper()
	s.wait("log line "+text, func() bool { return s.count(text) > 0 })
}

// freePort is a loopback port nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// session is a client of the test service.
type session struct {
	t   *testing.T
	c   net.Conn
	r   *bufio.Reader
	pid int // of the process that serves it
	num int // which session of that process it is
	say string
}

// dial connects without waiting for the greeting.
func dial(t *testing.T, addr string) *session {
	t.Helper()
	network := "tcp"
	if strings.HasPrefix(addr, "/") {
		network = "unix"
	}
	c, err := net.DialTimeout(network, addr, testWait)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(testWait))
	return &session{t: t, c: c, r: bufio.NewReader(c)}
}

// greeted waits for the greeting.
func (c *session) greeted() *session {
	c.t.Helper()
	f := strings.Fields(c.line())
	if len(f) < 3 || f[0] != "hello" {
		c.t.Fatalf("greeting %q", f)
	}
	c.pid, _ = strconv.Atoi(f[1])
	c.num, _ = strconv.Atoi(f[2])
	c.say = strings.Join(f[3:], " ")
	return c
}

func connect(t *testing.T, addr string) *session {
	t.Helper()
	return dial(t, addr).greeted()
}

func (c *session) line() string {
	c.t.Helper()
	line, err := c.r.ReadString('\n')
	if err != nil {
		c.t.Fatalf("read: %v", err)
	}
	return strings.TrimRight(line, "\r\n")
}

func (c *session) ask(word string) string {
	c.t.Helper()
	fmt.Fprintf(c.c, "%s\r\n", word)
	return c.line()
}

// ends checks that the server closes the connection without another word.
func (c *session) ends() {
	c.t.Helper()
	rest, err := c.r.ReadBytes(0)
	var timeout net.Error
	if len(bytes.TrimSpace(rest)) > 0 || errors.As(err, &timeout) && timeout.Timeout() {
		c.t.Errorf("want the end of the connection, got %q, %v", rest, err)
	}
}

func (c *session) quit() {
	c.t.Helper()
	fmt.Fprintf(c.c, "quit\r\n")
	c.ends()
	c.c.Close()
}

// refused says whether nobody listens at addr.
func refused(addr string) bool {
	c, err := net.DialTimeout("tcp", addr, testWait)
	if err == nil {
		c.Close()
	}
	return err != nil
}
