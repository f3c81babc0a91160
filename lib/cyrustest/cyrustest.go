// Package cyrustest runs a whole server for a test: master and its services in
// a directory of the test's own, on ports of the loopback interface.
//
// Start runs ours, built once for a test program; Real runs the Cyrus that
// Debian's packages installed, which takes root. Both stop with the test. Then
// ours has its spool checked, every mailbox and quota root: a test that leaves
// a spool inconsistent fails, whatever it was about. When a test fails, the
// server's log is part of its output.
//
// The package makes no claim of its own about the server; it imports the
// client library that the project did not write, so that what a test sees is
// what others see.
package cyrustest

import (
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"gocyrus/lib/repair"
)

// Password is what every user that AddUser makes logs in with, and the
// administrator.
const Password = "secret"

// Admin is the user that admins names.
const Admin = "cyrus"

// Options say what differs from the usual server. Everywhere $bin is the
// directory of the programs, $dir the server's directory and $conf its
// imapd.conf; $imap, $imaps, $pop3, $pop3s and $lmtp are the addresses.
type Options struct {
	// Dir is the directory of the server, with conf/ and spool/ in it as far as
	// they are to exist before; empty for a new one.
	Dir string

	// IP, when not empty, is the server's own address, where it listens on the
	// ports that the protocols have: then it is a machine of its own. The ports
	// are low ones, which takes root.
	IP string

	// Wrap are the program and its arguments by which master is run; it is to
	// become master in the same process.
	Wrap []string

	// Users are made at once, as AddUser does.
	Users []string

	// Imapd are further lines of imapd.conf. One that names an option which is
	// set already takes its place.
	Imapd []string

	// Args are added to the entry of a service: "maxchild=3". A service is left
	// out when they are "-".
	Args map[string]string

	// Entries are further lines of the sections of cyrus.conf: START, SERVICES,
	// EVENTS, DAEMON.
	Entries map[string][]string

	// ImapdConf and CyrusConf, when not empty, are the files as a whole.
	ImapdConf, CyrusConf string

	// Tolerate says which findings of the check at the end are no failure.
	Tolerate func(repair.Finding) bool

	// Unchecked leaves the spool unchecked at the end.
	Unchecked bool
}

// A Server is a running server. Its methods fail the test themselves.
type Server struct {
	Dir  string // conf/, spool/, bin/ and the files below are in it
	Bin  string // the programs
	Conf string // imapd.conf
	Log  string // what master and services wrote to standard error

	IMAP, IMAPS, POP3, POP3S, LMTP string // host:port
	LMTPSocket                     string // path; takes mail without AUTH
	CAFile                         string // the certificate, which signs itself

	t     testing.TB
	o     Options
	owner account // whom the files belong to and the services run as
	real  bool
	prog  string // master
	proc  *process
}

// account is a user that files belong to.
type account struct {
	name     string
	uid, gid int
}

// current is who the test runs as; as root it is the user cyrus, if there is
// one, because that is who a site's services run as.
func current(t testing.TB) account {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		if c, err := user.Lookup("cyrus"); err == nil {
			u = c
		}
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		t.Fatal(err)
	}
	return account{name: u.Username, uid: uid, gid: gid}
}

// Start runs a server of ours until the end of the test.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := newServer(t, o)
	s.Bin = s.Path("bin")
	s.prog = filepath.Join(s.Bin, "master")
	programs(t, s.Bin)
	s.setUp()
	t.Cleanup(s.finish)
	s.Resume()
	s.SetPassword(Admin)
	s.addUsers()
	return s
}

func (s *Server) addUsers() {
	s.t.Helper()
	for _, u := range s.o.Users {
		s.AddUser(u)
	}
}

func newServer(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{Dir: o.Dir, t: t, o: o, owner: current(t)}
	if s.Dir == "" {
		s.Dir = t.TempDir()
		// The directory above is open to its maker alone, and the services may
		// run as another user.
		if err := os.Chmod(filepath.Dir(s.Dir), 0o711); err != nil {
			t.Fatal(err)
		}
	}
	s.Conf, s.Log = s.Path("imapd.conf"), s.Path("log")
	s.LMTPSocket = s.Path("conf/socket/lmtp")
	s.CAFile = s.Path("cert.pem")
	for addr, port := range map[*string]string{&s.IMAP: "143", &s.IMAPS: "993", &s.POP3: "110", &s.POP3S: "995", &s.LMTP: "2003"} {
		if o.IP != "" {
			*addr = net.JoinHostPort(o.IP, port)
		} else {
			*addr = FreeAddress(t)
		}
	}
	return s
}

// Path is a path below the server's directory.
func (s *Server) Path(name string) string { return filepath.Join(s.Dir, name) }

// Tool is the path of one of the programs.
func (s *Server) Tool(name string) string { return filepath.Join(s.Bin, name) }

// Find is the first file of that name below a directory of the server.
func (s *Server) Find(below, name string) string {
	s.t.Helper()
	var found string
	err := filepath.WalkDir(s.Path(below), func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Name() == name {
			found = path
			return filepath.SkipAll
		}
		return err
	})
	if err != nil || found == "" {
		s.t.Fatalf("no %s below %s: %v", name, s.Path(below), err)
	}
	return found
}

// expand replaces the words that Options names.
func (s *Server) expand(text string) string {
	return strings.NewReplacer("$bin", s.Bin, "$dir", s.Dir, "$conf", s.Conf, "$imaps", s.IMAPS, "$imap", s.IMAP,
		"$pop3s", s.POP3S, "$pop3", s.POP3, "$lmtp", s.LMTP).Replace(text)
}

// setUp makes directories, certificate and configuration.
func (s *Server) setUp() {
	s.t.Helper()
	for _, dir := range []string{"conf", "conf/socket", "conf/db", "conf/proc", "conf/log", "conf/lock", "spool"} {
		if err := os.MkdirAll(s.Path(dir), 0o755); err != nil {
			s.t.Fatal(err)
		}
	}
	s.certificate()
	s.WriteConfig()
	s.give()
}

// give makes all files the owner's.
func (s *Server) give() {
	s.t.Helper()
	if os.Getuid() != 0 {
		return
	}
	err := filepath.WalkDir(s.Dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil || path == s.Bin {
			return err
		}
		return os.Lchown(path, s.owner.uid, s.owner.gid)
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// write makes a file of the owner's.
func (s *Server) write(name string, text []byte, mode os.FileMode) {
	s.t.Helper()
	path := s.Path(name)
	if err := os.WriteFile(path, text, mode); err != nil {
		s.t.Fatal(err)
	}
	if os.Getuid() == 0 {
		if err := os.Chown(path, s.owner.uid, s.owner.gid); err != nil {
			s.t.Fatal(err)
		}
	}
}

// Set changes imapd.conf and cyrus.conf to other options; master reads them at
// the next SIGHUP, a service when it starts.
func (s *Server) Set(change func(o *Options)) {
	s.t.Helper()
	change(&s.o)
	s.WriteConfig()
}

// WriteConfig writes imapd.conf and cyrus.conf.
func (s *Server) WriteConfig() {
	s.t.Helper()
	s.write("imapd.conf", []byte(s.imapdConf()), 0o644)
	s.write("cyrus.conf", []byte(s.cyrusConf()), 0o644)
}

func (s *Server) String() string { return fmt.Sprintf("server in %s", s.Dir) }
