package saslserver

import (
	"encoding/base64"
	"errors"
)

var (
	// ErrCanceled is the error of a client that answered a challenge with "*".
	ErrCanceled = errors.New("client canceled authentication")
	// ErrBase64 is the error of a response that is not base64.
	ErrBase64 = errors.New("response is not base64")
)

// MaxResponse bounds one response of a client, in octets of base64.
const MaxResponse = 64 << 10

// Dialogue carries an exchange out in base64, one line each way, as IMAP, POP3
// and LMTP have it (RFC 4959, RFC 5034, RFC 4954). initial is the initial
// response as the client sent it, nil when it sent none. ask sends a challenge,
// already encoded, and returns the client's line without its end. The error is
// ErrCanceled, ErrBase64, the mechanism's, or what ask returned.
func (x *Exchange) Dialogue(initial *string, ask func(challenge string) (string, error)) (*Identity, error) {
	var response []byte
	var err error
	if initial != nil {
		if response, err = decodeResponse(*initial); err != nil {
			return nil, err
		}
	}
	for {
		challenge, done, err := x.Next(response)
		if err != nil {
			return nil, err
		}
		if done && challenge == nil {
			return x.Identity(), nil
		}
		line, err := ask(base64.StdEncoding.EncodeToString(challenge))
		if err != nil {
			return nil, err
		}
		if line == "*" {
			return nil, ErrCanceled
		}
		if done {
			// What the server had to say last was a challenge to the protocol;
			// the client's empty answer says nothing.
			return x.Identity(), nil
		}
		if response, err = decodeResponse(line); err != nil {
			return nil, err
		}
	}
}

// decodeResponse reads base64; "=" is the empty response, which differs from
// none.
func decodeResponse(s string) ([]byte, error) {
	if s == "=" {
		return []byte{}, nil
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, ErrBase64
	}
	return b, nil
}
