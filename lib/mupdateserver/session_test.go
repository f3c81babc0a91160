package mupdateserver

import (
	"bufio"
	"compress/flate"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gocyrus/lib/backend"
	"gocyrus/lib/imtest"
	"gocyrus/lib/mupdate"
	"gocyrus/lib/saslclient"
	"gocyrus/lib/servertest"
)

// wire is a client that speaks and reads lines itself.
type wire struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
	w io.Writer
}

func newWire(t testing.TB, addr string) *wire {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &wire{t, c, bufio.NewReader(c), c}
}

func (w *wire) line() string {
	w.t.Helper()
	if err := w.SetReadDeadline(time.Now().Add(patience)); err != nil {
		w.t.Fatal(err)
	}
	s, err := w.r.ReadString('\n')
	if err != nil {
		return s + "<" + err.Error() + ">"
	}
	return strings.TrimSuffix(s, "\r\n")
}

// greeting reads up to the line of OK and returns the words before.
func (w *wire) greeting() []string {
	w.t.Helper()
	var lines []string
	for {
		l := w.line()
		if strings.HasPrefix(l, "* OK") || strings.HasPrefix(l, "<") {
			return lines
		}
		lines = append(lines, l)
	}
}

// talk sends lines and compares what comes back.
func (w *wire) talk(send string, want ...string) {
	w.t.Helper()
	if _, err := io.WriteString(w.w, send); err != nil {
		w.t.Fatal(err)
	}
	for _, l := range want {
		if got := w.line(); got != l {
			w.t.Errorf("%q: got %q, want %q", send, got, l)
		}
	}
}

const login = "A01 AUTHENTICATE \"PLAIN\" \"AG11cG1hbgBtdXBzZWNyZXQ=\"\r\n"

func TestSession(t *testing.T) {
	srv := testServer(t, testConfig(t, ""), nil)
	addr, _ := listen(t, srv)
	w := newWire(t, addr)
	w.greeting()
	w.talk("1 DFOO\r\n", `1 BAD "Please login first"`)
	w.talk("2 COMPRESS \"x\ny\"\r\n", `2 BAD "Extra arguments"`, `* BAD "Need command"`)
	w.talk("3 AUTHENTICATE \"PLAIN\" \"=\"\r\n", `3 NO "undefined error!"`)
	w.talk("4 AUTHENTICATE \"PLAIN\" \"???\"\r\n", `4 NO Error reading client response: `)
	// A response may come as a literal, as Cyrus's client sends it.
	w.talk("5 AUTHENTICATE \"plain\"\r\n{24+}\r\nAG11cG1hbgBtdXBzZWNyZXQ=\r\n", "", `5 OK "Authenticated"`)
	w.talk("6 DFOO\r\n", `6 BAD "Unrecognized command"`)
	w.talk("7 RESERVE \"a\x01b\" \"be!p\"\r\n", `7 BAD "Badly formed arguments"`)
	w.talk("8 RESERVE \"ab\" \"\"\r\n", `8 BAD "Badly formed arguments"`)
	// Pipelined: answers keep their order, and so do syntax errors between.
	w.talk("1 RESERVE \"a\" \"b!p\"\r\n2 ACTIVATE \"a\" \"b!p\" \"\"\r\n3 WHAT\r\n4 DEACTIVATE \"a\" \"c!p\"\r\n5 FIND \"a\"\r\n6 DELETE \"a\"\r\n7 DELETE \"a\"\r\n8 \r\n9\r\n10 NOOP\r\n",
		`1 OK "done"`, `2 OK "done"`, `3 BAD "Unrecognized command"`, `4 OK "done"`, "5 RESERVE {1+}", "a {3+}", "c!p", `5 OK "Search completed"`,
		`6 OK "done"`, `7 NO "mailbox doesn't exist"`, `8 BAD "Null command"`, `* BAD "Need command"`, `10 OK "Noop done"`)
	w.talk("1 RESERVE {1}\r\n", "+ go ahead")
	w.talk("a {3}\r\n", "+ go ahead")
	w.talk("b!p\r\n", `1 OK "done"`)
	w.talk(fmt.Sprintf("2 ACTIVATE \"a\" \"b!p\" {%d+}\r\n%s\r\n", 60000, strings.Repeat("x\tl\t", 15000)), `2 OK "done"`)
	w.talk("3 LOGOUT\r\n", `3 OK "bye-bye"`, "<EOF>")
}

// TestTooLong: what Cyrus's whole process would end of costs one connection.
func TestTooLong(t *testing.T) {
	srv := testServer(t, testConfig(t, "maxliteral: 1000\nmaxquoted: 1000\nmaxword: 100\n"), nil)
	addr, _ := listen(t, srv)
	for _, send := range []string{
		"1 FIND {1001+}\r\n", "1 FIND \"" + strings.Repeat("x", 1001), strings.Repeat("x", 101), "1 " + strings.Repeat("x", 101),
		"1 NOOP " + strings.Repeat("x", 2200), "1 NOOP {5000+}\r\n",
	} {
		w := newWire(t, addr)
		w.greeting()
		w.talk(login+send, `A01 OK "Authenticated"`, `* BAD "line too long"`)
		if rest := w.line(); !strings.HasPrefix(rest, "<") {
			t.Errorf("%.20q: then %q", send, rest)
		}
	}
	w := newWire(t, addr)
	w.greeting()
	w.talk(login+"1 NOOP\r\n", `A01 OK "Authenticated"`, `1 OK "Noop done"`)
}

func TestConnectionLimit(t *testing.T) {
	srv := testServer(t, testConfig(t, "mupdate_connections_max: 2\n"), nil)
	addr, _ := listen(t, srv)
	first, second := newWire(t, addr), newWire(t, addr)
	first.greeting()
	second.greeting()
	third := newWire(t, addr)
	if got := third.line(); got != `* BYE "Server Unable"` {
		t.Errorf("the third is told %q", got)
	}
	if got := third.line(); got != "\x00<EOF>" {
		t.Errorf("then %q", got)
	}
	first.Close()
	eventually(t, "room for another", func() bool { return srv.sessions.Load() == 1 })
	if caps := newWire(t, addr).greeting(); len(caps) == 0 {
		t.Error("no greeting when there is room again")
	}
}

func TestIdle(t *testing.T) {
	srv := testServer(t, testConfig(t, ""), func(o *Options) { o.Idle = 20 * time.Millisecond })
	addr, _ := listen(t, srv)
	w := newWire(t, addr)
	w.greeting()
	w.talk("", `* BYE "idle for too long"`, "<EOF>")
}

// TestTelemetry: where an administrator has made a directory, sessions are copied
// into it from the login on.
func TestTelemetry(t *testing.T) {
	srv := testServer(t, testConfig(t, ""), nil)
	dir := filepath.Join(srv.opts.LogDir, "mupman")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	addr, stop := listen(t, srv)
	w := newWire(t, addr)
	w.greeting()
	w.talk(login, `A01 OK "Authenticated"`)
	w.talk("1 NOOP\r\n2 LOGOUT\r\n", `1 OK "Noop done"`, `2 OK "bye-bye"`, "<EOF>")
	stop()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%q, %v", files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil || !strings.Contains(string(b), "1 NOOP") || !strings.Contains(string(b), `1 OK "Noop done"`) || strings.Contains(string(b), "AG11") {
		t.Errorf("%q, %v", b, err)
	}
}

// TestTerm: at SIGTERM a session ends without a word.
func TestTerm(t *testing.T) {
	srv := testServer(t, testConfig(t, ""), nil)
	here, there := net.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); defer there.Close(); srv.Serve(ctx, there) }()
	w := &wire{t, here, bufio.NewReader(here), here}
	w.greeting()
	cancel()
	if got, err := io.ReadAll(w.r); len(got) > 0 || err != nil {
		t.Errorf("told %q, %v", got, err)
	}
	<-done
}

func TestReadOnly(t *testing.T) {
	master := testServer(t, testConfig(t, ""), nil)
	put(t, master.list, mupdate.Entry{State: mupdate.Active, Name: "user.a", Location: "be1!p"})
	addr, _ := listen(t, master)
	slave := testSlave(t, addr, "", nil)
	synced(t, slave)
	slaveAddr, _ := listen(t, slave)
	w := newWire(t, slaveAddr)
	for {
		l := w.line()
		if strings.HasPrefix(l, "* OK") {
			if want := `"mupdate://` + addr + `"`; !strings.HasSuffix(l, want) {
				t.Errorf("greeting %s, want %s at its end", l, want)
			}
			break
		}
	}
	w.talk(login, `A01 OK "Authenticated"`)
	w.talk("1 RESERVE \"x\" \"be1!p\"\r\n", `1 BAD "read-only session"`)
	w.talk("2 ACTIVATE \"x\" \"be1!p\" \"\"\r\n", `2 BAD "read-only session"`)
	w.talk("3 DEACTIVATE \"x\" \"be1!p\"\r\n", `3 BAD "read-only session"`)
	w.talk("4 DELETE \"x\"\r\n", `4 BAD "read-only session"`)
	w.talk("5 RESERVE \"x\"\r\n", `5 BAD "Missing arguments"`)
	w.talk("6 FIND \"user.a\"\r\n", "6 MAILBOX {6+}", "user.a {5+}", "be1!p {0+}", "", `6 OK "Search completed"`)
}

func TestStartTLS(t *testing.T) {
	srv := testServer(t, testConfig(t, servertest.WithTLS(t, "mup.example.org")), nil)
	addr, _ := listen(t, srv)
	w := newWire(t, addr)
	if caps := strings.Join(w.greeting(), "|"); caps != `* AUTH "PLAIN"|* STARTTLS|* COMPRESS "DEFLATE"|* PARTIAL-UPDATE` {
		t.Errorf("greeting %s", caps)
	}
	// What is sent ahead of the handshake is not heard.
	w.talk("1 STARTTLS\r\n2 LOGOUT\r\n", "1 OK Begin TLS negotiation now")
	inner := tls.Client(w.Conn, &tls.Config{InsecureSkipVerify: true})
	w.r, w.w = bufio.NewReader(inner), inner
	if caps := strings.Join(w.greeting(), "|"); caps != `* AUTH "PLAIN"|* COMPRESS "DEFLATE"|* PARTIAL-UPDATE` {
		t.Errorf("greeting in TLS %s", caps)
	}
	w.talk("3 STARTTLS\r\n", "3 BAD Already did a successful Starttls")
	w.talk(login, `A01 OK "Authenticated"`)
	w.talk("4 STARTTLS\r\n", "4 BAD Can't Starttls after authentication")
	w.talk("5 STARTTLS x\r\n", `5 BAD "Extra arguments"`)
	w.talk("6 NOOP\r\n", `6 OK "Noop done"`)

	// A failed handshake costs this connection only.
	broken := newWire(t, addr)
	broken.greeting()
	broken.talk("1 STARTTLS\r\n", "1 OK Begin TLS negotiation now")
	fmt.Fprint(broken, "this is no handshake, and long enough for one\r\n")
	broken.line()
	w.talk("7 NOOP\r\n", `7 OK "Noop done"`)
}

// TestClientTLS: our client takes TLS where it cannot log in without, and not
// otherwise; a server may want TLS from the first octet.
func TestClientTLS(t *testing.T) {
	srv := testServer(t, testConfig(t, servertest.WithTLS(t, "mup.example.org")+"allowplaintext: no\n"), nil)
	addr, _ := listen(t, srv)
	if err := connect(t, addr).Noop(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestMechanisms: one of several steps, which Cyrus's two sides cannot do with
// each other.
func TestMechanisms(t *testing.T) {
	srv := testServer(t, testConfig(t, "sasl_mech_list: PLAIN SCRAM-SHA-256 CRAM-MD5\n"), nil)
	addr, _ := listen(t, srv)
	for _, mech := range []string{"PLAIN", "SCRAM-SHA-256", "CRAM-MD5"} {
		o := clientOptions(addr)
		o.Mechs = []string{mech}
		if err := mupdate.Do(t.Context(), o, func(c *mupdate.Client) error { return c.Noop(t.Context()) }); err != nil {
			t.Errorf("%s: %v", mech, err)
		}
		o.Cred = saslclient.Credentials{AuthcID: "alice", Password: "alice"}
		if _, err := mupdate.Connect(t.Context(), o); err == nil {
			t.Errorf("%s: who is no administrator may in", mech)
		}
	}
}

// TestAdmins: mupdate_admins takes the place of admins.
func TestAdmins(t *testing.T) {
	for _, tc := range []struct {
		conf, user, password string
		ok                   bool
	}{
		{"", "mupman", "mupsecret", true},
		{"", "cyrus", "secret", false},
		{"mupdate_admins: cyrus mupman\n", "cyrus", "secret", true},
		{"mupdate_admins: mupman\n", "alice", "alice", false},
		{"", "mupman", "wrong", false},
	} {
		srv := testServer(t, testConfig(t, tc.conf), nil)
		addr, _ := listen(t, srv)
		o := clientOptions(addr)
		o.Cred = saslclient.Credentials{AuthcID: tc.user, Password: tc.password}
		c, err := mupdate.Connect(t.Context(), o)
		if (err == nil) != tc.ok {
			t.Errorf("%s as %s: %v", tc.conf, tc.user, err)
		}
		if err == nil {
			c.Close()
		}
	}
}

func TestCompress(t *testing.T) {
	srv := testServer(t, testConfig(t, ""), func(o *Options) { o.FlushEvery = time.Millisecond })
	put(t, srv.list, manyEntries(300)...)
	addr, _ := listen(t, srv)
	w := newWire(t, addr)
	w.greeting()
	w.talk("1 compress \"deflate\"\r\n", "1 OK deflate active") // before login, too
	out, err := flate.NewWriter(w.Conn, flate.DefaultCompression)
	if err != nil {
		t.Fatal(err)
	}
	w.r = bufio.NewReader(flate.NewReader(w.r))
	w.w = flusher{out}
	w.talk("2 COMPRESS \"DEFLATE\"\r\n", "2 BAD DEFLATE active via COMPRESS")
	w.talk("3 STARTTLS\r\n", `3 BAD "Unrecognized command"`)
	w.talk(login, `A01 OK "Authenticated"`)
	w.talk("U01 UPDATE\r\n")
	for w.line() != `U01 OK "streaming starts"` {
	}
	c := connect(t, addr)
	if err := c.Activate(t.Context(), "user.deflated", "be1!p", ""); err != nil {
		t.Fatal(err)
	}
	w.talk("", "U01 MAILBOX {13+}", "user.deflated {5+}", "be1!p {0+}", "")
}

type flusher struct{ *flate.Writer }

func (f flusher) Write(p []byte) (int, error) {
	n, err := f.Writer.Write(p)
	if err == nil {
		err = f.Flush()
	}
	return n, err
}

// FuzzSession checks that whatever line a client sends, in each state of a
// session, it gets an answer or the connection ends, and the server goes on.
func FuzzSession(f *testing.F) {
	for _, s := range []string{
		"1 NOOP", "1 FIND \"a\"", "1 LIST \"be\"", "1 UPDATE", "1 UPDATE \"b\"", "1 ACTIVATE \"a\" \"b!c\" \"d\tl\t\"", "1 RESERVE {1}", "1 DELETE \"a\"",
		"1 DEACTIVATE \"a\" \"b\"", "1 AUTHENTICATE \"PLAIN\"", "1 COMPRESS \"DEFLATE\"", "1 LOGOUT", "x", "", "1 FIND {3+}\r\na\x00b", "1 STARTTLS",
	} {
		f.Add(s)
	}
	srv := testServer(f, testConfig(f, ""), func(o *Options) { o.Connections = 0 })
	addr, _ := listen(f, srv)
	f.Fuzz(func(t *testing.T, line string) {
		for _, before := range []string{"", login, login + "U01 UPDATE\r\n", login + "0 RESERVE \"a\" \"b!c\"\r\n"} {
			w := newWire(t, addr)
			fmt.Fprint(w.Conn, before, line, "\r\nend LOGOUT\r\n")
			// What the line left open is closed by the end of the input.
			if err := w.Conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if err := w.SetReadDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, w.r); err != nil && !strings.Contains(err.Error(), "reset") {
				t.Fatalf("%q after %q: %v", line, before, err)
			}
			w.Close()
		}
		w := newWire(t, addr)
		if caps := w.greeting(); len(caps) == 0 {
			t.Fatalf("%q: no greeting any more", line)
		}
		w.Close()
	})
}

// syncBuilder is a strings.Builder for two goroutines.
type syncBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncBuilder) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuilder) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestTester: mupdatetest logs in, shows how, and passes on what it is given.
func TestTester(t *testing.T) {
	for _, tc := range []struct {
		name, more, mech, password string
		tls                        bool
		want                       []string
	}{
		{"PLAIN", "", "PLAIN", "mupsecret", false, []string{`S: * AUTH "PLAIN"`, "C: A01 AUTHENTICATE", "S: A01 OK", "Authenticated.", `2 OK "list complete"`, `3 OK "bye-bye"`}},
		{"SCRAM", "sasl_mech_list: SCRAM-SHA-256\n", "", "mupsecret", false, []string{"Authenticated.", `2 OK "list complete"`}},
		{"TLS", servertest.WithTLS(t, "mup.example.org"), "PLAIN", "mupsecret", true, []string{"S01 STARTTLS", "Authenticated.", `2 OK "list complete"`}},
		{"wrong password", "", "PLAIN", "wrong", false, []string{"Authentication failed"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := testServer(t, testConfig(t, tc.more), nil)
			addr, _ := listen(t, srv)
			host, port, err := net.SplitHostPort(addr)
			if err != nil {
				t.Fatal(err)
			}
			var out syncBuilder
			err = imtest.Run(t.Context(), imtest.Options{
				Proto: backend.MUPDATE, Host: host, Port: port, AuthName: "mupman", Mech: tc.mech, StartTLS: tc.tls, Attempts: 1,
				Password: func() (string, error) { return tc.password, nil },
				In:       strings.NewReader("2 LIST\r\n3 LOGOUT\r\n"), Out: &out, Err: &out,
			})
			if err != nil {
				t.Errorf("%v", err)
			}
			for _, w := range tc.want {
				if !strings.Contains(out.String(), w) {
					t.Errorf("no %q in:\n%s", w, out.String())
				}
			}
		})
	}
}
