package lmtpserver

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// withTLS writes a certificate and returns the lines of imapd.conf that name it.
func withTLS(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"mail.example.com"}, NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "cert.pem")
	b := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	b = append(b, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})...)
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("tls_server_cert: %[1]s\ntls_server_key: %[1]s\nallowstarttls: yes\n", file)
}

var anyCert = &tls.Config{InsecureSkipVerify: true}

func TestStartTLS(t *testing.T) {
	srv := testServer(t, withTLS(t))
	c := newClient(t, dialer(t, srv, "tcp"))
	fmt.Fprint(c, "LHLO x\r\n")
	if caps := c.lines(); !strings.Contains(caps, "250-STARTTLS\r\n") {
		t.Errorf("before TLS: %q", caps)
	}
	// What is sent ahead of the handshake is not heard.
	fmt.Fprint(c, "STARTTLS\r\nNOOP\r\n")
	c.expect("220 Begin TLS negotiation now")
	c.Conn = tls.Client(c.Conn, anyCert)
	c.r = bufio.NewReader(c)
	fmt.Fprint(c, "LHLO x\r\n")
	if caps := c.lines(); strings.Contains(caps, "STARTTLS") || !strings.Contains(caps, "250-AUTH PLAIN LOGIN\r\n") {
		t.Errorf("below TLS: %q", caps)
	}
	fmt.Fprint(c, "STARTTLS\r\n")
	c.expect("454 4.3.3 Already successfully executed STARTTLS")
	c.ok("AUTH PLAIN AGN5cnVzAHg=")
	c.send("Subject: x\r\n\r\n", "alice")
	got := content(t, srv, "user.alice", 1)
	if !regexp.MustCompile(`with LMTPSA\r\n\t \(version=TLSv1\.3 cipher=TLS_\w+ bits=\d+/\d+ verify=NO\);\r\n`).MatchString(got) {
		t.Errorf("Received: %s", got)
	}
}

// lines reads a reply whole.
func (c *client) lines() (all string) {
	c.t.Helper()
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatalf("%q, %v", line, err)
		}
		all += line
		if len(line) > 3 && line[3] != '-' {
			return all
		}
	}
}

// A user's Sieve script is not run, and does not keep his mail from him.
func TestSieveScript(t *testing.T) {
	srv := testServer(t, "")
	e, err := srv.site.List.Lookup("user.alice")
	if err != nil {
		t.Fatal(err)
	}
	dir := srv.site.Layout.SieveUserDir("alice", e.UniqueID)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("main.bc", filepath.Join(dir, "defaultbc")); err != nil {
		t.Fatal(err)
	}
	newClient(t, dialer(t, srv, "unix")).send("Subject: x\r\n\r\n", "alice")
	if got := count(t, srv, "user.alice"); got != 1 {
		t.Errorf("%d messages, want 1", got)
	}
}
