// Package saslclient authenticates us to another server: it picks a SASL
// mechanism of those offered and carries it out, as a go-sasl Client.
package saslclient

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-sasl"

	"gocyrus/lib/sasldb"
	"gocyrus/lib/tlsconf"
)

// Credentials are who we are.
type Credentials struct {
	AuthcID  string // whose password it is
	AuthzID  string // whom to act as; empty for the same
	Password string
	Realm    string // added to AuthcID as user@realm where a mechanism has no place for it
	Token    string // bearer token, for OAUTHBEARER and XOAUTH2
}

// Conn is what the transport knows of the server.
type Conn struct {
	TLS     *tls.ConnectionState // nil without TLS
	Binding []tlsconf.Binding    // for SCRAM-PLUS
	HasCert bool                 // we showed a certificate: EXTERNAL may work
	MinSSF  int                  // least strength of protection, in bits
	Clear   bool                 // a password may cross the connection in clear without TLS

	// Exporter allows channel binding in TLS 1.3, by tls-exporter (RFC 9266).
	// QUIRK: Cyrus with libsasl offers -PLUS there and knows only tls-unique,
	// which TLS 1.3 does not have, so this is for servers known to be ours.
	Exporter bool
}

// ErrNoMechanism is the error of a server that offers nothing we can use.
var ErrNoMechanism = errors.New("no mechanism available")

// preferred are the mechanisms we know, the strongest first: libsasl's order.
var preferred = []string{
	"SCRAM-SHA-512-PLUS", "SCRAM-SHA-512", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1",
	"CRAM-MD5", "EXTERNAL", "OAUTHBEARER", "XOAUTH2", "PLAIN", "LOGIN", "ANONYMOUS",
}

// Choose returns those of the mechanisms offered that can be used, the best
// first.
func Choose(offered []string, cred Credentials, conn Conn) []string {
	var out []string
	for _, m := range preferred {
		if slices.ContainsFunc(offered, func(o string) bool { return strings.EqualFold(o, m) }) && usable(m, cred, conn) {
			out = append(out, m)
		}
	}
	return out
}

func usable(mech string, cred Credentials, conn Conn) bool {
	ssf := 0
	if conn.TLS != nil {
		ssf = tlsconf.Bits(conn.TLS.CipherSuite)
	}
	if ssf < conn.MinSSF {
		return false
	}
	switch mech {
	case "EXTERNAL":
		return conn.HasCert
	case "OAUTHBEARER", "XOAUTH2":
		return cred.Token != "" && conn.TLS != nil
	case "ANONYMOUS":
		return cred.AuthcID == "anonymous"
	case "PLAIN", "LOGIN":
		if cred.AuthzID != "" && cred.AuthzID != cred.AuthcID && mech == "LOGIN" {
			return false // it has no place for a second name
		}
		return cred.AuthcID != "" && (conn.TLS != nil || conn.Clear)
	case "CRAM-MD5":
		return cred.AuthcID != "" && (cred.AuthzID == "" || cred.AuthzID == cred.AuthcID)
	}
	if strings.HasSuffix(mech, "-PLUS") && !conn.binds() {
		return false
	}
	return cred.AuthcID != ""
}

func (c Conn) binds() bool {
	return len(c.Binding) > 0 && (c.Exporter || c.Binding[0].Type != "tls-exporter")
}

// New returns a client for the best mechanism of those offered. The error is
// ErrNoMechanism.
func New(offered []string, cred Credentials, conn Conn) (sasl.Client, error) {
	best := Choose(offered, cred, conn)
	if len(best) == 0 {
		return nil, fmt.Errorf("%q: %w", offered, ErrNoMechanism)
	}
	plusOffered := slices.ContainsFunc(offered, func(o string) bool { return strings.HasSuffix(strings.ToUpper(o), "-PLUS") })
	return client(best[0], cred, conn, plusOffered)
}

func client(mech string, cred Credentials, conn Conn, plusOffered bool) (sasl.Client, error) {
	name := cred.AuthcID
	if cred.Realm != "" && !strings.Contains(name, "@") {
		name += "@" + cred.Realm
	}
	switch mech {
	case "EXTERNAL":
		return sasl.NewExternalClient(cred.AuthzID), nil
	case "ANONYMOUS":
		return sasl.NewAnonymousClient(cred.AuthcID), nil
	case "PLAIN":
		return sasl.NewPlainClient(cred.AuthzID, name, cred.Password), nil
	case "LOGIN":
		return &login{user: name, password: cred.Password}, nil
	case "CRAM-MD5":
		return &cramMD5{user: name, password: cred.Password}, nil
	case "OAUTHBEARER":
		return sasl.NewOAuthBearerClient(&sasl.OAuthBearerOptions{Username: cred.AuthzID, Token: cred.Token}), nil
	case "XOAUTH2":
		return &xoauth2{user: cred.AuthcID, token: cred.Token}, nil
	}
	base, plus := strings.CutSuffix(mech, "-PLUS")
	for _, h := range sasldb.Hashes {
		if h.Mech == base {
			return newSCRAM(mech, h.New, cred, name, conn, plus, plusOffered)
		}
	}
	return nil, fmt.Errorf("%s: %w", mech, ErrNoMechanism)
}
