package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gocyrus/lib/cyrustest"
)

// standalone is a server of docs/examples/standalone with one user. cert is the
// server whose certificate it has, nil for one of its own.
func standalone(t *testing.T, user string, cert *cyrustest.Server) (*cyrustest.Server, string) {
	t.Helper()
	ip := machine(t)
	var names map[string]string
	if cert != nil {
		names = map[string]string{"/etc/ssl/certs/mail.pem": cert.CAFile, "/etc/ssl/private/mail.key": cert.Path("key.pem")}
	}
	s := server(t, "standalone", ip, names)
	s.AddUser(user)
	return s, ip
}

// TestNginx: two users on two servers behind one address, by IMAP and POP3.
func TestNginx(t *testing.T) {
	nginx := program(t, "nginx")
	if _, err := os.Stat("/etc/nginx/modules-enabled/50-mod-mail.conf"); err != nil {
		t.Skipf("nginx's mail module is not installed: %v", err)
	}
	mail1, ip1 := standalone(t, "alice", nil)
	mail2, ip2 := standalone(t, "bob", mail1)
	d := newDoor(t, startNginx(t, nginx, mail1, ip1, ip2), mail1.CAFile)

	mail1.Append(mail1.Login("alice"), "INBOX", cyrustest.Message("to alice"))
	mail2.Append(mail2.Login("bob"), "INBOX", cyrustest.Message("to bob"))
	d.put("alice", "imap", "INBOX", "by STARTTLS")
	d.put("bob", "imaps", "INBOX", "by TLS")
	d.has("alice", "to alice", "by STARTTLS")
	d.has("bob", "to bob", "by TLS")
	d.has("Bob", "to bob", "by TLS")
	for _, auth := range []string{"AUTH=PLAIN", "AUTH=LOGIN"} {
		if got := d.ask("alice", "imaps", "/INBOX", "--login-options", auth, "--sasl-ir", "-X", "STATUS INBOX (MESSAGES)"); got != "* STATUS INBOX (MESSAGES 2)\r\n" {
			t.Errorf("%s: %q", auth, got)
		}
	}
	for _, scheme := range []string{"imaps", "pop3s"} {
		d.refused("alice:wrong", scheme)
		d.refused("carol:"+cyrustest.Password, scheme)
	}
}

// startNginx starts it in front of two servers, with the certificate of one, and
// returns its address.
func startNginx(t *testing.T, path string, cert *cyrustest.Server, ip1, ip2 string) string {
	t.Helper()
	ip := machine(t)
	dir := t.TempDir()
	conf := example(t, "nginx/nginx.conf", map[string]string{
		"listen 127.0.0.1:9143": "listen " + ip + ":9143", "auth_http 127.0.0.1:9143": "auth_http " + ip + ":9143",
		"listen 143": "listen " + ip + ":143", "listen 993": "listen " + ip + ":993",
		"listen 110": "listen " + ip + ":110", "listen 995": "listen " + ip + ":995",
		"/run/nginx.pid": filepath.Join(dir, "pid"), "/var/log/nginx/error.log": filepath.Join(dir, "log"),
		"/etc/ssl/certs/mail.pem": cert.CAFile, "/etc/ssl/private/mail.key": cert.Path("key.pem"),
		"/etc/nginx/mail-users.map": filepath.Join(dir, "map"),
	})
	table := example(t, "nginx/mail-users.map", map[string]string{"192.0.2.11": ip1, "192.0.2.12": ip2})
	for name, text := range map[string]string{"nginx.conf": conf, "map": table} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var said strings.Builder
	cmd := exec.Command(path, "-c", filepath.Join(dir, "nginx.conf"), "-e", filepath.Join(dir, "log"), "-g", "daemon off;")
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("nginx ended with %v\n%s", err, &said)
			}
		case <-time.After(cyrustest.Patience):
			cmd.Process.Kill()
			t.Errorf("nginx did not end")
		}
		if t.Failed() {
			log, err := os.ReadFile(filepath.Join(dir, "log"))
			t.Logf("nginx's log: %v\n%s", err, log)
		}
	})
	waitFor(t, ip+":993")
	return ip
}
