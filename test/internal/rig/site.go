package rig

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"gocyrus/lib/config"
)

// A Site is one installation in a temporary directory: everybody's password is
// right, "admin" is the administrator.
type Site struct {
	Dir string
	t   testing.TB
	bin string

	IMAP, LMTP, POP3 string // addresses
	cmd              *exec.Cmd
	ended            chan struct{} // closed when cmd has
}

// New makes a site, which is not running. options are lines of imapd.conf.
func New(t testing.TB, options ...string) *Site {
	t.Helper()
	s := &Site{t: t, bin: Build(t), Dir: t.TempDir()}
	for _, addr := range []*string{&s.IMAP, &s.LMTP, &s.POP3} {
		*addr = freeAddr(t)
	}
	for _, d := range []string{"conf/socket", "conf/log", "spool"} {
		if err := os.MkdirAll(s.path(d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.write("imapd.conf", s.imapdConf(options))
	s.Prefork(2)
	t.Cleanup(s.cleanup)
	return s
}

func (s *Site) imapdConf(options []string) string {
	me, err := user.Current()
	if err != nil {
		s.t.Fatal(err)
	}
	return fmt.Sprintf(`configdirectory: %[1]s/conf
partition-default: %[1]s/spool
defaultpartition: default
cyrus_user: %[2]s
servername: localhost
admins: admin
sasl_pwcheck_method: alwaystrue
sasl_mech_list: PLAIN
allowplaintext: yes
unixhierarchysep: yes
altnamespace: no
virtdomains: off
lmtpsocket: %[1]s/conf/socket/lmtp
`, s.Dir, me.Username) + strings.Join(options, "\n") + "\n"
}

// Prefork sets how many processes of imapd and lmtpd are there from the start.
// With one, which is the usual way, all sessions are in one process.
func (s *Site) Prefork(n int) { s.write("cyrus.conf", s.cyrusConf(n)) }

func (s *Site) cyrusConf(prefork int) string {
	c := "-C " + s.path("imapd.conf")
	return fmt.Sprintf(`START {
  recover cmd="%[1]s/ctl_cyrusdb %[2]s -r"
}
SERVICES {
  imap cmd="%[1]s/imapd %[2]s" listen="%[3]s" prefork=%[6]d
  lmtp cmd="%[1]s/lmtpd %[2]s -a" listen="%[4]s" prefork=%[6]d
  pop3 cmd="%[1]s/pop3d %[2]s" listen="%[5]s" prefork=0
}
EVENTS {
  checkpoint cmd="%[1]s/ctl_cyrusdb %[2]s -c" period=30
}
DAEMON {
  idled cmd="%[1]s/idled %[2]s"
}
`, s.bin, c, s.IMAP, s.LMTP, s.POP3, prefork)
}

// Config is the site's configuration as an offline tool reads it.
func (s *Site) Config() *config.Config {
	s.t.Helper()
	cfg, err := config.Load(s.path("imapd.conf"), "test")
	if err != nil {
		s.t.Fatal(err)
	}
	return cfg
}

// Start starts master and returns when it says that the site is up. What all
// processes log goes to the file log.
func (s *Site) Start() {
	s.t.Helper()
	ready := s.path("conf/ready")
	os.Remove(ready)
	out, err := os.OpenFile(s.path("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		s.t.Fatal(err)
	}
	defer out.Close()
	s.cmd = exec.Command(filepath.Join(s.bin, "master"), "-C", s.path("imapd.conf"),
		"-M", s.path("cyrus.conf"), "-p", s.path("conf/master.pid"), "-r", ready, "-l", "1024", "-D")
	s.cmd.Stdout, s.cmd.Stderr, s.cmd.Dir = out, out, s.Dir
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		cmd.Wait() // how it ended is for the tests to say
		close(ended)
	}(s.cmd, s.ended)
	for end := time.Now().Add(Patience); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(ready); err == nil {
			return
		}
		select {
		case <-s.ended:
			s.t.Fatalf("master ended at its start\n%s", s.LogTail(4000))
		default:
		}
		if time.Now().After(end) {
			s.t.Fatalf("master is not up after %v\n%s", Patience, s.LogTail(4000))
		}
	}
}

// Processes are master and all below it.
func (s *Site) Processes() []Process {
	if s.cmd == nil {
		return nil
	}
	return tree(s.cmd.Process.Pid)
}

// Workers are the processes that run a program.
func (s *Site) Workers(program string) []Process {
	var found []Process
	for _, p := range s.Processes() {
		if filepath.Base(p.Program()) == program {
			found = append(found, p)
		}
	}
	return found
}

// Kill kills all processes of the site, in any order, and waits for their end.
func (s *Site) Kill() {
	s.t.Helper()
	if s.cmd == nil {
		return
	}
	// Stopped, master starts nothing more while the list is made.
	s.cmd.Process.Signal(syscall.SIGSTOP)
	all := s.Processes()
	for i, at := range rand.Perm(len(all)) {
		if i == len(all)/2 {
			all = append(all, s.Processes()...) // forked before master stopped, unseen until now
		}
		all[at].Signal(syscall.SIGKILL)
	}
	for _, p := range all {
		p.Signal(syscall.SIGKILL)
	}
	<-s.ended
	if left := waitGone(all, Patience); len(left) > 0 {
		s.t.Fatalf("killed and still there: %v", left)
	}
	s.cmd = nil
}

// Terminate sends master a signal and waits for the end of all processes. A
// process that outlives master is an error.
func (s *Site) Terminate(sig syscall.Signal, patience time.Duration) {
	s.t.Helper()
	if s.cmd == nil {
		return
	}
	all := s.Processes()
	s.cmd.Process.Signal(sig)
	select {
	case <-s.ended:
	case <-time.After(patience):
		for _, p := range s.Processes() {
			s.t.Logf("still there: %d %s", p.Pid, p.Program())
			p.Signal(syscall.SIGABRT) // writes its goroutines to the log
		}
		time.Sleep(time.Second)
		s.t.Errorf("master does not end within %v of %v\n%s", patience, sig, s.LogTail(30000))
		s.Kill()
		return
	}
	if left := waitGone(all, Patience); len(left) > 0 {
		s.t.Errorf("left behind by master: %v", left)
		for _, p := range left {
			p.Signal(syscall.SIGKILL)
		}
	}
	s.cmd = nil
}

// Signal sends master a signal.
func (s *Site) Signal(sig syscall.Signal) { s.cmd.Process.Signal(sig) }

func (s *Site) cleanup() {
	s.Kill()
	if s.t.Failed() {
		s.t.Logf("end of the log:\n%s", s.LogTail(6000))
	}
}

// Log is what all processes logged so far.
func (s *Site) Log() []byte {
	s.t.Helper()
	raw, err := os.ReadFile(s.path("log"))
	if err != nil {
		s.t.Fatal(err)
	}
	return raw
}

// LogTail is the last n octets of the log.
func (s *Site) LogTail(n int) []byte {
	raw := s.Log()
	return raw[max(0, len(raw)-n):]
}

// crash is what a process logs that crashes, or catches a panic of a session.
// Signal 9 is the tests', 15 master's, to a process that does not catch it yet.
var crash = regexp.MustCompile(`panic|fatal error:|SIGSEGV|goroutine \d|exited, status 2\b|death by signal ([2-8]|1[0-46-9])\b`)

// NoPanics fails the test when a process has crashed, or has caught a panic of
// a session, since the site was made.
func (s *Site) NoPanics() {
	s.t.Helper()
	raw := s.Log()
	if at := crash.FindIndex(raw); at != nil {
		s.t.Errorf("the log has %q:\n%s", raw[at[0]:at[1]], raw[max(0, at[0]-300):min(len(raw), at[0]+3000)])
	}
}

func (s *Site) path(name string) string { return filepath.Join(s.Dir, name) }

func (s *Site) write(name, text string) {
	if err := os.WriteFile(s.path(name), []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// freeAddr is a loopback address nobody listens on.
func freeAddr(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
