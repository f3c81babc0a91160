package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
)

// ErrRevoked is the error of a handshake whose certificate is on the
// revocation list.
var ErrRevoked = errors.New("certificate is revoked")

// revocations are the serial numbers that issuers have taken back.
type revocations map[string]bool // issuer NUL serial number

func readCRL(path string) (revocations, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := make(revocations)
	lists := 0
	for len(data) > 0 {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "X509 CRL" {
			continue
		}
		list, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		lists++
		for _, e := range list.RevokedCertificateEntries {
			r[string(list.RawIssuer)+"\x00"+e.SerialNumber.String()] = true
		}
	}
	if lists == 0 {
		return nil, fmt.Errorf("%s: no revocation list in it", path)
	}
	return r, nil
}

func (r revocations) check(cs tls.ConnectionState) error {
	for _, chain := range cs.VerifiedChains {
		for _, c := range chain {
			if r[string(c.RawIssuer)+"\x00"+c.SerialNumber.String()] {
				return fmt.Errorf("%s: %w", c.Subject.CommonName, ErrRevoked)
			}
		}
	}
	return nil
}
