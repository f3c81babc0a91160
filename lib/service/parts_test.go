package service

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// fakeResolver knows some names; blocked, it answers when the block ends.
type fakeResolver struct {
	reverse map[string][]string
	forward map[string]string
	blocked chan struct{}
}

func (r *fakeResolver) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	if r.blocked != nil {
		select {
		case <-r.blocked:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	names, ok := r.reverse[addr]
	if !ok {
		return nil, errors.New("no such name")
	}
	return names, nil
}

func (r *fakeResolver) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	ip, ok := r.forward[host]
	if !ok {
		return nil, errors.New("no such host")
	}
	return []netip.Addr{netip.MustParseAddr(ip)}, nil
}

func tcpAddr(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 4711} }

func TestPeer(t *testing.T) {
	n := newNameCache()
	n.resolver = &fakeResolver{
		reverse: map[string][]string{
			"127.0.0.1": {"localhost"}, "10.0.0.1": {"liar.example.org."},
			"10.0.0.2": {"other.example.org.", "mail.example.org."}, "::1": {"localhost"},
		},
		forward: map[string]string{
			"localhost": "::ffff:127.0.0.1", "liar.example.org.": "10.9.9.9", "mail.example.org.": "10.0.0.2",
		},
	}
	for _, tc := range []struct {
		name string
		addr net.Addr
		want string
	}{
		{"name and address", tcpAddr("127.0.0.1"), "localhost [127.0.0.1]"},
		{"a name that leads elsewhere", tcpAddr("10.0.0.1"), "[10.0.0.1]"},
		{"the second of two names", tcpAddr("10.0.0.2"), "mail.example.org [10.0.0.2]"},
		{"no name", tcpAddr("10.0.0.3"), "[10.0.0.3]"},
		{"IPv6", tcpAddr("::1"), "[::1]"},
		{"Unix socket", &net.UnixAddr{}, "[unix socket]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := n.client(tc.addr).wait(); got != tc.want {
				t.Errorf("peer %q, want %q", got, tc.want)
			}
		})
	}
}

// A resolver that hangs costs a session a moment, and the name is there for
// the next.
func TestSlowResolver(t *testing.T) {
	block := make(chan struct{})
	n := newNameCache()
	n.resolver = &fakeResolver{
		reverse: map[string][]string{"10.0.0.1": {"a.example.org"}},
		forward: map[string]string{"a.example.org": "10.0.0.1"},
		blocked: block,
	}
	c := n.client(tcpAddr("10.0.0.1"))
	if got := c.wait(); got != "[10.0.0.1]" {
		t.Errorf("peer %q while the resolver hangs", got)
	}
	later := make(chan string, 1)
	c.onName(func(s string) { later <- s })
	close(block)
	if got := <-later; got != "a.example.org [10.0.0.1]" {
		t.Errorf("told %q", got)
	}
	if got := n.client(tcpAddr("10.0.0.1")).wait(); got != "a.example.org [10.0.0.1]" {
		t.Errorf("peer %q afterwards", got)
	}
}

func TestNameCacheIsBounded(t *testing.T) {
	block := make(chan struct{})
	defer close(block)
	n := newNameCache()
	n.resolver = &fakeResolver{blocked: block}
	for i := range 3 * maxNames {
		n.client(tcpAddr(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String()))
	}
	if len(n.names) > maxNames || len(n.slots) > maxLookups {
		t.Errorf("%d names, %d look-ups", len(n.names), len(n.slots))
	}
}

func TestSessionID(t *testing.T) {
	g := sessionIDs{base: "cyrus"}
	now := time.Unix(1795325582, 0)
	re := regexp.MustCompile(`^cyrus-1795325582-\d+-(\d+)-\d+$`)
	for _, want := range []string{"1", "2"} {
		id := g.next(now)
		if m := re.FindStringSubmatch(id); m == nil || m[1] != want {
			t.Errorf("id %q, want number %s of its second", id, want)
		}
	}
	if id := g.next(now.Add(time.Second)); !strings.Contains(id, "-1-") {
		t.Errorf("id %q: a new second begins with 1", id)
	}
	g.base = strings.Repeat("x", 1000)
	if id := g.next(now); len(id) > 200 {
		t.Errorf("id of %d octets", len(id))
	}
}

func TestMessages(t *testing.T) {
	dir := t.TempDir()
	m := NewMessages(dir, "imap")
	if text, ok := m.Shutdown(); ok {
		t.Errorf("shutdown %q without a file", text)
	}
	os.Mkdir(filepath.Join(dir, "msg"), 0o755)
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "msg", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	check := func(what, want string, wantOK bool, got string, ok bool) {
		t.Helper()
		if got != want || ok != wantOK {
			t.Errorf("%s: %q, %t; want %q, %t", what, got, ok, want, wantOK)
		}
	}
	write("shutdown", "down for repair\r\nsecond line\n")
	text, ok := m.Shutdown()
	check("first line", "down for repair", true, text, ok)
	write("shutdown", "back soon, honest\n") // within the same tick
	text, ok = m.Shutdown()
	check("changed", "back soon, honest", true, text, ok)
	write("shutdown.imap", "")
	text, ok = m.Shutdown()
	check("its own beats the general", "", true, text, ok)
	os.Remove(filepath.Join(dir, "msg", "shutdown.imap"))
	os.Remove(filepath.Join(dir, "msg", "shutdown"))
	text, ok = m.Shutdown()
	check("gone", "", false, text, ok)
	write("motd", "[[ALERT] hello")
	text, ok = m.MOTD()
	check("motd", "ALERT] hello", true, text, ok)
}

func TestInterruptedConn(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	c := newConn(a)
	done := make(chan error)
	go func() {
		_, err := c.Read(make([]byte, 1))
		done <- err
	}()
	c.interrupt()
	if err := <-done; err != errEnding {
		t.Errorf("read: %v", err)
	}
	// The user of the connection cannot undo it.
	c.SetReadDeadline(time.Now().Add(time.Hour))
	c.SetDeadline(time.Time{})
	// It is no timeout: prot reads again after one that is not its own.
	if _, err := c.Read(make([]byte, 1)); err != errEnding || errEnding.Timeout() {
		t.Errorf("read after a new deadline: %v", err)
	}
}

func TestProgramFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "program")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(name+".new", []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(name+".new", name); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	st, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	p := &programFile{name, st}
	if why := p.changed(); why != "" {
		t.Errorf("unchanged: %q", why)
	}
	write("one")
	if why := p.changed(); why != "process file has changed" {
		t.Errorf("replaced: %q", why)
	}
	os.Remove(name)
	if why := p.changed(); why != "cannot stat process file: No such file or directory" {
		t.Errorf("removed: %q", why)
	}
	if why := (&programFile{}).changed(); why != "" {
		t.Errorf("never known: %q", why)
	}
}

func TestFillTemplate(t *testing.T) {
	for in, want := range map[string]string{
		"gdb %s %d (%s)": "gdb imapd 7 (imap)", "100%%": "100%", "%s%s%s%s.": "imapd7imap.", "end%": "end%",
	} {
		if got := fillTemplate(in, []string{"imapd", "7", "imap"}); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
