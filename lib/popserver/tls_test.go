package popserver

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
	"net"
	"os"
	"path/filepath"
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

func TestSTLS(t *testing.T) {
	c := newClient(t, dialer(t, testServer(t, withTLS(t)+"tls_required: yes\n")))
	c.ok("CAPA")
	if caps := c.text(); !strings.Contains(caps, "STLS\r\n") || strings.Contains(caps, "SASL") || strings.Contains(caps, "USER") {
		t.Errorf("before TLS: %q", caps)
	}
	fmt.Fprint(c, "USER alice\r\n")
	if got, want := c.line(), "-ERR [AUTH] USER command only available under a layer"; got != want {
		t.Errorf("USER: %s, want %s", got, want)
	}
	// What is sent ahead of the handshake is not heard.
	fmt.Fprint(c, "STLS\r\nUSER bob\r\n")
	if got, want := c.line(), "+OK Begin TLS negotiation now"; got != want {
		t.Fatalf("STLS: %s, want %s", got, want)
	}
	c.Conn = tls.Client(c.Conn, anyCert)
	c.r = bufio.NewReader(c)
	c.ok("CAPA")
	if caps := c.text(); strings.Contains(caps, "STLS\r\n") || !strings.Contains(caps, "USER\r\n") {
		t.Errorf("below TLS: %q", caps)
	}
	fmt.Fprint(c, "STLS\r\n")
	if got, want := c.line(), "-ERR Already successfully executed STLS"; got != want {
		t.Errorf("second STLS: %s, want %s", got, want)
	}
	c.ok("USER alice")
	c.ok("PASS x")
	for i, want := range texts {
		c.ok(fmt.Sprintf("RETR %d", i+1))
		if got := c.text(); got != want {
			t.Errorf("message %d: %d octets, want %d", i+1, len(got), len(want))
		}
	}
}

// pop3d -s speaks TLS from the first octet.
func TestImplicitTLS(t *testing.T) {
	srv := testServer(t, withTLS(t))
	srv.opts.Implicit = true
	dial := dialer(t, srv)
	c := newClient(t, func() net.Conn { return tls.Client(dial(), anyCert) })
	c.ok("USER alice")
	c.ok("PASS x")
}
