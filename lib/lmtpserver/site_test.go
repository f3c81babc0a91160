package lmtpserver

import (
	"context"
	"crypto/sha1"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/lib/config"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/quota"
	"gocyrus/lib/servertest"
	"gocyrus/lib/site"
	"gocyrus/lib/transcript"
)

// testConf is the configuration of test servers: any password will do, and
// nobody waits for a failed login.
const testConf = `configdirectory: %[1]s/conf
partition-default: %[1]s/spool
defaultpartition: default
servername: mail.example.com
admins: cyrus
allowplaintext: yes
sasl_pwcheck_method: alwaystrue
sasl_mech_list: PLAIN LOGIN
failedloginpause: 0
sievedir: %[1]s/sieve
`

// testServer is a server on a site of its own, with users and folders. more is
// added to the configuration.
func testServer(t testing.TB, more string) *Server {
	t.Helper()
	dir := t.TempDir()
	cfg, err := config.Parse(strings.NewReader(fmt.Sprintf(testConf, dir)+more), filepath.Join(dir, "imapd.conf"), "lmtpunix")
	if err != nil {
		t.Fatal(err)
	}
	st, err := site.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
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
