package interop

import (
	"fmt"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/lib/cyrustest"
)

const postfixMain = `compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
mail_owner = postfix
myhostname = mail.example.com
mydestination =
virtual_mailbox_domains = example.com
virtual_transport = lmtp:unix:%[2]s
virtual_alias_maps =
alias_maps =
alias_database =
local_recipient_maps =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
lmtp_destination_recipient_limit = 50
maillog_file = %[1]s/postfix.log
maillog_file_prefixes = %[1]s
`

const postfixMaster = `%[1]s inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`

// Postfix, an instance of its own, takes mail by SMTP and delivers it through
// the LMTP socket; one message to three users is one transaction.
func TestPostfix(t *testing.T) {
	path := program(t, "postfix")
	if os.Getuid() != 0 {
		t.Skip("needs root: Postfix changes to its own user")
	}
	users := []string{"alice", "bob", "carol"}
	s := cyrustest.Start(t, cyrustest.Options{Users: users, Imapd: []string{"virtdomains: userid", "defaultdomain: example.com"}})
	addr := startPostfix(t, path, s)

	var to []string
	for _, u := range users {
		to = append(to, u+"@example.com")
	}
	for i := range 5 {
		msg := cyrustest.Message(fmt.Sprintf("by Postfix %d", i))
		if err := smtp.SendMail(addr, nil, "sender@example.com", to, msg); err != nil {
			t.Fatal(err)
		}
	}
	s.Eventually("delivery", func() bool { return len(subjects(t, s, "carol", "INBOX")) == 5 })
	for _, u := range users {
		s.Eventually("delivery to "+u, func() bool { return len(subjects(t, s, u, "INBOX")) == 5 })
		wantSubjects(t, s, u, "INBOX", "by Postfix 0", "by Postfix 1", "by Postfix 2", "by Postfix 3", "by Postfix 4")
	}
}

// startPostfix starts an instance on a port of its own, which it returns as
// host:port.
func startPostfix(t *testing.T, path string, s *cyrustest.Server) string {
	t.Helper()
	// Postfix's sockets must have short names, and its users get at them.
	dir, err := os.MkdirTemp("", "postfix")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"conf", "queue", "data"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("chown", "postfix", filepath.Join(dir, "data")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	addr := cyrustest.FreeAddress(t)
	conf := filepath.Join(dir, "conf")
	for name, text := range map[string]string{
		"main.cf":   fmt.Sprintf(postfixMain, dir, s.LMTPSocket),
		"master.cf": fmt.Sprintf(postfixMaster, addr),
	} {
		if err := os.WriteFile(filepath.Join(conf, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	log := func() string {
		text, err := os.ReadFile(filepath.Join(dir, "postfix.log"))
		if err != nil {
			return err.Error()
		}
		return string(text)
	}
	c := newClient(t, path, "-c", conf, "start")
	if status := c.status(t); status != 0 {
		t.Fatalf("postfix start: status %d\n%s%s%s", status, &c.out, &c.complaints, log())
	}
	t.Cleanup(func() {
		stop := exec.Command(path, "-c", conf, "stop")
		if out, err := stop.CombinedOutput(); err != nil {
			t.Errorf("postfix stop: %v: %s", err, out)
		}
		if t.Failed() {
			t.Logf("Postfix's log:\n%s", strings.TrimSpace(log()))
		}
	})
	return addr
}
