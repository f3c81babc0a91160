package cyrustest

import (
	"os"
	"strings"
	"testing"

	"gocyrus/lib/repair"
)

func exists(t *testing.T, s *Server, user string) uint32 {
	t.Helper()
	c := s.Login(user)
	defer c.Close()
	box, err := c.Select("INBOX", nil).Wait()
	if err != nil {
		t.Fatal(err)
	}
	return box.NumMessages
}

// The life of a server: mail comes in twice, it is stopped, started, killed,
// started, and the spool is sound.
func TestStart(t *testing.T) {
	s := Start(t, Options{Users: []string{"alice", "bob"}, Tolerate: AfterCrash})
	s.Deliver(Message("one"), "alice", "bob")
	s.Append(s.Login("alice"), "INBOX", Message("two"))
	if a, b := exists(t, s, "alice"), exists(t, s, "bob"); a != 2 || b != 1 {
		t.Errorf("alice has %d messages and bob %d, want 2 and 1", a, b)
	}
	if f := s.Findings(); len(f) > 0 {
		t.Errorf("while it runs: %v", f)
	}
	if err := s.Stop(); err != nil {
		t.Errorf("master ended with %v", err)
	}
	if s.Running() {
		t.Error("it runs after Stop")
	}
	s.Resume()
	s.Append(s.Login("bob"), "INBOX", Message("three"))
	group := s.Pid()
	if n := s.KillChildren("imapd"); n == 0 {
		t.Error("no imapd ran")
	}
	s.Kill()
	if s.Running() {
		t.Error("it runs after Kill")
	}
	if left := s.processes(func(p stat) bool { return p.group == group }); len(left) > 0 {
		t.Errorf("after Kill there are %v", left)
	}
	s.Resume()
	if a, b := exists(t, s, "alice"), exists(t, s, "bob"); a != 2 || b != 2 {
		t.Errorf("after the crash alice has %d messages and bob %d, want 2 and 2", a, b)
	}
}

// Mail that our server took in is served by Cyrus, and the other way round,
// from one directory.
func TestReal(t *testing.T) {
	old := []string{"index_version: 17"} // what Cyrus 3.6 reads
	a := Start(t, Options{Users: []string{"alice"}, Imapd: old})
	a.Deliver(Message("one"), "alice")
	if err := a.Stop(); err != nil {
		t.Fatal(err)
	}
	b := Real(t, Options{Dir: a.Dir})
	if n := exists(t, b, "alice"); n != 1 {
		t.Errorf("Cyrus sees %d messages, want 1", n)
	}
	b.Deliver(Message("two"), "alice")
	if out := b.RunTool("", "reconstruct", "-n", "-G", "user/alice"); out != "user/alice\n" {
		t.Errorf("reconstruct -n: %s", out)
	}
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	a.WriteConfig()
	a.Resume()
	if n := exists(t, a, "alice"); n != 2 {
		t.Errorf("ours sees %d messages, want 2", n)
	}
}

// A damaged spool does not pass.
func TestFindings(t *testing.T) {
	s := Start(t, Options{Users: []string{"alice"}, Unchecked: true})
	s.Deliver(Message("one"), "alice")
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(s.Find("spool", "1.")); err != nil {
		t.Fatal(err)
	}
	if f := s.Findings(); len(f) != 1 || f[0].Kind != repair.Missing {
		t.Errorf("found %v, want the missing message", f)
	}
}

func TestSet(t *testing.T) {
	lines := set([]string{"a: 1", "b: 2"}, "b: 3")
	lines = set(lines, "c: 4")
	if got := strings.Join(lines, ","); got != "a: 1,b: 3,c: 4" {
		t.Errorf("%s", got)
	}
}

func TestParseStat(t *testing.T) {
	const rest = " 17 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 "
	for _, tc := range []struct {
		text string
		ok   bool
		want stat
	}{
		{"17 (a (b) c) S 5 16" + rest + "3 0 9", true, stat{17, 5, 16, "a (b) c"}},
		{"17 (a) Z 5 16" + rest + "1 0 9", false, stat{}},
		{"17 (a) Z 5 16" + rest + "2 0 9", true, stat{17, 5, 16, "a"}}, // its first thread has ended
		{"17 (a) X 5 16" + rest + "1 0 9", false, stat{}},
		{"17 (a) S 5 16", false, stat{}},
		{"17 (a) S x 16" + rest + "1 0 9", false, stat{}},
		{"17 a", false, stat{}},
		{"", false, stat{}},
	} {
		if got, ok := parseStat(tc.text); ok != tc.ok || ok && got != tc.want {
			t.Errorf("%q: %v %v", tc.text, got, ok)
		}
	}
}
