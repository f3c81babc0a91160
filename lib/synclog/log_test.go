package synclog

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gocyrus/lib/change"
	"gocyrus/lib/config"
	"gocyrus/lib/lock"
	"gocyrus/lib/mboxname"
)

// options are those of an installation in a directory of its own.
func options(t *testing.T, conf ...string) Options {
	t.Helper()
	dir := t.TempDir()
	text := "configdirectory: " + dir + "\nsync_log: yes\n" + strings.Join(conf, "\n") + "\n"
	cfg, err := config.Parse(strings.NewReader(text), "imapd.conf", "imap")
	if err != nil {
		t.Fatal(err)
	}
	return OptionsFrom(cfg)
}

func open(t *testing.T, o Options) *Log {
	t.Helper()
	l := New(o)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// content is a channel's log; "-" when there is none.
func content(t *testing.T, o Options, channel string) string {
	t.Helper()
	b, err := os.ReadFile(o.path(channel))
	if os.IsNotExist(err) {
		return "-"
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWrite(t *testing.T) {
	o := options(t)
	l := open(t, o)
	l.Write(Mailbox("user.a"))
	l.Write(Append("user.a"), Mailbox("user.a"))
	l.Write(Rename("x", "y"))
	l.Write("") // of a name that cannot be written
	l.Write()
	want := "MAILBOX user.a\nAPPEND user.a\nMAILBOX user.a\nRENAME x y\nMAILBOX x\nMAILBOX y\n"
	if got := content(t, o, ""); got != want {
		t.Errorf("log is\n%s\nwant\n%s", got, want)
	}
	// All of it is there already.
	l.Write(Mailbox("user.a"))
	l.Write(Append("user.a"), Rename("x", "y"))
	if got := content(t, o, ""); got != want {
		t.Errorf("once more, log is\n%s", got)
	}
	st, err := os.Stat(o.path(""))
	if err != nil || st.Mode().Perm()&^0o640 != 0 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
}

// A line is written again as soon as the file that holds it is not the log.
func TestWriteAfterTake(t *testing.T) {
	for name, away := range map[string]func(path string) error{
		"renamed": func(p string) error { return os.Rename(p, p+"-run") },
		"removed": os.Remove,
		"emptied": func(p string) error { return os.Truncate(p, 0) },
		"another": func(p string) error {
			if err := os.Rename(p, p+"-run"); err != nil {
				return err
			}
			return os.WriteFile(p, nil, 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			l := open(t, o)
			l.Write(Mailbox("user.a"))
			if err := away(o.path("")); err != nil {
				t.Fatal(err)
			}
			l.Write(Mailbox("user.a"))
			if got := content(t, o, ""); got != "MAILBOX user.a\n" {
				t.Errorf("log is %q", got)
			}
		})
	}
}

func TestChannels(t *testing.T) {
	for _, tc := range []struct {
		name     string
		conf     string
		suppress bool
		want     map[string]bool // channels with a line
	}{
		{"default", "", false, map[string]bool{"": true, "squatter": false}},
		{"named, and two quotes for the default", `sync_log_channels: "" squatter repl`, false,
			map[string]bool{"": true, "squatter": true, "repl": true}},
		{"named only", "sync_log_channels: repl", false, map[string]bool{"": false, "repl": true}},
		{"suppressed", `sync_log_channels: "" squatter`, true, map[string]bool{"": false, "squatter": true}},
		{"suppressed, others go on", "sync_log_channels: \"\" squatter a b\nsync_log_unsuppressable_channels: a \"\"", true,
			map[string]bool{"": true, "squatter": false, "a": true, "b": false}},
		{"chained", "sync_log_chain: yes\nsync_log_channels: \"\" repl", true, map[string]bool{"": true, "repl": true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := options(t, tc.conf)
			l := open(t, o)
			if tc.suppress {
				l.Suppress()
			}
			l.Write(Mailbox("user.a"))
			for channel, has := range tc.want {
				want := "-"
				if has {
					want = "MAILBOX user.a\n"
				}
				if got := content(t, o, channel); got != want {
					t.Errorf("channel %q: %q, want %q", channel, got, want)
				}
			}
		})
	}
}

func TestOff(t *testing.T) {
	o := options(t)
	o.On = false
	l := open(t, o)
	l.Committed(&change.Commit{Name: "user.a"})
	l.Begin(change.Event{Kind: change.Limits, Name: "user.a"})()
	l.Write(Mailbox("user.a"))
	if _, err := os.Stat(o.Dir); !os.IsNotExist(err) {
		t.Errorf("there is a directory of logs: %v", err)
	}
	if _, err := os.Stat(o.Notes); !os.IsNotExist(err) {
		t.Errorf("there is a directory of notes: %v", err)
	}
}

func TestCommitted(t *testing.T) {
	o := options(t)
	l := open(t, o)
	l.Committed(&change.Commit{Name: "user.a", Flagged: []uint32{1}})
	l.Committed(&change.Commit{Name: "user.b", Appended: []uint32{1}})
	l.Committed(&change.Commit{Name: "user.c", Header: true})
	l.Committed(&change.Commit{Header: true})
	want := "MAILBOX user.a\nAPPEND user.b\nMAILBOX user.b\nMAILBOX user.c\n"
	if got := content(t, o, ""); got != want {
		t.Errorf("log is\n%s", got)
	}
}

func TestEvents(t *testing.T) {
	for _, tc := range []struct {
		name  string
		event change.Event
		want  string
	}{
		{"copied", change.Event{Kind: change.Copied, Name: "a", To: "b"}, "DOUBLEMAILBOX a b\n"},
		{"renamed", change.Event{Kind: change.Renamed, Name: "a", To: "b"}, "RENAME a b\nMAILBOX a\nMAILBOX b\n"},
		{"removed", change.Event{Kind: change.Removed, Name: "a"}, "UNMAILBOX a\nMAILBOX a\n"},
		{"limits", change.Event{Kind: change.Limits, Name: "a"}, "QUOTA a\n"},
		{"server's annotations", change.Event{Kind: change.ServerAnnots}, "ANNOTATION \"\"\n"},
		{"a mailbox's", change.Event{Kind: change.MailboxAnnots, UniqueID: "id1"}, "MAILBOX user.one\n"},
		{"those of one that is not there", change.Event{Kind: change.MailboxAnnots, UniqueID: "id2"}, "-"},
		{"seen", change.Event{Kind: change.SeenBy, User: "u", UniqueID: "id1"}, "SEEN u id1\n"},
		{"subscribed", change.Event{Kind: change.Subscribed, User: "u", Name: "a"}, "SUB u a\n"},
		{"user removed", change.Event{Kind: change.UserRemoved, User: "u"}, "UNUSER u\n"},
		{"user arrived", change.Event{Kind: change.UserArrived, User: "u"}, "USER u\n"},
		{"user renamed", change.Event{Kind: change.UserRenamed, User: "u", UserTo: "v"}, "UNUSER u\nUSER v\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := options(t)
			l := open(t, o)
			l.SetNames(func(id string) (mboxname.Name, bool) { return "user.one", id == "id1" })
			done := l.Begin(tc.event)
			if got := content(t, o, ""); got != "-" {
				t.Errorf("before it happened: %q", got)
			}
			done()
			if got := content(t, o, ""); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// Many who write while a reader takes the log away again and again: of each line the
// last writing is in what is read after it.
func TestNothingIsLostBetweenWritersAndReader(t *testing.T) {
	o := options(t)
	const writers, each = 8, 300
	var wg sync.WaitGroup
	for w := range writers {
		// Two logs, as two processes have them.
		if w%2 == 0 {
			o := o
			l := open(t, o)
			wg.Add(2)
			go produce(&wg, l, w, each)
			go produce(&wg, l, w+1, each)
		}
	}
	stop := make(chan struct{})
	go func() { wg.Wait(); close(stop) }()
	last := map[string]int{}
	for running := true; running; {
		select {
		case <-stop:
			running = false
		default:
		}
		collect(t, o, last)
	}
	for w := range writers {
		if got := last[fmt.Sprint(w)]; got != each {
			t.Errorf("writer %d: last entry read is %d of %d", w, got, each)
		}
	}
}

func produce(wg *sync.WaitGroup, l *Log, w, each int) {
	defer wg.Done()
	for i := 1; i <= each; i++ {
		l.Write(Mailbox("user.same"), Sub(fmt.Sprint(w), mboxname.Name(fmt.Sprint(i))))
	}
}

// collect takes the log and notes the highest number of each writer; there must be no
// gap.
func collect(t *testing.T, o Options, last map[string]int) {
	t.Helper()
	taken, err := Take(o, "")
	if err != nil {
		t.Fatal(err)
	}
	if taken == nil {
		return
	}
	b, err := taken.Batch()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range b.Subs {
		n := 0
		fmt.Sscan(string(s.Name), &n)
		if n != last[s.User]+1 {
			t.Errorf("writer %s: %d after %d", s.User, n, last[s.User])
		}
		last[s.User] = n
	}
	if len(b.Subs) > 0 && len(b.Cohorts) != 1 {
		t.Errorf("entries %v without their mailbox", b.Subs)
	}
	if err := taken.Done(); err != nil {
		t.Fatal(err)
	}
}

// A line that was not written, because the disk is full or the directory gone, is
// written with the next that can be.
func TestFailedLinesAreKept(t *testing.T) {
	o := options(t)
	l := open(t, o)
	if err := os.WriteFile(o.Dir, nil, 0o600); err != nil { // where the directory should be
		t.Fatal(err)
	}
	l.Write(Mailbox("user.a"))
	if err := os.Remove(o.Dir); err != nil {
		t.Fatal(err)
	}
	l.Write(Mailbox("user.b"))
	if got := content(t, o, ""); got != "MAILBOX user.a\nMAILBOX user.b\n" {
		t.Errorf("log is %q", got)
	}
}

func TestHalfALineIsEnded(t *testing.T) {
	o := options(t)
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(o.path(""), []byte("MAILBOX user.torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, o).Write(Mailbox("user.a"))
	if got := content(t, o, ""); got != "MAILBOX user.torn\nMAILBOX user.a\n" {
		t.Errorf("log is %q", got)
	}
}

// A writer waits for the lock of another process, and finds the log that is there
// when it gets it.
func TestWriterWaitsAndLooksAgain(t *testing.T) {
	o := options(t)
	l := open(t, o)
	l.Write(Mailbox("user.a"))
	f, err := os.OpenFile(o.path(""), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := lock.Wait(context.Background(), f, lock.Exclusive); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		l.Write(Mailbox("user.b"))
		close(done)
	}()
	if err := os.Rename(o.path(""), o.path("")+runSuffix); err != nil {
		t.Fatal(err)
	}
	if err := lock.Release(f); err != nil {
		t.Fatal(err)
	}
	<-done
	if got := content(t, o, ""); got != "MAILBOX user.b\n" {
		t.Errorf("log is %q", got)
	}
	if b, err := os.ReadFile(o.path("") + runSuffix); err != nil || string(b) != "MAILBOX user.a\n" {
		t.Errorf("log that was taken is %q, %v", b, err)
	}
}

func BenchmarkCommitted(b *testing.B) {
	cfg, err := config.Parse(strings.NewReader("configdirectory: "+b.TempDir()+"\nsync_log: yes\n"), "imapd.conf", "imap")
	if err != nil {
		b.Fatal(err)
	}
	o := OptionsFrom(cfg)
	b.Run("same", func(b *testing.B) {
		l := New(o)
		defer l.Close()
		c := &change.Commit{Name: "user.alice.Archive", Appended: []uint32{1}}
		b.ReportAllocs()
		for b.Loop() {
			l.Committed(c)
		}
	})
	b.Run("other", func(b *testing.B) {
		l := New(o)
		defer l.Close()
		b.ReportAllocs()
		n := 0
		for b.Loop() {
			n++
			l.Committed(&change.Commit{Name: mboxname.Name(fmt.Sprintf("user.u%d", n)), Appended: []uint32{1}})
		}
	})
	b.Run("event", func(b *testing.B) {
		l := New(o)
		defer l.Close()
		e := change.Event{Kind: change.SeenBy, User: "bob", UniqueID: "d2lo9zdz8tayfgjeez50kngd"}
		b.ReportAllocs()
		for b.Loop() {
			l.Begin(e)()
		}
	})
	os.RemoveAll(filepath.Dir(o.Dir))
}
