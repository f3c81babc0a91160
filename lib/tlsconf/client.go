package tlsconf

import (
	"crypto/tls"
	"fmt"
)

// Client returns the configuration for connections to another server of the
// site, as serverName. Its certificate is checked only where the options name
// authorities, as Cyrus does between its own machines.
func Client(o Options, serverName string) (*tls.Config, error) {
	pool, err := Pool(o.ServerCAs, o.ServerDir)
	if err != nil {
		return nil, fmt.Errorf("tls_server_ca: %w", err)
	}
	conf := &tls.Config{
		ServerName:         serverName,
		RootCAs:            pool,
		InsecureSkipVerify: pool == nil,
	}
	if o.Versions != "" {
		if conf.MinVersion, conf.MaxVersion, err = versions(o.Versions); err != nil {
			return nil, err
		}
	}
	if conf.CipherSuites, _ = cipherList(o.Ciphers); conf.CipherSuites != nil && len(conf.CipherSuites) == 0 {
		return nil, fmt.Errorf("tls_ciphers: %q: %w", o.Ciphers, ErrCiphers)
	}
	if o.ClientCert == "" {
		return conf, nil
	}
	key := o.ClientKey
	if key == "" {
		key = o.ClientCert
	}
	cert, err := tls.LoadX509KeyPair(o.ClientCert, key)
	if err != nil {
		return nil, fmt.Errorf("tls_client_cert: %w", err)
	}
	conf.Certificates = []tls.Certificate{cert}
	return conf, nil
}
