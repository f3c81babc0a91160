// Package etcdtest runs the real etcd in tests: one member or several on ports of
// the loopback interface, which can be killed, held up and started again.
package etcdtest

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/lib/cyrustest"
)

// Member is one etcd.
type Member struct {
	URL  string // of clients
	t    testing.TB
	args []string
	cmd  *exec.Cmd
	log  bytes.Buffer

	health string // URL that tells how it is
}

// Cluster is one that answers, of members in directories of their own.
type Cluster struct {
	Members []*Member
	t       testing.TB
}

// Start starts a cluster of n members. Without etcd on this machine the test is
// skipped.
func Start(t testing.TB, n int) *Cluster {
	t.Helper()
	return start(t, n, "http://")
}

// StartSecure starts one member that wants TLS and a certificate of its clients.
func StartSecure(t testing.TB, f Files) *Cluster {
	t.Helper()
	return start(t, 1, "https://", "--cert-file", f.Cert, "--key-file", f.Key, "--trusted-ca-file", f.CA, "--client-cert-auth",
		"--listen-metrics-urls", "http://"+cyrustest.FreeAddress(t))
}

func start(t testing.TB, n int, scheme string, more ...string) *Cluster {
	t.Helper()
	program, err := exec.LookPath("etcd")
	if err != nil {
		t.Skip("etcd is not installed (Debian: etcd-server)")
	}
	c := &Cluster{t: t}
	var peers []string
	for i := range n {
		peer := "http://" + cyrustest.FreeAddress(t)
		m := &Member{t: t, URL: scheme + cyrustest.FreeAddress(t)}
		m.health = m.URL
		if len(more) > 0 {
			m.health = more[len(more)-1]
		}
		m.args = []string{program, "--name", fmt.Sprint("n", i), "--data-dir", filepath.Join(t.TempDir(), "etcd"),
			"--listen-client-urls", m.URL, "--advertise-client-urls", m.URL,
			"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer}
		m.args = append(m.args, more...)
		peers = append(peers, fmt.Sprintf("n%d=%s", i, peer))
		c.Members = append(c.Members, m)
	}
	for _, m := range c.Members {
		m.args = append(m.args, "--initial-cluster", strings.Join(peers, ","))
		m.Resume()
	}
	t.Cleanup(func() {
		for _, m := range c.Members {
			m.Kill()
		}
	})
	for _, m := range c.Members {
		m.Wait()
	}
	return c
}

// URLs are those of all members.
func (c *Cluster) URLs() []string {
	var all []string
	for _, m := range c.Members {
		all = append(all, m.URL)
	}
	return all
}

// Resume starts a member that was killed, with the data it had.
func (m *Member) Resume() {
	m.t.Helper()
	m.cmd = exec.Command(m.args[0], m.args[1:]...)
	m.cmd.Stdout, m.cmd.Stderr = &m.log, &m.log
	m.cmd.Env = append(os.Environ(), "GOMAXPROCS=2")
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
}

// Wait waits until a member knows a leader and answers.
func (m *Member) Wait() {
	m.t.Helper()
	deadline := time.Now().Add(cyrustest.Patience)
	for {
		r, err := http.Get(m.health + "/health")
		if err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			m.Kill()
			m.t.Fatalf("etcd is not healthy: %v\n%s", err, m.log.Bytes())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Kill ends a member at once.
func (m *Member) Kill() {
	if m.cmd == nil {
		return
	}
	// An error is that of a process that has ended.
	_ = m.cmd.Process.Kill()
	_ = m.cmd.Wait()
	m.cmd = nil
}

// Hold has a member do nothing until Release: it takes connections, and does not
// answer. When it returns, every thread has stopped.
func (m *Member) Hold() {
	m.t.Helper()
	m.signal(syscall.SIGSTOP) // which is on its way for a while
	err := error(unix.EINTR)
	for errors.Is(err, unix.EINTR) {
		// An end is left for Kill to hear of.
		err = unix.Waitid(unix.P_PID, m.cmd.Process.Pid, nil, unix.WSTOPPED|unix.WEXITED|unix.WNOWAIT, nil)
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

// Release ends that.
func (m *Member) Release() { m.signal(syscall.SIGCONT) }

func (m *Member) signal(s syscall.Signal) {
	m.t.Helper()
	if err := m.cmd.Process.Signal(s); err != nil {
		m.t.Fatal(err)
	}
}
