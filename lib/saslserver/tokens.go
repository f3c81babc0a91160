package saslserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"encoding/json"

	"github.com/golang-jwt/jwt/v5"
)

// check refuses settings that would be unsafe.
func (o OAuth) check() error {
	for _, addr := range []string{o.Introspect, o.Keys} {
		if strings.Contains(addr, "://") && !safeURL(addr) {
			return fmt.Errorf("sasl_oauth: %s: only https, or http on this machine", addr)
		}
	}
	return nil
}

func safeURL(addr string) bool {
	u, err := url.Parse(addr)
	if err != nil || u.Host == "" {
		return false
	}
	h := u.Hostname()
	return u.Scheme == "https" || u.Scheme == "http" && (h == "localhost" || h == "127.0.0.1" || h == "::1")
}

// httpTimeout and httpMax bound a question to a token service.
const (
	httpTimeout = 10 * time.Second
	httpMax     = 1 << 20
)

var httpClient = &http.Client{Timeout: httpTimeout}

// newTokenChecker returns nil without error when tokens are off.
func newTokenChecker(o OAuth) (tokenChecker, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	switch {
	case o.Introspect != "":
		return introspector{o}, nil
	case o.Keys != "":
		return newJWTChecker(o)
	}
	return nil, nil
}

// errClaims is the error of a genuine token that is not for us.
var errClaims = errors.New("token is not for this server")

// claims are those of a token, signed or introspected, that decide.
type claims map[string]any

// user checks scope, issuer and audience and returns the user's claim.
func (o OAuth) user(c claims) (string, error) {
	str := func(name string) string { s, _ := c[name].(string); return s }
	if o.Issuer != "" && str("iss") != o.Issuer {
		return "", fmt.Errorf("%w: issuer", errClaims)
	}
	if o.Audience != "" && !hasWord(c["aud"], o.Audience) {
		return "", fmt.Errorf("%w: audience", errClaims)
	}
	if o.Scope != "" && !hasWord(c["scope"], o.Scope) {
		return "", fmt.Errorf("%w: scope", errClaims)
	}
	user := str(o.Claim)
	if user == "" {
		return "", fmt.Errorf("%w: no claim %s", errClaims, o.Claim)
	}
	return user, nil
}

// hasWord looks for a word in a claim that is a list or words in a string.
func hasWord(claim any, word string) bool {
	switch v := claim.(type) {
	case string:
		return slices.Contains(strings.Fields(v), word)
	case []any:
		return slices.Contains(v, any(word))
	}
	return false
}

// jwtChecker checks signed tokens (RFC 7519) with the issuer's keys.
type jwtChecker struct {
	opts OAuth
	keys *keySet
}

func newJWTChecker(o OAuth) (tokenChecker, error) {
	keys := &keySet{source: o.Keys}
	if !strings.Contains(o.Keys, "://") {
		if err := keys.load(context.Background()); err != nil {
			return nil, fmt.Errorf("sasl_oauth_jwks: %w", err)
		}
	}
	return &jwtChecker{opts: o, keys: keys}, nil
}

// asymmetric are the algorithms taken: with a public key, or "none", anybody
// could sign.
var asymmetric = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

func (j *jwtChecker) user(ctx context.Context, token string) (string, error) {
	c := jwt.MapClaims{}
	parser := jwt.NewParser(jwt.WithValidMethods(asymmetric), jwt.WithExpirationRequired(), jwt.WithLeeway(time.Minute))
	_, err := parser.ParseWithClaims(token, c, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		return j.keys.find(ctx, kid)
	})
	if err != nil {
		return "", err
	}
	return j.opts.user(claims(c))
}

// introspector asks the token service (RFC 7662).
type introspector struct{ opts OAuth }

func (i introspector) user(ctx context.Context, token string) (string, error) {
	body := url.Values{"token": {token}, "token_type_hint": {"access_token"}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, i.opts.Introspect, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if i.opts.ClientID != "" {
		req.SetBasicAuth(url.QueryEscape(i.opts.ClientID), url.QueryEscape(i.opts.Secret)) // RFC 6749 section 2.3.1
	}
	c := claims{}
	if err := fetchJSON(req, &c); err != nil {
		return "", err
	}
	if active, _ := c["active"].(bool); !active {
		return "", errors.New("token is not active")
	}
	return i.opts.user(c)
}

// fetchJSON reads a JSON answer of a bounded size.
func fetchJSON(req *http.Request, v any) error {
	resp, err := httpClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", req.URL.Redacted(), resp.Status)
	}
	return json.NewDecoder(io.LimitReader(resp.Body, httpMax)).Decode(v)
}
