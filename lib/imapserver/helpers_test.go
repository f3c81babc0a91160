package imapserver

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/acl"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/servertest"
	"gocyrus/lib/sitetest"
	"gocyrus/lib/transcript"
)

// testConf is the configuration of test servers: any password will do, and
// nobody waits for a failed login.
const testConf = `configdirectory: $dir/conf
partition-default: $dir/spool
partition-part2: $dir/spool2
defaultpartition: default
servername: mail.example.com
admins: cyrus
allowplaintext: yes
sasl_pwcheck_method: alwaystrue
sasl_mech_list: PLAIN LOGIN
failedloginpause: 0
imapidlepoll: 60
`

// testServer is a server on a site of its own, with the users alice and bob and
// the mailboxes shared and shared.news. more is added to the configuration.
func testServer(t testing.TB, more string) *Server {
	t.Helper()
	cfg, st := sitetest.Site(t, "imap", testConf+more)
	srv, err := newServer(cfg, OptionsFrom(cfg), st)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Shutdown(context.Background()) })
	admin := mboxops.Root("cyrus")
	for _, n := range []mboxname.Name{"user.alice", "user.bob", "shared", "shared.news"} {
		if _, err := st.Ops.Create(t.Context(), admin, n, mboxops.CreateParams{}); err != nil {
			t.Fatalf("create %s: %v", n, err)
		}
	}
	return srv
}

// dialer opens sessions on srv.
func dialer(t testing.TB, srv *Server) func() net.Conn { return servertest.Dialer(t, "tcp", srv.Serve) }

// start is testServer for transcripts.
func start(more string) func(*testing.T) transcript.Dial {
	return func(t *testing.T) transcript.Dial {
		dial := dialer(t, testServer(t, more))
		return func(*testing.T) net.Conn { return dial() }
	}
}

// client is a session that a test drives by hand.
type client struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

// login opens a session, signed in.
func login(t testing.TB, dial func() net.Conn, user string) *client {
	c := &client{t, dial(), nil}
	c.r = bufio.NewReader(c)
	t.Cleanup(func() { c.Close() })
	c.line()
	c.do("LOGIN " + user + " secret")
	return c
}

func (c *client) line() string {
	c.t.Helper()
	c.SetReadDeadline(time.Now().Add(transcript.Timeout))
	s, err := c.r.ReadString('\n')
	if err != nil {
		c.t.Fatalf("%q, %v", s, err)
	}
	return strings.TrimSuffix(s, "\r\n")
}

// do sends a command and returns the untagged lines; the answer must be OK.
func (c *client) do(command string) []string {
	c.t.Helper()
	fmt.Fprintf(c, "t %s\r\n", command)
	var lines []string
	for {
		s := c.line()
		if rest, ok := strings.CutPrefix(s, "t "); ok {
			if !strings.HasPrefix(rest, "OK") {
				c.t.Fatalf("%s: %s", command, rest)
			}
			return lines
		}
		lines = append(lines, s)
	}
}

// grant gives rights on a mailbox.
func grant(t testing.TB, srv *Server, n mboxname.Name, id string, r acl.Rights) {
	t.Helper()
	if err := srv.ops.SetACL(t.Context(), mboxops.Root("cyrus"), n, id, r.String()); err != nil {
		t.Fatal(err)
	}
}
