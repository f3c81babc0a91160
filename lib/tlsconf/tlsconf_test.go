package tlsconf

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/config"
)

// ca signs certificates for tests.
type ca struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string
}

func newCA(t *testing.T) *ca {
	t.Helper()
	a := &ca{dir: t.TempDir()}
	a.cert, a.key = a.sign(t, "Test CA", 1, "ca")
	return a
}

// sign makes a certificate and writes name.pem and name.key.
func (a *ca) sign(t *testing.T, cn string, serial int64, name string) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: cn}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true, IsCA: a.cert == nil,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = tmpl, key
	}
	der, err1 := x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, signer)
	cert, err2 := x509.ParseCertificate(der)
	keyDER, err3 := x509.MarshalECPrivateKey(key)
	err4 := os.WriteFile(a.file(name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
	err5 := os.WriteFile(a.file(name+".key"), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), 0o600)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func (a *ca) file(name string) string { return filepath.Join(a.dir, name) }

func options(t *testing.T, lines string) Options {
	t.Helper()
	cfg, err := config.Parse(strings.NewReader("configdirectory: /var/lib/cyrus\n"+lines), "imapd.conf", "imap")
	if err != nil {
		t.Fatal(err)
	}
	return OptionsFrom(cfg)
}

func newServer(t *testing.T, lines string) *Server {
	t.Helper()
	s, err := NewServer(options(t, lines), t.TempDir(), t.Errorf)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// handshake connects a client to conf and returns both sides' states.
func handshake(conf, client *tls.Config) (server, peer tls.ConnectionState, err error) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	srv, cl := tls.Server(a, conf), tls.Client(b, client)
	done := make(chan error, 1)
	go func() {
		err := srv.HandshakeContext(context.Background())
		if err == nil {
			_, err = srv.Write([]byte("x")) // brings the tickets of TLS 1.3 along
		}
		done <- err
	}()
	err = cl.HandshakeContext(context.Background())
	if err == nil {
		_, err = cl.Read(make([]byte, 1))
	}
	if err != nil {
		a.Close()
		b.Close()
	}
	if serr := <-done; serr != nil && err != nil {
		err = errors.Join(serr, err)
	}
	return srv.ConnectionState(), cl.ConnectionState(), err
}

func (a *ca) client(t *testing.T, certName string) *tls.Config {
	t.Helper()
	o := Options{ServerCAs: a.file("ca.pem")}
	if certName != "" {
		o.ClientCert, o.ClientKey = a.file(certName+".pem"), a.file(certName+".key")
	}
	conf, err := Client(o, "localhost")
	if err != nil {
		t.Fatal(err)
	}
	return conf
}

func TestHandshake(t *testing.T) {
	a := newCA(t)
	a.sign(t, "mail.example.com", 2, "srv")
	a.sign(t, "alice", 3, "alice")
	base := "tls_server_cert: " + a.file("srv.pem") + "\ntls_server_key: " + a.file("srv.key") + "\n"
	certs := base + "tls_client_ca_file: " + a.file("ca.pem") + "\n"
	for _, tc := range []struct {
		name, conf, cert string
		line             string // "" when the handshake must fail
	}{
		{"plain", base, "", "starttls: TLSv1.3 with cipher TLS_AES_128_GCM_SHA256 (128/128 bits new) no authentication"},
		{"TLS 1.2, one cipher", base + "tls_versions: tls1_2\ntls_ciphers: ECDHE-ECDSA-AES256-GCM-SHA384", "",
			"starttls: TLSv1.2 with cipher ECDHE-ECDSA-AES256-GCM-SHA384 (256/256 bits new) no authentication"},
		{"certificate", certs, "alice", "starttls: TLSv1.3 with cipher TLS_AES_128_GCM_SHA256 (128/128 bits new) authenticated as alice"},
		{"certificate not asked for", certs + "tls_client_certs: off", "alice", "starttls: TLSv1.3 with cipher TLS_AES_128_GCM_SHA256 (128/128 bits new) no authentication"},
		{"no certificate", certs, "", "starttls: TLSv1.3 with cipher TLS_AES_128_GCM_SHA256 (128/128 bits new) no authentication"},
		{"certificate required", certs + "tls_client_certs: require", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := newServer(t, tc.conf)
			cs, _, err := handshake(srv.Config(), a.client(t, tc.cert))
			if (err == nil) != (tc.line != "") {
				t.Fatalf("handshake: %v", err)
			}
			if err == nil && SessionLine(&cs) != tc.line {
				t.Errorf("got  %s\nwant %s", SessionLine(&cs), tc.line)
			}
		})
	}
}

func TestRevoked(t *testing.T) {
	a := newCA(t)
	a.sign(t, "mail.example.com", 2, "srv")
	a.sign(t, "alice", 3, "alice")
	a.sign(t, "bob", 4, "bob")
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(3), RevocationTime: time.Now()}}}, a.cert, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a.file("crl.pem"), pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	srv := newServer(t, "tls_server_cert: "+a.file("srv.pem")+"\ntls_server_key: "+a.file("srv.key")+"\ntls_client_ca_file: "+a.file("ca.pem")+"\ntls_crl_file: "+a.file("crl.pem"))
	if _, _, err := handshake(srv.Config(), a.client(t, "alice")); !errors.Is(err, ErrRevoked) {
		t.Errorf("alice: %v", err)
	}
	if _, _, err := handshake(srv.Config(), a.client(t, "bob")); err != nil {
		t.Errorf("bob: %v", err)
	}
}

// TestReload checks that a renewed certificate is used and a broken one is not.
func TestReload(t *testing.T) {
	a := newCA(t)
	a.sign(t, "old", 2, "srv")
	lines := "tls_server_cert: " + a.file("srv.pem") + "\ntls_server_key: " + a.file("srv.key")
	var warned []string
	srv, err := NewServer(options(t, lines), "", func(f string, args ...any) { warned = append(warned, f) })
	if err != nil {
		t.Fatal(err)
	}
	shown := func() string {
		srv.looked = time.Time{}
		_, peer, err := handshake(srv.Config(), a.client(t, ""))
		if err != nil {
			t.Fatal(err)
		}
		return peer.PeerCertificates[0].Subject.CommonName
	}
	if got := shown(); got != "old" {
		t.Fatalf("shows %s", got)
	}
	a.sign(t, "a much newer name", 3, "srv")
	if got := shown(); got != "a much newer name" {
		t.Errorf("after renewal shows %s", got)
	}
	if err := os.WriteFile(a.file("srv.pem"), []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := shown(); got != "a much newer name" || len(warned) != 1 {
		t.Errorf("with a broken file shows %s, warned %q", got, warned)
	}
}

// TestTickets checks that another process of the same machine resumes a
// session.
func TestTickets(t *testing.T) {
	a := newCA(t)
	a.sign(t, "srv", 2, "srv")
	o := options(t, "tls_server_cert: "+a.file("srv.pem")+"\ntls_server_key: "+a.file("srv.key"))
	dir := t.TempDir()
	client := a.client(t, "")
	client.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	for i, want := range []string{"new", "reused"} {
		srv, err := NewServer(o, dir, t.Errorf)
		if err != nil {
			t.Fatal(err)
		}
		cs, _, err := handshake(srv.Config(), client)
		if err != nil {
			t.Fatal(err)
		}
		if line := SessionLine(&cs); !strings.Contains(line, " bits "+want+")") {
			t.Errorf("handshake %d: %s", i, line)
		}
	}
	keys := newTicketKeys(dir, 3*time.Hour)
	now := time.Unix(1e9, 0)
	keys.now = func() time.Time { return now }
	before := keys.current()
	now = now.Add(time.Hour)
	after := keys.current()
	if before[0] == after[0] || before[0] != after[1] || before[1] != after[2] {
		t.Error("keys do not move on by one each third of the lifetime")
	}
	if fi, err := os.Stat(filepath.Join(dir, "tls_tickets")); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("secret: %v, %v", fi, err)
	}
}

func TestBindings(t *testing.T) {
	a := newCA(t)
	a.sign(t, "srv", 2, "srv")
	base := "tls_server_cert: " + a.file("srv.pem") + "\ntls_server_key: " + a.file("srv.key") + "\n"
	for conf, want := range map[string][]string{
		base:                          {"tls-exporter", "tls-server-end-point"},
		base + "tls_versions: tls1_2": {"tls-unique", "tls-server-end-point"},
	} {
		srv := newServer(t, conf)
		cs, peer, err := handshake(srv.Config(), a.client(t, ""))
		if err != nil {
			t.Fatal(err)
		}
		ours, theirs := srv.Bindings(&cs), Bindings(&peer, peer.PeerCertificates[0])
		var types []string
		for i, b := range ours {
			types = append(types, b.Type)
			if b.Type != theirs[i].Type || !bytes.Equal(b.Data, theirs[i].Data) || len(b.Data) < 12 {
				t.Errorf("%s: %x and %x", b.Type, b.Data, theirs[i].Data)
			}
		}
		if !slices.Equal(types, want) {
			t.Errorf("types %q; want %q", types, want)
		}
	}
}

func TestCipherList(t *testing.T) {
	for _, tc := range []struct {
		list    string
		has     string // a suite that must be there; "" for the default list
		not     string
		unknown int
	}{
		{"DEFAULT", "", "", 0},
		{"ALL:+RC4:@STRENGTH", "", "", 0},
		{"HIGH:!aNULL:!MD5", "ECDHE-RSA-AES256-GCM-SHA384", "", 0},
		{"HIGH:!AES128", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256", 0},
		{"AES128:!SHA1", "ECDHE-RSA-AES128-GCM-SHA256", "AES128-SHA", 0},
		{"EECDH+AESGCM", "ECDHE-ECDSA-AES128-GCM-SHA256", "AES256-GCM-SHA384", 0},
		{"ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256", 0},
		{"DHE-RSA-AES256-SHA:AES256-SHA", "AES256-SHA", "AES128-SHA", 0},
		{"AES256-SHA:NONSENSE", "AES256-SHA", "", 1},
		{"", "", "", 0},
	} {
		ids, unknown := cipherList(tc.list)
		has := func(name string) bool {
			return slices.ContainsFunc(ids, func(id uint16) bool { return CipherName(id) == name })
		}
		if (tc.has == "") != (ids == nil) || tc.has != "" && !has(tc.has) || tc.not != "" && has(tc.not) || len(unknown) != tc.unknown {
			t.Errorf("%q: %d suites, %s %v, %s %v, unknown %q", tc.list, len(ids), tc.has, has(tc.has), tc.not, has(tc.not), unknown)
		}
	}
}

func TestOptionErrors(t *testing.T) {
	a := newCA(t)
	a.sign(t, "srv", 2, "srv")
	base := "tls_server_cert: " + a.file("srv.pem") + "\ntls_server_key: " + a.file("srv.key") + "\n"
	for name, lines := range map[string]string{
		"no file":       "tls_server_cert: /nothere\ntls_server_key: /nothere",
		"version":       base + "tls_versions: tls9",
		"no cipher":     base + "tls_ciphers: DHE-RSA-AES256-SHA",
		"no version":    base + "tls_versions: ssl3",
		"authorities":   base + "tls_client_ca_file: /nothere",
		"not a CA file": base + "tls_client_ca_file: " + a.file("srv.key"),
	} {
		if _, err := NewServer(options(t, lines), "", t.Errorf); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for _, lines := range []string{"", "tls_server_cert: disabled\ntls_server_key: disabled"} {
		if _, err := NewServer(options(t, lines), "", t.Errorf); !errors.Is(err, ErrDisabled) {
			t.Errorf("%q: %v", lines, err)
		}
	}
	if o := options(t, "imap_tls_server_cert: /x\ntls_server_cert: /y\ntls_session_timeout: 2d"); o.Cert != "/x" || o.Tickets != maxTickets {
		t.Errorf("%+v", o)
	}
}

// FuzzCipherList checks that any list is read.
func FuzzCipherList(f *testing.F) {
	f.Add("HIGH:!aNULL+x:@STRENGTH")
	f.Add("!")
	f.Add(":+:-:!:")
	f.Fuzz(func(t *testing.T, list string) { cipherList(list) })
}
