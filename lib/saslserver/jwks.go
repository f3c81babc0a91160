package saslserver

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// keySet holds an issuer's public keys and reads them anew when they age or a
// token names one it does not have.
type keySet struct {
	source string // file or address

	mu   sync.Mutex
	keys map[string]crypto.PublicKey // by key id; "" is a key without one
	read time.Time
}

// keyAge is how long keys count, keyPause how soon they may be read again: else
// anybody with an invented key id could make us ask all the time.
const (
	keyAge   = time.Hour
	keyPause = time.Minute
)

var errNoKey = errors.New("no such key")

// find returns the key that a token names; one that names none may be signed by
// the only key there is.
func (k *keySet) find(ctx context.Context, kid string) (crypto.PublicKey, error) {
	k.mu.Lock()
	key, read := k.pick(kid), k.read
	k.mu.Unlock()
	age := time.Since(read)
	if key != nil && age < keyAge {
		return key, nil
	}
	if age > keyPause {
		if err := k.load(ctx); err != nil && key == nil {
			return nil, err
		}
		k.mu.Lock()
		key = k.pick(kid)
		k.mu.Unlock()
	}
	if key == nil {
		return nil, errNoKey
	}
	return key, nil
}

func (k *keySet) pick(kid string) crypto.PublicKey {
	if key, ok := k.keys[kid]; ok {
		return key
	}
	if kid == "" && len(k.keys) == 1 {
		for _, key := range k.keys {
			return key
		}
	}
	return nil
}

func (k *keySet) load(ctx context.Context) error {
	keys, err := readKeys(ctx, k.source)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.read = time.Now()
	if err == nil {
		k.keys = keys
	}
	return err
}

func readKeys(ctx context.Context, source string) (map[string]crypto.PublicKey, error) {
	var set struct {
		Keys []jwk `json:"keys"`
	}
	if strings.Contains(source, "://") {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, source, nil)
		if err != nil {
			return nil, err
		}
		if err := fetchJSON(req, &set); err != nil {
			return nil, err
		}
	} else {
		data, err := os.ReadFile(source)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(data, &set); err != nil {
			return nil, fmt.Errorf("%s: %w", source, err)
		}
	}
	keys := make(map[string]crypto.PublicKey)
	for _, j := range set.Keys {
		if key, err := j.public(); err == nil && j.Use != "enc" {
			keys[j.Kid] = key
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s: no key that can verify a signature", source)
	}
	return keys, nil
}

// jwk is one key (RFC 7517; parameters of RFC 7518 section 6, RFC 8037).
type jwk struct {
	Kty, Kid, Use, Crv string
	N, E, X, Y         string
}

func (j jwk) public() (crypto.PublicKey, error) {
	switch j.Kty {
	case "RSA":
		return j.rsa()
	case "EC":
		return j.ecdsa()
	case "OKP":
		x, err := base64.RawURLEncoding.DecodeString(j.X)
		if err != nil || j.Crv != "Ed25519" || len(x) != ed25519.PublicKeySize {
			return nil, errNoKey
		}
		return ed25519.PublicKey(x), nil
	}
	return nil, errNoKey
}

// minRSA is the least length of an RSA key, in bits (RFC 7518 section 3.3).
const minRSA = 2048

func (j jwk) rsa() (crypto.PublicKey, error) {
	n, err1 := base64.RawURLEncoding.DecodeString(j.N)
	e, err2 := base64.RawURLEncoding.DecodeString(j.E)
	if err1 != nil || err2 != nil || len(e) > 4 {
		return nil, errNoKey
	}
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	if key.N.BitLen() < minRSA || key.E < 3 {
		return nil, errNoKey
	}
	return key, nil
}

func (j jwk) ecdsa() (crypto.PublicKey, error) {
	curves := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}
	curve, ok := curves[j.Crv]
	x, err1 := base64.RawURLEncoding.DecodeString(j.X)
	y, err2 := base64.RawURLEncoding.DecodeString(j.Y)
	if !ok || err1 != nil || err2 != nil {
		return nil, errNoKey
	}
	size := (curve.Params().BitSize + 7) / 8
	if len(x) != size || len(y) != size {
		return nil, errNoKey
	}
	point := append(append([]byte{4}, x...), y...) // uncompressed, SEC 1 section 2.3.3
	return ecdsa.ParseUncompressedPublicKey(curve, point)
}
