package popserver

import (
	"context"
	"crypto/sha1"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/lib/config"
	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/sasldb"
	"gocyrus/lib/saslserver"
	"gocyrus/lib/servertest"
	"gocyrus/lib/site"
	"gocyrus/lib/spool"
	"gocyrus/lib/stage"
	"gocyrus/lib/transcript"
)

// testConf is the configuration of test servers: any password will do, and
// nobody waits for a failed login.
const testConf = `configdirectory: %[1]s/conf
partition-default: %[1]s/spool
defaultpartition: default
servername: mail.example.com
admins: cyrus

sasl_mech_list: PLAIN LOGIN
failedloginpause: 0
`

// texts are what the maildrops of a test server hold, the last with \Deleted.
var texts = []string{
	"Subject: one\r\n\r\nbody\r\n.dot\r\n..\r\n.\r\nlast\r\n",
	"Subject: no body\r\n",
	".Subject: begins with a dot\r\n\r\n1\r\n2\r\n3\r\n",
	"Subject: big\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n.\r\n", 5000),
	"Subject: marked\r\n\r\nx\r\n",
}

// testServer is a server on a site of its own, with users and mail. more is
// added to the configuration.
func testServer(t testing.TB, more string) *Server {
	t.Helper()
	dir := t.TempDir()
	if !strings.Contains(more, "sasl_pwcheck_method") {
		more += "sasl_pwcheck_method: alwaystrue\n"
	}
	cfg, err := config.Parse(strings.NewReader(fmt.Sprintf(testConf, dir)+more), filepath.Join(dir, "imapd.conf"), "pop3")
	if err != nil {
		t.Fatal(err)
	}
	st, err := site.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	secrets(t, filepath.Join(dir, "conf"), more)
	srv, err := newServer(cfg, OptionsFrom(cfg), st)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		checkSpool(t, st)
		srv.Shutdown(context.Background())
	})
	srv.opts.Version = "VERSION"
	admin := mboxops.Root("cyrus")
	for _, n := range []mboxname.Name{"user.alice", "user.alice.Work", "user.bob", "user.carol"} {
		if _, err := st.Ops.Create(t.Context(), admin, n, mboxops.CreateParams{}); err != nil {
			t.Fatalf("create %s: %v", n, err)
		}
	}
	for i, text := range texts {
		var flags indexfile.Flags
		if i == len(texts)-1 {
			flags = indexfile.Deleted
		}
		put(t, srv, "user.alice", text, flags)
	}
	put(t, srv, "user.alice.Work", texts[0], 0)
	return srv
}

// put appends a message to a mailbox, at a date that every run has.
func put(t testing.TB, srv *Server, n mboxname.Name, text string, flags indexfile.Flags) {
	t.Helper()
	stager := stage.New(srv.site.Mailboxes)
	e, err := srv.site.List.Lookup(n)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := stager.DirOf(e.Partition)
	if err != nil {
		t.Fatal(err)
	}
	f := spool.New(dir, spool.Append, spool.Options{})
	defer f.Close()
	if _, err := f.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	msg, err := f.Finish()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range stager.Append(t.Context(), []stage.Target{{Entry: e, InternalDate: 1700000000, Flags: flags}}, f, msg) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
}

// dialer opens sessions on srv.
func dialer(t testing.TB, srv *Server) func() net.Conn { return servertest.Dialer(t, "tcp", srv.Serve) }

// view looks into a mailbox.
func view(t testing.TB, srv *Server, n mboxname.Name, fn func(v *mailbox.View)) {
	t.Helper()
	e, err := srv.site.List.Lookup(n)
	if err != nil {
		t.Fatal(err)
	}
	m, err := srv.site.Mailboxes.Open(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	err = m.View(t.Context(), func(v *mailbox.View) error {
		fn(v)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTranscripts(t *testing.T) {
	for _, tc := range []struct{ name, more string }{
		{"plain", "allowplaintext: yes\n"},
		{"noapop", "allowapop: no\nserverinfo: min\npopexpiretime: 30d\nallowplaintext: no\n"},
		{"flags", "allowplaintext: yes\npopuseimapflags: yes\npopsubfolders: yes\nuidl_format: dovecot\n"},
		{"acl", "allowplaintext: yes\npopuseacl: yes\n"},
		{"poll", "allowplaintext: yes\npopminpoll: 5\n"},
		{"padding", "allowplaintext: yes\npopminpoll: 5\npoppollpadding: 3\nuidl_format: courier\n"},
		{"apop", "sasl_pwcheck_method: auxprop\n"},
		{"autocreate", "allowplaintext: yes\nautocreate_quota: 0\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			transcript.Dir(t, "testdata", tc.name+"-*.pop", func(t *testing.T) transcript.Dial {
				srv := testServer(t, tc.more)
				if tc.name == "acl" {
					restrict(t, srv)
				}
				dial := dialer(t, srv)
				return func(*testing.T) net.Conn { return dial() }
			})
		})
	}
}

// restrict takes rights from owners.
func restrict(t *testing.T, srv *Server) {
	for _, a := range [][3]string{{"user.alice", "alice", "lr"}, {"user.bob", "bob", "ls"}, {"user.carol", "carol", "s"}} {
		if err := srv.site.Ops.SetACL(t.Context(), mboxops.Root("cyrus"), mboxname.Name(a[0]), a[1], a[2]); err != nil {
			t.Fatal(err)
		}
	}
}

// secrets gives alice a password where the test wants to check one.
func secrets(t testing.TB, conf, more string) {
	if !strings.Contains(more, "auxprop") {
		return
	}
	store, err := sasldb.Open(saslserver.DefaultSecrets(conf), kv.Create)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Set("alice", "mail.example.com", "secret", true); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

// checkSpool fails the test when a mailbox contradicts itself: records, counts,
// cache records and message files.
func checkSpool(t testing.TB, st *site.Site) {
	t.Helper()
	var boxes []*mboxlist.Entry
	err := st.List.Scan("", func(v mboxlist.View) error {
		e, err := v.Entry()
		if err == nil && !e.Deleted() && !e.Is(mboxlist.FlagIntermediate) {
			boxes = append(boxes, e)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	for _, e := range boxes {
		m, err := st.Mailboxes.Open(context.Background(), e)
		if err != nil {
			t.Errorf("%s: %v", e.Name, err)
			continue
		}
		if err := m.View(context.Background(), func(v *mailbox.View) error { return checkView(m, v) }); err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
		m.Close()
	}
}

func checkView(m *mailbox.Mailbox, v *mailbox.View) error {
	var live uint32
	var size uint64
	for recno := 1; recno <= v.NumRecords(); recno++ {
		var rec indexfile.Record
		if err := v.Record(recno, &rec); err != nil {
			return err
		}
		r := v.Raw(recno)
		if !r.Live() {
			continue
		}
		live++
		size += uint64(r.Size())
		if _, err := v.Cache(r); err != nil {
			return err
		}
		msg, err := m.OpenMessage(v, r)
		if err != nil {
			return err
		}
		if len(msg.Bytes()) != int(r.Size()) || sha1.Sum(msg.Bytes()) != r.GUID() {
			return fmt.Errorf("uid %d: the file is not the message of the record", r.UID())
		}
		msg.Close()
	}
	if h := v.Header(); h.Exists != live || h.QuotaUsed != size {
		return fmt.Errorf("header has %d messages of %d octets, records %d of %d", h.Exists, h.QuotaUsed, live, size)
	}
	return nil
}
