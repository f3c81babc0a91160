// Package sasldb is the store of users' secrets on this machine: what libsasl
// calls sasldb, on LevelDB instead of Berkeley DB.
//
// A record is one property of one user, under libsasl's key:
//
//	user NUL realm NUL property
//
//	userPassword  the password itself, in clear: CRAM-MD5 and APOP cannot do
//	              without
//	authPassword  salted keys of the SCRAM mechanisms (RFC 5803), each
//	              MECHANISM$iterations:salt$StoredKey:ServerKey, separated by NUL
//
// A user with authPassword alone can log in with a plain password and with
// SCRAM, and nobody who reads the store can log in as that user.
package sasldb

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"gocyrus/lib/cyrusdb/kv"
)

// Names of the properties.
const (
	UserPassword = "userPassword"
	AuthPassword = "authPassword"
)

var (
	// ErrNotFound is the error of a user who has no secrets.
	ErrNotFound = errors.New("user not found")
	// ErrName is the error of a user or realm that cannot be a key.
	ErrName = errors.New("invalid user or realm")
	// ErrBerkeley is the error of a file that libsasl made.
	ErrBerkeley = errors.New("this is libsasl's Berkeley DB; set the passwords anew with saslpasswd2 in a store of our own")
)

// maxKey bounds user, realm and property together.
const maxKey = 1024

// Store is an open store. It is safe for concurrent use.
type Store struct {
	db      kv.DB
	saltKey []byte // of fake salts
}

// New makes a Store of an open database.
func New(db kv.DB) (*Store, error) {
	s := &Store{db: db}
	key, err := db.Get(saltKeyName)
	switch {
	case err == nil:
		s.saltKey = key
	case !errors.Is(err, kv.ErrNotFound):
		return nil, fmt.Errorf("sasldb: %w", err)
	}
	return s, nil
}

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

func recordKey(user, realm, property string) ([]byte, error) {
	if user == "" || strings.Contains(user+realm, "\x00") || len(user)+len(realm)+len(property) > maxKey {
		return nil, fmt.Errorf("%q: %w", user, ErrName)
	}
	return []byte(user + "\x00" + realm + "\x00" + property), nil
}

// Lookup returns the secrets of a user. The error is ErrNotFound for one who
// has none.
func (s *Store) Lookup(user, realm string) (*Secret, error) {
	prefix, err := recordKey(user, realm, "")
	if err != nil {
		return nil, err
	}
	secret := &Secret{}
	found := false
	err = s.db.Scan(prefix, func(k, v []byte) error {
		switch string(k[len(prefix):]) {
		case UserPassword:
			secret.Plain, secret.HasPlain, found = string(v), true, true
		case AuthPassword:
			found = true
			return secret.parseKeys(v)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("sasldb: %s@%s: %w", user, realm, err)
	}
	if !found {
		return nil, fmt.Errorf("sasldb: %s@%s: %w", user, realm, ErrNotFound)
	}
	return secret, nil
}

// Set stores a password, in place of what was there: as salted keys, and with
// plain in clear as well.
func (s *Store) Set(user, realm, password string, plain bool) error {
	clearKey, err := recordKey(user, realm, UserPassword)
	if err != nil {
		return err
	}
	keysKey, err := recordKey(user, realm, AuthPassword)
	if err != nil {
		return err
	}
	keys, err := deriveKeys(password)
	if err != nil {
		return err
	}
	return s.db.Update(func(tx kv.Tx) error {
		if err := s.ensureSaltKey(tx); err != nil {
			return err
		}
		if err := tx.Put(keysKey, keys); err != nil {
			return err
		}
		if !plain {
			return tx.Delete(clearKey)
		}
		return tx.Put(clearKey, []byte(password))
	})
}

// Delete removes all secrets of a user. The error is ErrNotFound when there
// are none.
func (s *Store) Delete(user, realm string) error {
	prefix, err := recordKey(user, realm, "")
	if err != nil {
		return err
	}
	return s.db.Update(func(tx kv.Tx) error {
		var keys [][]byte
		err := tx.Scan(prefix, func(k, _ []byte) error {
			keys = append(keys, bytes.Clone(k))
			return nil
		})
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			return fmt.Errorf("sasldb: %s@%s: %w", user, realm, ErrNotFound)
		}
		for _, k := range keys {
			if err := tx.Delete(k); err != nil {
				return err
			}
		}
		return nil
	})
}

// List calls fn for each property of each user, in the order of the keys.
func (s *Store) List(fn func(user, realm, property string) error) error {
	return s.db.Scan(nil, func(k, _ []byte) error {
		parts := strings.SplitN(string(k), "\x00", 3)
		if len(parts) != 3 || parts[0] == "" {
			return nil // the salt key
		}
		return fn(parts[0], parts[1], parts[2])
	})
}
