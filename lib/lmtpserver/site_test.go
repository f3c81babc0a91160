package lmtpserver

import (
	"context"
	"net"
	"testing"

	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/quota"
	"gocyrus/lib/servertest"
	"gocyrus/lib/sitetest"
	"gocyrus/lib/transcript"
)

// testConf is the configuration of test servers: any password will do, and
// nobody waits for a failed login.
const testConf = `configdirectory: $dir/conf
partition-default: $dir/spool
defaultpartition: default
servername: mail.example.com
admins: cyrus
allowplaintext: yes
sasl_pwcheck_method: alwaystrue
sasl_mech_list: PLAIN LOGIN
failedloginpause: 0
sievedir: $dir/sieve
`

// testServer is a server on a site of its own, with users and folders. more is
// added to the configuration.
func testServer(t testing.TB, more string) *Server {
	t.Helper()
	cfg, st := sitetest.Site(t, "lmtpunix", testConf+more)
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
	for _, n := range []mboxname.Name{
		"user.alice", "user.alice.Work", "user.alice.Work.2024", "user.alice.Private", "user.bob", "user.dave^smith",
		"shared", "shared.pub", "shared.nopost", "shared.hidden",
	} {
		if _, err := st.Ops.Create(t.Context(), admin, n, mboxops.CreateParams{}); err != nil {
			t.Fatalf("create %s: %v", n, err)
		}
	}
	for _, a := range [][3]string{
		{"user.alice.Work", "anyone", "p"}, {"user.alice.Work.2024", "anyone", "p"}, {"shared.pub", "anyone", "lrsp"},
		{"shared.hidden", "anyone", ""}, {"shared.hidden", "bob", "p"},
	} {
		if err := st.Ops.SetACL(t.Context(), admin, mboxname.Name(a[0]), a[1], a[2]); err != nil {
			t.Fatal(err)
		}
	}
	limits := quota.New("user.bob").Limit
	limits[quota.Storage] = 1
	if err := st.Ops.SetQuota(t.Context(), admin, "user.bob", limits); err != nil {
		t.Fatal(err)
	}
	return srv
}

// dialer opens sessions on srv over a unix socket or TCP.
func dialer(t testing.TB, srv *Server, network string) func() net.Conn {
	return servertest.Dialer(t, network, srv.Serve)
}

// count is how many messages a mailbox has.
func count(t testing.TB, srv *Server, n mboxname.Name) (exists int) {
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
		exists = v.Index().Len()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return exists
}

func TestTranscripts(t *testing.T) {
	for _, tc := range []struct{ name, network, more string }{
		{"unix", "unix", ""},
		{"tcp", "tcp", ""},
		{"hard", "tcp", "soft_noauth: no\n"},
		{"limits", "unix", "maxmessagesize: 2000\nlmtp_over_quota_perm_failure: yes\nlmtp_strict_quota: yes\n"},
		{"fuzzy", "unix", "lmtp_fuzzy_mailbox_match: yes\nlmtp_catchall_mailbox: alice\npostuser: bb\nlmtp_strict_rfc2821: no\n"},
		{"autocreate", "unix", "autocreate_post: yes\nautocreate_quota: 0\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			transcript.Dir(t, "testdata", tc.name+"-*.lmtp", func(t *testing.T) transcript.Dial {
				dial := dialer(t, testServer(t, tc.more), tc.network)
				return func(*testing.T) net.Conn { return dial() }
			})
		})
	}
}
