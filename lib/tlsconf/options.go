package tlsconf

import (
	"crypto/tls"
	"fmt"
	"strings"
	"time"

	"gocyrus/lib/config"
)

// Options are the settings of imapd.conf that this package obeys, for one
// service.
type Options struct {
	Cert, Key  string        // tls_server_cert, tls_server_key: files; "" or "disabled" for no TLS
	ExtraCert  string        // a second chain of another algorithm, after a comma in tls_server_cert
	ExtraKey   string        // and its key
	ClientCAs  string        // tls_client_ca_file
	ClientDir  string        // tls_client_ca_dir
	ClientAuth string        // tls_client_certs: off, optional, require
	CRL        string        // tls_crl_file
	Versions   string        // tls_versions
	Ciphers    string        // tls_ciphers
	Curve      string        // tls_eccurve
	Tickets    time.Duration // tls_session_timeout: how long a session may be resumed; 0 for never
	StartTLS   bool          // allowstarttls

	ServerCAs  string // tls_server_ca_file: for servers we connect to
	ServerDir  string // tls_server_ca_dir
	ClientCert string // tls_client_cert: what we show as a client
	ClientKey  string // tls_client_key
}

// maxTickets is the longest that a session may be resumed, whatever
// tls_session_timeout says.
const maxTickets = 24 * time.Hour

// OptionsFrom reads the settings. Names of old are config's business.
func OptionsFrom(cfg *config.Config) Options {
	o := Options{
		ClientCAs:  cfg.Str("tls_client_ca_file"),
		ClientDir:  cfg.Str("tls_client_ca_dir"),
		ClientAuth: cfg.Enum("tls_client_certs"),
		CRL:        cfg.Str("tls_crl_file"),
		Versions:   cfg.Str("tls_versions"),
		Ciphers:    cfg.Str("tls_ciphers"),
		Curve:      cfg.Str("tls_eccurve"),
		Tickets:    min(max(cfg.Duration("tls_session_timeout"), 0), maxTickets),
		StartTLS:   cfg.Bool("allowstarttls"),
		ServerCAs:  cfg.Str("tls_server_ca_file"),
		ServerDir:  cfg.Str("tls_server_ca_dir"),
		ClientCert: enabled(cfg.Str("tls_client_cert")),
		ClientKey:  enabled(cfg.Str("tls_client_key")),
	}
	o.Cert, o.ExtraCert = pair(cfg.Str("tls_server_cert"))
	o.Key, o.ExtraKey = pair(cfg.Str("tls_server_key"))
	return o
}

func enabled(file string) string {
	if file == "disabled" {
		return ""
	}
	return file
}

func pair(files string) (first, second string) {
	first, second, _ = strings.Cut(files, ",")
	return enabled(strings.TrimSpace(first)), strings.TrimSpace(second)
}

// Enabled says whether there is a certificate and a key, so that the service
// can offer TLS.
func (o Options) Enabled() bool { return o.Cert != "" && o.Key != "" }

// versions reads tls_versions: the lowest and highest of those named.
func versions(list string) (low, high uint16, err error) {
	names := map[string]uint16{"tls1_0": tls.VersionTLS10, "tls1_1": tls.VersionTLS11, "tls1_2": tls.VersionTLS12, "tls1_3": tls.VersionTLS13}
	for _, w := range strings.Fields(list) {
		if w == "ssl2" || w == "ssl3" {
			continue // long dead: crypto/tls does not have them
		}
		v, ok := names[w]
		if !ok {
			return 0, 0, fmt.Errorf("tls_versions: %q is not one of tls1_0, tls1_1, tls1_2, tls1_3", w)
		}
		if low == 0 || v < low {
			low = v
		}
		high = max(high, v)
	}
	if low == 0 {
		return 0, 0, fmt.Errorf("tls_versions: none named")
	}
	return low, high, nil
}

func curves(name string) []tls.CurveID {
	base := []tls.CurveID{tls.X25519MLKEM768, tls.X25519}
	switch strings.ToLower(name) {
	case "prime256v1", "p-256", "secp256r1":
		return append(base, tls.CurveP256, tls.CurveP384, tls.CurveP521)
	case "secp384r1", "p-384":
		return append(base, tls.CurveP384, tls.CurveP256, tls.CurveP521)
	case "secp521r1", "p-521":
		return append(base, tls.CurveP521, tls.CurveP384, tls.CurveP256)
	}
	return nil
}
