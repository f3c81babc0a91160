package imapserver

import (
	"bufio"
	"net"
	"strings"
	"testing"

	"gocyrus/lib/cyrustest"
	"gocyrus/lib/imapproxy"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// startRealMurder is startMurder with two servers of Debian's Cyrus behind our
// frontend.
func startRealMurder(t *testing.T, more string) *murderSite {
	m := &murderSite{t: t, backs: map[string]*farBackend{}}
	for _, name := range []string{"be1.example.org", "be2.example.org"} {
		s := cyrustest.Real(t, cyrustest.Options{
			Imapd: []string{"servername: " + name, "proxyservers: murder", "allowallsubscribe: yes", "allowplaintext: yes"},
		})
		m.backs[name] = &farBackend{addr: s.IMAP, real: func() []*mboxlist.Entry { return askMailboxes(t, m, s.IMAP) }}
	}
	m.start(more)
	return m
}

// askMailboxes asks a server what it has, as ctl_mboxlist -m tells a murder.
func askMailboxes(t *testing.T, m *murderSite, addr string) (all []*mboxlist.Entry) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer nc.Close()
	c := &client{t, nc, bufio.NewReader(nc)}
	c.line()
	c.do("LOGIN cyrus secret")
	view := m.front.opts.Namespace.View("cyrus", true)
	for _, line := range c.do(`LIST "" *`) {
		l, ok := imapproxy.ParseList([]byte(line))
		n, err := view.Internal(l.Name)
		if !ok || err != nil || mboxname.Name.IsDeleted(n) {
			continue
		}
		e := &mboxlist.Entry{Name: n, Partition: "default"}
		for _, line := range c.do(`GETACL "` + l.Name + `"`) {
			words := strings.Fields(strings.ReplaceAll(strings.TrimPrefix(line, "* ACL "), `"`, ""))
			skip := len(strings.Fields(l.Name))
			e.ACL = strings.Join(words[skip:], "\t") + "\t"
		}
		all = append(all, e)
	}
	return all
}

// TestFarReal: our frontend before servers of Cyrus 3.6.
func TestFarReal(t *testing.T) {
	for _, part := range []struct {
		name string
		run  func(*testing.T, *murderSite)
	}{{"session", farSession}, {"across", farAcross}, {"mailboxes", farMailboxes}, {"replace", farReplace}, {"uses", farUses}, {"idle", func(t *testing.T, m *murderSite) { farIdle(t, m) }}} {
		t.Run(part.name, func(t *testing.T) { part.run(t, startRealMurder(t, "")) })
	}
}
