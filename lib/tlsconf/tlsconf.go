// Package tlsconf makes TLS configurations of imapd.conf's tls_ options, and
// says of a TLS connection what logs and SASL want to know.
//
// A Server's files are read again when they change, so that a renewed
// certificate needs no restart. Sessions are resumed by tickets, whose keys are
// shared by the processes of a machine in configdirectory/tls_tickets: Cyrus's
// tls_sessions.db is not read, and the first handshake after a hand-over is a
// full one.
package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// ErrDisabled is the error of a service without certificate or key.
var ErrDisabled = errors.New("TLS is not configured")

// ErrCiphers is the error of a cipher list that leaves none.
var ErrCiphers = errors.New("no cipher match")

// Server hands out the configuration for each connection. It is safe for
// concurrent use.
type Server struct {
	opts    Options
	warn    func(format string, args ...any)
	tickets *ticketKeys

	mu     sync.Mutex
	conf   *tls.Config
	leafs  []*x509.Certificate
	stamps map[string]stamp
	looked time.Time
}

// stamp tells one version of a file from another.
type stamp struct {
	mtime time.Time
	size  int64
}

// lookEvery is how often the files are looked at for change.
const lookEvery = 5 * time.Second

// NewServer reads the files. ticketDir is where the keys of session tickets are
// shared, "" to keep them in this process. warn is told of what is ignored, and
// of files that became unreadable: the old ones go on then.
func NewServer(o Options, ticketDir string, warn func(format string, args ...any)) (*Server, error) {
	if !o.Enabled() {
		return nil, ErrDisabled
	}
	s := &Server{opts: o, warn: warn}
	if o.Tickets > 0 {
		s.tickets = newTicketKeys(ticketDir, o.Tickets)
	}
	if _, unknown := cipherList(o.Ciphers); len(unknown) > 0 {
		warn("tls_ciphers: unknown: %q", unknown)
	}
	s.stamps = s.stat()
	s.looked = time.Now()
	if err := s.load(); err != nil {
		return nil, err
	}
	return s, nil
}

// Config returns the configuration to use for one more connection.
func (s *Server) Config() *tls.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); now.Sub(s.looked) >= lookEvery {
		s.looked = now
		s.reload()
	}
	conf := s.conf
	if s.tickets != nil {
		conf = conf.Clone()
		conf.SetSessionTicketKeys(s.tickets.current())
	}
	return conf
}

// reload reads the files if one has changed. A broken file leaves the old
// configuration in force.
func (s *Server) reload() {
	now := s.stat()
	changed := false
	for f, st := range now {
		changed = changed || s.stamps[f] != st
	}
	if !changed {
		return
	}
	s.stamps = now
	if err := s.load(); err != nil {
		s.warn("TLS: %v: keeping what was read before", err)
	}
}

func (s *Server) stat() map[string]stamp {
	m := make(map[string]stamp)
	o := s.opts
	for _, f := range []string{o.Cert, o.Key, o.ExtraCert, o.ExtraKey, o.ClientCAs, o.CRL} {
		if f == "" {
			continue
		}
		if fi, err := os.Stat(f); err == nil {
			m[f] = stamp{fi.ModTime(), fi.Size()}
		}
	}
	return m
}

func (s *Server) load() error {
	o := s.opts
	conf := &tls.Config{CurvePreferences: curves(o.Curve)}
	var err error
	if conf.MinVersion, conf.MaxVersion, err = versions(o.Versions); err != nil {
		return err
	}
	if conf.CipherSuites, _ = cipherList(o.Ciphers); conf.CipherSuites != nil && len(conf.CipherSuites) == 0 {
		return fmt.Errorf("tls_ciphers: %q: %w", o.Ciphers, ErrCiphers)
	}
	conf.SessionTicketsDisabled = o.Tickets == 0
	if conf.Certificates, err = certificates(o); err != nil {
		return err
	}
	if err := clientAuth(conf, o); err != nil {
		return err
	}
	leafs := make([]*x509.Certificate, len(conf.Certificates))
	for i, c := range conf.Certificates {
		leafs[i] = c.Leaf
	}
	s.conf, s.leafs = conf, leafs
	return nil
}

func certificates(o Options) ([]tls.Certificate, error) {
	files := [][2]string{{o.Cert, o.Key}}
	if o.ExtraCert != "" {
		key := o.ExtraKey
		if key == "" {
			key = o.Key
		}
		files = append(files, [2]string{o.ExtraCert, key})
	}
	var out []tls.Certificate
	for _, f := range files {
		c, err := tls.LoadX509KeyPair(f[0], f[1])
		if err != nil {
			return nil, fmt.Errorf("tls_server_cert: %w", err)
		}
		out = append(out, c)
	}
	return out, nil
}

// clientAuth sets how client certificates are asked for: only where there are
// authorities to check them with.
func clientAuth(conf *tls.Config, o Options) error {
	if o.ClientAuth == "off" || o.ClientCAs == "" && o.ClientDir == "" {
		return nil
	}
	pool, err := Pool(o.ClientCAs, o.ClientDir)
	if err != nil {
		return fmt.Errorf("tls_client_ca: %w", err)
	}
	conf.ClientCAs = pool
	conf.ClientAuth = tls.VerifyClientCertIfGiven
	if o.ClientAuth == "require" {
		conf.ClientAuth = tls.RequireAndVerifyClientCert
	}
	if o.CRL == "" {
		return nil
	}
	revoked, err := readCRL(o.CRL)
	if err != nil {
		return fmt.Errorf("tls_crl_file: %w", err)
	}
	conf.VerifyConnection = revoked.check
	return nil
}

// Pool reads the authorities of a file and of every file of a directory. With
// neither it returns nil, which means the system's.
func Pool(file, dir string) (*x509.CertPool, error) {
	if file == "" && dir == "" {
		return nil, nil
	}
	files := []string{}
	if file != "" {
		files = append(files, file)
	}
	if dir != "" {
		names, err := os.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			files = append(files, filepath.Join(dir, n.Name()))
		}
	}
	pool := x509.NewCertPool()
	for i, f := range files {
		pem, err := os.ReadFile(f)
		if err != nil && i == 0 && file != "" {
			return nil, err
		}
		if err == nil && !pool.AppendCertsFromPEM(pem) && f == file {
			return nil, fmt.Errorf("%s: no certificate in it", f)
		}
	}
	return pool, nil
}

// Bindings returns the channel bindings of a connection that this server
// accepted with Config. tls-server-end-point is left out where there are two
// chains, for crypto/tls does not say which was shown.
func (s *Server) Bindings(cs *tls.ConnectionState) []Binding {
	s.mu.Lock()
	leafs := s.leafs
	s.mu.Unlock()
	if len(leafs) == 1 {
		return Bindings(cs, leafs[0])
	}
	return Bindings(cs, nil)
}
