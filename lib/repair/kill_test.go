package repair

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"gocyrus/lib/config"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/site"
)

// touch changes a mailbox's usage: the first live message is copied, the last
// one expunged.
func touch(ctx context.Context, m *mailbox.Mailbox) error {
	return m.Update(ctx, func(tx *mailbox.Tx) error {
		x := tx.Index()
		src, err := tx.Source(x.Recno(1))
		if err != nil {
			return err
		}
		if _, _, err := tx.Append(mailbox.Append{From: src}); err != nil {
			return err
		}
		if x.Len() < 5 {
			return nil
		}
		return tx.Expunge(x.Recno(x.Len()))
	})
}

const killEnv = "REPAIR_TEST_RECONSTRUCT"

// TestMain is the child of TestKill too.
func TestMain(m *testing.M) {
	conf := os.Getenv(killEnv)
	if conf == "" {
		os.Exit(m.Run())
	}
	if err := reconstructAlice(conf); err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
}

func reconstructAlice(conf string) error {
	cfg, err := config.Load(conf, "reconstruct")
	if err != nil {
		return err
	}
	s, err := site.Open(cfg)
	if err != nil {
		return err
	}
	e, err := s.List.Lookup("user.alice.Corpus")
	if err == nil {
		_, err = Reconstruct(context.Background(), s, e, Options{KeepMismatch: true})
	}
	return errors.Join(err, s.Close())
}

// TestKill kills reconstruct at moments all over its run, on a mailbox that is
// badly damaged. What is left must be mended by the next run, and no message may
// be lost.
func TestKill(t *testing.T) {
	const name = mboxname.Name("user.alice.Corpus")
	for round := range 12 {
		sp := unpack(t, "cyrus-3.6.1-default")
		s := sp.open(t)
		e := entry(t, s, name)
		p, err := pathsOf(s.Mailboxes.Options(), e)
		if err != nil {
			t.Fatal(err)
		}
		v := victim{t, p}
		for _, recno := range []int{3, 7, 9, 30} {
			v.octet(recno, 20)
		}
		v.write(12, strangerText)
		v.must(os.Remove(p.caches[0]))
		before := countFiles(t, p.dirs[0])
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), killEnv+"="+sp.root+"/ours.conf")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// The moment is of no importance for the result: only the variety is.
		timer := time.AfterFunc(time.Duration(10+round*12)*time.Millisecond, func() { _ = cmd.Process.Signal(syscall.SIGKILL) })
		_ = cmd.Wait() // killed, mostly
		timer.Stop()
		if _, err := Reconstruct(t.Context(), s, entry(t, s, name), Options{KeepMismatch: true}); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if _, err := FixQuota(t.Context(), s, Selection{}, false); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		found, err := Check(t.Context(), s, entry(t, s, name), CheckOptions{Content: true})
		if err != nil || len(found) > 0 {
			t.Errorf("round %d: %q, %v", round, found, err)
		}
		if n := countFiles(t, p.dirs[0]); n < before {
			t.Errorf("round %d: %d messages of %d are left", round, n, before)
		}
	}
}

func countFiles(t *testing.T, dir string) (n int) {
	t.Helper()
	uids, err := fileUIDs(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(uids)
}
