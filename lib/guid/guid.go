// Package guid holds the identity of a message: the SHA-1 of its file. Equal
// messages have equal identities, in whatever mailbox and on whatever server;
// the sync protocol, EMAILID and single-instance storage rely on it.
package guid

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
)

// Size is the length of a GUID in octets.
const Size = sha1.Size

// GUID is the identity of a message, as cyrus.index stores it. The zero GUID
// stands for none.
type GUID [Size]byte

// ErrSyntax is the error of a text that is no GUID.
var ErrSyntax = errors.New("not a message GUID")

// Of computes the GUID of a message file.
func Of(file []byte) GUID { return sha1.Sum(file) }

// Parse reads the 40 hexadecimal digits, in any case, that String prints.
func Parse(s string) (g GUID, err error) {
	if len(s) != hex.EncodedLen(Size) {
		return g, ErrSyntax
	}
	if _, err := hex.Decode(g[:], []byte(s)); err != nil {
		return GUID{}, ErrSyntax
	}
	return g, nil
}

// IsZero says whether g stands for no message.
func (g GUID) IsZero() bool { return g == GUID{} }

// String gives the GUID as the sync protocol and logs write it: 40 digits in
// lower case.
func (g GUID) String() string { return hex.EncodeToString(g[:]) }

// AppendHex appends String to b.
func (g GUID) AppendHex(b []byte) []byte { return hex.AppendEncode(b, g[:]) }

// EmailID is the EMAILID of a message (RFC 8474 section 5.1) as Cyrus makes it:
// "M" and the first 24 digits.
func (g GUID) EmailID() string { return "M" + hex.EncodeToString(g[:12]) }
