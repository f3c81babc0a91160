package synclog

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"gocyrus/lib/lock"
	"gocyrus/lib/mboxname"
)

func take(t *testing.T, o Options, channel string) *Taken {
	t.Helper()
	taken, err := Take(o, channel)
	if err != nil {
		t.Fatal(err)
	}
	return taken
}

func batch(t *testing.T, taken *Taken) *Batch {
	t.Helper()
	b, err := taken.Batch()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTake(t *testing.T) {
	o := options(t, "sync_log_channels: repl")
	if taken := take(t, o, "repl"); taken != nil {
		t.Fatalf("without a log: %+v", taken)
	}
	l := open(t, o)
	l.Write(User("a"))
	first := take(t, o, "repl")
	if got := batch(t, first).Users; !reflect.DeepEqual(got, []string{"a"}) || first.Again {
		t.Errorf("%v, again: %v", got, first.Again)
	}
	l.Write(User("b"))
	if err := first.Leave(); err != nil { // a reader that dies
		t.Fatal(err)
	}
	again := take(t, o, "repl")
	if got := batch(t, again).Users; !reflect.DeepEqual(got, []string{"a"}) || !again.Again {
		t.Errorf("left over: %v, again: %v", got, again.Again)
	}
	if err := again.Done(); err != nil {
		t.Fatal(err)
	}
	next := take(t, o, "repl")
	if got := batch(t, next).Users; !reflect.DeepEqual(got, []string{"b"}) || next.Again {
		t.Errorf("next: %v, again: %v", got, next.Again)
	}
	if err := next.Done(); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(filepath.Dir(o.path("repl")))
	if err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// A log that another reader finished and replaced is not removed.
func TestDoneRemovesItsOwnOnly(t *testing.T) {
	o := options(t)
	l := open(t, o)
	l.Write(User("a"))
	one, two := take(t, o, ""), take(t, o, "")
	if err := one.Done(); err != nil {
		t.Fatal(err)
	}
	l.Write(User("b"))
	three := take(t, o, "")
	if err := two.Done(); !errors.Is(err, ErrTaken) {
		t.Errorf("Done of a log that is another's: %v", err)
	}
	if got := batch(t, three).Users; !reflect.DeepEqual(got, []string{"b"}) {
		t.Errorf("%v", got)
	}
	if err := three.Done(); err != nil {
		t.Fatal(err)
	}
}

// Take waits for a writer that had the log locked before it was renamed.
func TestTakeWaitsForLateWriter(t *testing.T) {
	o := options(t)
	open(t, o).Write(User("a"))
	f, err := os.OpenFile(o.path(""), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := lock.Wait(context.Background(), f, lock.Exclusive); err != nil {
		t.Fatal(err)
	}
	got := make(chan *Batch, 1)
	go func() {
		defer close(got)
		taken, err := Take(o, "")
		if err != nil {
			t.Error(err)
			return
		}
		b, err := taken.Batch()
		if err != nil {
			t.Error(err)
		}
		got <- b
		if err := taken.Done(); err != nil {
			t.Error(err)
		}
	}()
	for {
		if _, err := os.Stat(o.path("")); os.IsNotExist(err) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if _, err := f.WriteString("USER b\n"); err != nil {
		t.Fatal(err)
	}
	if err := lock.Release(f); err != nil {
		t.Fatal(err)
	}
	if b := <-got; b == nil || !reflect.DeepEqual(b.Users, []string{"a", "b"}) {
		t.Errorf("%+v", b)
	}
}

func TestRequeueKeepsTheAge(t *testing.T) {
	o := options(t)
	l := open(t, o)
	l.Write(User("a"), User("b"))
	old := time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := stamp(o.path("")+bornSuffix, old); err != nil {
		t.Fatal(err)
	}
	taken := take(t, o, "")
	if !taken.Since.Equal(old) {
		t.Errorf("since %v, want %v", taken.Since, old)
	}
	if err := taken.Requeue(); err != nil {
		t.Fatal(err)
	}
	if err := taken.Requeue(User("b")); err != nil {
		t.Fatal(err)
	}
	if err := taken.Done(); err != nil {
		t.Fatal(err)
	}
	l.Write(User("c"))
	lag, err := LagOf(o, "")
	if err != nil || !lag.Oldest.Equal(old) || lag.Lines != 2 {
		t.Errorf("%+v, %v", lag, err)
	}
	taken = take(t, o, "")
	if got := batch(t, taken).Users; !reflect.DeepEqual(got, []string{"b", "c"}) || !taken.Since.Equal(old) {
		t.Errorf("%v since %v", got, taken.Since)
	}
	if err := taken.Done(); err != nil {
		t.Fatal(err)
	}
	l.Write(User("d"))
	if lag, err := LagOf(o, ""); err != nil || time.Since(lag.Oldest) > time.Minute {
		t.Errorf("after the old one is done: %+v, %v", lag, err)
	}
}

func TestLag(t *testing.T) {
	o := options(t)
	lag, err := LagOf(o, "")
	if err != nil || lag != (Lag{}) {
		t.Errorf("of nothing: %+v, %v", lag, err)
	}
	l := open(t, o)
	before := time.Now().Add(-time.Second)
	l.Write(User("a"), User("b"))
	taken := take(t, o, "")
	l.Write(User("c"))
	lag, err = LagOf(o, "")
	if err != nil || lag.Lines != 3 || lag.Bytes != 21 || lag.Oldest.Before(before) || lag.Oldest.After(time.Now()) || !lag.LastSuccess.IsZero() {
		t.Errorf("%+v, %v", lag, err)
	}
	if err := taken.Done(); err != nil {
		t.Fatal(err)
	}
	if err := MarkSuccess(o, ""); err != nil {
		t.Fatal(err)
	}
	lag, err = LagOf(o, "")
	if err != nil || lag.Lines != 1 || lag.LastSuccess.Before(before) {
		t.Errorf("%+v, %v", lag, err)
	}
	if err := MarkSuccess(o, "never.logged"); err != nil {
		t.Errorf("of a channel without a directory: %v", err)
	}
}

func TestReadFileLeavesIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "saved.log")
	if err := os.WriteFile(path, []byte("MAILBOX user.a\nbad\"line\nUSER b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		b, err := ReadFile(path)
		want := &Batch{Cohorts: []Cohort{{"a", []mboxname.Name{"user.a"}}}, Users: []string{"b"}}
		if err != nil || !reflect.DeepEqual(b, want) {
			t.Errorf("%+v, %v", b, err)
		}
	}
	if _, err := ReadFile(path + ".none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of a file that is not there: %v", err)
	}
}
