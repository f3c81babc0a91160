package proc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

func listed(t *testing.T, dir string) []Info {
	t.Helper()
	got, err := List(dir)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestFileForm(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "proc")
	r := New(dir)
	e := r.Register("imap", "localhost [127.0.0.1]")
	e.SetUser("alice")
	e.SetMailbox("user.alice")
	e.SetCommand("Idle")
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, strconv.Itoa(os.Getpid()))
	data, err := os.ReadFile(name)
	if want := "imap\tlocalhost [127.0.0.1]\talice\tuser.alice\tIdle\n"; err != nil || string(data) != want {
		t.Errorf("file %q, %v; want %q", data, err, want)
	}
	second := r.Register("imap", "[::1]")
	r.Flush()
	pid := os.Getpid()
	want := []Info{{pid, "imap", "localhost [127.0.0.1]", "alice", "user.alice", "Idle"}, {pid, "imap", "[::1]", "", "", ""}}
	if got := listed(t, dir); !slices.Equal(got, want) {
		t.Errorf("list %v, want %v", got, want)
	}
	e.Close()
	e.Close()
	e.SetUser("nobody")
	r.Flush()
	if got := listed(t, dir); !slices.Equal(got, want[1:]) {
		t.Errorf("list %v, want %v", got, want[1:])
	}
	second.Close()
	r.Flush()
	if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without sessions the file stays: %v", err)
	}
}

// A field may hold what a client made up; the line is one line all the same.
func TestHostileFields(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, Info{PID: os.Getpid(), Service: "imap", Client: "a", User: "x\ty\nroot\t", Mailbox: "\r\x00"}); err != nil {
		t.Fatal(err)
	}
	got := listed(t, dir)
	if len(got) != 1 || got[0].User != "x y root " || got[0].Mailbox != "  " {
		t.Errorf("list %v", got)
	}
}

func TestParseLine(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want Info
		ok   bool
	}{
		{"imap\tlocalhost [127.0.0.1]\talice\tuser.alice\tIdle\n", Info{0, "imap", "localhost [127.0.0.1]", "alice", "user.alice", "Idle"}, true},
		{"squatter\t\t\t\t\n", Info{Service: "squatter"}, true},
		{"imap\ta\r\n", Info{Service: "imap", Client: "a"}, true},
		{"imap", Info{}, false},
		{"", Info{}, false},
	} {
		if got, ok := parseLine([]byte(tc.in)); got != tc.want || ok != tc.ok {
			t.Errorf("parseLine(%q) = %v, %t", tc.in, got, ok)
		}
	}
}

func TestListPassesOver(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"7": "a\tb\n", "8.new": "a\tb\n", ".9": "a\tb\n", "x": "a\tb\n", "0": "a\tb\n", "10": "junk\n", "99999999999": "a\tb\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "11"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := listed(t, dir); len(got) != 1 || got[0].PID != 7 {
		t.Errorf("list %v, want that of 7 only", got)
	}
	if got := listed(t, filepath.Join(dir, "nonesuch")); got != nil {
		t.Errorf("list of a missing directory %v", got)
	}
}

func TestClean(t *testing.T) {
	dir := t.TempDir()
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Skip(err)
	}
	for _, pid := range []int{dead.Process.Pid, os.Getpid()} {
		if err := Write(dir, Info{PID: pid, Service: "imap"}); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := Clean(dir); n != 1 || err != nil {
		t.Errorf("removed %d, %v; want 1", n, err)
	}
	if got := listed(t, dir); len(got) != 1 || got[0].PID != os.Getpid() {
		t.Errorf("left %v", got)
	}
}

func TestLogin(t *testing.T) {
	for _, tc := range []struct {
		name   string
		limits Limits
		others int // alice's sessions from the same host in another process
		mine   int // and in this one
		want   string
	}{
		{"no limit", Limits{}, 5, 5, ""},
		{"last place", Limits{PerUser: 3}, 1, 1, ""},
		{"over in this process", Limits{PerUser: 2}, 0, 2, "Too many open connections (2 of 2 for alice)"},
		{"over in another", Limits{PerUser: 2}, 2, 0, "Too many open connections (2 of 2 for alice)"},
		{"over by both", Limits{PerUser: 2, PerHost: 9}, 1, 1, "Too many open connections (2 of 9 from [::1], 2 of 2 for alice)"},
		{"host", Limits{PerHost: 1}, 1, 0, "Too many open connections (1 of 1 from [::1])"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			var text []byte
			for range tc.others {
				text = appendLine(text, Info{Service: "pop3", Client: "[::1]", User: "alice"})
			}
			text = appendLine(text, Info{Service: "imap", Client: "[::1]"}) // not signed in
			if err := os.WriteFile(filepath.Join(dir, "1"), text, 0o644); err != nil {
				t.Fatal(err)
			}
			r := New(dir)
			for range tc.mine {
				if err := r.Register("imap", "[::1]").Login("alice", Limits{}); err != nil {
					t.Fatal(err)
				}
			}
			e := r.Register("imap", "[::1]")
			err := e.Login("alice", tc.limits)
			if fmt.Sprint(err) != tc.want && !(err == nil && tc.want == "") {
				t.Errorf("Login: %v, want %s", err, tc.want)
			}
			r.Flush()
			users := 0
			for _, in := range listed(t, dir) {
				if in.PID == os.Getpid() && in.User == "alice" {
					users++
				}
			}
			if want := tc.mine + map[bool]int{true: 1}[tc.want == ""]; users != want {
				t.Errorf("%d registered as alice, want %d", users, want)
			}
		})
	}
}

// BenchmarkSetCommand is what a session pays per command.
func BenchmarkSetCommand(b *testing.B) {
	e := New(b.TempDir()).Register("imap", "[::1]")
	defer e.Close()
	words := [2]string{"Fetch", "Store"}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		e.SetCommand(words[i%2])
	}
}

func BenchmarkFlush5000(b *testing.B) {
	r := New(b.TempDir())
	var last *Entry
	for i := range 5000 {
		last = r.Register("imap", "localhost [127.0.0.1]")
		last.SetUser(fmt.Sprintf("user%d", i))
		last.SetMailbox("user.someone.folder")
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		last.SetCommand(strconv.Itoa(i))
		if err := r.Flush(); err != nil {
			b.Fatal(err)
		}
	}
	r.Close()
}
