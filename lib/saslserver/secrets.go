package saslserver

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/sasldb"
)

// Secrets is a store that shared-secret mechanisms need: sasldb.Store.
type Secrets interface {
	// Lookup returns a user's secrets, or sasldb.ErrNotFound.
	Lookup(user, realm string) (*sasldb.Secret, error)
	// FakeSalt is the salt that a user who does not exist seems to have.
	FakeSalt(mech, user, realm string) []byte
}

// storeOnDisk opens the store when it first exists: a site may set its first
// password while the server runs. Without a store the mechanisms that need one
// are not offered.
type storeOnDisk struct {
	path string

	mu    sync.Mutex
	store *sasldb.Store
}

// openSecrets opens the store if there is one.
func openSecrets(path string) (Secrets, error) {
	d := &storeOnDisk{path: path}
	if _, err := d.open(); err != nil && !errors.Is(err, sasldb.ErrNotFound) {
		return nil, fmt.Errorf("sasl_sasldb_path: %w", err)
	}
	return d, nil
}

// open returns the store; the error is sasldb.ErrNotFound while there is none.
func (d *storeOnDisk) open() (*sasldb.Store, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.store != nil {
		return d.store, nil
	}
	if _, err := os.Stat(d.path); errors.Is(err, os.ErrNotExist) {
		return nil, sasldb.ErrNotFound
	}
	st, err := sasldb.Open(d.path, kv.ReadOnly)
	if errors.Is(err, kv.ErrNotFound) {
		// saslpasswd2 is making it just now.
		return nil, sasldb.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	d.store = st
	return st, nil
}

func (d *storeOnDisk) available() bool {
	_, err := d.open()
	return err == nil
}

func (d *storeOnDisk) Lookup(user, realm string) (*sasldb.Secret, error) {
	st, err := d.open()
	if err != nil {
		return nil, err
	}
	return st.Lookup(user, realm)
}

func (d *storeOnDisk) FakeSalt(mech, user, realm string) []byte {
	st, err := d.open()
	if err != nil {
		return make([]byte, 32) // not reached: nothing is offered then
	}
	return st.FakeSalt(mech, user, realm)
}

func (d *storeOnDisk) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.store == nil {
		return nil
	}
	return d.store.Close()
}

// hasSecrets says whether there is a store now.
func (s *Server) hasSecrets() bool {
	if d, ok := s.secrets.(*storeOnDisk); ok {
		return d.available()
	}
	return s.secrets != nil
}

// lookup returns the secrets of a canonical id.
func (s *Server) lookup(id string) (*sasldb.Secret, error) {
	user, realm := s.userRealm(id)
	secret, err := s.secrets.Lookup(user, realm)
	if errors.Is(err, sasldb.ErrName) {
		err = sasldb.ErrNotFound
	}
	return secret, err
}

// userRealm splits a canonical id as libsasl does: user@realm, else the
// server's own realm.
func (s *Server) userRealm(id string) (user, realm string) {
	if u, r, ok := strings.Cut(id, "@"); ok && u != "" && r != "" {
		return u, r
	}
	return id, s.opts.Realm
}
