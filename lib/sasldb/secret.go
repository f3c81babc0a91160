package sasldb

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"

	"github.com/xdg-go/stringprep"

	"gocyrus/lib/cyrusdb/kv"
)

// Iterations is the count of PBKDF2 for new keys, libsasl's and the least that
// RFC 7677 section 4 allows. A plain password check costs as much.
const Iterations = 4096

const saltLen = 32

// Hash is one hash function that SCRAM is used with.
type Hash struct {
	Mech string // "SCRAM-SHA-256"
	New  func() hash.Hash
}

// Hashes are those that keys are stored for, the preferred one first.
var Hashes = []Hash{
	{"SCRAM-SHA-256", sha256.New},
	{"SCRAM-SHA-512", sha512.New},
	{"SCRAM-SHA-1", sha1.New},
}

// Keys are what a server keeps of a password for one SCRAM mechanism
// (RFC 5802 section 3).
type Keys struct {
	Salt      []byte
	Iter      int
	StoredKey []byte
	ServerKey []byte
}

// Secret is what is known of one user's password.
type Secret struct {
	Plain    string
	HasPlain bool
	Keys     map[string]Keys // by mechanism
}

// ErrSecret is the error of an authPassword that cannot be read.
var ErrSecret = errors.New("authPassword is malformed")

// Derive returns the keys of a password for one hash.
func (h Hash) Derive(password string, salt []byte, iter int) (Keys, error) {
	salted, err := pbkdf2.Key(h.New, Prepare(password), salt, iter, h.New().Size())
	if err != nil {
		return Keys{}, err
	}
	client := hash1(h.New, mac(h.New, salted, "Client Key"))
	return Keys{Salt: salt, Iter: iter, StoredKey: client, ServerKey: mac(h.New, salted, "Server Key")}, nil
}

func mac(h func() hash.Hash, key []byte, text string) []byte {
	m := hmac.New(h, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

func hash1(h func() hash.Hash, b []byte) []byte {
	m := h()
	m.Write(b)
	return m.Sum(nil)
}

// Prepare brings a password into the form that is hashed, by SASLprep
// (RFC 4013). One that it forbids is taken as it is.
func Prepare(password string) string {
	if p, err := stringprep.SASLprep.Prepare(password); err == nil {
		return p
	}
	return password
}

// Verify says whether password is the user's. It takes the time of one key
// derivation whatever is stored, so that time tells nothing of the user.
func (s *Secret) Verify(password string) bool {
	for _, h := range Hashes {
		k, ok := s.Keys[h.Mech]
		if !ok {
			continue
		}
		got, err := h.Derive(password, k.Salt, k.Iter)
		return err == nil && subtle.ConstantTimeCompare(got.StoredKey, k.StoredKey) == 1
	}
	Waste(password)
	return s.HasPlain && subtle.ConstantTimeCompare([]byte(password), []byte(s.Plain)) == 1
}

// KeysFor returns the keys for a mechanism: stored, or made of the plain
// password with salt, which should be the user's FakeSalt: one that changed with
// each login would tell the users who exist. The error is ErrNotFound when there
// is neither.
func (s *Secret) KeysFor(mech string, salt []byte) (Keys, error) {
	if k, ok := s.Keys[mech]; ok {
		return k, nil
	}
	for _, h := range Hashes {
		if h.Mech == mech && s.HasPlain {
			return h.Derive(s.Plain, salt, Iterations)
		}
	}
	return Keys{}, ErrNotFound
}

// Waste takes the time that Verify would take for a user who exists.
func Waste(password string) {
	// The only errors are of parameters, which are constant here.
	_, _ = Hashes[0].Derive(password, make([]byte, saltLen), Iterations)
}

func deriveKeys(password string) ([]byte, error) {
	var parts []string
	for _, h := range Hashes {
		k, err := h.Derive(password, randomBytes(saltLen), Iterations)
		if err != nil {
			return nil, fmt.Errorf("sasldb: %w", err)
		}
		parts = append(parts, fmt.Sprintf("%s$%d:%s$%s:%s", h.Mech, k.Iter, b64(k.Salt), b64(k.StoredKey), b64(k.ServerKey)))
	}
	return []byte(strings.Join(parts, "\x00")), nil
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails (crypto/rand)
	return b
}

// maxIter bounds the work that a stored record can ask of a login.
const maxIter = 10_000_000

// parseKeys reads an authPassword. Mechanisms it does not know are kept.
func (s *Secret) parseKeys(value []byte) error {
	s.Keys = make(map[string]Keys)
	for _, part := range strings.Split(string(value), "\x00") {
		mech, k, err := parseKey(part)
		if err != nil {
			return err
		}
		s.Keys[mech] = k
	}
	return nil
}

func parseKey(part string) (string, Keys, error) {
	fields := strings.Split(part, "$")
	if len(fields) != 3 {
		return "", Keys{}, ErrSecret
	}
	iter, salt, ok1 := strings.Cut(fields[1], ":")
	stored, server, ok2 := strings.Cut(fields[2], ":")
	n, err := strconv.Atoi(iter)
	if !ok1 || !ok2 || err != nil || n < 1 || n > maxIter {
		return "", Keys{}, ErrSecret
	}
	k := Keys{Iter: n}
	for _, f := range []struct {
		dst *[]byte
		src string
	}{{&k.Salt, salt}, {&k.StoredKey, stored}, {&k.ServerKey, server}} {
		if *f.dst, err = base64.StdEncoding.DecodeString(f.src); err != nil || len(*f.dst) == 0 {
			return "", Keys{}, ErrSecret
		}
	}
	return fields[0], k, nil
}

// saltKeyName has no user, so that no user's key can be it.
var saltKeyName = []byte("\x00\x00saltKey")

func (s *Store) ensureSaltKey(tx kv.Tx) error {
	key, err := tx.Get(saltKeyName)
	if errors.Is(err, kv.ErrNotFound) {
		key = randomBytes(saltLen)
		err = tx.Put(saltKeyName, key)
	}
	if err == nil && s.saltKey == nil {
		s.saltKey = key
	}
	return err
}

// FakeSalt returns the salt of a user who does not exist: always the same for
// one name, as a real one's is.
func (s *Store) FakeSalt(mech, user, realm string) []byte {
	return mac(sha256.New, s.saltKey, mech+"\x00"+user+"\x00"+realm)
}
