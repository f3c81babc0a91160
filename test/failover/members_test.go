package failover

import (
	"fmt"
	"strings"
	"testing"

	"gocyrus/lib/cyrustest"
	"gocyrus/lib/etcdtest"
	"gocyrus/test/internal/murder"
)

// membersKilled kills each member of etcd while clients work. Nobody notices.
func membersKilled(t *testing.T, p *topology) {
	g := newGround(t, p.options(t), 6)
	c := g.work(2, 3)
	for _, e := range p.etcd.Members {
		c.more(60 + g.r.IntN(60))
		e.Kill()
		c.more(60 + g.r.IntN(60))
		e.Resume()
		e.Wait()
	}
	c.more(60)
	c.home()
	g.verify()
}

// mostMembersKilled kills two of three members of etcd: nothing can be made or removed,
// and all else goes on, at a server that is restarted meanwhile too.
func mostMembersKilled(t *testing.T, _ *topology) {
	p := &topology{unified: true, etcd: etcdtest.Start(t, 3)}
	o := p.options(t)
	o.Imapd["master"] = append(o.Imapd["master"], "mupdate_etcd_timeout: 5s")
	o.Imapd[""] = append(o.Imapd[""], "client_timeout: 10s")
	m := p.sceneOf(t, o)
	for _, user := range []string{"alice", "bob"} {
		m.doors[0].Session(user).Must("CREATE INBOX.Old", "CREATE INBOX.Gone", "APPEND INBOX "+literal(string(cyrustest.Message("first"))))
	}
	agreed(t, m.Murder)
	dead := p.etcd.Members[:2]
	for _, e := range dead {
		e.Kill()
	}
	nodes := m.Nodes
	mail := []string{"first"}
	reads := func(n *murder.Seat) {
		t.Helper()
		mail = append(mail, fmt.Sprintf("%d by %s", len(mail), n.Name))
		onlyReads(t, n, mail[len(mail)-1])
	}
	for _, n := range nodes {
		reads(n)
	}
	// One that starts now does not wait for the masters.
	nodes[0].Kill()
	nodes[0].Server.Resume()
	reads(nodes[0])
	// A master that starts now knows nothing, and says so.
	m.Masters[0].Kill()
	m.Masters[0].Server.Resume()
	reads(nodes[1])

	for _, e := range dead {
		e.Resume()
	}
	for _, e := range dead {
		e.Wait()
	}
	m.followed(nodes...)
	for _, n := range nodes {
		c := n.Session("alice")
		m.Eventually("mailboxes to be made again", func() bool { return c.Ask("CREATE INBOX.By%s", n.Name).OK() })
		c.Must("RENAME INBOX.By"+n.Name+" INBOX.With"+n.Name, "SETACL INBOX.With"+n.Name+" zoe lr")
	}
	m.doors[0].Session("bob").Must("DELETE INBOX.Gone", "RENAME INBOX.Old INBOX.New", "SETACL INBOX.New zoe lr", "CREATE INBOX.Old")
	agreed(t, m.Murder)
	for i, user := range []string{"alice", "bob"} {
		has(t, m.doors[i], user, "INBOX", mail...)
	}
}

// onlyReads wants all to go on by way of a server but what the masters must agree to. It
// delivers a message.
func onlyReads(t *testing.T, n *murder.Seat, subject string) {
	t.Helper()
	for _, user := range []string{"alice", "bob"} {
		c := n.Session(user)
		c.Must("SELECT INBOX", "FETCH 1:* (FLAGS BODY.PEEK[])", "STORE 1 +FLAGS.SILENT (\\Seen)", "STATUS INBOX.Keep (MESSAGES)", "COPY 1 INBOX.Keep",
			"COPY 1 shared1", "COPY 1 shared2", "APPEND INBOX.Keep "+literal(string(cyrustest.Message("kept"))))
		if r := c.Ask(`LIST "" *`); !r.OK() || !said(r, "INBOX.Keep") {
			t.Errorf("%s: LIST: %v", n.Name, r)
		}
		c.Want("NO no connection to server", "CREATE INBOX.No", "DELETE INBOX.Gone", "RENAME INBOX.Old INBOX.No", "SETACL INBOX.Old zoe lr")
		c.Want("NO", "SELECT INBOX.No", "STATUS INBOX.No (MESSAGES)")
		pop3(t, n, user, "+OK")
	}
	for i, got := range n.Deliver(cyrustest.Message(subject), "alice", "bob") {
		if !strings.HasPrefix(got, "250") {
			t.Errorf("%s: LMTP: recipient %d: %s", n.Name, i, got)
		}
	}
}
