package murder

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gocyrus/lib/cyrustest"
)

// A Seat is a server of a Murder.
type Seat struct {
	*cyrustest.Server
	Name string // "be1"
	Role Role
	Kind Kind
	IP   string // its address, and its servername

	m *Murder
	t testing.TB

	mupdate []int // the processes that are to be there at the end; nil: any
}

func (s *Seat) String() string { return fmt.Sprintf("%s (%v)", s.Name, s.Kind) }

// Slave says whether the seat keeps a copy of the master's list.
func (s *Seat) Slave() bool { return s.Role == RoleFrontend || s.Role == RoleNode }

// start starts the server, at first.
func (s *Seat) start() {
	s.t.Helper()
	dir := filepath.Join(s.m.Dir, s.Name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		s.t.Fatal(err)
	}
	o := s.m.o
	entries := map[string][]string{}
	add := func(more map[string][]string) {
		for section, lines := range more {
			entries[section] = append(entries[section], s.m.addressed(lines)...)
		}
	}
	add(s.entries())
	add(o.Entries[string(s.Role)])
	add(o.Entries[s.Name])
	lines := slices.Concat(s.imapd(), o.Imapd[""], o.Imapd[string(s.Role)], o.Imapd[s.Name])
	options := cyrustest.Options{
		Dir: dir, IP: s.IP, Imapd: s.m.addressed(lines), Args: s.args(), Entries: entries,
		Tolerate: o.Tolerate, Unchecked: !slices.Contains(s.m.Stores(), s),
	}
	if s.Kind == Real {
		needReal(s.t, "mupdate")
		options.Wrap = services(s.t)
	}
	s.Server = s.Kind.start(s.t, options)
	s.t.Cleanup(func() {
		if s.mupdate != nil && s.Running() {
			s.broken()
		}
	})
}

// needReal skips the test unless a program of Cyrus's is installed.
func needReal(t testing.TB, program string) {
	t.Helper()
	bin := os.Getenv("CYRUS_BIN")
	if bin == "" {
		bin = "/usr/lib/cyrus/bin"
	}
	if _, err := os.Stat(filepath.Join(bin, program)); err != nil {
		t.Skipf("Cyrus's %s is not installed: %v", program, err)
	}
}

// Resume starts the server again, after Stop or Kill. When it returns, a slave has
// the master's list: without a master that it can reach it never does, and
// Server.Resume is what starts it nevertheless.
func (s *Seat) Resume() {
	s.t.Helper()
	s.Server.Resume()
	s.awaitMupdate()
	s.mupdate = s.Children("mupdate")
}

// Stop ends the server as an administrator does.
func (s *Seat) Stop() error {
	s.t.Helper()
	s.mupdate = nil
	return s.Server.Stop()
}

// Kill ends the server as a power cut does.
func (s *Seat) Kill() {
	s.t.Helper()
	s.mupdate = nil
	s.Server.Kill()
}

// Hold stops all processes of the server, as a machine does that stands still: what is
// sent to it is taken, and not answered. Release has them go on.
func (s *Seat) Hold() { s.signal(syscall.SIGSTOP) }

// Release ends what Hold began.
func (s *Seat) Release() { s.signal(syscall.SIGCONT) }

func (s *Seat) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := syscall.Kill(-s.Pid(), sig); err != nil {
		s.t.Fatalf("%v: %v", s, err)
	}
}

// broken fails the test when the process that speaks MUPDATE is not the one that was
// started: it broke down, and master started another.
func (s *Seat) broken() {
	if now := s.Children("mupdate"); !slices.Equal(now, s.mupdate) {
		s.t.Errorf("%v: mupdate broke down: it was %v, is %v", s, s.mupdate, now)
	}
}

// awaitMupdate waits for the greeting of a seat that speaks MUPDATE. A slave does
// not greet before it has the master's list.
func (s *Seat) awaitMupdate() {
	s.t.Helper()
	if s.Role == RoleBackend {
		return
	}
	s.Eventually(s.Name+" to speak MUPDATE", func() bool {
		c, err := net.Dial("tcp", s.mupdateAddr())
		if err != nil {
			return false
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(cyrustest.Patience))
		for r := bufio.NewScanner(c); r.Scan(); {
			// Others say BYE: they have no list yet.
			if strings.HasPrefix(r.Text(), "* OK") {
				return true
			}
		}
		return false
	})
}

// KillService kills -9 the processes of one program, "imapd", that run at the
// moment and says how many there were. master starts others on demand.
func (s *Seat) KillService(program string) int {
	s.t.Helper()
	if program == "mupdate" {
		s.mupdate = nil
	}
	return s.KillChildren(program)
}

var deleted = regexp.MustCompile(`(DELETED[./][^"\t]*?)[./][0-9A-F]{8}\b`)
