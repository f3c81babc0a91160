package saslserver

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"gocyrus/lib/sasldb"
)

// TestSecretsInTheMaking: a store that somebody is making just now is one that
// is not there yet, and no reason not to start.
func TestSecretsInTheMaking(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sasldb2")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := openSecrets(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Lookup("alice", "example.org"); !errors.Is(err, sasldb.ErrNotFound) {
		t.Errorf("error %v", err)
	}
}
