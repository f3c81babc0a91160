package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// A server is one of the programs under test, with a directory of its own.
type server interface {
	// Name is how tables call it.
	Name() string
	// About is the version, and what of its configuration is a choice.
	About() string
	// Start writes the configuration, starts the daemons and returns when all ports answer.
	Start() error
	// Stop ends what Start began and waits for it.
	Stop() error
	// Addr is where a protocol is served: imap, imaps, lmtp or pop3.
	Addr(proto string) string
	// Pid is the process all others descend from.
	Pid() int
	// AddUser makes the user's INBOX, where the server needs that.
	AddUser(name string) error
	// AddMailboxes makes n mailboxes at once, below the server's protocol, for
	// Lister to list.
	AddMailboxes(n int) error
	// Lister is the user who sees the mailboxes of AddMailboxes.
	Lister() string
}

// protocols are the sockets every server opens.
var protocols = []string{"imap", "imaps", "lmtp", "pop3"}

// site is what the servers have in common: a directory, ports, a main process.
type site struct {
	name  string
	dir   string
	ip    string
	ports map[string]int
	cmd   *exec.Cmd
	done  chan struct{} // closed when cmd has ended
}

// bareSite makes a directory that the cyrus user may write, of a site that
// serves nothing yet.
func bareSite(name, under string) (*site, error) {
	dir, err := os.MkdirTemp(under, "bench-"+name+"-")
	if err != nil {
		return nil, err
	}
	s := &site{name: name, dir: dir, ip: "127.0.0.1", ports: map[string]int{}}
	return s, s.own(".")
}

// newSite makes a site, and reserves ports. It serves protocols, and more if named.
func newSite(name, under string, more ...string) (*site, error) {
	s, err := bareSite(name, under)
	if err != nil {
		return nil, err
	}
	for _, proto := range append(protocols[:len(protocols):len(protocols)], more...) {
		if s.ports[proto], err = freePort(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *site) Name() string { return s.name }

func (s *site) Addr(proto string) string {
	return net.JoinHostPort(s.ip, strconv.Itoa(s.ports[proto]))
}

// ports are those that freePort has returned: whoever is to listen on one may
// not have begun when the next is asked for.
var ports = struct {
	sync.Mutex
	given map[int]bool
}{given: map[int]bool{}}

// freePort returns a loopback port nobody listens on, another one each time.
func freePort() (int, error) {
	ports.Lock()
	defer ports.Unlock()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		port := l.Addr().(*net.TCPAddr).Port
		if err := l.Close(); err != nil {
			return 0, err
		}
		if !ports.given[port] {
			ports.given[port] = true
			return port, nil
		}
	}
}

// path names a file of the site.
func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

// own makes a directory of the site and gives it to the user cyrus.
func (s *site) own(name string) error {
	if err := os.MkdirAll(s.path(name), 0o755); err != nil {
		return err
	}
	if err := os.Chmod(s.path(name), 0o755); err != nil {
		return err
	}
	uid, gid, err := cyrusUser()
	if err != nil {
		return err
	}
	return os.Chown(s.path(name), uid, gid)
}

// write writes a file of the site that every user may read.
func (s *site) write(name, text string) error {
	return os.WriteFile(s.path(name), []byte(text), 0o644)
}

// cyrusUser is who owns the mail, for all servers.
func cyrusUser() (uid, gid int, err error) {
	u, err := user.Lookup("cyrus")
	if err != nil {
		return 0, 0, err
	}
	uid, err = strconv.Atoi(u.Uid)
	if err != nil {
		return 0, 0, err
	}
	gid, err = strconv.Atoi(u.Gid)
	return uid, gid, err
}

// launch starts the main process, its output in the file log, and waits for
// the ports.
func (s *site) launch(env []string, argv ...string) error {
	out, err := os.Create(s.path("log"))
	if err != nil {
		return err
	}
	defer out.Close()
	s.cmd = exec.Command(argv[0], argv[1:]...)
	s.cmd.Env = append(os.Environ(), env...)
	s.cmd.Stdout, s.cmd.Stderr = out, out
	s.cmd.Dir = s.dir
	// Cyrus's master, when it ends, signals all of its process group.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.done = make(chan struct{})
	go func() {
		defer close(s.done)
		s.cmd.Wait() // the ports tell whether it lives
	}()
	for proto := range s.ports {
		if err := s.listening(proto); err != nil {
			return fmt.Errorf("%s: %s: %w (see %s)", s.name, proto, err, s.path("log"))
		}
	}
	return nil
}

// listening waits until proto is served.
func (s *site) listening(proto string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		conn, err := net.Dial("tcp", s.Addr(proto))
		if err == nil {
			return conn.Close()
		}
		select {
		case <-s.done:
			return errors.New("the server ended")
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Pid is the main process.
func (s *site) Pid() int { return s.cmd.Process.Pid }

// Stop asks the main process to end, and after a while makes it and what it
// started.
func (s *site) Stop() error {
	if s.cmd == nil || s.cmd.Process == nil {
		return nil
	}
	family := descendants(s.Pid())
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-s.done:
	case <-time.After(20 * time.Second):
		s.cmd.Process.Kill()
		<-s.done
	}
	for _, p := range family {
		p.end()
	}
	return nil
}

// remove deletes the site's files.
func (s *site) remove() error { return os.RemoveAll(s.dir) }
