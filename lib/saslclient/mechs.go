package saslclient

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"hash"

	"github.com/emersion/go-sasl"
	"github.com/xdg-go/scram"
)

// login does LOGIN: whatever the two prompts say, the answers are name and
// password.
type login struct {
	user, password string
	step           int
}

func (l *login) Start() (string, []byte, error) { return "LOGIN", nil, nil }

func (l *login) Next([]byte) ([]byte, error) {
	l.step++
	switch l.step {
	case 1:
		return []byte(l.user), nil
	case 2:
		return []byte(l.password), nil
	}
	return nil, sasl.ErrUnexpectedServerChallenge
}

// cramMD5 does CRAM-MD5 (RFC 2195).
type cramMD5 struct {
	user, password string
	done           bool
}

func (c *cramMD5) Start() (string, []byte, error) { return "CRAM-MD5", nil, nil }

func (c *cramMD5) Next(challenge []byte) ([]byte, error) {
	if c.done {
		return nil, sasl.ErrUnexpectedServerChallenge
	}
	c.done = true
	m := hmac.New(md5.New, []byte(c.password))
	m.Write(challenge)
	return []byte(c.user + " " + hex.EncodeToString(m.Sum(nil))), nil
}

// xoauth2 does Google's XOAUTH2.
type xoauth2 struct{ user, token string }

func (x *xoauth2) Start() (string, []byte, error) {
	return "XOAUTH2", []byte("user=" + x.user + "\x01auth=Bearer " + x.token + "\x01\x01"), nil
}

// Next takes the server's reasons for a refusal; the empty answer ends it.
func (x *xoauth2) Next([]byte) ([]byte, error) { return []byte{}, nil }

// scramClient does SCRAM (RFC 5802, 7677).
type scramClient struct {
	mech string
	conv *scram.ClientConversation
}

func newSCRAM(mech string, h func() hash.Hash, cred Credentials, name string, conn Conn, plus, plusOffered bool) (sasl.Client, error) {
	c, err := scram.HashGeneratorFcn(h).NewClient(name, cred.Password, cred.AuthzID)
	if err != nil { // SASLprep forbids the name or password: send them as they are
		if c, err = scram.HashGeneratorFcn(h).NewClientUnprepped(name, cred.Password, cred.AuthzID); err != nil {
			return nil, err
		}
	}
	s := &scramClient{mech: mech}
	switch {
	case plus:
		b := conn.Binding[0]
		s.conv = c.NewConversationWithChannelBinding(scram.ChannelBinding{Type: scram.ChannelBindingType(b.Type), Data: b.Data})
	case conn.binds() && !plusOffered:
		s.conv = c.NewConversationAdvertisingChannelBinding()
	default:
		s.conv = c.NewConversation()
	}
	return s, nil
}

func (s *scramClient) Start() (string, []byte, error) {
	ir, err := s.conv.Step("")
	return s.mech, []byte(ir), err
}

// errServer is the error of a server that does not know the password either.
var errServer = errors.New("server did not prove that it knows the password")

func (s *scramClient) Next(challenge []byte) ([]byte, error) {
	out, err := s.conv.Step(string(challenge))
	if err != nil {
		return nil, err
	}
	if s.conv.Done() && !s.conv.Valid() {
		return nil, errServer
	}
	return []byte(out), nil
}

// Proved says whether a mechanism that has the server prove itself has seen the
// proof; all others have nothing to prove. A client asks it when the server
// said that all is well.
func Proved(c sasl.Client) bool {
	s, ok := c.(*scramClient)
	return !ok || s.conv.Valid()
}
