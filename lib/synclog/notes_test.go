package synclog

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/change"
)

// TestMain is, in a process of its own, somebody who is killed in the middle of
// changes.
func TestMain(m *testing.M) {
	if dir := os.Getenv("SYNCLOG_TEST_VICTIM"); dir != "" {
		victim(dir, os.Getenv("SYNCLOG_TEST_SUPPRESSED") != "")
		return
	}
	os.Exit(m.Run())
}

func victim(dir string, suppressed bool) {
	l := New(Options{
		On: true, Channels: []string{"", "squatter"}, Unsuppressable: []string{"squatter"},
		Dir: filepath.Join(dir, "sync"), Notes: filepath.Join(dir, "inflight.sync"),
	})
	if suppressed {
		l.Suppress()
	}
	l.Begin(change.Event{Kind: change.Limits, Name: "user.done"})()
	l.Begin(change.Event{Kind: change.Renamed, Name: "user.a.x", To: "user.a.y"})
	l.Begin(change.Event{Kind: change.UserRenamed, User: "a", UserTo: "b"})
	os.Stdout.WriteString("ready\n")
	// Where nothing can happen any more the runtime would end the process.
	_, _ = io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(l)
}

// killed runs a victim and returns the options of its installation.
func killed(t *testing.T, suppressed bool) Options {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SYNCLOG_TEST_VICTIM="+dir)
	if suppressed {
		cmd.Env = append(cmd.Env, "SYNCLOG_TEST_SUPPRESSED=yes")
	}
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
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Error(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != -1 {
		t.Errorf("it has not been killed: %v", err)
	}
	return Options{
		On: true, Channels: []string{"", "squatter"}, Unsuppressable: []string{"squatter"},
		Dir: filepath.Join(dir, "sync"), Notes: filepath.Join(dir, "inflight.sync"),
	}
}

const unfinished = "RENAME user.a.x user.a.y\nMAILBOX user.a.x\nMAILBOX user.a.y\nUNUSER a\nUSER b\n"

func neverDown(t *testing.T) func(time.Time) ([]Line, error) {
	return func(time.Time) ([]Line, error) {
		t.Error("the machine is said to have gone down")
		return nil, nil
	}
}

func TestRecover(t *testing.T) {
	o := killed(t, false)
	if got := content(t, o, ""); got != "QUOTA user.done\n" {
		t.Fatalf("when it was killed: %q", got)
	}
	l := open(t, o)
	for range 2 { // the second time there is nothing left
		if err := l.Recover(neverDown(t)); err != nil {
			t.Fatal(err)
		}
		for _, channel := range o.Channels {
			if got := content(t, o, channel); sorted(got) != sorted("QUOTA user.done\n"+unfinished) {
				t.Errorf("channel %q is\n%s", channel, got)
			}
		}
	}
	left, err := os.ReadDir(o.Notes)
	if err != nil || len(left) != 0 {
		t.Errorf("notes left: %v, %v", left, err)
	}
}

// sorted is the entries in order: notes have none.
func sorted(text string) string {
	lines := strings.SplitAfter(text, "\n")
	for i := range lines {
		for j := i; j > 0 && lines[j] < lines[j-1]; j-- {
			lines[j], lines[j-1] = lines[j-1], lines[j]
		}
	}
	return strings.Join(lines, "")
}

// What a replica was told does not go on because another process logs it.
func TestRecoverOfSuppressed(t *testing.T) {
	o := killed(t, true)
	l := open(t, o)
	if err := l.Recover(neverDown(t)); err != nil {
		t.Fatal(err)
	}
	if got := content(t, o, ""); got != "-" {
		t.Errorf("default channel: %q", got)
	}
	if got := content(t, o, "squatter"); sorted(got) != sorted("QUOTA user.done\n"+unfinished) {
		t.Errorf("squatter's: %q", got)
	}
}

// A machine that went down is known by the id of its boot in the file of notes.
func TestRecoverOfMachine(t *testing.T) {
	o := killed(t, false)
	files, err := filepath.Glob(filepath.Join(o.Notes, "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	other := bytes.Replace(text, bytes.TrimSpace(boot), []byte("00000000-0000-0000-0000-000000000000"), 1)
	if bytes.Equal(other, text) {
		t.Fatal("the file does not bear the id")
	}
	if err := os.WriteFile(files[0], other, 0o600); err != nil {
		t.Fatal(err)
	}
	written := time.Now().Add(-time.Hour)
	if err := os.Chtimes(files[0], written, written); err != nil {
		t.Fatal(err)
	}
	l := open(t, o)
	var since time.Time
	err = l.Recover(func(s time.Time) ([]Line, error) {
		since = s
		return []Line{Meta("recent")}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !since.Before(written) || since.Before(written.Add(-time.Hour)) {
		t.Errorf("since %v, the last note was written %v", since, written)
	}
	if got := content(t, o, ""); !strings.Contains(got, "META recent\n") || !strings.Contains(got, "USER b\n") {
		t.Errorf("log is\n%s", got)
	}
}
