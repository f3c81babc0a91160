package master

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gocyrus/lib/masterconf"
)

func TestForkRate(t *testing.T) {
	now := time.Unix(1e9, 0)
	f := forkRate{max: 10, since: now}
	f.forks = 15
	now = now.Add(time.Second)
	if f.limited(now) {
		t.Errorf("limited at an average of %.1f", f.rate) // 0.5*0 + 0.5*15
	}
	f.forks = 15
	now = now.Add(time.Second)
	if !f.limited(now) {
		t.Errorf("not limited at an average of %.1f", f.rate) // 0.5*7.5 + 0.5*15
	}
	for range 3 {
		now = now.Add(400 * time.Millisecond)
		f.limited(now)
	}
	if f.limited(now) {
		t.Errorf("still limited at %.1f after a pause", f.rate)
	}
	f.forks = 3
	if f.limited(now.Add(-time.Hour)); f.forks != 0 {
		t.Error("a clock that went back does not restart the average")
	}
	if (&forkRate{forks: 1000}).limited(now) {
		t.Error("limited without a limit")
	}
}

func TestSplitListen(t *testing.T) {
	for _, tc := range []struct {
		in, host, port string
		bad            bool
	}{
		{"imap", "", "imap", false},
		{"143", "", "143", false},
		{"host:143", "host", "143", false},
		{"[::1]:143", "::1", "143", false},
		{"[127.0.0.1]:imap", "127.0.0.1", "imap", false},
		{"::1:143", "::1", "143", false},
		{"127.0.0.1", "", "127.0.0.1", false}, // a port of that name
		{"[::1]", "::1", "0", false},
		{"host:", "", "", true},
		{"[::1", "", "", true},
		{"[::1]x", "", "", true},
		{"[::1]:", "", "", true},
	} {
		host, port, err := splitListen(tc.in)
		if (err != nil) != tc.bad || err == nil && (host != tc.host || port != tc.port) {
			t.Errorf("splitListen(%q) = %q, %q, %v", tc.in, host, port, err)
		}
	}
}

func TestAddresses(t *testing.T) {
	long := "/" + string(make([]byte, maxUnixPath))
	for _, tc := range []struct {
		listen, proto string
		want          []string
	}{
		{"imap", "tcp", []string{"ipv4 0.0.0.0:143", "ipv6 [::]:143"}},
		{"143", "tcp4", []string{"ipv4 0.0.0.0:143"}},
		{"143", "tcp6", []string{"ipv6 [::]:143"}},
		{"[::1]:4711", "tcp", []string{"ipv6 [::1]:4711"}},
		{"127.0.0.1:4711", "udp", []string{"ipv4 127.0.0.1:4711"}},
		{"/run/sock", "tcp", []string{"unix /run/sock"}},
		{"127.0.0.1", "tcp", nil},
		{"127.0.0.1:1", "tcp6", nil},
		{"1", "sctp", nil},
		{"host.invalid:1", "tcp", nil},
		{long, "tcp", nil},
	} {
		addrs, err := addresses(context.Background(), masterconf.Entry{Name: "a", Listen: tc.listen, Proto: tc.proto})
		var got []string
		for _, a := range addrs {
			got = append(got, a.family+" "+a.text)
		}
		if !slices.Equal(got, tc.want) || (err != nil) != (tc.want == nil) {
			t.Errorf("%q %s: %q, %v; want %q", tc.listen, tc.proto, got, err, tc.want)
		}
	}
}

func TestExecutable(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"good": 0o755, "plain": 0o644} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	m := &master{dirs: []string{dir, "/bin"}}
	for _, tc := range []struct {
		word, path string
		ok         bool
	}{
		{"good", dir + "/good", true},
		{"sh", "/bin/sh", true},
		{"plain", dir + "/plain", false},
		{"nonesuch", dir + "/nonesuch", false},
		{dir, dir, false},
		{dir + "/good", dir + "/good", true},
	} {
		if path, ok := m.executable(tc.word); path != tc.path || ok != tc.ok {
			t.Errorf("executable(%q) = %q, %t; want %q, %t", tc.word, path, ok, tc.path, tc.ok)
		}
	}
	if !servesMany(bin + "/lined") {
		t.Error("our own service is not known as one")
	}
	if servesMany("/bin/sh") {
		t.Error("a shell is taken for one of our services")
	}
}

func TestTOS(t *testing.T) {
	for mark, want := range map[string]int{"cs0": 0, "cs3": 0x60, "cs7": 0xe0, "af11": 0x28, "af43": 0x98, "ef": 0xb8} {
		if got := tos(mark); got != want {
			t.Errorf("tos(%s) = %#x, want %#x", mark, got, want)
		}
	}
}

// FuzzSplitListen: what is taken apart can be put together again.
func FuzzSplitListen(f *testing.F) {
	for _, s := range []string{"imap", "host:143", "[::1]:imap", "[127.0.0.1]", "::1:143", "[", ":"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		host, port, err := splitListen(s)
		if err != nil {
			return
		}
		if !slices.Contains([]string{port, host + ":" + port, "[" + host + "]:" + port, "[" + host + "]"}, s) {
			t.Errorf("%q became %q and %q", s, host, port)
		}
	})
}
