package cyrustest

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Patience is how long a server may take for what it does at once on a machine
// that is not busy.
const Patience = 60 * time.Second

// process is a running master.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it ended
	err  error         // how, after done
}

// Pid is master's.
func (s *Server) Pid() int { return s.proc.cmd.Process.Pid }

// Signal sends master a signal.
func (s *Server) Signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.proc.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("signal %v to master: %v", sig, err)
	}
}

// Resume starts master, at first and after Stop, and waits until it is ready.
func (s *Server) Resume() {
	s.t.Helper()
	if err := s.convertList(); err != nil {
		s.t.Fatal(err)
	}
	s.give()
	if err := s.launch(); err != nil {
		s.t.Fatal(err)
	}
	if err := s.ready(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *Server) launch() error {
	args := []string{"-C", s.Conf, "-M", s.Path("cyrus.conf"), "-p", s.Path("master.pid"), "-D"}
	if !s.real {
		if err := os.Remove(s.Path("conf/master.ready")); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		args = append(args, "-r", s.Path("conf/master.ready"))
	}
	log, err := os.OpenFile(s.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	args = append(append(slices.Clone(s.o.Wrap), s.prog), args...)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	// Tools of Cyrus's find one another by PATH.
	cmd.Env = append(os.Environ(), "PATH="+s.Bin+":"+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", s.prog, err)
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	s.proc = p
	return nil
}

// ready waits for master's ready file; Cyrus 3.6 makes none, so for the real
// one it waits for a greeting.
func (s *Server) ready() error {
	up := func() bool { _, err := os.Stat(s.Path("conf/master.ready")); return err == nil }
	if s.real {
		up = s.greets
	}
	for deadline := time.Now().Add(Patience); !up(); time.Sleep(2 * time.Millisecond) {
		select {
		case <-s.proc.done:
			return fmt.Errorf("%s ended: %v", s.prog, s.proc.err)
		default:
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is not ready after %v", s.prog, Patience)
		}
	}
	return nil
}

func (s *Server) greets() bool {
	c, err := net.DialTimeout("tcp", s.IMAP, time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(Patience))
	_, err = io.ReadFull(c, make([]byte, 4))
	return err == nil
}

// Stop ends master and its services as an administrator does, and returns how
// master ended.
func (s *Server) Stop() error {
	s.t.Helper()
	if s.proc == nil {
		return nil
	}
	p := s.proc
	s.proc = nil
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return p.err
	case <-time.After(Patience):
		s.abandon(p)
		return fmt.Errorf("master did not end within %v of SIGTERM", Patience)
	}
}

// abandon ends a master that does not end, and what it waits for; a Go program
// that SIGQUIT ends leaves in the log what it was doing.
func (s *Server) abandon(p *process) {
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGQUIT)
	select {
	case <-p.done:
	case <-time.After(Patience / 10):
	}
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
}

// Running says whether master is alive.
func (s *Server) Running() bool {
	if s.proc == nil {
		return false
	}
	select {
	case <-s.proc.done:
		return false
	default:
		return true
	}
}

// Kill ends master and every process of its group at once, as a power cut does for
// them. When it returns there is none of them: on a busy machine one that is killed
// lives on for a while, and has its ports and the connections to it.
func (s *Server) Kill() {
	s.t.Helper()
	p := s.proc
	s.proc = nil
	group := p.cmd.Process.Pid
	syscall.Kill(-group, syscall.SIGKILL)
	<-p.done
	s.Eventually("the end of what was killed", func() bool {
		// Where nobody buries the dead their group stays, and has nobody alive.
		return errors.Is(syscall.Kill(-group, 0), syscall.ESRCH) || len(s.processes(func(p stat) bool { return p.group == group })) == 0
	})
}

// Children are the processes that master started and that are alive, of one
// program.
func (s *Server) Children(program string) []int {
	s.t.Helper()
	return s.processes(func(p stat) bool { return p.parent == s.Pid() && p.program == program })
}

// KillChildren kills those and says how many there were. When it returns there is none
// of them; master starts others on demand.
func (s *Server) KillChildren(program string) int {
	s.t.Helper()
	killed := s.Children(program)
	for _, pid := range killed {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	s.Eventually("the end of what was killed", func() bool {
		return !slices.ContainsFunc(s.Children(program), func(pid int) bool { return slices.Contains(killed, pid) })
	})
	return len(killed)
}

// processes are those that are alive and fit.
func (s *Server) processes(fit func(stat) bool) (pids []int) {
	s.t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		if p, ok := parseStat(string(text)); ok && fit(p) {
			pids = append(pids, p.pid)
		}
	}
	return pids
}

// stat is what /proc/PID/stat says of a live process.
type stat struct {
	pid, parent, group int
	program            string
}

// parseStat reads it. A process whose first thread has ended is alive as long as
// another has not, with all its files.
func parseStat(text string) (p stat, ok bool) {
	open, shut := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 1 || shut < open {
		return stat{}, false
	}
	var err error
	if p.pid, err = strconv.Atoi(text[:open-1]); err != nil {
		return stat{}, false
	}
	p.program = text[open+1 : shut]
	f := strings.Fields(text[shut+1:])
	if len(f) < 18 {
		return stat{}, false
	}
	var threads int
	for at, n := range map[int]*int{1: &p.parent, 2: &p.group, 17: &threads} {
		if *n, err = strconv.Atoi(f[at]); err != nil {
			return stat{}, false
		}
	}
	return p, f[0] != "X" && (f[0] != "Z" || threads > 1)
}

// Eventually waits until cond holds.
func (s *Server) Eventually(what string, cond func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(Patience); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("never: %s", what)
		}
	}
}

// claims are the ports that FreeAddress gave out, one abstract socket each, held
// as long as the process lives: between the choice of a port and the server's bind
// another test, of this process or one beside it, must not choose it too.
var claims struct {
	sync.Mutex
	held []net.Listener
}

// FreeAddress finds a port of the loopback interface that nothing listens on and no
// other test was given, below those that the kernel gives to clients.
func FreeAddress(t testing.TB) string {
	t.Helper()
	claims.Lock()
	defer claims.Unlock()
	for range 1000 {
		port := 20000 + rand.IntN(12000)
		claim, err := net.Listen("unix", fmt.Sprintf("@gocyrus-test-port-%d", port))
		if err != nil {
			continue
		}
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		l, err := net.Listen("tcp", addr)
		if err != nil {
			claim.Close()
			continue
		}
		l.Close()
		claims.held = append(claims.held, claim)
		return addr
	}
	t.Fatal("no free port")
	return ""
}
