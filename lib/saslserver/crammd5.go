package saslserver

import (
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"gocyrus/lib/sasldb"
)

// cramMD5 serves CRAM-MD5 (RFC 2195), which needs the password itself.
type cramMD5 struct {
	x         *Exchange
	challenge string
}

func startCRAMMD5(x *Exchange) stepper { return &cramMD5{x: x} }

// NewChallenge returns a challenge for CRAM-MD5 or APOP, "<nonce.time@host>",
// that is never used again.
func NewChallenge(host string) string {
	var nonce [8]byte
	rand.Read(nonce[:]) // never fails (crypto/rand)
	return fmt.Sprintf("<%d.%d@%s>", binary.BigEndian.Uint64(nonce[:]), time.Now().Unix(), host)
}

func (c *cramMD5) Next(response []byte) (challenge []byte, done bool, err error) {
	if c.challenge == "" {
		if response != nil {
			return nil, true, fail(BadProt, "", "CRAM-MD5 does not allow initial response")
		}
		c.challenge = NewChallenge(c.x.srv.opts.Realm)
		return []byte(c.challenge), false, nil
	}
	i := strings.LastIndexByte(string(response), ' ')
	if i <= 0 {
		return nil, true, fail(BadProt, "", "need authentication name")
	}
	name := string(response[:i])
	id, bad := c.x.srv.canon(c.x.ctx, name, c.x.conn)
	if bad != nil {
		return nil, true, bad
	}
	want := func(password string) string {
		m := hmac.New(md5.New, []byte(password))
		m.Write([]byte(c.challenge))
		return hex.EncodeToString(m.Sum(nil))
	}
	if e := c.x.srv.digest(id, string(response[i+1:]), want); e != nil {
		return nil, true, e
	}
	err = c.x.accept(name, id, "")
	return nil, err == nil, err
}

// digest checks a digest of the user's plain password.
func (s *Server) digest(id, got string, want func(password string) string) *Error {
	secret, err := s.lookup(id)
	if err != nil && !errors.Is(err, sasldb.ErrNotFound) {
		return fail(Fail, id, "%v", err)
	}
	known := err == nil && secret.HasPlain
	if !known {
		secret = &sasldb.Secret{Plain: string(noKey())}
	}
	right := equal(want(secret.Plain), strings.ToLower(got))
	switch {
	case !known:
		return fail(NoUser, "", "no secret in database")
	case !right:
		return fail(BadAuth, id, "incorrect digest response")
	}
	return nil
}

// APOP is one APOP command.
type APOP struct {
	User      string
	Digest    string
	Challenge string // of this session's greeting, with its angle brackets
	Conn      ConnState
}

// CheckAPOP logs a POP3 user in by APOP (RFC 1939 section 7): digest is the
// hexadecimal MD5 of the challenge in the greeting and the password.
func (s *Server) CheckAPOP(ctx context.Context, x APOP) (*Identity, error) {
	if !s.hasSecrets() {
		return nil, fail(NoMech, "", "no secret in database")
	}
	id, bad := s.canon(ctx, x.User, x.Conn)
	if bad != nil {
		return nil, bad
	}
	want := func(password string) string {
		sum := md5.Sum([]byte(x.Challenge + password))
		return hex.EncodeToString(sum[:])
	}
	if e := s.digest(id, x.Digest, want); e != nil {
		e.Detail = "login incorrect"
		return nil, e
	}
	who, err := s.authorize(ctx, id, "", x.Conn)
	if err != nil {
		return nil, err
	}
	who.Mech = "APOP"
	return who, nil
}
