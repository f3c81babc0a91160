package mupdate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"gocyrus/lib/mboxname"
	"gocyrus/lib/saslclient"
)

// fragile is a master that has what Cyrus's breaks down of: then it notes so,
// and drops the connection.
type fragile struct {
	greeting string
	early    []string                                // greetings of the first who connect, who are then sent away
	extra    func(name string, args []string) string // an answer instead

	mu      sync.Mutex
	has     map[string]Entry
	crashes int
	names   []string // of commands, in order
	conns   int
}

const cyrusGreeting = "* AUTH \"PLAIN\"\r\n* COMPRESS \"DEFLATE\"\r\n* PARTIAL-UPDATE\r\n" +
	"* OK MUPDATE \"mup.example.org\" \"Cyrus IMAP\" \"3.6.1\" \"(master)\"\r\n"

// start listens and returns how to get there.
func (m *fragile) start(t *testing.T) Options {
	t.Helper()
	if m.greeting == "" {
		m.greeting = cyrusGreeting
	}
	if m.has == nil {
		m.has = map[string]Entry{}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { m.serve(c) })
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return Options{
		Servers: []string{l.Addr().String()}, Timeout: 10 * time.Second,
		Cred: saslclient.Credentials{AuthcID: "mupman", Password: "mupsecret"},
	}
}

func (m *fragile) serve(c net.Conn) {
	defer c.Close()
	m.mu.Lock()
	m.conns++
	if n := m.conns - 1; n < len(m.early) {
		fmt.Fprint(c, m.early[n])
		m.mu.Unlock()
		return
	}
	m.mu.Unlock()
	fmt.Fprint(c, m.greeting)
	r := NewReader(bufio.NewReader(c), testLimits, nil)
	for {
		tag, name, err := r.Head()
		if err != nil {
			return
		}
		args, err := r.Args(0, 3)
		if err != nil {
			return
		}
		answer := m.do(tag, name, args)
		if answer == "" {
			return
		}
		fmt.Fprint(c, answer)
	}
}

func (m *fragile) do(tag, name string, args []string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.names = append(m.names, name)
	if m.extra != nil {
		if s := m.extra(name, args); s != "" {
			return strings.ReplaceAll(s, "TAG", tag)
		}
	}
	var old Entry
	if len(args) > 0 {
		old = m.has[args[0]]
	}
	ok := tag + " OK \"done\"\r\n"
	switch name {
	case "FIND":
		if old.State != Absent {
			return string(AppendEntry([]byte(tag+" "), &old)) + ok
		}
	case "RESERVE":
		if old.State != Absent && old.Location != args[1] {
			return tag + " NO \"mailbox already exists\"\r\n"
		}
		m.has[args[0]] = Entry{State: Reserved, Name: mboxname.Name(args[0]), Location: args[1]}
	case "ACTIVATE":
		m.has[args[0]] = Entry{Active, mboxname.Name(args[0]), args[1], args[2]}
	case "DEACTIVATE":
		if old.State != Active {
			m.crashes++
			return ""
		}
		m.has[args[0]] = Entry{State: Reserved, Name: mboxname.Name(args[0]), Location: args[1]}
	case "DELETE":
		if old.State == Absent {
			m.crashes++
			return ""
		}
		delete(m.has, args[0])
	}
	return ok
}

// TestSafe: whatever is asked of the client, no Cyrus master breaks down of it.
func TestSafe(t *testing.T) {
	m := &fragile{}
	o := m.start(t)
	c, err := Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const here, there = "be1.example.org!default", "be2.example.org!default"
	for i, tc := range []struct {
		what string
		err  error
		want error
	}{
		{"delete unknown", c.Delete(t.Context(), "user.x"), ErrNotFound},
		{"deactivate unknown", c.Deactivate(t.Context(), "user.x", here), ErrNotFound},
		{"reserve", c.Reserve(t.Context(), "user.x", here), nil},
		{"reserve again", c.Reserve(t.Context(), "user.x", here), nil},
		{"reserve elsewhere", c.Reserve(t.Context(), "user.x", there), ErrExists},
		{"deactivate reserved", c.Deactivate(t.Context(), "user.x", here), ErrNotActive},
		{"activate", c.Activate(t.Context(), "user.x", here, "x\tlrs\t"), nil},
		{"deactivate", c.Deactivate(t.Context(), "user.x", there), nil},
		{"deactivate twice", c.Deactivate(t.Context(), "user.x", there), ErrNotActive},
		{"delete", c.Delete(t.Context(), "user.x"), nil},
		{"delete twice", c.Delete(t.Context(), "user.x"), ErrNotFound},
		{"two bangs", c.Activate(t.Context(), "user.x", "a!b!c", ""), ErrLocation},
		{"two bangs reserved", c.Reserve(t.Context(), "user.x", "a!b!c"), ErrLocation},
		{"no location", c.Reserve(t.Context(), "user.x", ""), ErrLocation},
		{"noop", c.Noop(t.Context()), nil},
	} {
		if !errors.Is(tc.err, tc.want) {
			t.Errorf("%d, %s: %v, want %v", i, tc.what, tc.err, tc.want)
		}
	}
	if err := c.Logout(t.Context()); err != nil {
		t.Error(err)
	}
	if m.crashes > 0 {
		t.Errorf("the master broke down %d times", m.crashes)
	}
}

func TestFindAndList(t *testing.T) {
	want := Entry{Active, "user.x", "be1!", "x\tlrs\t"}
	m := &fragile{has: map[string]Entry{"user.x": want}, extra: func(name string, args []string) string {
		if name == "LIST" && len(args) == 1 && args[0] == "be1!" {
			return "TAG MAILBOX \"a\" \"be1!p\" \"\"\r\nTAG RESERVE \"b\" \"be1!q\"\r\nTAG OK \"list complete\"\r\n"
		}
		return ""
	}}
	c, err := Connect(t.Context(), m.start(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, err := c.Find(t.Context(), "user.x"); got != want || err != nil {
		t.Errorf("found %+v, %v", got, err)
	}
	if _, err := c.Find(t.Context(), "user.y"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	var got []Entry
	err = c.List(t.Context(), "be1!", func(e Entry) error { got = append(got, e); return nil })
	if err != nil || len(got) != 2 || got[0] != (Entry{Active, "a", "be1!p", ""}) || got[1] != (Entry{Reserved, "b", "be1!q", ""}) {
		t.Errorf("listed %+v, %v", got, err)
	}
	enough := errors.New("enough")
	if err := c.List(t.Context(), "be1!", func(Entry) error { return enough }); !errors.Is(err, enough) {
		t.Error(err)
	}
	if err := c.Noop(t.Context()); err != nil {
		t.Errorf("after a list that was not wanted to its end: %v", err)
	}
}

func TestActivateAll(t *testing.T) {
	m := &fragile{extra: func(name string, args []string) string {
		if name == "ACTIVATE" && args[0] == "user.7" {
			return "TAG NO \"not today\"\r\n"
		}
		return ""
	}}
	c, err := Connect(t.Context(), m.start(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var all []Entry
	for i := range piece*(window+2) + 1 { // more than is under way at once
		all = append(all, Entry{Active, mboxname.Name(fmt.Sprintf("user.%d", i)), "be1!default", ""})
	}
	all[9].Location = "a!b!c"
	next := 0
	err = c.ActivateAll(t.Context(), all, func(e Entry, err error) {
		want := error(nil)
		switch next {
		case 7:
			want = ErrRefused
		case 9:
			want = ErrLocation
		}
		if e != all[next] || !errors.Is(err, want) {
			t.Errorf("%d: %+v, %v", next, e, err)
		}
		next++
	})
	if err != nil || next != len(all) || len(m.has) != len(all)-2 {
		t.Errorf("%d told, %d stored: %v", next, len(m.has), err)
	}
}

// TestActivateAllLost: a master that goes away in the middle, and a caller who does.
func TestActivateAllLost(t *testing.T) {
	all := make([]Entry, 3*piece*window)
	for i := range all {
		all[i] = Entry{Active, mboxname.Name(fmt.Sprintf("user.%d", i)), "be1!default", ""}
	}
	for name, tc := range map[string]struct {
		extra func(gone func()) string
		want  error
	}{
		"master": {func(func()) string { return "* BYE \"Server Unable\"\r\n" }, ErrBye},
		"caller": {func(gone func()) string { gone(); return "" }, context.Canceled},
	} {
		ctx, gone := context.WithCancel(t.Context())
		n := 0
		m := &fragile{extra: func(name string, _ []string) string {
			if name == "ACTIVATE" {
				if n++; n == piece*window {
					return tc.extra(gone)
				}
			}
			return ""
		}}
		c, err := Connect(t.Context(), m.start(t))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		told := 0
		var lost *ConnError
		if err := c.ActivateAll(ctx, all, func(Entry, error) { told++ }); !errors.Is(err, tc.want) || !errors.As(err, &lost) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
		if told >= len(all) {
			t.Errorf("%s: all were told", name)
		}
		gone()
	}
}

// TestGreetings: RFC 3656 has the OK first, Cyrus last.
func TestGreetings(t *testing.T) {
	for _, tc := range []struct {
		name, greeting string
		ok             bool
	}{
		{"Cyrus", cyrusGreeting, true},
		{"RFC", "* OK MUPDATE \"mup.example.org\" \"x\" \"1\" \"mupdate://mup\"\r\n* AUTH \"KERBEROS_V4\" \"PLAIN\"\r\n* STARTTLS\r\n", true},
		{"no mechanism", "* AUTH\r\n* OK MUPDATE \"mup\"\r\n", false},
		{"BYE", "* BYE \"Server Unable\"\r\n\x00", false},
		{"another protocol", "220 smtp.example.org ESMTP\r\n", false},
	} {
		m := &fragile{greeting: tc.greeting}
		o := m.start(t)
		if !tc.ok {
			o.Timeout = time.Second // of those that never come to an OK
		}
		c, err := Connect(t.Context(), o)
		if (err == nil) != tc.ok {
			t.Errorf("%s: %v", tc.name, err)
		}
		if err != nil {
			continue
		}
		if !strings.HasPrefix(c.Banner(), "* OK MUPDATE") {
			t.Errorf("%s: banner %q", tc.name, c.Banner())
		}
		if err := c.Noop(t.Context()); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		c.Close()
	}
}

// TestNotReady: a master that has just started, and offers nothing to log in with, is
// asked again.
func TestNotReady(t *testing.T) {
	for name, early := range map[string]string{
		"no mechanism": strings.Replace(cyrusGreeting, ` "PLAIN"`, "", 1),
		"no AUTH":      strings.Replace(cyrusGreeting, "* AUTH \"PLAIN\"\r\n", "", 1) + "* BYE \"not now\"\r\n",
	} {
		m := &fragile{early: []string{early, early}}
		c, err := Connect(t.Context(), m.start(t))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if c.Close(); m.conns != 3 {
			t.Errorf("%s: %d connections", name, m.conns)
		}
	}
}

// TestServers: the first that answers is taken.
func TestServers(t *testing.T) {
	m := &fragile{}
	o := m.start(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close() // so that nobody listens there
	o.Servers = []string{l.Addr().String(), o.Servers[0]}
	c, err := Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if _, err := Connect(t.Context(), Options{}); !errors.Is(err, ErrNoServer) {
		t.Error(err)
	}
}

// TestDo runs the work again when the connection breaks, and not when the master
// refuses.
func TestDo(t *testing.T) {
	for _, tc := range []struct {
		name   string
		breaks int // times that the connection breaks
		conns  int
		ok     bool
	}{
		{"well", 0, 1, true},
		{"restarted", 1, 2, true},
		{"down", 2, 2, false},
	} {
		breaks := tc.breaks
		m := &fragile{}
		o := m.start(t)
		err := Do(t.Context(), o, func(c *Client) error {
			if breaks > 0 {
				breaks--
				c.conn.NetConn().Close()
			}
			return c.Reserve(t.Context(), "user.x", "be1!default")
		})
		if (err == nil) != tc.ok || m.conns != tc.conns {
			t.Errorf("%s: %d connections, %v", tc.name, m.conns, err)
		}
		if !tc.ok && !errors.As(err, new(*ConnError)) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	m := &fragile{has: map[string]Entry{"user.x": {Active, "user.x", "be2!default", ""}}}
	runs := 0
	err := Do(t.Context(), m.start(t), func(c *Client) error {
		runs++
		return c.Reserve(t.Context(), "user.x", "be1!default")
	})
	if !errors.Is(err, ErrExists) || runs != 1 {
		t.Errorf("%d runs, %v", runs, err)
	}
}

// TestContext: a master that does not answer holds nobody.
func TestContext(t *testing.T) {
	m := &fragile{extra: func(name string, _ []string) string {
		if name == "NOOP" {
			return "* NOTHING\r\n"
		}
		return ""
	}}
	c, err := Connect(t.Context(), m.start(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Noop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if err := c.Noop(t.Context()); !errors.As(err, new(*ConnError)) {
		t.Errorf("the session goes on: %v", err)
	}
}

// TestRealStream reads what Cyrus's master told a slave in seven minutes.
func TestRealStream(t *testing.T) {
	b, err := os.ReadFile("testdata/real-slave-session.txt")
	if err != nil {
		t.Fatal(err)
	}
	var octets strings.Builder
	for line := range strings.Lines(string(b)) {
		if _, said, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " S: "); ok && said != "<EOF>" {
			octets.WriteString(said + "\r\n")
		}
	}
	r := NewReader(bufio.NewReader(strings.NewReader(octets.String())), clientLimits, nil)
	counts := map[Kind]int{}
	states := map[State]int{}
	for {
		var a Answer
		if err := r.Answer(&a); err != nil {
			break
		}
		counts[a.Kind]++
		if a.Kind == About {
			states[a.Entry.State]++
			if !ValidName(a.Entry.Name) || a.Entry.State != Absent && !ValidLocation(a.Entry.Location) {
				t.Errorf("%+v", a.Entry)
			}
		}
	}
	if counts[OK] != strings.Count(string(b), " OK ") || counts[About] != states[Active]+states[Absent]+states[Reserved] || counts[About] == 0 {
		t.Errorf("%v, %v", counts, states)
	}
	if want := strings.Count(string(b), " MAILBOX ") + strings.Count(string(b), " DELETE ") + strings.Count(string(b), " RESERVE "); counts[About] != want {
		t.Errorf("%d entries, want %d", counts[About], want)
	}
}

func TestAddress(t *testing.T) {
	o := Options{Port: "3905"}
	for in, want := range map[string]string{
		"mup": "mup:3905", "mup:1234": "mup:1234", "mup:1234/tls": "mup:1234 tls", "mup/tls": "mup:3905 tls", "[::1]:99": "[::1]:99", "::1": "[::1]:3905",
		"/run/mupdate": "/run/mupdate",
	} {
		addr, wrapped := o.address(in)
		if wrapped {
			addr += " tls"
		}
		if addr != want {
			t.Errorf("%s: %s, want %s", in, addr, want)
		}
	}
}

func TestKick(t *testing.T) {
	path := t.TempDir() + "/target"
	o := Options{KickSocket: path}
	if err := o.Kick(t.Context()); err != nil {
		t.Errorf("nobody to kick: %v", err)
	}
	o.Kicks = true
	if err := o.Kick(t.Context()); !errors.Is(err, ErrNoKick) {
		t.Errorf("nobody there: %v", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	answers := make(chan string, 3)
	go func() {
		for s := range answers {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(c, s)
			c.Close()
		}
	}()
	defer l.Close()
	answers <- "ok"
	answers <- ""
	if err := o.Kick(t.Context()); err != nil {
		t.Error(err)
	}
	if err := o.Kick(t.Context()); err == nil {
		t.Error("a slave that lost its master meanwhile says nothing, and that is an error")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := o.Kick(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a slave that waits for its master: %v", err)
	}
}
