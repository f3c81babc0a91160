package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gocyrus/lib/etcdtest"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
)

// try runs the program to its end.
func (s *site) try(args ...string) (code int, out, errs string) {
	s.t.Helper()
	cmd := s.command(nobody, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // the status says it
	return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// TestFound is the life of a list: made in etcd of what a master had alone, or empty,
// and served by another one.
func TestFound(t *testing.T) {
	etcd := "mupdate_etcd_servers: " + strings.Join(etcdtest.Start(t, 1).URLs(), " ") + "\n"
	want := func(s *site, code int, out, errs string, args ...string) {
		t.Helper()
		gotCode, gotOut, gotErrs := s.try(args...)
		if gotCode != code || gotOut != out || !strings.Contains(gotErrs, errs) {
			t.Errorf("mupdate %v: %d, %q, %s; want %d, %q, %s", args, gotCode, gotOut, gotErrs, code, out, errs)
		}
	}
	want(newSite(t, ""), 78, "", "mupdate_etcd_servers is not set", "-e")

	empty := newSite(t, etcd)
	want(empty, 78, "", "no such list in etcd", "-m")
	want(empty, 65, "", "mailboxes.db is empty; -e makes an empty list", "-i")
	want(empty, 64, "", "", "-i", "-e")
	want(empty, 0, "the list in etcd has 0 mailboxes\n", "", "-e")
	want(empty, 65, "", "there is a list already", "-e")

	old := newSite(t, "")
	serving := old.command(nobody, "-m")
	old.start(serving)
	said := map[mboxname.Name]mupdate.Entry{}
	for _, e := range []mupdate.Entry{
		{State: mupdate.Active, Name: "user.a", Location: "be1!p", ACL: "a\tlrs\t"}, {State: mupdate.Reserved, Name: "user.b", Location: "be2!p"},
	} {
		said[e.Name] = e
		err := mupdate.Do(t.Context(), old.options(), func(c *mupdate.Client) error {
			if e.State == mupdate.Reserved {
				return c.Reserve(t.Context(), e.Name, e.Location)
			}
			return c.Activate(t.Context(), e.Name, e.Location, e.ACL)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	more := etcd + "mupdate_etcd_prefix: /other/\n"
	old.append(more)
	want(old, 75, "", "mupdate is running here", "-i")
	if err := serving.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = serving.Wait() // it was told to
	want(old, 65, "", "mailboxes.db has 2 mailboxes; -i imports them", "-e")
	want(old, 0, "the list in etcd has 2 mailboxes\n", "", "-i")
	for _, s := range []*site{old, newSite(t, more)} {
		s.start(s.command(nobody, "-m"))
		s.check(said)
	}
	// A list of one's own is no mirror of another one.
	lone := newSite(t, etcd)
	lone.adopt(old)
	want(lone, 78, "", "2 of its mailboxes are not there, the first of them user.a", "-m")
}

// append adds lines to the configuration.
func (s *site) append(lines string) {
	s.t.Helper()
	file := filepath.Join(s.dir, "imapd.conf")
	text, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, append(text, lines...), 0o644)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// adopt gives a site the mailbox list of another.
func (s *site) adopt(from *site) {
	s.t.Helper()
	to := filepath.Join(s.dir, "conf", "mailboxes.db")
	err := os.CopyFS(to, os.DirFS(filepath.Join(from.dir, "conf", "mailboxes.db")))
	if err == nil && os.Getuid() == 0 {
		err = filepath.WalkDir(to, func(path string, _ os.DirEntry, err error) error {
			return errors.Join(err, os.Chown(path, nobody, nobody))
		})
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// TestOverlap: two processes of one master, as while it is restarted, keep the same
// mirror, and one of them is killed.
func TestOverlap(t *testing.T) {
	s := newSite(t, "mupdate_etcd_servers: "+strings.Join(etcdtest.Start(t, 1).URLs(), " ")+"\n")
	if code, _, errs := s.try("-e"); code != 0 {
		t.Fatal(code, errs)
	}
	old, next := s.command(nobody, "-m"), s.command(nobody, "-m")
	s.start(old)
	s.start(next)
	said := map[mboxname.Name]mupdate.Entry{}
	for i := range 300 {
		if i == 150 {
			if err := old.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		e := mupdate.Entry{State: mupdate.Active, Name: mboxname.Name(fmt.Sprintf("user.n%d", i%40)), Location: fmt.Sprintf("be%d!p", i), ACL: "a\tlrs\t"}
		err := mupdate.Do(t.Context(), s.options(), func(c *mupdate.Client) error {
			return c.Activate(t.Context(), e.Name, e.Location, e.ACL)
		})
		if err != nil {
			t.Fatal(err)
		}
		if said[e.Name] = e; i%20 == 19 {
			s.check(said)
		}
	}
}

// TestStandstill: a master is stopped for a while, as a machine may be, and then goes on.
// What it was told before, and its client did at another master instead, it does not do
// any more.
func TestStandstill(t *testing.T) {
	etcd := "mupdate_etcd_servers: " + strings.Join(etcdtest.Start(t, 1).URLs(), " ") + "\n"
	one, two := newSite(t, etcd), newSite(t, etcd)
	if code, _, errs := one.try("-e"); code != 0 {
		t.Fatal(code, errs)
	}
	stopped := one.command(nobody, "-m")
	one.start(stopped)
	two.start(two.command(nobody, "-m"))
	ctx := t.Context()
	c, err := mupdate.Connect(ctx, one.options())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Activate(ctx, "user.a", "be1!p", ""); err != nil {
		t.Fatal(err)
	}
	if err := stopped.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	patient, cancel := context.WithTimeout(ctx, 6*time.Second) // longer than the master's standstill
	defer cancel()
	// A signal takes its time: this may be answered still, or be stopped at any step.
	_ = c.Activate(patient, "user.a", "be9!p", "")
	<-patient.Done()
	at := map[mboxname.Name]mupdate.Entry{"user.a": {State: mupdate.Active, Name: "user.a", Location: "be2!p"}}
	err = mupdate.Do(ctx, two.options(), func(c *mupdate.Client) error {
		return c.Activate(ctx, "user.a", "be2!p", "")
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := stopped.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		one.check(at)
		two.check(at)
	}
}
