package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gocyrus/lib/backend"
	"gocyrus/lib/command/commandtest"
	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
	"gocyrus/lib/saslclient"
	"gocyrus/lib/sasldb"
)

// asMain makes the test program mupdate itself.
const asMain = "MUPDATE_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestManPage(t *testing.T) { commandtest.ManPage(t, app(), "../../man/man8/mupdate.8") }

// patience is how long something may take that happens at once on a machine that
// is not busy.
const patience = 60 * time.Second

// nobody is who the program runs as when the test is root's: mupdate refuses to
// be root.
const nobody = 65534

// site is a directory with a configuration, and the program.
type site struct {
	t         *testing.T
	dir, prog string
	l         *net.TCPListener
}

func newSite(t *testing.T, more string) *site {
	t.Helper()
	dir, err := os.MkdirTemp("", "mupdate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &site{t: t, dir: dir, prog: filepath.Join(dir, "mupdate")}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s.copyProgram(self)
	db, err := sasldb.Open(filepath.Join(dir, "sasldb2"), kv.Create)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Set("mupman", "mup.example.org", "mupsecret", true); err != nil {
		t.Fatal(err)
	}
	db.Close()
	conf := fmt.Sprintf("configdirectory: %[1]s/conf\nservername: mup.example.org\nadmins: mupman\nallowplaintext: yes\nsasl_mech_list: PLAIN\n"+
		"sasl_pwcheck_method: auxprop\nsasl_sasldb_path: %[1]s/sasldb2\n", dir) + more
	if err := os.WriteFile(filepath.Join(dir, "imapd.conf"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "conf"), 0o755); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
			return errors.Join(err, os.Chown(path, nobody, nobody))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s.l = l.(*net.TCPListener)
	return s
}

func (s *site) copyProgram(from string) {
	s.t.Helper()
	in, err := os.Open(from)
	if err != nil {
		s.t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(s.prog, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		s.t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		s.t.Fatal(err)
	}
}

// command is the program as master starts it: descriptor 3 takes its messages, 4
// is the socket.
func (s *site) command(uid uint32, args ...string) *exec.Cmd {
	s.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		s.t.Fatal(err)
	}
	socket, err := s.l.File()
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { r.Close(); w.Close(); socket.Close() })
	cmd := exec.Command(s.prog, append([]string{"-C", filepath.Join(s.dir, "imapd.conf")}, args...)...)
	cmd.Env = []string{asMain + "=1", "CYRUS_SERVICE=mupdate", "CYRUS_ID=0", "CYRUS_LOG_STDERR=1"}
	cmd.Dir, cmd.Stderr = "/", os.Stderr
	cmd.ExtraFiles = []*os.File{w, socket}
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: nobody}}
	}
	return cmd
}

// start starts cmd, which does not outlive the test.
func (s *site) start(cmd *exec.Cmd) {
	s.t.Helper()
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		// Mostly it has ended long ago.
		_ = cmd.Process.Kill()
	})
}

func (s *site) options() mupdate.Options {
	return mupdate.Options{
		Servers: []string{s.l.Addr().String()}, Timeout: patience,
		Cred: saslclient.Credentials{AuthcID: "mupman", Password: "mupsecret"},
	}
}

// TestKilled: whatever a master answered OK is there after it was killed.
func TestKilled(t *testing.T) {
	s := newSite(t, "")
	said := map[mboxname.Name]mupdate.Entry{}
	for round := range 4 {
		cmd := s.command(nobody, "-m")
		s.start(cmd)
		s.check(said)
		const writers, enough = 4, 150
		var mu sync.Mutex
		var done atomic.Int64
		var all sync.WaitGroup
		kill := sync.OnceFunc(func() {
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		})
		for w := range writers {
			all.Go(func() {
				err := s.write(round, w, func(e mupdate.Entry) {
					mu.Lock()
					said[e.Name] = e
					mu.Unlock()
					if done.Add(1) == enough {
						kill()
					}
				})
				if err == nil {
					t.Error("a writer came to its end")
				}
			})
		}
		all.Wait()
		kill()
		if err := cmd.Wait(); err == nil {
			t.Error("a killed program ended well")
		}
		if done.Load() < enough {
			t.Fatalf("%d changes", done.Load())
		}
	}
	cmd := s.command(nobody, "-m")
	s.start(cmd)
	s.check(said)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 75 {
		t.Errorf("SIGTERM: %v", err)
	}
}

// TestSlaveKilled: a slave that is killed, and a master that is, cost nothing
// once they are back.
func TestSlaveKilled(t *testing.T) {
	master := newSite(t, "")
	slave := newSite(t, "mupdate_server: "+master.l.Addr().String()+"\nmupdate_authname: mupman\nmupdate_password: mupsecret\nmupdate_retry_delay: 1\n")
	first, second := master.command(nobody, "-m"), slave.command(nobody)
	master.start(first)
	slave.start(second)
	kicks := mupdate.Options{Kicks: true, KickSocket: mupdate.KickSocket(filepath.Join(slave.dir, "conf"))}
	said := map[mboxname.Name]mupdate.Entry{}
	for round := range 4 {
		stop := errors.New("enough")
		err := mupdate.Do(t.Context(), master.options(), func(c *mupdate.Client) error {
			for i := range 100 {
				e := mupdate.Entry{
					State: mupdate.Active, Name: mboxname.Name(fmt.Sprintf("user.n%d", (round*60+i)%150)),
					Location: fmt.Sprintf("be%d!p", round), ACL: "anyone\tlrs\t",
				}
				if err := c.Activate(t.Context(), e.Name, e.Location, e.ACL); err != nil {
					return err
				}
				said[e.Name] = e
				if i == 50 && round%2 == 0 {
					second = slave.replace(second)
				}
			}
			return stop
		})
		if err != stop {
			t.Fatal(err)
		}
		if round%2 == 1 {
			first = master.replace(first, "-m")
		}
		deadline := time.Now().Add(patience)
		for err = kicks.Kick(t.Context()); err != nil && time.Now().Before(deadline); err = kicks.Kick(t.Context()) {
			time.Sleep(5 * time.Millisecond)
		}
		if err != nil {
			t.Fatal(err)
		}
		slave.check(said)
	}
}

// replace kills a program and starts it again.
func (s *site) replace(cmd *exec.Cmd, args ...string) *exec.Cmd {
	s.t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	next := s.command(nobody, args...)
	s.start(next)
	return next
}

// write has the master store one mailbox after the other until it is gone.
func (s *site) write(round, w int, ok func(mupdate.Entry)) error {
	ctx := context.Background()
	c, err := mupdate.Connect(ctx, s.options())
	if err != nil {
		return err
	}
	defer c.Close()
	for i := range 100000 {
		e := mupdate.Entry{
			State: mupdate.Active, Name: mboxname.Name(fmt.Sprintf("user.r%dw%d.n%d", round, w, i)),
			Location: fmt.Sprintf("be%d.example.org!default", w), ACL: "anyone\tlrs\t",
		}
		if err := c.Activate(ctx, e.Name, e.Location, e.ACL); err != nil {
			return err
		}
		ok(e)
	}
	return nil
}

// check wants everything that was said on the master.
func (s *site) check(said map[mboxname.Name]mupdate.Entry) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	got := map[mboxname.Name]mupdate.Entry{}
	list := func(c *mupdate.Client) error {
		clear(got)
		return c.List(ctx, "", func(e mupdate.Entry) error { got[e.Name] = e; return nil })
	}
	err := mupdate.Do(ctx, s.options(), list)
	// One that stood still sends clients away until it has caught up.
	for (errors.Is(err, mupdate.ErrBye) || errors.Is(err, backend.ErrRefused)) && ctx.Err() == nil {
		err = mupdate.Do(ctx, s.options(), list)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	for n, e := range said {
		if got[n] != e {
			s.t.Errorf("%s: %+v was answered OK, there is %+v", n, e, got[n])
		}
	}
}

// TestRefuses is what mupdate does not start with.
func TestRefuses(t *testing.T) {
	for _, tc := range []struct {
		name, conf string
		args       []string
		uid        uint32
		code       int
		text       string
	}{
		{"unified master", "mupdate_config: unified\n", []string{"-m"}, nobody, 64, "cannot run mupdate master on a unified server"},
		{"slave of nobody", "", nil, nobody, 69, "couldn't get mupdate server name"},
		{"workers", "mupdate_workers_max: 1\n", []string{"-m"}, nobody, 70, "Maximum total worker threads is less than minimum spare worker threads"},
		{"root", "cyrus_user: root\n", []string{"-m"}, 0, 64, "must run as the Cyrus user"},
	} {
		if tc.uid == 0 && os.Getuid() != 0 {
			continue
		}
		s := newSite(t, tc.conf)
		cmd := s.command(tc.uid, tc.args...)
		var out strings.Builder
		cmd.Stderr = &out
		err := cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != tc.code || !strings.Contains(out.String(), tc.text) {
			t.Errorf("%s: %v, %s; want %d, %s", tc.name, err, out.String(), tc.code, tc.text)
		}
	}
}
