package tlsconf

import (
	"crypto/tls"
	"strings"
)

// suite is one cipher suite with what OpenSSL calls it.
type suite struct {
	id      uint16
	openssl string
	bits    int
	groups  string // OpenSSL's keywords that include it
	tls13   bool
}

// suites are those of crypto/tls, the strongest first.
var suites = []suite{
	{tls.TLS_AES_256_GCM_SHA384, "TLS_AES_256_GCM_SHA384", 256, "HIGH AES AES256 AESGCM", true},
	{tls.TLS_CHACHA20_POLY1305_SHA256, "TLS_CHACHA20_POLY1305_SHA256", 256, "HIGH CHACHA20", true},
	{tls.TLS_AES_128_GCM_SHA256, "TLS_AES_128_GCM_SHA256", 128, "HIGH AES AES128 AESGCM", true},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE-ECDSA-AES256-GCM-SHA384", 256, "HIGH AES AES256 AESGCM ECDHE EECDH KEECDH AECDSA ECDSA TLSV1.2 SHA384", false},
	{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE-RSA-AES256-GCM-SHA384", 256, "HIGH AES AES256 AESGCM ECDHE EECDH KEECDH ARSA TLSV1.2 SHA384", false},
	{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-ECDSA-CHACHA20-POLY1305", 256, "HIGH CHACHA20 ECDHE EECDH KEECDH AECDSA ECDSA TLSV1.2", false},
	{tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-RSA-CHACHA20-POLY1305", 256, "HIGH CHACHA20 ECDHE EECDH KEECDH ARSA TLSV1.2", false},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256", 128, "HIGH AES AES128 AESGCM ECDHE EECDH KEECDH AECDSA ECDSA TLSV1.2 SHA256", false},
	{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE-RSA-AES128-GCM-SHA256", 128, "HIGH AES AES128 AESGCM ECDHE EECDH KEECDH ARSA TLSV1.2 SHA256", false},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, "ECDHE-ECDSA-AES256-SHA", 256, "HIGH AES AES256 ECDHE EECDH KEECDH AECDSA ECDSA SHA SHA1 SSLV3 TLSV1", false},
	{tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, "ECDHE-RSA-AES256-SHA", 256, "HIGH AES AES256 ECDHE EECDH KEECDH ARSA SHA SHA1 SSLV3 TLSV1", false},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, "ECDHE-ECDSA-AES128-SHA256", 128, "HIGH AES AES128 ECDHE EECDH KEECDH AECDSA ECDSA SHA256 TLSV1.2", false},
	{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256, "ECDHE-RSA-AES128-SHA256", 128, "HIGH AES AES128 ECDHE EECDH KEECDH ARSA SHA256 TLSV1.2", false},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, "ECDHE-ECDSA-AES128-SHA", 128, "HIGH AES AES128 ECDHE EECDH KEECDH AECDSA ECDSA SHA SHA1 SSLV3 TLSV1", false},
	{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, "ECDHE-RSA-AES128-SHA", 128, "HIGH AES AES128 ECDHE EECDH KEECDH ARSA SHA SHA1 SSLV3 TLSV1", false},
	{tls.TLS_RSA_WITH_AES_256_GCM_SHA384, "AES256-GCM-SHA384", 256, "HIGH AES AES256 AESGCM RSA KRSA ARSA TLSV1.2 SHA384", false},
	{tls.TLS_RSA_WITH_AES_128_GCM_SHA256, "AES128-GCM-SHA256", 128, "HIGH AES AES128 AESGCM RSA KRSA ARSA TLSV1.2 SHA256", false},
	{tls.TLS_RSA_WITH_AES_256_CBC_SHA, "AES256-SHA", 256, "HIGH AES AES256 RSA KRSA ARSA SHA SHA1 SSLV3 TLSV1", false},
	{tls.TLS_RSA_WITH_AES_128_CBC_SHA256, "AES128-SHA256", 128, "HIGH AES AES128 RSA KRSA ARSA SHA256 TLSV1.2", false},
	{tls.TLS_RSA_WITH_AES_128_CBC_SHA, "AES128-SHA", 128, "HIGH AES AES128 RSA KRSA ARSA SHA SHA1 SSLV3 TLSV1", false},
}

func suiteOf(id uint16) *suite {
	for i := range suites {
		if suites[i].id == id {
			return &suites[i]
		}
	}
	return nil
}

// CipherName returns OpenSSL's name of a suite, as log lines have it.
func CipherName(id uint16) string {
	if s := suiteOf(id); s != nil {
		return s.openssl
	}
	return tls.CipherSuiteName(id)
}

// Bits returns the key length of a suite's cipher, 0 for one that is unknown.
func Bits(id uint16) int {
	if s := suiteOf(id); s != nil {
		return s.bits
	}
	return 0
}

// cipherList reads an OpenSSL cipher list ("HIGH:!aNULL:@STRENGTH") for the
// versions below 1.3. nil means crypto/tls's own choice: for lists that only
// say what is default. An empty list that is not nil leaves nothing. Unknown
// words are returned; suites that crypto/tls does not have are no loss, for
// nobody should use them.
func cipherList(list string) (ids []uint16, unknown []string) {
	words := strings.FieldsFunc(list, func(r rune) bool { return r == ':' || r == ',' || r == ' ' || r == ';' })
	plain := true
	on, dead := make([]bool, len(suites)), make([]bool, len(suites))
	for _, w := range words {
		op := byte(0)
		if strings.IndexByte("!-+", w[0]) >= 0 {
			op, w = w[0], w[1:]
		}
		if strings.HasPrefix(w, "@") {
			continue // the order is crypto/tls's
		}
		hit := false
		for i := range suites {
			if !suites[i].matches(w) {
				continue
			}
			hit = true
			switch op {
			case 0:
				on[i] = on[i] || !dead[i]
			case '-':
				on[i] = false
			case '!':
				on[i], dead[i] = false, true
			}
		}
		if op == 0 && !isDefault(w) || op != 0 && op != '+' && hit {
			plain = false
		}
		if !hit && op == 0 && !knownWord(w) {
			unknown = append(unknown, w)
		}
	}
	if plain {
		return nil, unknown
	}
	ids = []uint16{}
	for i, s := range suites {
		if on[i] && !s.tls13 {
			ids = append(ids, s.id)
		}
	}
	return ids, unknown
}

func isDefault(w string) bool { return w == "DEFAULT" || w == "ALL" || w == "COMPLEMENTOFDEFAULT" }

// knownWord says whether w names ciphers of OpenSSL that crypto/tls has none
// of: worth no warning.
func knownWord(w string) bool {
	for _, k := range []string{"MEDIUM", "LOW", "EXP", "EXPORT", "3DES", "RC4", "CAMELLIA", "SEED", "DHE", "EDH", "kEDH", "ADH", "AECDH", "PSK", "SRP", "ARIA", "AESCCM",
		"eNULL", "aNULL", "NULL", "DSS", "aDSS", "kDHE"} {
		if strings.EqualFold(w, k) {
			return true
		}
	}
	return strings.Contains(w, "-") || isDefault(w)
}

// matches says whether a word, keywords joined by "+" among them, means s.
func (s *suite) matches(word string) bool {
	if isDefault(word) {
		return true
	}
	if strings.EqualFold(word, s.openssl) || strings.EqualFold(word, tls.CipherSuiteName(s.id)) {
		return true
	}
	groups := strings.Fields(s.groups)
	for _, part := range strings.Split(word, "+") {
		found := false
		for _, g := range groups {
			found = found || strings.EqualFold(g, part)
		}
		if !found {
			return false
		}
	}
	return true
}
