package saslserver

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/xdg-go/scram"

	"gocyrus/lib/sasldb"
)

// scramHash is scram's name for the hash of a mechanism.
func scramHash(mech string) scram.HashGeneratorFcn {
	for _, h := range sasldb.Hashes {
		if h.Mech == mech {
			return h.New
		}
	}
	panic("saslserver: no hash for " + mech) // the table of mechanisms names it
}

// scramServer serves the SCRAM mechanisms (RFC 5802, 7677).
type scramServer struct {
	x     *Exchange
	base  string // mechanism without -PLUS
	plus  bool
	conv  *scram.ServerConversation
	nonce scram.NonceGeneratorFcn // nil for scram's own

	id    string // canonical name of the user, once known
	fake  bool   // the user does not exist: the proof will not fit
	bad   *Error // what went wrong in the look-up
	final bool   // the server's signature is out; an empty response is due
}

func startSCRAM(x *Exchange) stepper {
	base, plus := strings.CutSuffix(x.mech, "-PLUS")
	return &scramServer{x: x, base: base, plus: plus}
}

func (s *scramServer) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case s.final:
		if len(response) > 0 {
			return nil, true, fail(BadProt, s.id, "Invalid %s input", s.x.mech)
		}
		return nil, true, nil
	case s.conv == nil && response == nil:
		return []byte{}, false, nil
	case s.conv == nil:
		return s.first(response)
	}
	return s.last(response)
}

func (s *scramServer) first(response []byte) ([]byte, bool, error) {
	conv, bad := s.conversation(response)
	if bad != nil {
		return nil, true, bad
	}
	s.conv = conv
	out, err := conv.Step(string(response))
	if s.bad != nil {
		return nil, true, s.bad
	}
	if err != nil {
		return nil, true, s.protocolError(out, err)
	}
	return []byte(out), false, nil
}

// conversation makes the conversation with the channel binding that the client
// chose. The plain form knows what was offered, so that a client whom somebody
// hid the -PLUS from is told (RFC 5802 section 6).
//
// QUIRK: libsasl's client binds the channel and still names the mechanism
// without -PLUS, so that is taken.
func (s *scramServer) conversation(first []byte) (*scram.ServerConversation, *Error) {
	srv, err := scramHash(s.base).NewServer(s.lookup)
	if err != nil {
		return nil, fail(Fail, "", "%v", err)
	}
	if s.nonce != nil {
		srv.WithNonceGenerator(s.nonce)
	}
	flag, _, _ := bytes.Cut(first, []byte(","))
	binding, isBound := bytes.CutPrefix(flag, []byte("p="))
	if s.plus && !isBound {
		return nil, fail(BadProt, "", "Invalid %s input", s.x.mech)
	}
	if !isBound {
		if string(flag) == "y" && s.offersPlus() {
			return nil, fail(BadBind, "", "%s-PLUS was offered and the client did not see it", s.base)
		}
		return srv.NewConversation(), nil
	}
	for _, b := range s.x.conn.Binding {
		if b.Type == string(binding) {
			cb := scram.ChannelBinding{Type: scram.ChannelBindingType(b.Type), Data: b.Data}
			return srv.NewConversationWithChannelBindingRequired(cb), nil
		}
	}
	return nil, fail(BadBind, "", "Unsupported channel binding type")
}

func (s *scramServer) offersPlus() bool {
	for _, m := range s.x.srv.Mechanisms(s.x.conn) {
		if m == s.base+"-PLUS" {
			return true
		}
	}
	return false
}

// lookup finds the keys of the user. One who does not exist gets keys that fit
// no password, so that the client learns of the failure at the end, as with a
// wrong password.
func (s *scramServer) lookup(name string) (scram.StoredCredentials, error) {
	id, bad := s.x.srv.canon(s.x.ctx, name, s.x.conn)
	if bad != nil {
		s.bad = bad
		return scram.StoredCredentials{}, bad
	}
	s.id = id
	secret, err := s.x.srv.lookup(id)
	user, realm := s.x.srv.userRealm(id)
	salt := s.x.srv.secrets.FakeSalt(s.base, user, realm)
	var keys sasldb.Keys
	if err == nil {
		keys, err = secret.KeysFor(s.base, salt)
	}
	switch {
	case errors.Is(err, sasldb.ErrNotFound):
		s.fake = true
		keys = sasldb.Keys{Salt: salt, Iter: sasldb.Iterations, StoredKey: noKey(), ServerKey: noKey()}
	case err != nil:
		s.bad = fail(Fail, id, "%v", err)
		return scram.StoredCredentials{}, s.bad
	}
	return scram.StoredCredentials{
		KeyFactors: scram.KeyFactors{Salt: string(keys.Salt), Iters: keys.Iter},
		StoredKey:  keys.StoredKey,
		ServerKey:  keys.ServerKey,
	}, nil
}

// noKey is a key that nobody knows.
func noKey() []byte {
	b := make([]byte, 32)
	rand.Read(b) // never fails (crypto/rand)
	return b
}

func (s *scramServer) last(response []byte) ([]byte, bool, error) {
	out, err := s.conv.Step(string(response))
	switch {
	case s.fake && (err == nil || out == scram.ErrInvalidProof):
		return nil, true, fail(NoUser, "", "unable to canonify user and get auxprops")
	case err != nil && out == scram.ErrInvalidProof:
		return nil, true, fail(BadAuth, s.id, "StoredKey mismatch")
	case err != nil:
		return nil, true, s.protocolError(out, err)
	}
	if err := s.x.accept(s.conv.Username(), s.id, s.conv.AuthzID()); err != nil {
		return nil, true, err
	}
	s.final = true
	return []byte(out), false, nil
}

func (s *scramServer) protocolError(out string, err error) *Error {
	if out == scram.ErrChannelBindingsDontMatch || out == scram.ErrUnsupportedChannelBindingType {
		return fail(BadBind, s.id, "Channel bindings mismatch")
	}
	detail := fmt.Sprintf("Invalid %s input", s.x.mech)
	if strings.Contains(err.Error(), "nonce received") {
		detail = fmt.Sprintf("Nonce mismatch %s input", s.x.mech)
	}
	return fail(BadProt, s.id, "%s", detail)
}
