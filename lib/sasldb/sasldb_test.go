package sasldb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gocyrus/lib/cyrusdb/kv"
)

func open(t testing.TB, path string, flags kv.Flags) *Store {
	t.Helper()
	s, err := Open(path, flags)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sasldb")
	s := open(t, path, kv.Create)
	reader := open(t, path, kv.ReadOnly) // another process: an imapd
	if err := errors.Join(s.Set("alice", "example.com", "secret", true), s.Set("bob", "example.com", "hush", false)); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		user, realm, password string
		err                   error
		right, plain          bool
	}{
		{"alice", "example.com", "secret", nil, true, true},
		{"alice", "example.com", "Secret", nil, false, true},
		{"bob", "example.com", "hush", nil, true, false},
		{"bob", "example.com", "", nil, false, false},
		{"alice", "example.org", "secret", ErrNotFound, false, false},
		{"ali", "example.com", "secret", ErrNotFound, false, false},
		{"", "example.com", "secret", ErrName, false, false},
		{"a\x00b", "example.com", "secret", ErrName, false, false},
	} {
		secret, err := reader.Lookup(tc.user, tc.realm)
		if !errors.Is(err, tc.err) {
			t.Errorf("Lookup(%q, %q): %v; want %v", tc.user, tc.realm, err, tc.err)
		}
		if err == nil && (secret.Verify(tc.password) != tc.right || secret.HasPlain != tc.plain) {
			t.Errorf("%s with %q: %v, plain %v", tc.user, tc.password, secret.Verify(tc.password), secret.HasPlain)
		}
	}
	var got []string
	if err := s.List(func(u, r, p string) error { got = append(got, u+"@"+r+": "+p); return nil }); err != nil {
		t.Fatal(err)
	}
	want := []string{"alice@example.com: authPassword", "alice@example.com: userPassword", "bob@example.com: authPassword"}
	if !slices.Equal(got, want) {
		t.Errorf("List: %q", got)
	}
	// The clear password goes when the next one is set without.
	if err := errors.Join(s.Set("alice", "example.com", "new", false), s.Delete("bob", "example.com")); err != nil {
		t.Fatal(err)
	}
	secret, err := reader.Lookup("alice", "example.com")
	if err != nil || secret.HasPlain || !secret.Verify("new") {
		t.Errorf("after the change: %+v, %v", secret, err)
	}
	if err := s.Delete("bob", "example.com"); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	for _, h := range Hashes {
		if k, err := secret.KeysFor(h.Mech, nil); err != nil || k.Iter != Iterations || len(k.StoredKey) != h.New().Size() {
			t.Errorf("%s: %+v, %v", h.Mech, k, err)
		}
	}
}

// TestFakeSalt checks that all processes agree on the salt of a user who does
// not exist, that names differ in it, and that other sites' do.
func TestFakeSalt(t *testing.T) {
	dir := t.TempDir()
	salt := func(path, user string) []byte {
		s, err := Open(path, kv.Create)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.Set("x", "y", "z", false); err != nil {
			t.Fatal(err)
		}
		return s.FakeSalt("SCRAM-SHA-256", user, "example.com")
	}
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	one := salt(a, "nouser")
	if len(one) != saltLen || !bytes.Equal(one, salt(a, "nouser")) {
		t.Error("the salt changes")
	}
	if bytes.Equal(one, salt(a, "other")) || bytes.Equal(one, salt(b, "nouser")) {
		t.Error("salts of two names, or two sites, are the same")
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(filepath.Join(dir, "none"), kv.ReadOnly); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("no store: %v", err)
	}
	for name, order := range map[string]binary.ByteOrder{"little": binary.LittleEndian, "big": binary.BigEndian} {
		page := make([]byte, 512)
		order.PutUint32(page[12:], magicHash)
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, page, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path, kv.Create); !errors.Is(err, ErrBerkeley) {
			t.Errorf("libsasl's file, %s end first: %v", name, err)
		}
	}
}

// FuzzKeys checks that any authPassword is read or refused, and that what is
// read can be used.
func FuzzKeys(f *testing.F) {
	good, err := deriveKeys("secret")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte("SCRAM-SHA-256$1:AA==$AA==:AA=="))
	f.Add([]byte("$:$:"))
	f.Fuzz(func(t *testing.T, value []byte) {
		var s Secret
		if err := s.parseKeys(value); err != nil {
			if !errors.Is(err, ErrSecret) {
				t.Errorf("%v", err)
			}
			return
		}
		for mech, k := range s.Keys {
			if k.Iter < 1 || k.Iter > maxIter || len(k.Salt) == 0 || len(k.StoredKey) == 0 {
				t.Errorf("%s: %+v", mech, k)
			}
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	value, err := deriveKeys("secret")
	if err != nil {
		b.Fatal(err)
	}
	var s Secret
	if err := s.parseKeys(value); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !s.Verify("secret") {
			b.Fatal("wrong")
		}
	}
}
