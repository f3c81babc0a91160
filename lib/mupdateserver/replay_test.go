package mupdateserver

import (
	"bufio"
	"bytes"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/mupdate"
)

// step is one line of a recording.
type step struct {
	conn int
	at   float64 // seconds since connect
	dir  byte    // 'C' or 'S'
	line string
}

const endOfFile = "<EOF>"

// recording reads a file of testdata/real.
func recording(t testing.TB, conn int, name string) []step {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "real", name+"*.txt"))
	if err != nil || len(files) != 1 {
		t.Fatalf("recording %s: %q %v", name, files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	var steps []step
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSuffix(line, "\n")
		at, rest, ok := strings.Cut(strings.TrimLeft(line, " "), " ")
		seconds, err := strconv.ParseFloat(at, 64)
		if !ok || err != nil || len(rest) < 3 || rest[1:3] != ": " {
			t.Fatalf("%s: line %q", files[0], line)
		}
		steps = append(steps, step{conn, seconds, rest[0], rest[3:]})
	}
	return steps
}

// listed are the entries that a recorded server answered to a tag.
func listed(t testing.TB, steps []step, tag string) []mupdate.Entry {
	t.Helper()
	var octets bytes.Buffer
	for _, s := range steps {
		if s.dir == 'S' && s.line != endOfFile {
			octets.WriteString(s.line + "\r\n")
		}
	}
	r := mupdate.NewReader(bufio.NewReader(&octets), mupdate.Limits{Word: 1000, Quoted: 1000, Literal: 1000}, nil)
	var all []mupdate.Entry
	for {
		var a mupdate.Answer
		if err := r.Answer(&a); err != nil {
			return all
		}
		if a.Tag == tag && a.Kind == mupdate.About {
			all = append(all, a.Entry)
		}
		if a.Tag == tag && a.Kind == mupdate.OK {
			return all
		}
	}
}

// player plays the clients of recordings.
type player struct {
	conns map[int]net.Conn
	read  map[int]*bufio.Reader
}

func newPlayer(t *testing.T, addr string, conns ...int) *player {
	p := &player{map[int]net.Conn{}, map[int]*bufio.Reader{}}
	for _, n := range conns {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		p.conns[n], p.read[n] = c, bufio.NewReader(c)
	}
	return p
}

func (p *player) say(t *testing.T, s step) {
	t.Helper()
	if s.line == endOfFile {
		p.conns[s.conn].Close()
		return
	}
	if _, err := p.conns[s.conn].Write([]byte(s.line + "\r\n")); err != nil {
		t.Fatalf("C: %s: %v", s.line, err)
	}
}

func (p *player) hear(t *testing.T, conn int) string {
	t.Helper()
	if err := p.conns[conn].SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	line, err := p.read[conn].ReadString('\n')
	if err != nil && line == "" {
		return endOfFile
	}
	return strings.TrimSuffix(line, "\r\n")
}

// TestReplay has our master answer what Cyrus's master was asked, octet for
// octet.
func TestReplay(t *testing.T) {
	eve := mupdate.Entry{State: mupdate.Active, Location: "be1.example.org!default", ACL: "x\tlrs\t"}
	has := func(names ...string) func(*testing.T, []step) []mupdate.Entry {
		return func(*testing.T, []step) []mupdate.Entry {
			var all []mupdate.Entry
			for _, n := range names {
				e := eve
				e.Name = nameOf(n)
				all = append(all, e)
			}
			return all
		}
	}
	for _, tc := range []struct {
		name   string
		before func(*testing.T, []step) []mupdate.Entry // what the master had
	}{
		{"01", has()},
		{"02", has()},
		{"03", func(t *testing.T, s []step) []mupdate.Entry { return listed(t, s, "17") }},
		{"07", func(t *testing.T, s []step) []mupdate.Entry {
			return slices.DeleteFunc(listed(t, s, "2"), func(e mupdate.Entry) bool { return e.Server() == "be9.example.org" })
		}},
		{"11", has()},
		{"12", has("shared")},
		{"13", has("user.alice.Foo")},
		{"14", has("user.alice.Bar")},
		{"15", has("user.del.sub")},
		{"16", has("user.hr.Old", "user.hr.New")},
		{"17", has()},
		{"18", func(t *testing.T, s []step) []mupdate.Entry { return listed(t, s, "X0") }},
		{"19", func(t *testing.T, s []step) []mupdate.Entry {
			return append(listed(t, s, "X0"), listed(t, s, "X1")...)
		}},
		{"20", has("DELETED.user.alice.Bar.6B02721D", "user.alice.Sent2", "user.alice.Ref", "user.alice.#sieve", "user.alice")},
		{"21", has()},
		{"22", has("user.eve")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			steps := recording(t, 0, tc.name)
			srv := testServer(t, testConfig(t, ""), nil)
			before := tc.before(t, steps)
			if tc.name == "16" {
				before[1].Location = "be9.example.org!default" // whose reservation is refused
			}
			if tc.name == "07" {
				before = append(before, listed(t, steps, "3")...)
				before = append(before, mupdate.Entry{State: mupdate.Active, Name: "user.t2", Location: "be9!default", ACL: "a\t \t"})
			}
			put(t, srv.list, before...)
			addr, _ := listen(t, srv)
			play(t, newPlayer(t, addr, 0), steps)
		})
	}
}

func play(t *testing.T, p *player, steps []step) {
	closed := false
	for _, s := range steps {
		if s.dir == 'C' {
			if !closed {
				p.say(t, s)
			}
			closed = closed || s.line == endOfFile
			continue
		}
		if closed {
			continue // the recorder saw what was in flight
		}
		if got := p.hear(t, s.conn); got != s.line {
			t.Fatalf("after %.3f s: got %q, Cyrus said %q", s.at, got, s.line)
		}
	}
}

// TestReplayCrash: what breaks a Cyrus master down gets an answer here.
func TestReplayCrash(t *testing.T) {
	for name, want := range map[string]string{"08": `1 NO "mailbox doesn't exist"`, "09": `1 NO "mailbox doesn't exist"`} {
		srv := testServer(t, testConfig(t, ""), nil)
		addr, _ := listen(t, srv)
		p := newPlayer(t, addr, 0)
		for _, s := range recording(t, 0, name) {
			switch {
			case s.dir == 'C' && s.line == endOfFile:
				return
			case s.dir == 'C':
				p.say(t, s)
			case s.line == endOfFile:
				if got := p.hear(t, 0); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			default:
				if got := p.hear(t, 0); got != s.line {
					t.Errorf("%s: got %q, want %q", name, got, s.line)
				}
			}
		}
	}
}

var streamLine = regexp.MustCompile(`^U01 (MAILBOX|RESERVE|DELETE) `)

// TestReplayStreams plays two streams and a writer, recorded at the same time.
// Cyrus tells of a mailbox that changed twice between two flushes twice, in the
// same words; a stream of all mailboxes is told once here, at the later place.
func TestReplayStreams(t *testing.T) {
	full, partial, writer := recording(t, 4, "04"), recording(t, 5, "05"), recording(t, 6, "06")
	srv := testServer(t, testConfig(t, ""), func(o *Options) { o.FlushEvery = time.Hour })
	put(t, srv.list, listed(t, full, "U01")...)
	addr, _ := listen(t, srv)
	p := newPlayer(t, addr, 4, 5, 6)

	all := slices.Concat(full, partial)
	for _, s := range writer {
		s.at += writerClock(s.at)
		all = append(all, s)
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].at < all[j].at })
	var want []step // lines that are due, in order
	closed := map[int]bool{}
	collect := func() {
		for _, conn := range []int{4, 5, 6} {
			var due []string
			for _, s := range want {
				if s.conn == conn {
					due = append(due, s.line)
				}
			}
			if conn == 4 {
				due = withoutRepeats(due)
			}
			for _, line := range due {
				if got := p.hear(t, conn); got != line {
					t.Fatalf("connection %d: got %q, want %q", conn, got, line)
				}
			}
		}
		want = nil
	}
	for i, s := range all {
		switch {
		case closed[s.conn]:
		case s.dir == 'S':
			if s.at > 5 && all[i-1].at < 1 {
				collect()
				srv.changes.flush() // the five seconds are over
			}
			want = append(want, s)
		default:
			collect()
			p.say(t, s)
			closed[s.conn] = s.line == endOfFile
		}
	}
	collect()
}

// writerClock is what the writer's clock is behind those of the streams: each
// began at its own connect, and what a stream was told says which commands of the
// writer were through.
func writerClock(at float64) float64 {
	switch {
	case at < 1: // after both dumps
		return 0.008
	case at < 7.0405: // before both N1
		return 0
	case at < 7.056: // after both N1, before N3
		return 0.0045
	}
	return 0.0035 // between N3 and N4
}

// withoutRepeats leaves out of each run of a stream's lines those about a
// mailbox that another of the run is about.
func withoutRepeats(lines []string) []string {
	type entry struct{ lines []string }
	var out []string
	var run []entry
	end := func() {
		for i, e := range run {
			again := slices.ContainsFunc(run[i+1:], func(o entry) bool {
				return strings.Fields(o.lines[1])[0] == strings.Fields(e.lines[1])[0]
			})
			if !again {
				out = append(out, e.lines...)
			}
		}
		run = nil
	}
	for i := 0; i < len(lines); {
		if !streamLine.MatchString(lines[i]) || dumping(lines[i:]) {
			end()
			out = append(out, lines[i])
			i++
			continue
		}
		n := 1 + strings.Count(strings.Join(lines[i:i+1], ""), "{")
		for lines[i+n-1] != "" && strings.HasSuffix(lines[i+n-1], "+}") {
			n++
		}
		run = append(run, entry{lines[i : i+n]})
		i += n
	}
	end()
	return out
}

// dumping says whether the lines are still those of the dump.
func dumping(lines []string) bool {
	return slices.Contains(lines, `U01 OK "streaming starts"`)
}
