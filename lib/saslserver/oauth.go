package saslserver

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"

	"gocyrus/lib/config"
)

// OAuth are our own options for bearer tokens. Tokens are off unless Keys or
// Introspect is set.
type OAuth struct {
	Keys       string // sasl_oauth_jwks: file or https address of the issuer's keys (RFC 7517)
	Introspect string // sasl_oauth_introspection: https address that is asked about a token (RFC 7662)
	ClientID   string // sasl_oauth_client_id: who we are there
	Secret     string // sasl_oauth_client_secret
	Issuer     string // sasl_oauth_issuer: "iss" that a token must have
	Audience   string // sasl_oauth_audience: "aud" that a token must have
	Scope      string // sasl_oauth_scope: a scope that a token must have
	Claim      string // sasl_oauth_claim: the claim that holds the user id
}

func oauthFrom(cfg *config.Config) (OAuth, error) {
	o := OAuth{
		Keys:       saslOption(cfg, "oauth_jwks", ""),
		Introspect: saslOption(cfg, "oauth_introspection", ""),
		ClientID:   saslOption(cfg, "oauth_client_id", ""),
		Secret:     saslOption(cfg, "oauth_client_secret", ""),
		Issuer:     saslOption(cfg, "oauth_issuer", ""),
		Audience:   saslOption(cfg, "oauth_audience", ""),
		Scope:      saslOption(cfg, "oauth_scope", ""),
		Claim:      saslOption(cfg, "oauth_claim", "sub"),
	}
	return o, o.check()
}

// tokenChecker finds out whose a token is. The error says why nobody's.
type tokenChecker interface {
	user(ctx context.Context, token string) (string, error)
}

// bearer serves OAUTHBEARER (RFC 7628) and XOAUTH2. After a refusal the client
// is told why in JSON, and answers with something that does not matter.
type bearer struct {
	x     *Exchange
	parse func([]byte) (user, token string, ok bool)
	plain bool // XOAUTH2's words in the refusal
	bad   *Error
}

func startOAuthBearer(x *Exchange) stepper { return &bearer{x: x, parse: parseBearer} }

func startXOAuth2(x *Exchange) stepper { return &bearer{x: x, parse: parseXOAuth2, plain: true} }

func (b *bearer) Next(response []byte) (challenge []byte, done bool, err error) {
	if b.bad != nil {
		return nil, true, b.bad
	}
	if response == nil {
		return []byte{}, false, nil
	}
	want, token, ok := b.parse(response)
	if !ok {
		return nil, true, fail(BadProt, "", "Invalid %s input", b.x.mech)
	}
	if e := b.check(want, token); e != nil {
		b.bad = e
		return b.refusal(), false, nil
	}
	return nil, true, nil
}

// check lets the owner of the token in, as the user that the client named.
func (b *bearer) check(want, token string) *Error {
	s := b.x.srv
	select {
	case s.checks <- struct{}{}:
		defer func() { <-s.checks }()
	case <-b.x.ctx.Done():
		return fail(Unavail, "", "token not checked")
	}
	owner, err := s.tokens.user(b.x.ctx, token)
	if err != nil {
		return fail(BadAuth, logUser(want), "token refused: %s", clean(err.Error()))
	}
	id, bad := s.canon(b.x.ctx, owner, b.x.conn)
	if bad != nil {
		return bad
	}
	if err := b.x.accept(owner, id, want); err != nil {
		return b.x.asError(err)
	}
	return nil
}

// logUser is a name that is only known from an unproved client.
func logUser(name string) string { return clean(name) }

func (b *bearer) refusal() []byte {
	v := map[string]string{"status": "invalid_token"} // RFC 7628 section 3.2.2
	if scope := b.x.srv.opts.OAuth.Scope; scope != "" {
		v["scope"] = scope
	}
	if b.plain {
		v["status"], v["schemes"] = "401", "bearer"
	}
	out, err := json.Marshal(v)
	if err != nil {
		return []byte("{}")
	}
	return out
}

// parseBearer reads "n,a=user,^Ahost=...^Aport=...^Aauth=Bearer TOKEN^A^A", ^A
// being octet 1 (RFC 7628 section 3.1).
func parseBearer(msg []byte) (user, token string, ok bool) {
	parts := bytes.SplitN(msg, []byte(","), 3)
	if len(parts) != 3 || string(parts[0]) != "n" && string(parts[0]) != "y" {
		return "", "", false
	}
	if len(parts[1]) > 0 {
		name, has := bytes.CutPrefix(parts[1], []byte("a="))
		if !has || len(name) == 0 {
			return "", "", false
		}
		user = strings.NewReplacer("=2C", ",", "=3D", "=").Replace(string(name))
	}
	token, ok = keyValues(string(parts[2]))["auth"]
	if !ok {
		return "", "", false
	}
	token, ok = bearerToken(token)
	return user, token, ok
}

// parseXOAuth2 reads "user=NAME^Aauth=Bearer TOKEN^A^A", Google's form.
func parseXOAuth2(msg []byte) (user, token string, ok bool) {
	kv := keyValues("\x01" + string(msg))
	user, token = kv["user"], kv["auth"]
	if user == "" {
		return "", "", false
	}
	token, ok = bearerToken(token)
	return user, token, ok
}

func keyValues(s string) map[string]string {
	kv := make(map[string]string)
	for _, pair := range strings.Split(s, "\x01") {
		if k, v, ok := strings.Cut(pair, "="); ok {
			kv[k] = v
		}
	}
	return kv
}

func bearerToken(auth string) (string, bool) {
	const scheme = "bearer "
	if len(auth) <= len(scheme) || !strings.EqualFold(auth[:len(scheme)], scheme) {
		return "", false
	}
	return strings.TrimSpace(auth[len(scheme):]), true
}
