package site_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/acl"
	"gocyrus/lib/config"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/log"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/message"
	"gocyrus/lib/quota"
	"gocyrus/lib/site"
	"gocyrus/lib/spool"
	"gocyrus/lib/stage"
)

// victim is the directory of the site in which TestMain, in a child, works until
// it is killed.
const victim = "GOCYRUS_SITE_VICTIM"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victim); dir != "" {
		s, err := open(dir)
		if err != nil {
			panic(err)
		}
		for w := range workers {
			go (&worker{s: s, stager: stage.New(s.Mailboxes), n: w}).run()
		}
		fmt.Println("ready")
		select {}
	}
	os.Exit(m.Run())
}

func open(dir string) (*site.Site, error) {
	text := fmt.Sprintf("configdirectory: %s/conf\npartition-default: %s/spool\ndefaultpartition: default\nadmins: cyrus\n%s\n", dir, dir, os.Getenv("GOCYRUS_SITE_OPTIONS"))
	cfg, err := config.Parse(strings.NewReader(text), "imapd.conf", "test")
	if err != nil {
		return nil, err
	}
	return site.Open(cfg)
}

const workers = 4

// roots are the quota roots of the test: of a user, of a part of his mailboxes,
// of shared mailboxes.
var roots = []mboxname.Name{"user.ann", "user.ann.deep", "user.bob", "shared"}

// tops are the mailboxes below which the workers work.
var tops = []mboxname.Name{"user.ann", "user.ann.deep", "user.bob", "shared"}

var admin = &mboxops.Who{UserID: "cyrus", Admin: true, Rights: func(mboxname.Name, string) acl.Rights { return acl.Full }}

// A worker does what sessions do, at random.
type worker struct {
	s      *site.Site
	stager *stage.Stager
	n      int
	made   int
}

func (w *worker) run() {
	for {
		err := w.step(context.Background())
		switch {
		case err == nil, errors.Is(err, mboxops.ErrNotFound), errors.Is(err, mailbox.ErrNotFound),
			errors.Is(err, mboxops.ErrExists), errors.Is(err, mboxops.ErrPermission), errors.Is(err, mboxops.ErrHasChildren), errors.Is(err, quota.ErrOver):
			// Another worker was faster.
		default:
			fmt.Fprintln(os.Stderr, "worker:", err)
			os.Exit(3)
		}
	}
}

func (w *worker) step(ctx context.Context) error {
	switch rand.IntN(11) {
	case 7:
		return w.state(ctx)
	case 0:
		w.made++
		n := w.any().Child(fmt.Sprint("m", w.n, "x", w.made))
		_, err := w.s.Ops.Create(ctx, admin, n, mboxops.CreateParams{})
		return err
	case 1:
		from := w.any()
		if from.IsInbox() || from == "shared" || from == "user.ann.deep" {
			return nil
		}
		w.made++
		to := tops[rand.IntN(len(tops))].Child(fmt.Sprint("r", w.n, "x", w.made))
		return w.s.Ops.Rename(ctx, admin, from, to, mboxops.RenameParams{})
	case 2:
		n := w.any()
		if n.IsInbox() || n == "shared" || n == "user.ann.deep" {
			return nil
		}
		return w.s.Ops.Delete(ctx, admin, n, mboxops.DeleteParams{Now: rand.IntN(2) == 0})
	case 3, 4:
		return w.change(ctx, func(tx *mailbox.Tx, recno int, r *indexfile.Record) error {
			r.Flags ^= indexfile.Flagged | indexfile.Seen
			return tx.Rewrite(recno, r)
		})
	case 5:
		return w.change(ctx, func(tx *mailbox.Tx, recno int, r *indexfile.Record) error { return tx.Expunge(recno) })
	case 6:
		return w.copy(ctx)
	default:
		return w.deliver(ctx)
	}
}

// any is some mailbox.
func (w *worker) any() mboxname.Name {
	top := tops[rand.IntN(len(tops))]
	all := []mboxname.Name{top}
	err := w.s.List.ScanTree(top, func(v mboxlist.View) error {
		if !v.Is(mboxlist.FlagDeleted) {
			all = append(all, v.Name())
		}
		return nil
	})
	if err != nil {
		return top
	}
	return all[rand.IntN(len(all))]
}

func (w *worker) with(ctx context.Context, n mboxname.Name, fn func(m *mailbox.Mailbox) error) error {
	e, err := w.s.List.Lookup(n)
	if err != nil {
		return err
	}
	if e.Deleted() || e.Is(mboxlist.FlagIntermediate) {
		return nil
	}
	m, err := w.s.Mailboxes.Open(ctx, e)
	if err != nil {
		return err
	}
	defer m.Close()
	return fn(m)
}

// change does something to half of the messages of a mailbox.
func (w *worker) change(ctx context.Context, fn func(*mailbox.Tx, int, *indexfile.Record) error) error {
	return w.with(ctx, w.any(), func(m *mailbox.Mailbox) error {
		return m.Update(ctx, func(tx *mailbox.Tx) error {
			for recno := 1 + rand.IntN(2); recno <= tx.NumRecords(); recno += 2 {
				var r indexfile.Record
				if err := tx.Record(recno, &r); err != nil {
					return err
				}
				if r.Flags&indexfile.Expunged != 0 {
					continue
				}
				if err := fn(tx, recno, &r); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// copy copies some messages to another mailbox.
func (w *worker) copy(ctx context.Context) error {
	var sources []*mailbox.Source
	err := w.with(ctx, w.any(), func(m *mailbox.Mailbox) error {
		return m.View(ctx, func(v *mailbox.View) error {
			x := v.Index()
			for i := 1; i <= min(x.Len(), 5); i++ {
				src, err := v.Source(x.Recno(i))
				if err != nil {
					return err
				}
				sources = append(sources, src)
			}
			return nil
		})
	})
	if err != nil || len(sources) == 0 {
		return err
	}
	return w.with(ctx, w.any(), func(m *mailbox.Mailbox) error {
		err := m.Update(ctx, func(tx *mailbox.Tx) error {
			for _, src := range sources {
				if _, _, err := tx.Append(mailbox.Append{From: src, Flags: src.Record.Flags}); err != nil {
					return err
				}
			}
			return nil
		})
		if errors.Is(err, mailbox.ErrGone) {
			return nil // the source was deleted
		}
		return err
	})
}

// deliver delivers one message to one or more mailboxes.
func (w *worker) deliver(ctx context.Context) error {
	var to []mboxname.Name
	for range 1 + rand.IntN(3) {
		to = append(to, w.any())
	}
	return w.deliverTo(ctx, to...)
}

func (w *worker) deliverTo(ctx context.Context, to ...mboxname.Name) error {
	dir, err := w.stager.DirOf("default")
	if err != nil {
		return err
	}
	f := spool.New(dir, spool.LMTP, spool.Options{Parse: message.DefaultOptions()})
	defer f.Close()
	if _, err := fmt.Fprintf(f, "From: a@example.net\r\nSubject: x\r\n\r\n%s\r\n", strings.Repeat("x", rand.IntN(3000))); err != nil {
		return err
	}
	msg, err := f.Finish()
	if err != nil {
		return err
	}
	var targets []stage.Target
	for _, n := range to {
		e, err := w.s.List.Lookup(n)
		if err == nil && !e.Deleted() && !e.Is(mboxlist.FlagIntermediate) {
			targets = append(targets, stage.Target{Entry: e})
		}
	}
	for _, r := range w.stager.Append(ctx, targets, f, msg) {
		if r.Err != nil {
			return r.Err
		}
	}
	return nil
}

// TestKilled kills a process that delivers, copies, flags, expunges, creates,
// renames and deletes. As soon as another has opened the site, quota roots and
// mailboxes agree.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	log.Open("test", log.Options{Stderr: testing.Verbose()})
	for name, options := range map[string]string{
		"default":       "",
		"immediate":     "delete_mode: immediate\nexpunge_mode: immediate\nmailbox_legacy_dirs: yes",
		"conversations": "conversations: yes",
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("GOCYRUS_SITE_OPTIONS", options)
			dir := t.TempDir()
			prepare(t, dir)
			interrupted := 0
			for range 25 {
				interrupted += kill(t, dir)
				check(t, dir)
			}
			t.Logf("%d changes of quota were interrupted", interrupted)
		})
	}
}

func prepare(t *testing.T, dir string) {
	t.Helper()
	s, err := open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, n := range tops {
		if _, err := s.Ops.Create(t.Context(), admin, n, mboxops.CreateParams{}); err != nil {
			t.Fatal(n, err)
		}
	}
	none := [quota.NumResources]int64{1000000, 1000000, -1, 1000000}
	for _, r := range roots {
		if err := s.Ops.SetQuota(t.Context(), admin, r, none); err != nil {
			t.Fatal(r, err)
		}
	}
}

// kill runs the child for a moment, and returns how many notes it left.
func kill(t *testing.T, dir string) (notes int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victim+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("the child said %q, %v", line, err)
	}
	time.Sleep(time.Duration(20_000+rand.IntN(100_000)) * time.Microsecond)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.Exited() {
		t.Fatalf("the child was not killed: %v", err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "conf/inflight/*"))
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for at := 2048; at < len(b); at += 2048 {
			if [4]byte(b[at:at+4]) != [4]byte{} {
				notes++
			}
		}
	}
	return notes
}

func check(t *testing.T, dir string) {
	t.Helper()
	s, err := open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "conf/inflight/*")); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}()
	sums := make(map[mboxname.Name]quota.Usage)
	var all []*mboxlist.Entry
	err = s.List.Scan("", func(v mboxlist.View) error {
		e, err := v.Entry()
		if err == nil && !e.Deleted() && !e.Is(mboxlist.FlagIntermediate) {
			all = append(all, e)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		root, u := usage(t, s, e)
		want, _, err := s.Quota.Find(e.Name)
		if err != nil || root != want {
			t.Errorf("%s: quota root %q, comes under %q, %v", e.Name, root, want, err)
		}
		sums[root] = sums[root].Add(u)
	}
	for _, r := range roots {
		q, err := s.Quota.Get(r)
		if err != nil {
			t.Fatal(err)
		}
		if q.Used != sums[r] {
			t.Errorf("quota root %s: used %v, its mailboxes %v", r, q.Used, sums[r])
		}
	}
}

// usage is what a mailbox takes of its root, counted from its records; header
// and records have to agree.
func usage(t *testing.T, s *site.Site, e *mboxlist.Entry) (root mboxname.Name, u quota.Usage) {
	t.Helper()
	m, err := s.Mailboxes.Open(t.Context(), e)
	if err != nil {
		t.Errorf("%s: %v", e.Name, err)
		return
	}
	defer m.Close()
	err = m.View(t.Context(), func(v *mailbox.View) error {
		root = mboxname.Name(v.QuotaRoot())
		u[quota.Mailbox] = 1
		for recno := 1; recno <= v.NumRecords(); recno++ {
			var r indexfile.Record
			if err := v.Record(recno, &r); err != nil {
				return err
			}
			if r.Flags&indexfile.Expunged == 0 {
				u[quota.Storage] += int64(r.Size)
				u[quota.Message]++
			}
		}
		if h := v.Header(); int64(h.QuotaUsed) != u[quota.Storage] || int64(h.Exists) != u[quota.Message] {
			t.Errorf("%s: header says %d octets in %d messages, records %v", e.Name, h.QuotaUsed, h.Exists, u)
		}
		return nil
	})
	if err != nil {
		t.Errorf("%s: %v", e.Name, err)
	}
	return root, u
}
