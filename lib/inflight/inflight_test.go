package inflight

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// victim is the directory in which TestMain, in a child, makes notes until it is
// killed.
const victim = "GOCYRUS_INFLIGHT_VICTIM"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victim); dir != "" {
		l := New(dir)
		for i := range 100 {
			n, err := l.Begin(fmt.Sprint("note ", i))
			if err != nil {
				panic(err)
			}
			if i%2 == 0 {
				n.End()
			}
		}
		fmt.Println("ready")
		// It lives until it is killed: where nothing can happen any more, the runtime
		// ends a process, and its notes are found then.
		_, _ = io.Copy(io.Discard, os.Stdin)
		runtime.KeepAlive(l)
		return
	}
	os.Exit(m.Run())
}

func found(t *testing.T, dir string) Found {
	t.Helper()
	var all Found
	if err := Recover(dir, func(f Found) error { all = f; return nil }); err != nil {
		t.Fatal(err)
	}
	slices.Sort(all.Notes)
	return all
}

func files(t *testing.T, dir string) int {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return len(list)
}

// TestKilled finds the notes of a process that was killed, once it is dead.
func TestKilled(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "inflight")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victim+"="+dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("child said %q, %v", line, err)
	}
	if got := found(t, dir); len(got.Notes) != 0 || got.Down {
		t.Errorf("while it lives: %v", got)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != -1 {
		t.Errorf("it has not been killed: %v", err)
	}
	boom := errors.New("boom")
	if err := Recover(dir, func(Found) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("failed repair: %v", err)
	}
	got := found(t, dir)
	if len(got.Notes) != 50 || !slices.Contains(got.Notes, "note 99") || slices.Contains(got.Notes, "note 98") || got.Down {
		t.Errorf("found %v", got)
	}
	if n := files(t, dir); n != 0 {
		t.Errorf("%d files left", n)
	}
}

func TestClose(t *testing.T) {
	dir := t.TempDir()
	for _, open := range []int{0, 1} {
		l := New(dir)
		var notes []*Note
		for i := range 3 * growth {
			n, err := l.Begin(fmt.Sprint(i))
			if err != nil {
				t.Fatal(err)
			}
			notes = append(notes, n)
		}
		for _, n := range notes[open:] {
			n.End()
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if n := files(t, dir); n != open {
			t.Errorf("%d notes not ended: %d files left", open, n)
		}
		if _, err := l.Begin("x"); !errors.Is(err, ErrClosed) {
			t.Errorf("after the end: %v", err)
		}
	}
	if got := found(t, dir); !slices.Equal(got.Notes, []string{"0"}) {
		t.Errorf("found %v", got)
	}
}

// TestDown is a file of an earlier boot, and some that a crash has garbled.
func TestDown(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		down       bool
	}{
		{"being made", "", false},
		{"earlier boot", magic + strings.Repeat("0", 36), true},
		{"earlier boot, bad slot", magic + strings.Repeat("0", 36) + strings.Repeat("\xff", 3*slotSize), true},
		{"head lost", strings.Repeat("\x00", 2*slotSize), true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "1.0"), []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := found(t, dir); got.Down != tc.down || len(got.Notes) != 0 {
				t.Errorf("found %v", got)
			}
			if n := files(t, dir); n != 0 {
				t.Errorf("%d files left", n)
			}
		})
	}
}

// TestStart has logs start while others look for the dead.
func TestStart(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				l := New(dir)
				n, err := l.Begin("alive")
				if err != nil {
					t.Error(err)
					return
				}
				n.End()
				if err := l.Close(); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range 200 {
				err := Recover(dir, func(f Found) error { t.Errorf("found %v", f); return nil })
				if err != nil && !errors.Is(err, os.ErrNotExist) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestTooLong(t *testing.T) {
	l := New(t.TempDir())
	for _, text := range []string{"", strings.Repeat("x", MaxText+1)} {
		if _, err := l.Begin(text); !errors.Is(err, ErrTooLong) {
			t.Errorf("%d octets: %v", len(text), err)
		}
	}
}

func BenchmarkNote(b *testing.B) {
	l := New(b.TempDir())
	defer l.Close()
	b.ReportAllocs()
	for b.Loop() {
		n, err := l.Begin("user.alice 01234567890123456789")
		if err != nil {
			b.Fatal(err)
		}
		n.End()
	}
}
