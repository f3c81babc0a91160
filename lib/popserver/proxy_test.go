package popserver

import (
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/lib/backend"
	"gocyrus/lib/config"
	"gocyrus/lib/cyrustest"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/site"
)

const frontConf = `configdirectory: %[1]s/conf
servername: fe.example.org
mupdate_server: mup.example.org
proxy_authname: murder
proxy_password: secret
popsubfolders: yes
autocreate_users: anyone
autocreate_quota: 0
allowplaintext: yes
sasl_pwcheck_method: alwaystrue
sasl_mech_list: PLAIN LOGIN
failedloginpause: 0
client_timeout: 3s
`

// frontend is a server without mailboxes in front of the one at addr, which has
// alice's, and of one that is away.
func frontend(t testing.TB, addr string) (*Server, func() net.Conn) {
	dir := t.TempDir()
	cfg, err := config.Parse(strings.NewReader(fmt.Sprintf(frontConf, dir)), filepath.Join(dir, "imapd.conf"), "pop3")
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
	front.proxy.Address = func(_ *backend.Protocol, dial string) string {
		if strings.HasPrefix(dial, "be1.") {
			return addr
		}
		return "127.0.0.1:1"
	}
	err = st.List.Update(func(tx *mboxlist.Tx) error {
		for n, server := range map[mboxname.Name]string{"user.alice": "be1.example.org", "user.alice.Work": "be1.example.org", "user.bob": "be2.example.org"} {
			if err := tx.Put(&mboxlist.Entry{Name: n, Server: server, Partition: "default", Type: "er",
				ACL: n.Owner() + "\tlrswipkxtecdan\t"}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return front, dialer(t, front)
}

// TestProxy: all that comes after the login is the backend's.
func TestProxy(t *testing.T) {
	back := testServer(t, "popsubfolders: yes\nproxyservers: murder\nallowplaintext: yes\n")
	straight := dialer(t, back)
	probe := straight()
	front, dial := frontend(t, probe.RemoteAddr().String())
	probe.Close()
	direct := login(t, straight, "alice")
	c := newClient(t, dial)
	c.ok("USER alice")
	// Sent together with the password, for the other server.
	io.WriteString(c, "PASS x\r\nSTAT\r\n")
	if s := c.line(); !strings.HasPrefix(s, "+OK Mailbox locked and ready SESSIONID=<") {
		t.Fatal(s)
	}
	before := direct.ok("STAT")
	if s := c.line(); s != before {
		t.Errorf("%q, want %q", s, before)
	}
	for _, command := range []string{"LIST", "UIDL", "RETR 1", "RETR 4", "TOP 1 0", "CAPA"} {
		want, got := direct.ok(command), c.ok(command)
		if want != got || direct.text() != c.text() {
			t.Errorf("%s differs", command)
		}
	}
	c.ok("DELE 1")
	c.ok("QUIT")
	if _, err := c.r.ReadByte(); err != io.EOF {
		t.Error(err)
	}
	if s := login(t, straight, "alice").ok("STAT"); s == before {
		t.Errorf("nothing was deleted: %s", s)
	}
	// A folder as maildrop.
	if s := login(t, dial, "alice+Work").ok("STAT"); !strings.HasPrefix(s, "+OK 1 ") {
		t.Error(s)
	}
	// A server that is away, and a user whom nobody has.
	for user, want := range map[string]string{
		"bob":  "-ERR Authentication to backend server failed",
		"dave": "-ERR [SYS/TEMP] Unable to open maildrop: Mailbox does not exist",
	} {
		c := newClient(t, dial)
		c.ok("USER " + user)
		io.WriteString(c, "PASS x\r\n")
		if s := c.line(); s != want {
			t.Errorf("%s: %q", user, s)
		}
	}
	if _, err := front.site.List.Lookup("user.dave"); err == nil {
		t.Error("INBOX on a frontend")
	}
}

// TestProxyReal: the backend is Debian's Cyrus.
func TestProxyReal(t *testing.T) {
	s := cyrustest.Real(t, cyrustest.Options{Users: []string{"alice"}, Imapd: []string{"proxyservers: murder"}})
	s.Deliver(cyrustest.Message("one"), "alice")
	_, dial := frontend(t, s.POP3)
	c := login(t, dial, "alice")
	if got := c.ok("STAT"); !strings.HasPrefix(got, "+OK 1 ") {
		t.Error(got)
	}
	c.ok("RETR 1")
	if !strings.Contains(c.text(), "Subject: one") {
		t.Error("not what was delivered")
	}
	c.ok("QUIT")
}
