package interop

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"gocyrus/lib/cyrustest"
)

// The configuration that Debian installs, in testdata as the package has it.
// Taken from cyrus-common 3.6.1.
var (
	// notBuilt are the entries whose programs are not there yet.
	notBuilt = regexp.MustCompile(`(?m)^\s*(nntp|http|sieve|notify|delprune|tlsprune|deleteprune|expungeprune)\s.*$`)
	// wrapper is Debian's way to run a program of Cyrus's as its user.
	wrapper = regexp.MustCompile(`/usr/sbin/cyrus `)
)

// Debian's own imapd.conf and cyrus.conf start under our master once their
// paths are in the test's directory, and mail goes in and out.
func TestDebianConfig(t *testing.T) {
	imapd, err := os.ReadFile("testdata/debian-imapd.conf")
	if err != nil {
		t.Fatal(err)
	}
	services, err := os.ReadFile("testdata/debian-cyrus.conf")
	if err != nil {
		t.Fatal(err)
	}
	conf := strings.NewReplacer(
		"/var/lib/cyrus", "$dir/conf", "/var/spool/cyrus/mail", "$dir/spool", "/var/spool/cyrus/news", "$dir/news", "/var/spool/news", "$dir/newsspool",
		"/run/cyrus", "$dir/conf", "/var/spool/sieve", "$dir/conf/sieve",
	).Replace(string(imapd)) + "admins: cyrus\nsasl_mech_list: PLAIN\n"
	text := notBuilt.ReplaceAllString(string(services), "")
	text = wrapper.ReplaceAllString(text, "$$bin/")
	text = strings.NewReplacer(`cmd="imapd`, `cmd="imapd -C $conf`, `cmd="pop3d`, `cmd="pop3d -C $conf`, `cmd="lmtpd`, `cmd="lmtpd -C $conf`,
		`ctl_cyrusdb -r`, `ctl_cyrusdb -C $conf -r`, `ctl_cyrusdb -c`, `ctl_cyrusdb -C $conf -c`,
		`listen="imap"`, `listen="$imap"`, `listen="pop3"`, `listen="$pop3"`, "/run/cyrus", "$dir/conf").Replace(text)
	s := cyrustest.Start(t, cyrustest.Options{ImapdConf: conf, CyrusConf: text})
	// Debian's names have dots: user.alice.
	c := s.Login(cyrustest.Admin)
	if err := c.Create("user.alice", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	s.SetPassword("alice")
	s.Deliver(cyrustest.Message("by Debian's book"), "alice")
	wantSubjects(t, s, "alice", "INBOX", "by Debian's book")
	pop := s.Dial(s.POP3)
	for _, step := range [][2]string{{"USER alice", "+OK Name"}, {"PASS " + cyrustest.Password, "+OK Mailbox"}, {"STAT", "+OK 1 "}, {"QUIT", "+OK"}} {
		if got, err := pop.Command(step[0], step[1]); err != nil {
			t.Fatalf("%s: %q, %v", step[0], got, err)
		}
	}
}
