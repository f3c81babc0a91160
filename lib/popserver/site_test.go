package popserver

import (
	"context"
	"net"
	"strings"
	"testing"

	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/sasldb"
	"gocyrus/lib/saslserver"
	"gocyrus/lib/servertest"
	"gocyrus/lib/sitetest"
	"gocyrus/lib/spool"
	"gocyrus/lib/stage"
	"gocyrus/lib/transcript"
)

// testConf is the configuration of test servers: any password will do, and
// nobody waits for a failed login.
const testConf = `configdirectory: $dir/conf
partition-default: $dir/spool
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
	if !strings.Contains(more, "sasl_pwcheck_method") {
		more += "sasl_pwcheck_method: alwaystrue\n"
	}
	cfg, st := sitetest.Site(t, "pop3", testConf+more)
	secrets(t, cfg.Dir(), more)
	srv, err := newServer(cfg, OptionsFrom(cfg), st)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		sitetest.CheckSpool(t, st)
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
