package examples

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/cyrustest"
	"gocyrus/lib/sasldb"
)

// ports are those that a machine of an example may listen on.
var ports = []string{"25", "110", "143", "993", "995", "2003", "3905", "9143"}

// machine is an address for one, where no such port is taken.
func machine(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: the examples' ports are low ones")
	}
	for range 100 {
		ip := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
		if vacant(ip) {
			return ip
		}
	}
	t.Skip("needs the mail ports, and others listen there on all addresses")
	return ""
}

func vacant(ip string) bool {
	for _, port := range ports {
		l, err := net.Listen("tcp", net.JoinHostPort(ip, port))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}

// example is a file of docs/examples with words replaced, each of which must be in
// it.
func example(t *testing.T, name string, replace map[string]string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("../../docs/examples", name))
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	for old, now := range replace {
		if !strings.Contains(text, old) {
			t.Fatalf("%s has no %q", name, old)
		}
		text = strings.ReplaceAll(text, old, now)
	}
	return text
}

var (
	command  = regexp.MustCompile(`cmd="(\S+?)(["\s])`)
	listen   = regexp.MustCompile(`listen="(\d+)"`)
	password = regexp.MustCompile(`(?m)^(\w+_password): .*`)
)

// paths are where a site's files lie, and what a test's server has for them.
var paths = strings.NewReplacer("/var/lib/cyrus", "$dir/conf", "/var/spool/cyrus/mail", "$dir/spool",
	"/etc/ssl/certs/mail.pem", "$dir/cert.pem", "/etc/ssl/private/mail.key", "$dir/key.pem")

// server starts one of ours at an address, from the two files in a directory of
// docs/examples. names are what imapd.conf calls this machine and others.
func server(t *testing.T, dir, ip string, names map[string]string) *cyrustest.Server {
	t.Helper()
	push, err := filepath.Abs("../../packaging/mupdatepush")
	if err != nil {
		t.Fatal(err)
	}
	cyrus := command.ReplaceAllString(example(t, dir+"/cyrus.conf", nil), `cmd="$$bin/$1 -C $$conf$2`)
	cyrus = strings.ReplaceAll(cyrus, "$bin/mupdatepush", push)
	cyrus = paths.Replace(listen.ReplaceAllString(cyrus, `listen="`+ip+`:$1"`))
	imapd := password.ReplaceAllString(example(t, dir+"/imapd.conf", names), "$1: "+cyrustest.Password)
	s := cyrustest.Start(t, cyrustest.Options{
		Dir:       withAccounts(t),
		ImapdConf: paths.Replace(imapd), CyrusConf: cyrus,
		Unchecked: strings.HasSuffix(dir, "/frontend"), // it has nothing
	})
	s.IMAP, s.IMAPS, s.POP3, s.POP3S = ip+":143", ip+":993", ip+":110", ip+":995"
	return s
}

// withAccounts is a server's directory in which accounts have a place already: the
// examples say that they are made before the server starts.
func withAccounts(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	// The directory above is open to its maker alone; services are another user.
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "conf"), 0o755); err != nil {
		t.Fatal(err)
	}
	st, err := sasldb.Open(filepath.Join(dir, "conf/sasldb"), kv.Create)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}
