package csync

import (
	"errors"
	"fmt"
	"net"
	"strings"
)

// ErrAddress is the error of a sync_host that cannot be read.
var ErrAddress = errors.New("bad address of a replica")

// Address is sync_host in its parts.
type Address struct {
	Host   string // or the path of a Unix socket
	Port   string // empty: the usual one
	Unix   bool
	TLS    bool // from the first octet
	NoAuth bool // no login
}

// ParseAddress reads host, host:port, [v6]:port, each with /tls or /noauth, and
// the path of a Unix socket. Source: backend_connect in imap/backend.c.
func ParseAddress(s string) (a Address, err error) {
	if strings.HasPrefix(s, "/") {
		return Address{Host: s, Unix: true}, nil
	}
	for {
		i := strings.LastIndexByte(s, '/')
		if i < 0 {
			break
		}
		switch s[i+1:] {
		case "tls":
			a.TLS = true
		case "noauth":
			a.NoAuth = true
		default:
			return a, fmt.Errorf("%w: %q", ErrAddress, s)
		}
		s = s[:i]
	}
	switch {
	case strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]"):
		a.Host = s[1 : len(s)-1]
	case strings.HasPrefix(s, "["), strings.Count(s, ":") == 1:
		if a.Host, a.Port, err = net.SplitHostPort(s); err != nil {
			return a, fmt.Errorf("%w: %w", ErrAddress, err)
		}
	default:
		a.Host = s
	}
	if a.Host == "" {
		return a, fmt.Errorf("%w: no host", ErrAddress)
	}
	return a, nil
}

// network is how to dial, with def where no port is named.
func (a *Address) network(def string) (network, addr string) {
	if a.Unix {
		return "unix", a.Host
	}
	port := a.Port
	if port == "" {
		port = def
	}
	return "tcp", net.JoinHostPort(a.Host, port)
}
