package log

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// daemon is a log daemon at path; it must be read to keep up.
func daemon(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func next(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1<<16)
	n, err := c.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func open(t *testing.T, ident string, o Options) {
	t.Helper()
	t.Cleanup(func() { current.Store(nil); debug.Store(false) })
	Open(ident, o)
}

func TestLines(t *testing.T) {
	pid := fmt.Sprintf(`\[%d\]`, os.Getpid())
	const stamp = `[A-Z][a-z]{2} [ 1-3]\d \d\d:\d\d:\d\d `
	for _, tc := range []struct {
		name, env string
		options   Options
		write     func(string, ...any)
		want      string
	}{
		{"plain", "", Options{}, Notice, `<21>` + stamp + `imap` + pid + `: user fred\.`},
		{"prefix", "", Options{Prefix: "cyrus"}, Info, `<22>` + stamp + `cyrus/imap` + pid + `: user fred\.`},
		{"environment beats the option", "site", Options{Prefix: "cyrus"}, Warning, `<20>` + stamp + `site/imap` + pid + `: user fred\.`},
		{"facility", "", Options{Facility: "LOCAL6"}, Err, `<179>` + stamp + `imap` + pid + `: user fred\.`},
		{"unknown facility", "", Options{Facility: "LOCAL8"}, Crit, `<18>` + stamp + `imap` + pid + `: user fred\.`},
		{"debug", "", Options{Debug: true}, Debug, `<23>` + stamp + `imap` + pid + `: user fred\.`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("CYRUS_SYSLOG_PREFIX", tc.env)
			tc.options.Socket = filepath.Join(t.TempDir(), "log")
			c := daemon(t, tc.options.Socket)
			open(t, "imap", tc.options)
			tc.write("user %s.", "fred")
			if got := next(t, c); !regexp.MustCompile(`^` + tc.want + `$`).MatchString(got) {
				t.Errorf("line %q, want %s", got, tc.want)
			}
		})
	}
}

// Before Open, and for Debug when it is off, nothing happens.
func TestOff(t *testing.T) {
	Err("to nobody")
	socket := filepath.Join(t.TempDir(), "log")
	c := daemon(t, socket)
	open(t, "imap", Options{Socket: socket})
	Debug("not this")
	if Debugging() {
		t.Error("Debugging without Debug")
	}
	SetDebug(true)
	Debug("but this")
	if got := next(t, c); !strings.HasSuffix(got, ": but this") {
		t.Errorf("line %q", got)
	}
}

func TestStderr(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func(old *os.File) { os.Stderr = old }(os.Stderr)
	os.Stderr = w
	open(t, "imap", Options{Stderr: true, Prefix: "cyrus"})
	Notice("a\nb")
	w.Close()
	buf := make([]byte, 1000)
	n, _ := r.Read(buf)
	want := regexp.MustCompile(`^[A-Z][a-z]{2} [ 1-3]\d \d\d:\d\d:\d\d \S+ cyrus/imap\[\d+\]: a\\nb\n$`)
	if got := string(buf[:n]); !want.MatchString(got) {
		t.Errorf("line %q, want %s", got, want)
	}
}

// A daemon that was started again is found again, and what was written in
// between arrives, in order.
func TestReconnect(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "log")
	c := daemon(t, socket)
	open(t, "imap", Options{Socket: socket})
	Notice("one")
	next(t, c)
	c.Close()
	os.Remove(socket)
	Notice("two")
	Notice("three")
	c = daemon(t, socket)
	for _, want := range []string{"two", "three"} {
		if got := next(t, c); !strings.HasSuffix(got, ": "+want) {
			t.Errorf("line %q, want %s", got, want)
		}
	}
}

// A daemon that takes nothing holds nobody up; what the queue cannot hold is
// counted, and the count is reported.
func TestSlow(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "log")
	c := daemon(t, socket)
	open(t, "imap", Options{Socket: socket})
	const lines = 3 * maxQueued
	for i := range lines {
		Notice("line %d", i)
	}
	got := 0
	for {
		line := next(t, c)
		_, text, _ := strings.Cut(line, "]: ")
		var lost int
		if _, err := fmt.Sscanf(text, "%d lines of this log were lost", &lost); err == nil {
			if got+lost != lines || lost == 0 {
				t.Errorf("%d lines arrived and %d were lost, of %d", got, lost, lines)
			}
			return
		}
		if want := fmt.Sprintf("line %d", got); text != want {
			t.Fatalf("line %q, want %q", text, want)
		}
		got++
	}
}

func TestFlush(t *testing.T) {
	Flush(time.Hour) // before Open
	socket := filepath.Join(t.TempDir(), "log")
	open(t, "imap", Options{Socket: socket})
	Notice("to nobody")
	Flush(time.Hour) // must not wait for a daemon that is not there
}

func TestEscape(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"plain", "plain"},
		{"Grüße", "Grüße"},
		{"a\nb\r\tc", `a\nb\r\tc`},
		{"\x1b[2J\x7f\x00", `\x1b[2J\x7f\x00`},
		{"\u0085\u009b\u00a0", `\u0085\u009b` + "\u00a0"},
		{"\xc2", "\xc2"},
	} {
		if got := string(escape([]byte("x: "+tc.in), 3)); got != "x: "+tc.want {
			t.Errorf("escape(%q) = %q, want %q", tc.in, got, tc.want)
		}
	}
}

func TestLongText(t *testing.T) {
	l := &logger{ident: "imap[1]"}
	line := string(l.line(nil, levelErr, time.Now(), "%s", []any{strings.Repeat("x", 1<<20)}))
	if len(line) > maxText+100 || !strings.HasSuffix(line, "x...") {
		t.Errorf("line of %d octets", len(line))
	}
}

// FuzzEscape checks that no control character is left.
func FuzzEscape(f *testing.F) {
	f.Add([]byte("a\nb\u0085"))
	f.Fuzz(func(t *testing.T, in []byte) {
		out := escape(append([]byte(nil), in...), 0)
		for i := range out {
			if control(out, i) {
				t.Fatalf("escape(%q) = %q", in, out)
			}
		}
	})
}

func BenchmarkDebugOff(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Debug("no line")
	}
}

func BenchmarkLine(b *testing.B) {
	l := &logger{ident: "imap[1]"}
	now := time.Now()
	buf := make([]byte, 0, 512)
	args := []any{"localhost [127.0.0.1]", "fred"}
	b.ReportAllocs()
	for b.Loop() {
		buf = l.line(buf[:0], levelNotice, now, "login: %s %s plaintext User logged in", args)
	}
}
