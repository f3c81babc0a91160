package syncserver

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

// TestStartTLS is a site where passwords may not cross the connection in clear.
func TestStartTLS(t *testing.T) {
	srv := testServer(t, withTLS(t)+"allowplaintext: no\n")
	c := dialer(t, srv, "tcp")()
	const ok = "* OK mail.example.com Cyrus sync server VERSION\r\n"
	if got := greeting(t, c); got != "* STARTTLS\r\n* COMPRESS DEFLATE\r\n* SIEVE-MAILBOX\r\n* X-GOCYRUS-SYNC\r\n"+ok {
		t.Errorf("before TLS: %q", got)
	}
	p := &peer{t: t, Conn: c, r: bufio.NewReader(c)}
	// What is sent ahead of the handshake is not heard.
	p.send("STARTTLS\r\nEXIT\r\n")
	if got := p.line(); got != "OK Begin TLS negotiation now" {
		t.Fatalf("STARTTLS: %q", got)
	}
	p.Conn = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	if got := greeting(t, p.Conn); got != "* SASL PLAIN LOGIN\r\n* SIEVE-MAILBOX\r\n* X-GOCYRUS-SYNC\r\n"+ok {
		t.Errorf("below TLS: %q", got)
	}
	p.r = bufio.NewReader(p.Conn)
	p.want("STARTTLS", "BAD Already did a successful Starttls")
	p.want("AUTHENTICATE PLAIN "+plainResponse("repl"), "OK Success (tls protection)")
	p.want("STARTTLS", "BAD Can't Starttls after authentication")
	p.want(upload("default", messageOne), "OK success")
	p.want("GET USER nobody", "OK success")
	p.want("EXIT", "OK Finished")
}
