package saslserver

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/config"
	"gocyrus/lib/tlsconf"
)

// imtest is Cyrus's own: in CYRUS_BIN, or where Debian's packages put it. Our program
// of the name would not bring libsasl.
func imtest(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("CYRUS_BIN")
	if dir == "" {
		dir = "/usr/lib/cyrus/bin"
	}
	path := filepath.Join(dir, "imtest")
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no imtest of Cyrus, which CYRUS_BIN may name the directory of: %v", err)
	}
	return path
}

// TestLibsasl has Cyrus's own imtest, and so libsasl's client, log in to us.
func TestLibsasl(t *testing.T) {
	imtest := imtest(t)
	for _, tc := range []struct {
		name, conf, args string
		mech             string
	}{
		{"PLAIN", "", "-m PLAIN", "PLAIN"},
		{"CRAM-MD5", "", "-m CRAM-MD5", "CRAM-MD5"},
		{"SCRAM-SHA-1", "", "-m SCRAM-SHA-1", "SCRAM-SHA-1"},
		{"SCRAM-SHA-256", "", "-m SCRAM-SHA-256", "SCRAM-SHA-256"},
		{"SCRAM-SHA-512", "", "-m SCRAM-SHA-512", "SCRAM-SHA-512"},
		{"libsasl's choice", "", "", "SCRAM-SHA-512"},
		{"TLS 1.3", "", "-t ", "SCRAM-SHA-512"},
		{"TLS 1.2 bound", "tls_versions: tls1_2", "-t ", "SCRAM-SHA-512"},
		{"TLS 1.2 PLAIN", "tls_versions: tls1_2", "-m PLAIN -t ", "PLAIN"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			port, result := serveIMAP(t, tc.conf)
			args := append(strings.Split(tc.args, " "), "-p", port, "-a", "alice", "-w", "pwalice", "127.0.0.1")
			if tc.args == "" {
				args = args[1:]
			}
			out, err := exec.Command(imtest, args...).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "Authenticated.") {
				t.Fatalf("%v\n%s", err, out)
			}
			if id := <-result; id.AuthcID != "alice" || id.Mech != tc.mech {
				t.Errorf("%+v\n%s", id, out)
			}
		})
	}
}

// serveIMAP serves one session of as much IMAP as logging in needs.
func serveIMAP(t *testing.T, conf string) (port string, result chan Identity) {
	t.Helper()
	cert := selfSigned(t)
	cfg, err := config.Parse(strings.NewReader("configdirectory: /var/lib/cyrus\ntls_server_cert: "+cert+"\ntls_server_key: "+cert+"\n"+conf), "imapd.conf", "imap")
	if err != nil {
		t.Fatal(err)
	}
	tlss, err := tlsconf.NewServer(tlsconf.OptionsFrom(cfg), "", t.Errorf)
	if err != nil {
		t.Fatal(err)
	}
	srv := testServer(t, "allowplaintext: yes")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	result = make(chan Identity, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(30 * time.Second))
		(&miniIMAP{t: t, srv: srv, tls: tlss, conn: c, result: result}).serve()
	}()
	_, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port, result
}

type miniIMAP struct {
	t      *testing.T
	srv    *Server
	tls    *tlsconf.Server
	conn   net.Conn
	cs     ConnState
	result chan Identity
}

func (m *miniIMAP) caps() string {
	s := "CAPABILITY IMAP4rev1 SASL-IR"
	if m.cs.TLS == nil {
		s += " STARTTLS"
	}
	for _, mech := range m.srv.Mechanisms(m.cs) {
		s += " AUTH=" + mech
	}
	return s
}

func (m *miniIMAP) serve() {
	fmt.Fprintf(m.conn, "* OK [%s] ready\r\n", m.caps())
	r := bufio.NewReader(m.conn)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		f := strings.Fields(line)
		switch {
		case len(f) < 2:
			return
		case f[1] == "CAPABILITY":
			fmt.Fprintf(m.conn, "* %s\r\n%s OK Completed\r\n", m.caps(), f[0])
		case f[1] == "STARTTLS":
			fmt.Fprintf(m.conn, "%s OK begin\r\n", f[0])
			tc := tls.Server(m.conn, m.tls.Config())
			if err := tc.Handshake(); err != nil {
				m.t.Errorf("handshake: %v", err)
				return
			}
			state := tc.ConnectionState()
			m.conn, r = tc, bufio.NewReader(tc)
			m.cs = ConnState{TLS: &state, Binding: m.tls.Bindings(&state)}
		case f[1] == "AUTHENTICATE":
			if err := m.authenticate(f, r); err != nil {
				m.t.Errorf("authenticate: %v", err)
				fmt.Fprintf(m.conn, "%s NO %s\r\n", f[0], ClientText(err))
				continue
			}
			fmt.Fprintf(m.conn, "%s OK Success\r\n", f[0])
		default:
			fmt.Fprintf(m.conn, "* BYE\r\n%s OK Completed\r\n", f[0])
			return
		}
	}
}

func (m *miniIMAP) authenticate(f []string, r *bufio.Reader) error {
	x, err := m.srv.Start(context.Background(), f[2], m.cs)
	if err != nil {
		return err
	}
	var response []byte
	if len(f) > 3 {
		if response, err = base64.StdEncoding.DecodeString(strings.TrimPrefix(f[3], "=")); err != nil {
			return err
		}
	}
	for {
		challenge, done, err := x.Next(response)
		if err != nil {
			return err
		}
		if done {
			m.result <- *x.Identity()
			return nil
		}
		fmt.Fprintf(m.conn, "+ %s\r\n", base64.StdEncoding.EncodeToString(challenge))
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		if response, err = base64.StdEncoding.DecodeString(strings.TrimSpace(line)); err != nil {
			return err
		}
	}
}

func selfSigned(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err1 := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	kd, err2 := x509.MarshalECPrivateKey(key)
	path := filepath.Join(t.TempDir(), "cert.pem")
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: kd})...)
	if err := errors.Join(err1, err2, os.WriteFile(path, text, 0o600)); err != nil {
		t.Fatal(err)
	}
	return path
}
