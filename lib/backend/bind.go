package backend

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"gocyrus/lib/config"
)

// BindName is the name or address of ours from which connections to other servers come
// (client_bind, client_bind_name): servername where no other is set. It is "" where the
// system is to choose.
func BindName(cfg *config.Config) string {
	if !cfg.Bool("client_bind") {
		return ""
	}
	if name := cfg.Str("client_bind_name"); name != "" {
		return name
	}
	return ServerName(cfg)
}

// ServerName is how other servers of the site call this one: servername, or the host's
// name.
func ServerName(cfg *config.Config) string {
	name := cfg.Str("servername")
	if name == "" {
		name, _ = os.Hostname() // "" is the name of nobody
	}
	return name
}

// DialFrom connects from an address of the name bind, or from any when that is empty; a
// unix socket has none. Where bind has several addresses, of other families say, they are
// tried in turn.
func DialFrom(ctx context.Context, bind, network, addr string, timeout time.Duration) (net.Conn, error) {
	d := net.Dialer{Timeout: timeout}
	if bind == "" || !strings.HasPrefix(network, "tcp") {
		return d.DialContext(ctx, network, addr)
	}
	ours, err := net.DefaultResolver.LookupIPAddr(ctx, bind)
	if err != nil {
		return nil, fmt.Errorf("client_bind: %w", err)
	}
	err = fmt.Errorf("client_bind: %s has no address", bind)
	for _, ip := range ours {
		d.LocalAddr = &net.TCPAddr{IP: ip.IP, Zone: ip.Zone}
		nc, dialErr := d.DialContext(ctx, network, addr)
		if dialErr == nil {
			return nc, nil
		}
		err = dialErr
	}
	return nil, err
}
