package imapserver

import (
	"bufio"
	"net"
	"strings"
	"testing"

	"gocyrus/lib/cyrustest"
)

// TestFarWhole is a murder of processes: master, two backends, a frontend with its
// slave. What the frontend changes is there for its next command.
func TestFarWhole(t *testing.T) {
	at := cyrustest.FreeAddress(t)
	master := cyrustest.Start(t, cyrustest.Options{Imapd: []string{"admins: cyrus mupman"}, Entries: mupdateEntry("-m", at)})
	master.SetPassword("mupman")
	common := []string{
		"mupdate_server: " + at, "mupdate_authname: mupman", "mupdate_password: " + cyrustest.Password,
		"proxy_authname: murder", "proxy_password: " + cyrustest.Password, "allowplaintext: yes",
	}
	var names []string
	for range 2 {
		s := cyrustest.Start(t, cyrustest.Options{Imapd: append([]string{"proxyservers: murder", "allowallsubscribe: yes"}, common...)})
		// A server's name is its address, since nothing resolves a better one here.
		s.Set(func(o *cyrustest.Options) { o.Imapd = append(o.Imapd, "servername: "+s.IMAP) })
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		s.Resume()
		s.SetPassword("murder") // in the realm of that name
		names = append(names, s.IMAP)
	}
	front := cyrustest.Start(t, cyrustest.Options{
		Unchecked: true, // it has nothing
		Imapd:     append([]string{"servername: fe", "serverlist: " + strings.Join(names, " ")}, common...),
		Entries:   mupdateEntry("", cyrustest.FreeAddress(t)),
	})
	front.SetPassword("alice")
	dial := func() net.Conn {
		c, err := net.Dial("tcp", front.IMAP)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	session := func(user string) *client {
		c := &client{t, dial(), nil}
		c.r = bufio.NewReader(c)
		t.Cleanup(func() { c.Close() })
		c.line()
		c.do("LOGIN " + user + " " + cyrustest.Password)
		return c
	}
	admin := session("cyrus")
	admin.must("CREATE user/alice "+names[0]+"!default", "OK")
	admin.must("CREATE shared "+names[1]+"!default", "OK")
	admin.must("SETACL shared alice lrswit", "OK")
	admin.must("CREATE shared/below", "OK")
	c := session("alice")
	c.must("CREATE Work", "OK")
	c.must("RENAME Work Play", "OK")
	c.must(`LIST "" *`, "OK", `"/" Play`, `"/" "Shared Folders/shared/below"`)
	c.must("DELETE Play", "OK")
	c.must("SELECT Play", "NO Mailbox does not exist")
	c.deliver("INBOX", "", 2)
	c.must("SELECT INBOX", "OK", "* 2 EXISTS")
	c.must(`MOVE 1 "Shared Folders/shared"`, "OK", "COPYUID", "* 1 EXPUNGE")
	c.must(`STATUS "Shared Folders/shared" (MESSAGES)`, "OK", "MESSAGES 1")
}

// mupdateEntry is mupdate in cyrus.conf.
func mupdateEntry(flag, at string) map[string][]string {
	return map[string][]string{"SERVICES": {`mupdate cmd="$bin/mupdate -C $conf ` + flag + `" listen="` + at + `" prefork=1`}}
}
