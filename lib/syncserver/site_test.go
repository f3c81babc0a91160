package syncserver

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/guid"
	"gocyrus/lib/recorded"
	"gocyrus/lib/servertest"
	"gocyrus/lib/sitetest"
)

// testConf is the configuration of test servers: any password will do, and
// nobody waits for a failed login.
const testConf = `configdirectory: $dir/conf
partition-default: $dir/spool
partition-second: $dir/second
defaultpartition: default
servername: mail.example.com
admins: cyrus repl
sasl_pwcheck_method: alwaystrue
sasl_mech_list: PLAIN LOGIN
failedloginpause: 0
sievedir: $dir/sieve
sync_log: no
index_version: 17
`

// testServer is a server on an empty site of its own. more is added to the
// configuration.
func testServer(t testing.TB, more string) *Server {
	t.Helper()
	if !strings.Contains(more, "allowplaintext") {
		more += "allowplaintext: yes\n"
	}
	cfg, st := sitetest.Site(t, "syncserver", testConf+more)
	srv, err := NewServer(cfg, OptionsFrom(cfg), st)
	if err != nil {
		t.Fatal(err)
	}
	srv.opts.Version = "VERSION"
	t.Cleanup(func() {
		srv.Shutdown(context.Background())
		checkStaging(t, srv)
	})
	return srv
}

// checkStaging finds what a server left of messages that were sent ahead.
func checkStaging(t testing.TB, srv *Server) {
	for _, root := range srv.engine.opts.Partitions {
		left, err := filepath.Glob(filepath.Join(root, stageDir, "*", "*"))
		if err != nil || len(left) > 0 {
			t.Errorf("left in staging: %v %v", left, err)
		}
	}
}

// dialer opens sessions on srv over a unix socket or TCP.
func dialer(t testing.TB, srv *Server, network string) func() net.Conn {
	return servertest.Dialer(t, network, srv.Serve)
}

// peer is the client's end of a session.
type peer struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

// connect opens a session and reads the greeting.
func connect(t testing.TB, dial func() net.Conn) *peer {
	t.Helper()
	c := dial()
	p := &peer{t: t, Conn: c, r: bufio.NewReader(c)}
	for {
		if line := p.line(); strings.HasPrefix(line, "* OK ") {
			return p
		}
	}
}

// signIn is connect as an administrator.
func signIn(t testing.TB, dial func() net.Conn) *peer {
	t.Helper()
	p := connect(t, dial)
	p.send("AUTHENTICATE PLAIN " + plainResponse("repl") + "\r\n")
	if got := p.line(); got != "OK Success (no protection)" {
		t.Fatalf("authenticate: %q", got)
	}
	return p
}

func plainResponse(user string) string {
	return base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00secret"))
}

func (p *peer) send(text string) {
	p.t.Helper()
	if _, err := io.WriteString(p.Conn, text); err != nil {
		p.t.Fatal(err)
	}
}

// line reads a line with the literals and files that it ends in, without its end.
func (p *peer) line() string {
	p.t.Helper()
	p.SetReadDeadline(time.Now().Add(time.Minute))
	var b strings.Builder
	for {
		part, err := p.r.ReadString('\n')
		if err != nil {
			p.t.Fatalf("read: %v after %q%q", err, b.String(), part)
		}
		b.WriteString(part)
		n, ok := literalAt(part)
		if !ok {
			return strings.TrimSuffix(b.String(), "\r\n")
		}
		if _, err := io.CopyN(&b, p.r, n); err != nil {
			p.t.Fatal(err)
		}
	}
}

// literalAt is the size of the literal or file that a line of the server ends in.
func literalAt(line string) (int64, bool) {
	line, ok := strings.CutSuffix(line, "}\r\n")
	at := strings.LastIndexByte(line, '{')
	if !ok || at < 0 {
		return 0, false
	}
	word := line[strings.LastIndexAny(line, "{ ")+1:]
	n, err := strconv.ParseInt(word, 10, 64)
	return n, err == nil
}

// do sends a command and reads its answer: the items, then the last line.
func (p *peer) do(command string) []string {
	p.t.Helper()
	p.send(command + "\r\n")
	return p.answer()
}

func (p *peer) answer() []string {
	p.t.Helper()
	var lines []string
	for {
		lines = append(lines, p.line())
		if !strings.HasPrefix(lines[len(lines)-1], "* ") {
			return lines
		}
	}
}

// want does a command that is answered by these lines.
func (p *peer) want(command string, lines ...string) {
	p.t.Helper()
	got := p.do(command)
	if strings.Join(got, "\n") != strings.Join(lines, "\n") {
		p.t.Errorf("%.300s\n got %q\nwant %q", command, got, lines)
	}
}

// upload is APPLY MESSAGE with messages.
func upload(partition string, messages ...string) string {
	var b strings.Builder
	b.WriteString("APPLY MESSAGE (")
	for i, m := range messages {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%%{%s %s %d}\r\n%s", partition, guid.Of([]byte(m)), len(m), m)
	}
	b.WriteString(")")
	return b.String()
}

// fixture opens a transcript of real servers; without the fixtures the test is
// skipped.
func fixture(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(recorded.Path(t, "sync", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
