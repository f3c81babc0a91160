package tlsconf

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"os"
	"path/filepath"
	"time"
)

// ticketKeys makes the keys of session tickets. All processes that share a
// directory make the same, from a secret in it and the time: a key serves for a
// third of the sessions' lifetime, and two older ones still open tickets.
type ticketKeys struct {
	secret []byte
	period time.Duration
	now    func() time.Time
}

const ticketSecret = 32

func newTicketKeys(dir string, life time.Duration) *ticketKeys {
	secret := sharedSecret(dir)
	if secret == nil {
		secret = make([]byte, ticketSecret)
		rand.Read(secret) // never fails (crypto/rand)
	}
	return &ticketKeys{secret: secret, period: max(life/3, time.Minute), now: time.Now}
}

// sharedSecret reads the secret of dir, and makes it when there is none. nil
// means that nothing can be shared.
func sharedSecret(dir string) []byte {
	if dir == "" {
		return nil
	}
	path := filepath.Join(dir, "tls_tickets")
	if b, err := os.ReadFile(path); err == nil && len(b) == ticketSecret {
		return b
	}
	secret := make([]byte, ticketSecret)
	rand.Read(secret) // never fails (crypto/rand)
	f, err := os.CreateTemp(dir, "tls_tickets.")
	if err != nil {
		return nil
	}
	defer os.Remove(f.Name())
	_, err = f.Write(secret) // CreateTemp made it mode 0600
	if cerr := f.Close(); err != nil || cerr != nil {
		return nil
	}
	// Link fails when another process was first; then its secret counts.
	if err := os.Link(f.Name(), path); err != nil {
		b, err := os.ReadFile(path)
		if err != nil || len(b) != ticketSecret {
			return nil
		}
		return b
	}
	return secret
}

// current returns the key for new tickets and those still good for old ones.
func (t *ticketKeys) current() [][32]byte {
	n := t.now().Unix() / int64(t.period/time.Second)
	keys := make([][32]byte, 3)
	for i := range keys {
		var when [8]byte
		binary.BigEndian.PutUint64(when[:], uint64(n-int64(i)))
		k, err := hkdf.Key(sha256.New, t.secret, when[:], "tls ticket", 32)
		if err != nil {
			panic("tlsconf: " + err.Error()) // 32 octets are within HKDF's limit
		}
		copy(keys[i][:], k)
	}
	return keys
}
