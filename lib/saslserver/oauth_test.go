package saslserver

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"gocyrus/lib/saslclient"
)

// issuer has a key of each kind.
type issuer struct {
	rsa *rsa.PrivateKey
	ec  *ecdsa.PrivateKey
	ed  ed25519.PrivateKey
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	r, err1 := rsa.GenerateKey(rand.Reader, 2048)
	e, err2 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, d, err3 := ed25519.GenerateKey(rand.Reader)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	return &issuer{r, e, d}
}

// keys writes the public keys to a file (RFC 7517).
func (i *issuer) keys(t *testing.T) string {
	t.Helper()
	b64 := base64.RawURLEncoding.EncodeToString
	point, err := i.ec.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	set := map[string]any{"keys": []map[string]string{
		{"kty": "RSA", "kid": "r", "n": b64(i.rsa.N.Bytes()), "e": b64(big.NewInt(int64(i.rsa.E)).Bytes())},
		{"kty": "EC", "kid": "e", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])},
		{"kty": "OKP", "kid": "d", "crv": "Ed25519", "x": b64(i.ed.Public().(ed25519.PublicKey))},
		{"kty": "oct", "kid": "o", "k": "c2VjcmV0"},
		{"kty": "RSA", "kid": "small", "n": "AQAB", "e": "AQAB"},
	}}
	data, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (i *issuer) token(t *testing.T, kid string, change jwt.MapClaims) string {
	t.Helper()
	method, key := map[string]jwt.SigningMethod{"r": jwt.SigningMethodRS256, "e": jwt.SigningMethodES256, "d": jwt.SigningMethodEdDSA, "x": jwt.SigningMethodRS256,
		"hmac": jwt.SigningMethodHS256, "none": jwt.SigningMethodNone}[kid], any(i.rsa)
	switch kid {
	case "e":
		key = i.ec
	case "d":
		key = i.ed
	case "hmac":
		key = []byte("secret")
	case "none":
		key = jwt.UnsafeAllowNoneSignatureType
	}
	c := jwt.MapClaims{"sub": "alice", "iss": "https://id.example.com", "aud": []string{"mail"}, "scope": "mail openid", "exp": time.Now().Add(time.Hour).Unix()}
	for k, v := range change {
		c[k] = v
		if v == nil {
			delete(c, k)
		}
	}
	tok := jwt.NewWithClaims(method, c)
	tok.Header["kid"] = kid
	s, err := tok.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestBearer(t *testing.T) {
	i := newIssuer(t)
	srv := testServer(t, "sasl_oauth_jwks: "+i.keys(t)+"\nsasl_oauth_issuer: https://id.example.com\nsasl_oauth_audience: mail\nsasl_oauth_scope: mail")
	for _, tc := range []struct {
		name, kid string
		change    jwt.MapClaims
		good      bool
	}{
		{"RSA", "r", nil, true},
		{"ECDSA", "e", nil, true},
		{"Ed25519", "d", nil, true},
		{"unknown key", "x", nil, false},
		{"HMAC", "hmac", nil, false},
		{"unsigned", "none", nil, false},
		{"expired", "r", jwt.MapClaims{"exp": time.Now().Add(-time.Hour).Unix()}, false},
		{"without end", "r", jwt.MapClaims{"exp": nil}, false},
		{"another issuer", "r", jwt.MapClaims{"iss": "https://evil.example"}, false},
		{"another audience", "r", jwt.MapClaims{"aud": "web"}, false},
		{"another scope", "r", jwt.MapClaims{"scope": "openid"}, false},
		{"nobody", "r", jwt.MapClaims{"sub": ""}, false},
	} {
		for _, mech := range []string{"OAUTHBEARER", "XOAUTH2"} {
			t.Run(tc.name+" "+mech, func(t *testing.T) {
				id, err := exchange(t, srv, []string{mech}, saslclient.Credentials{AuthcID: "alice", Token: i.token(t, tc.kid, tc.change)}, underT)
				if tc.good {
					ok(t, id, err, "alice", "alice")
				} else if err == nil {
					t.Errorf("let %+v in", id)
				}
			})
		}
	}
}

// TestBearerRefusal checks that the client is told why, and that any answer then
// ends the exchange.
func TestBearerRefusal(t *testing.T) {
	srv := testServer(t, "sasl_oauth_jwks: "+newIssuer(t).keys(t))
	for _, answer := range [][]byte{{1}, {}, nil, []byte("x")} {
		ch, _, err := run(t, srv, "OAUTHBEARER", underT, []byte("n,,\x01auth=Bearer x\x01\x01"), answer)
		if !errors.Is(err, BadAuth) || len(ch) != 1 || !strings.Contains(ch[0], `"status":"invalid_token"`) {
			t.Errorf("answer %q: %q, %v", answer, ch, err)
		}
	}
	for _, bad := range []string{"", "n,,", "p=x,,\x01auth=Bearer x\x01\x01", "n,b=x,\x01auth=Bearer x\x01\x01", "n,,\x01auth=Basic x\x01\x01", "n,,\x01host=x\x01\x01"} {
		if _, _, err := run(t, srv, "OAUTHBEARER", underT, []byte(bad)); !errors.Is(err, BadProt) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestIntrospection(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, pass, _ := r.BasicAuth()
		if user != "mailserver" || pass != "hush" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		json.NewEncoder(w).Encode(map[string]any{"active": r.FormValue("token") == "good", "username": "bob"})
	}))
	defer web.Close()
	conf := "sasl_oauth_introspection: " + web.URL + "\nsasl_oauth_client_id: mailserver\nsasl_oauth_claim: username\n"
	srv := testServer(t, conf+"sasl_oauth_client_secret: hush")
	id, err := exchange(t, srv, []string{"OAUTHBEARER"}, saslclient.Credentials{AuthcID: "bob", Token: "good"}, underT)
	ok(t, id, err, "bob", "bob")
	if _, err = exchange(t, srv, []string{"XOAUTH2"}, saslclient.Credentials{AuthcID: "bob", Token: "bad"}, underT); err == nil {
		t.Error("inactive token accepted")
	}
	srv = testServer(t, conf+"sasl_oauth_client_secret: wrong")
	if _, err = exchange(t, srv, []string{"XOAUTH2"}, saslclient.Credentials{AuthcID: "bob", Token: "good"}, underT); err == nil {
		t.Error("accepted without an answer")
	}
}

func TestUnsafeAddress(t *testing.T) {
	for addr, good := range map[string]bool{"https://id.example.com/x": true, "http://id.example.com/x": false, "http://127.0.0.1:1/x": true, "ftp://x/y": false} {
		if err := (OAuth{Introspect: addr}).check(); (err == nil) != good {
			t.Errorf("%s: %v", addr, err)
		}
	}
	if _, err := (introspector{OAuth{Introspect: "http://127.0.0.1:1/"}}).user(context.Background(), "x"); err == nil {
		t.Error("no answer is a user")
	}
}
