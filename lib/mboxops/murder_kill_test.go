package mboxops_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/config"
	"gocyrus/lib/site"
)

// Of a child that carries out one operation until it is killed.
const (
	victimConf = "GOCYRUS_MURDER_VICTIM" // imapd.conf
	victimDoes = "GOCYRUS_MURDER_DOES"   // name of the operation
)

func TestMain(m *testing.M) {
	if text := os.Getenv(victimConf); text != "" {
		if err := victim(text, os.Getenv(victimDoes)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func victim(text, does string) error {
	cfg, err := config.Parse(strings.NewReader(text), "imapd.conf", "test")
	if err != nil {
		return err
	}
	s, err := site.Open(cfg)
	if err != nil {
		return err
	}
	for _, op := range operations {
		if op.name == does {
			if err := op.do(s.Ops); err != nil {
				return err
			}
		}
	}
	return s.Close()
}

// TestMurderKilled kills a process at each command of each operation, before and after
// the master has carried it out. The next process makes the two agree; no mailbox is
// lost, and none is there twice.
func TestMurderKilled(t *testing.T) {
	for _, op := range operations {
		for _, before := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, before %v", op.name, before), func(t *testing.T) {
				for at := 1; ; at++ {
					if at > 20 {
						t.Fatal("an operation of more than 20 commands")
					}
					if !killedAt(t, op.name, op.conf, at, before) {
						return
					}
				}
			})
		}
	}
}

// killedAt does one round. It says whether there was such a command.
func killedAt(t *testing.T, does, conf string, at int, before bool) (hit bool) {
	t.Helper()
	m := newMaster(t)
	dir := t.TempDir()
	lines := backendLines(m, conf)
	s := openIn(t, dir, lines...)
	create(t, s, "cyrus", "user.alice", "user.bob")
	create(t, s, "alice", "user.alice.Foo")
	had := ids(records(t, s))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimConf+"="+confIn(dir, lines...), victimDoes+"="+does)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	started := make(chan struct{})
	m.faults(func(n int) fault {
		if n != at {
			return fault{}
		}
		hit = true
		return fault{before: before, after: true, also: func() {
			<-started
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		}}
	})
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	close(started)
	if err := cmd.Wait(); err != nil && !hit {
		t.Fatalf("%v: %s", err, complaint.Bytes())
	}
	m.faults(nil)
	s = openIn(t, dir, lines...)
	if err := s.Ops.PayAll(ctx); err != nil {
		t.Errorf("command %d: %v", at, err)
	}
	agree(t, m, s)
	now := ids(records(t, s))
	for _, id := range had {
		if !slices.Contains(now, id) && does != "delete at once" {
			t.Errorf("command %d: mailbox %s is lost", at, id)
		}
	}
	if once := slices.Compact(slices.Clone(now)); len(once) != len(now) {
		t.Errorf("command %d: a mailbox is there twice: %v", at, now)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	m.down()
	return hit
}

// ids are the unique ids in records, sorted.
func ids(records string) (all []string) {
	for l := range strings.Lines(records) {
		all = append(all, strings.Fields(l)[3])
	}
	slices.Sort(all)
	return all
}
