package saslserver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"strings"
	"testing"
)

func withCert(cn string) ConnState {
	leaf := &x509.Certificate{Subject: pkix.Name{CommonName: cn}}
	return ConnState{TLS: &tls.ConnectionState{CipherSuite: tls.TLS_AES_128_GCM_SHA256, VerifiedChains: [][]*x509.Certificate{{leaf}}}}
}

func TestMechanisms(t *testing.T) {
	const shared = "SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5"
	const plus = "SCRAM-SHA-512-PLUS SCRAM-SHA-512 SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-1 CRAM-MD5"
	for _, tc := range []struct {
		name, conf string
		conn       ConnState
		want       string
	}{
		{"clear, plain text off", "", clear, shared},
		{"clear, plain text on", "allowplaintext: yes", clear, shared + " PLAIN LOGIN"},
		{"TLS", "", underT, shared + " PLAIN LOGIN"},
		{"TLS 1.2", "", unique, plus + " PLAIN LOGIN"},
		{"TLS 1.3", "", bound, shared + " PLAIN LOGIN"},
		{"TLS 1.3, no old clients", "sasl_channel_binding: always", bound, plus + " PLAIN LOGIN"},
		{"never -PLUS", "sasl_channel_binding: never", unique, shared + " PLAIN LOGIN"},
		{"unix socket", "", ConnState{SSF: 2}, shared + " PLAIN LOGIN"},
		{"list", "sasl_mech_list: PLAIN cram-md5", underT, "CRAM-MD5 PLAIN"},
		{"list means -PLUS too", "sasl_mech_list: SCRAM-SHA-256", unique, "SCRAM-SHA-256-PLUS SCRAM-SHA-256"},
		{"service's list wins", "sasl_mech_list: PLAIN\nimap_sasl_mech_list: LOGIN", underT, "LOGIN"},
		{"certificate", "sasl_mech_list: PLAIN EXTERNAL", withCert("alice"), "EXTERNAL PLAIN"},
		{"no certificate", "sasl_mech_list: PLAIN EXTERNAL", underT, "PLAIN"},
		{"anonymous", "allowanonymouslogin: yes\nsasl_mech_list: ANONYMOUS", clear, "ANONYMOUS"},
		{"minimum layer, clear", "sasl_minimum_layer: 128\nallowplaintext: yes", clear, ""},
		{"minimum layer, TLS", "sasl_minimum_layer: 128\nsasl_mech_list: PLAIN", underT, "PLAIN"},
		{"minimum layer too high", "sasl_minimum_layer: 512", underT, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := strings.Join(testServer(t, tc.conf).Mechanisms(tc.conn), " "); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestStartRefused(t *testing.T) {
	for _, tc := range []struct {
		name, conf, mech string
		want             Code
	}{
		{"unknown", "", "BOGUS", NoMech},
		{"not in the list", "sasl_mech_list: PLAIN", "CRAM-MD5", NoMech},
		{"plain text in clear", "", "plain", Encrypt},
		{"too weak", "sasl_minimum_layer: 1", "CRAM-MD5", TooWeak},
		{"no binding", "", "SCRAM-SHA-256-PLUS", NoMech},
		{"external without certificate", "", "EXTERNAL", NoMech},
		{"empty", "", "", NoMech},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := testServer(t, tc.conf).Start(context.Background(), tc.mech, clear)
			if !errors.Is(err, tc.want) {
				t.Errorf("got %v; want %v", err, tc.want)
			}
		})
	}
}

func TestNoStore(t *testing.T) {
	srv := testServer(t, "allowplaintext: yes", WithSecrets(nil))
	if got := strings.Join(srv.Mechanisms(clear), " "); got != "PLAIN LOGIN" {
		t.Errorf("without a store: %s", got)
	}
	if _, err := srv.CheckPass(context.Background(), "alice", "pwalice", clear); !errors.Is(err, NoUser) {
		t.Errorf("CheckPass: %v", err)
	}
}
