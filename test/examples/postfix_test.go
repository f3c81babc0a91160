package examples

import (
	"errors"
	"net"
	"net/smtp"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/cyrustest"
)

// postfixMaster is Debian's master.cf as far as these tests need it, without chroot:
// a queue in a test's directory has none of the files that it takes.
const postfixMaster = `$ip:25 inet n - n - - smtpd
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
error unix - - n - - error
retry unix - - n - - error
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`

// postfixMore is what an instance beside the system's own has besides: its places.
// Certificates of tests all have one name.
const postfixMore = `
queue_directory = $dir/queue
data_directory = $dir/data
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
maillog_file = $dir/log
maillog_file_prefixes = $dir
lmtp_tls_verify_cert_match = mail.example.com
`

// TestPostfix: one message to two users on two servers, each by LMTP with TLS and a
// login; who is where is in a table or in LDAP.
func TestPostfix(t *testing.T) {
	path := program(t, "postfix")
	t.Run("table", func(t *testing.T) {
		testPostfix(t, func(t *testing.T, conf string, servers map[string]string, _ *cyrustest.Server) string {
			place(t, conf, "transport", example(t, "postfix/transport", servers))
			run(t, program(t, "postmap"), conf+"/transport")
			return "hash:" + conf + "/transport"
		}, path)
	})
	t.Run("LDAP", func(t *testing.T) {
		slapd := program(t, "slapd")
		if kinds := strings.Fields(run(t, program(t, "postconf"), "-m")); !slices.Contains(kinds, "ldap") {
			t.Skipf("postfix-ldap is not installed: Postfix's tables are %q", kinds)
		}
		testPostfix(t, func(t *testing.T, conf string, servers map[string]string, cert *cyrustest.Server) string {
			addr := startLDAP(t, slapd, example(t, "postfix/people.ldif", servers), cert)
			place(t, conf, "transport-ldap.cf", example(t, "postfix/transport-ldap.cf", map[string]string{
				"ldap://ldap1.example.org ldap://ldap2.example.org": "ldap://" + addr, "/etc/ssl/certs/ca-certificates.crt": cert.CAFile}))
			return "proxy:ldap:" + conf + "/transport-ldap.cf"
		}, path)
	})
}

// testPostfix is the test with one kind of table, which makeTable makes in a
// directory of configuration and names.
func testPostfix(t *testing.T, makeTable func(t *testing.T, conf string, servers map[string]string, cert *cyrustest.Server) string, path string) {
	mail1, ip1 := standalone(t, "alice", nil)
	mail2, ip2 := standalone(t, "bob", mail1)
	for _, s := range []*cyrustest.Server{mail1, mail2} {
		s.SetPassword("postfix")
	}
	servers := map[string]string{"mail1.example.org": ip1, "mail2.example.org": ip2}
	dir := postfixDir(t)
	table := makeTable(t, filepath.Join(dir, "conf"), servers, mail1)
	mx := startPostfix(t, path, dir, table, servers, mail1.CAFile)

	send := func(subject string, to ...string) error {
		return smtp.SendMail(mx, nil, "sender@example.com", to, cyrustest.Message(subject))
	}
	if err := send("to alice", "alice@example.org"); err != nil {
		t.Fatal(err)
	}
	if err := send("to both", "alice@example.org", "bob@example.org"); err != nil {
		t.Fatal(err)
	}
	eventually(t, mail1, "alice", "to alice", "to both")
	eventually(t, mail2, "bob", "to both")
	var refusal *textproto.Error
	if err := send("to nobody", "carol@example.org"); !errors.As(err, &refusal) || refusal.Code != 550 {
		t.Errorf("a user who is not in the table: %v", err)
	}
	// Nobody delivers without the login.
	for _, ip := range []string{ip1, ip2} {
		refusesMail(t, net.JoinHostPort(ip, "2003"))
	}
}

// refusesMail wants MAIL refused that no login precedes.
func refusesMail(t *testing.T, addr string) {
	t.Helper()
	c, err := smtp.Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	id, err := c.Text.Cmd("LHLO mx.example.org")
	if err != nil {
		t.Fatal(err)
	}
	c.Text.StartResponse(id)
	defer c.Text.EndResponse(id)
	if _, _, err := c.Text.ReadResponse(250); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Text.Cmd("MAIL FROM:<>"); err != nil {
		t.Fatal(err)
	}
	if code, text, err := c.Text.ReadResponse(430); err != nil {
		t.Errorf("MAIL without AUTH: %d %s", code, text)
	}
}

// startPostfix starts an instance in a directory, whose table of servers is made
// already, and returns where it takes mail.
func startPostfix(t *testing.T, path, dir, table string, servers map[string]string, ca string) string {
	t.Helper()
	conf := filepath.Join(dir, "conf")
	ip := machine(t)
	fill := strings.NewReplacer("$dir", dir, "$ip", ip)
	main := example(t, "postfix/main.cf", map[string]string{
		"hash:/etc/postfix/transport": table, "/etc/postfix/lmtp_passwords": conf + "/lmtp_passwords",
		"/etc/ssl/certs/ca-certificates.crt": ca})
	place(t, conf, "main.cf", main+fill.Replace(postfixMore))
	place(t, conf, "master.cf", fill.Replace(postfixMaster))
	place(t, conf, "lmtp_passwords", strings.ReplaceAll(example(t, "postfix/lmtp_passwords", servers), "change-me", cyrustest.Password))
	run(t, program(t, "postmap"), conf+"/lmtp_passwords")
	t.Cleanup(func() {
		if t.Failed() {
			log, err := os.ReadFile(filepath.Join(dir, "log"))
			t.Logf("Postfix's log: %v\n%s", err, log)
		}
	})
	run(t, path, "-c", conf, "start")
	t.Cleanup(func() {
		if out, err := exec.Command(path, "-c", conf, "stop").CombinedOutput(); err != nil {
			t.Errorf("postfix stop: %v: %s", err, out)
		}
	})
	return ip + ":25"
}

// place makes a file.
func place(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// postfixDir makes the directories of an instance. Their names are short, because
// those of its sockets must be, and its users get at them.
func postfixDir(t *testing.T) string {
	t.Helper()
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
	run(t, "/bin/chown", "postfix", filepath.Join(dir, "data"))
	return dir
}
