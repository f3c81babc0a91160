package tlsconf

import (
	"crypto"
	_ "crypto/sha256" // for certificate hashes
	_ "crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"fmt"
)

// Binding is the data of one channel binding type of a connection.
type Binding struct {
	Type string // "tls-exporter" (RFC 9266), "tls-unique", "tls-server-end-point" (RFC 5929)
	Data []byte
}

// Bindings returns the channel bindings of a connection whose server shows
// cert, the preferred first. tls-unique, which RFC 9266 replaces in TLS 1.3, is
// there only before.
func Bindings(cs *tls.ConnectionState, cert *x509.Certificate) []Binding {
	var out []Binding
	if cs.Version >= tls.VersionTLS13 {
		if key, err := cs.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32); err == nil {
			out = append(out, Binding{"tls-exporter", key})
		}
	} else if len(cs.TLSUnique) > 0 {
		out = append(out, Binding{"tls-unique", cs.TLSUnique})
	}
	if cert != nil {
		if sum := endPoint(cert); sum != nil {
			out = append(out, Binding{"tls-server-end-point", sum})
		}
	}
	return out
}

// endPoint hashes a certificate with the hash of its signature, SHA-256 in
// place of weaker ones (RFC 5929 section 4.1). Signatures without one hash have
// no binding.
func endPoint(cert *x509.Certificate) []byte {
	hash := crypto.SHA256
	switch cert.SignatureAlgorithm {
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		hash = crypto.SHA384
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		hash = crypto.SHA512
	case x509.PureEd25519, x509.UnknownSignatureAlgorithm:
		return nil
	}
	h := hash.New()
	h.Write(cert.Raw)
	return h.Sum(nil)
}

// SessionLine is the log line of a handshake, for level notice:
//
//	starttls: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits new) no authentication
func SessionLine(cs *tls.ConnectionState) string {
	state, who := "new", "no authentication"
	if cs.DidResume {
		state = "reused"
	}
	if cn := PeerName(cs); cn != "" {
		who = "authenticated as " + cn
	}
	bits := Bits(cs.CipherSuite)
	return fmt.Sprintf("starttls: %s with cipher %s (%d/%d bits %s) %s",
		VersionName(cs.Version), CipherName(cs.CipherSuite), bits, bits, state, who)
}

// PeerName is the common name of the peer's certificate, if it was verified.
func PeerName(cs *tls.ConnectionState) string {
	if len(cs.VerifiedChains) == 0 || len(cs.VerifiedChains[0]) == 0 {
		return ""
	}
	return cs.VerifiedChains[0][0].Subject.CommonName
}

// VersionName is OpenSSL's name of a version: "TLSv1.3".
func VersionName(v uint16) string {
	switch v {
	case tls.VersionTLS10:
		return "TLSv1"
	case tls.VersionTLS11:
		return "TLSv1.1"
	case tls.VersionTLS12:
		return "TLSv1.2"
	case tls.VersionTLS13:
		return "TLSv1.3"
	}
	return tls.VersionName(v)
}
