package lmtpserver

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"gocyrus/lib/backend"
	"gocyrus/lib/config"
	"gocyrus/lib/cyrustest"
	"gocyrus/lib/delivery"
	"gocyrus/lib/lmtpclient"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/proxy"
	"gocyrus/lib/site"
	"gocyrus/lib/transcript"
)

const frontConf = `configdirectory: %[1]s/conf
servername: fe.example.org
mupdate_server: mup.example.org
proxy_authname: cyrus
proxy_password: secret
autocreate_post: yes
autocreate_users: anyone
autocreate_quota: 0
failedloginpause: 0
temp_path: %[1]s
client_timeout: 3s
`

// frontend is a server without mailboxes. be1 and be3 are at addr, be2 is away.
func frontend(t testing.TB, addr string, homes map[mboxname.Name]string) func() net.Conn {
	dir := t.TempDir()
	cfg, err := config.Parse(strings.NewReader(fmt.Sprintf(frontConf, dir)), filepath.Join(dir, "imapd.conf"), "lmtp")
	if err != nil {
		t.Fatal(err)
	}
	st, err := site.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	front, err := newServer(cfg, OptionsFrom(cfg), st)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { front.Shutdown(context.Background()) })
	front.opts.Trusted = true
	front.far.opts.Address = func(_ *backend.Protocol, dial string) string {
		if strings.HasPrefix(dial, "be2.") {
			return "127.0.0.1:1"
		}
		return addr
	}
	err = st.List.Update(func(tx *mboxlist.Tx) error {
		for n, server := range homes {
			e := &mboxlist.Entry{Name: n, Server: server, Partition: "default", Type: "er", ACL: "anyone\tlrsp\t"}
			if err := tx.Put(e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return dialer(t, front, "tcp")
}

// talk is a session that a test drives by hand.
type talk struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

func newTalk(t testing.TB, dial func() net.Conn) *talk {
	c := &talk{t: t, Conn: dial()}
	c.r = bufio.NewReader(c)
	t.Cleanup(func() { c.Close() })
	c.answer()
	c.say("LHLO client.example.org", "250 ")
	return c
}

// answer is the last line of the next answer.
func (c *talk) answer() string {
	c.t.Helper()
	c.SetReadDeadline(time.Now().Add(transcript.Timeout))
	for {
		s, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatal(err)
		}
		if len(s) > 3 && s[3] != '-' {
			return strings.TrimRight(s, "\r\n")
		}
	}
}

func (c *talk) say(line, want string) {
	c.t.Helper()
	io.WriteString(c, line+"\r\n")
	if s := c.answer(); !strings.HasPrefix(s, want) {
		c.t.Errorf("%s: %s, want %s", line, s, want)
	}
}

func TestFanOut(t *testing.T) {
	back := testServer(t, "duplicatesuppression: no\n")
	probe := dialer(t, back, "tcp")()
	addr := probe.RemoteAddr().String()
	probe.Close()
	dial := frontend(t, addr, map[mboxname.Name]string{
		"user.alice": "be1.example.org", "user.alice.Work": "be1.example.org", "user.dave^smith": "be3.example.org",
		"user.bob": "be2.example.org", "user.ghost": "be1.example.org", "shared.pub": "be3.example.org",
	})
	for range 2 { // the second time on connections that are there
		c := newTalk(t, dial)
		c.say("MAIL FROM:<x@example.org>", "250 ")
		for _, to := range []string{"alice", "bob", "alice+Work", "dave.smith", "+shared/pub", "ghost"} {
			c.say("RCPT TO:<"+to+">", "250 ")
		}
		c.say("RCPT TO:<nosuch>", "550 5.1.1")
		c.say("DATA", "354 ")
		io.WriteString(c, "Subject: lmtp\r\n\r\n..dot\r\nhello\r\n.\r\n")
		for i, want := range []string{
			"250 2.1.5 Success SESSIONID=<", "451 4.4.3 Server(s) unavailable to complete operation",
			"250 2.1.5 ", "250 2.1.5 ", "250 2.1.5 ", "451 4.3.0 ",
		} {
			if s := c.answer(); !strings.HasPrefix(s, want) {
				t.Errorf("recipient %d: %s, want %s", i, s, want)
			}
		}
		c.say("QUIT", "221 ")
	}
	for n, want := range map[mboxname.Name]int{"user.alice": 2, "user.alice.Work": 2, "user.dave^smith": 2, "shared.pub": 2} {
		if got := count(t, back, n); got != want {
			t.Errorf("%s: %d messages, want %d", n, got, want)
		}
	}
}

// TestResultOf: the table of what a frontend makes of a backend's answer.
func TestResultOf(t *testing.T) {
	for _, tc := range []struct {
		code  int
		text  string
		early bool
		want  string
	}{
		{250, "2.1.5 Success", false, ""},
		{400, "", false, "mailbox is on another server"},
		{451, "4.3.0 System I/O error", false, "451 4.3.0 System I/O error"},
		{451, "4.3.1 No space left on device", false, "451 4.3.1 No space left on device"},
		{451, "4.4.1 timeout", false, "mailbox is on another server"},
		{451, "4.2.1 Mailbox has been moved to another server", true, "451 4.2.1 Mailbox has been moved to another server"},
		{451, "4.2.4 strange", false, "451 4.2.0 strange"},
		{452, "4.2.2 Over quota", true, "452 4.2.2 Over quota"},
		{550, "5.1.1 User unknown", true, "451 4.3.0 Retry operation"},
		{550, "5.7.1 Permission denied", true, "permission denied"},
		{550, "5.1.1 rejected by a script", false, "550 5.1.1 rejected by a script"},
		{554, "5.6.0 Message contains invalid header", false, "554 5.6.0 Message contains invalid header"},
		{530, "Authentication required", true, "451 4.3.0 System I/O error"},
		{430, "x", false, "451 4.3.0 System I/O error"},
	} {
		got := ""
		if err := resultOf(lmtpclient.Result{Code: tc.code, Text: tc.text, Early: tc.early}); err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%d %s: %q, want %q", tc.code, tc.text, got, tc.want)
		}
	}
}

// TestFanOutReal: the backend is Debian's Cyrus.
func TestFanOutReal(t *testing.T) {
	addr := cyrustest.FreeAddress(t) // of an lmtpd that wants a login
	s := cyrustest.Real(t, cyrustest.Options{Users: []string{"alice", "bob"},
		Entries: map[string][]string{"SERVICES": {`lmtpin cmd="$bin/lmtpd -C $conf" listen="` + addr + `"`}}})
	dial := frontend(t, addr, map[mboxname.Name]string{"user.alice": "be1.example.org", "user.bob": "be3.example.org", "user.ghost": "be1.example.org"})
	for range 2 {
		c := newTalk(t, dial)
		c.say("MAIL FROM:<x@example.org>", "250 ")
		c.say("RCPT TO:<alice>", "250 ")
		c.say("RCPT TO:<ghost>", "250 ")
		c.say("RCPT TO:<bob>", "250 ")
		c.say("DATA", "354 ")
		io.WriteString(c, "Subject: lmtp\r\n\r\n..dot\r\nhello\r\n.\r\n")
		for _, want := range []string{"250 2.1.5 ", "451 4.3.0 ", "250 2.1.5 "} {
			if got := c.answer(); !strings.HasPrefix(got, want) {
				t.Errorf("%s, want %s", got, want)
			}
		}
	}
	for _, user := range []string{"alice", "bob"} {
		data, err := s.Login(user).Status("INBOX", &imap.StatusOptions{NumMessages: true}).Wait()
		if err != nil || *data.NumMessages != 2 {
			t.Errorf("%s: %+v, %v", user, data, err)
		}
	}
}

// TestTrusting: a server that trusts whoever reaches it, and so offers nothing to log in
// with but EXTERNAL, gets mail without a login.
func TestTrusting(t *testing.T) {
	back := testServer(t, "duplicatesuppression: no\n")
	back.opts.Trusted = true
	probe := dialer(t, back, "tcp")()
	addr := probe.RemoteAddr().String()
	probe.Close()
	c := newTalk(t, frontend(t, addr, map[mboxname.Name]string{"user.alice": "be1.example.org"}))
	c.say("MAIL FROM:<x@example.org>", "250 ")
	c.say("RCPT TO:<alice>", "250 ")
	c.say("DATA", "354 ")
	c.say("Subject: trust\r\n\r\nhello\r\n.", "250 2.1.5 ")
	if got := count(t, back, "user.alice"); got != 1 {
		t.Errorf("%d messages", got)
	}
}

// unifiedConf is what makes a node of a server.
const unifiedConf = `configdirectory: /nonexistent
mupdate_server: mup.example.org
mupdate_config: unified
servername: me.example.org
proxy_authname: cyrus
proxy_password: secret
client_timeout: 3s
autocreate_post: yes
autocreate_users: anyone
autocreate_quota: 0
`

// unifiedNode is a server that has alice, while bob is on the one at addr.
func unifiedNode(t testing.TB, addr string) (dial func() net.Conn, srv *Server) {
	// Its mailboxes are made before it is one: there is no master to ask.
	srv = testServer(t, "lmtpunix_admins: cyrus other\nautocreate_post: yes\nautocreate_users: anyone\nautocreate_quota: 0\n")
	cfg, err := config.Parse(strings.NewReader(unifiedConf), "imapd.conf", "lmtp")
	if err != nil {
		t.Fatal(err)
	}
	p := proxy.OptionsFrom(cfg)
	p.Address = func(*backend.Protocol, string) string { return addr }
	srv.far = newFar(p)
	srv.deliver = delivery.New(delivery.OptionsFrom(cfg), srv.site, delivery.Parts{Rules: srv.rules, Far: true})
	if err := srv.site.Ops.Delete(t.Context(), mboxops.Root("cyrus"), "user.bob", mboxops.DeleteParams{Now: true, Force: true}); err != nil {
		t.Fatal(err)
	}
	err = srv.site.List.Update(func(tx *mboxlist.Tx) error {
		return tx.Put(&mboxlist.Entry{Name: "user.bob", Server: "be1.example.org", Partition: "default", Type: "er", ACL: "anyone\tlrsp\t"})
	})
	if err != nil {
		t.Fatal(err)
	}
	return dialer(t, srv, "tcp"), srv
}

// TestUnifiedMix: recipients here and on another server in one transaction; and what another
// server sends is not sent on, nor is a mailbox made for it.
func TestUnifiedMix(t *testing.T) {
	back := testServer(t, "duplicatesuppression: no\n")
	probe := dialer(t, back, "tcp")()
	addr := probe.RemoteAddr().String()
	probe.Close()
	dial, node := unifiedNode(t, addr)
	c := newTalk(t, dial)
	c.say("AUTH PLAIN AG90aGVyAHNlY3JldA==", "235 ") // an administrator's, not the servers' account
	c.say("MAIL FROM:<x@example.org>", "250 ")
	for _, to := range []string{"alice", "bob", "alice+Work"} {
		c.say("RCPT TO:<"+to+">", "250 ")
	}
	c.say("DATA", "354 ")
	io.WriteString(c, "Subject: mix\r\n\r\nhello\r\n.\r\n")
	for i := range 3 {
		if s := c.answer(); !strings.HasPrefix(s, "250 2.1.5 ") {
			t.Errorf("recipient %d: %s", i, s)
		}
	}
	if here, there := count(t, node, "user.alice"), count(t, back, "user.bob"); here != 1 || there != 1 {
		t.Errorf("%d messages here, %d there", here, there)
	}
	peer := newTalk(t, dial)
	peer.say("AUTH PLAIN AGN5cnVzAHNlY3JldA==", "235 ")
	peer.say("MAIL FROM:<x@example.org>", "250 ")
	peer.say("RCPT TO:<alice>", "250 ")
	peer.say("RCPT TO:<bob>", "451 4.4.3")
	peer.say("RCPT TO:<newcomer>", "550 5.1.1")
}
