package master

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/lib/log"
	"gocyrus/lib/masterconf"
)

// maxUnixPath is the longest path of a Unix socket, without its NUL.
const maxUnixPath = 107

// address is one that a service listens on.
type address struct {
	family   string // "ipv4", "ipv6", "unix"
	domain   int
	kind     int // SOCK_STREAM, SOCK_DGRAM
	sockaddr unix.Sockaddr
	text     string
}

// errDisabled is the error of a listen or proto that cannot be used: the
// service is left out, which the log has been told.
var errDisabled = errors.New("service disabled")

// addresses resolves what an entry's listen and proto say.
func addresses(ctx context.Context, e masterconf.Entry) ([]address, error) {
	kind := unix.SOCK_DGRAM
	if strings.HasPrefix(e.Proto, "tcp") {
		kind = unix.SOCK_STREAM
	}
	if strings.HasPrefix(e.Listen, "/") {
		if len(e.Listen) > maxUnixPath {
			log.Err("invalid listen '%s' (too long), disabling %s", e.Listen, e.Name)
			return nil, errDisabled
		}
		return []address{{"unix", unix.AF_UNIX, kind, &unix.SockaddrUnix{Name: e.Listen}, e.Listen}}, nil
	}
	networks, ok := protocols[e.Proto]
	if !ok {
		log.Info("invalid proto '%s', disabling %s", e.Proto, e.Name)
		return nil, errDisabled
	}
	host, port, err := splitListen(e.Listen)
	if err != nil {
		log.Err("invalid listen '%s', disabling %s", e.Listen, e.Name)
		return nil, errDisabled
	}
	out, err := resolve(ctx, networks, host, port, kind)
	if err != nil {
		log.Info("%v, disabling %s", err, e.Name)
		return nil, errDisabled
	}
	return out, nil
}

// protocols says which families a proto listens on, in the order in which
// getaddrinfo gives them.
var protocols = map[string][]string{
	"tcp": {"ip4", "ip6"}, "tcp4": {"ip4"}, "tcp6": {"ip6"},
	"udp": {"ip4", "ip6"}, "udp4": {"ip4"}, "udp6": {"ip6"},
}

// splitListen separates host and port: "143", "imap", "host:imap",
// "[::1]:143". A text without a colon is a port, brackets alone a host.
func splitListen(listen string) (host, port string, err error) {
	if strings.HasPrefix(listen, "[") {
		i := strings.LastIndexByte(listen, ']')
		if i < 0 {
			return "", "", errors.New("missing ]")
		}
		host, rest := listen[1:i], listen[i+1:]
		switch {
		case rest == "":
			return host, "0", nil
		case rest[0] == ':' && len(rest) > 1:
			return host, rest[1:], nil
		}
		return "", "", errors.New("bad port")
	}
	i := strings.LastIndexByte(listen, ':')
	if i < 0 {
		return "", listen, nil
	}
	if i == len(listen)-1 {
		return "", "", errors.New("bad port")
	}
	return listen[:i], listen[i+1:], nil
}

var (
	errService = errors.New("Servname not supported for ai_socktype") //lint:ignore ST1005 getaddrinfo's words
	errHost    = errors.New("Name or service not known")              //lint:ignore ST1005 getaddrinfo's words
)

func resolve(ctx context.Context, networks []string, host, port string, kind int) ([]address, error) {
	transport := "tcp"
	if kind == unix.SOCK_DGRAM {
		transport = "udp"
	}
	n, err := net.DefaultResolver.LookupPort(ctx, transport, port)
	if err != nil {
		return nil, errService
	}
	var ips []netip.Addr
	if host == "" {
		for _, network := range networks {
			ips = append(ips, wildcard[network])
		}
	} else if ips, err = hostAddrs(ctx, networks, host); err != nil {
		return nil, errHost
	}
	out := make([]address, 0, len(ips))
	for _, ip := range ips {
		out = append(out, inet(ip, n, kind))
	}
	return out, nil
}

var wildcard = map[string]netip.Addr{"ip4": netip.IPv4Unspecified(), "ip6": netip.IPv6Unspecified()}

func hostAddrs(ctx context.Context, networks []string, host string) ([]netip.Addr, error) {
	network := "ip"
	if len(networks) == 1 {
		network = networks[0]
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, network, host)
	if err != nil {
		return nil, err
	}
	var ips []netip.Addr
	seen := map[netip.Addr]bool{}
	for _, ip := range found {
		if ip = ip.Unmap(); !seen[ip] {
			seen[ip] = true
			ips = append(ips, ip)
		}
	}
	return ips, nil
}

func inet(ip netip.Addr, port, kind int) address {
	a := address{kind: kind, text: netip.AddrPortFrom(ip, uint16(port)).String()}
	if ip.Is4() {
		a.family, a.domain = "ipv4", unix.AF_INET
		a.sockaddr = &unix.SockaddrInet4{Port: port, Addr: ip.As4()}
		return a
	}
	a.family, a.domain = "ipv6", unix.AF_INET6
	a.sockaddr = &unix.SockaddrInet6{Port: port, Addr: ip.As16(), ZoneId: zone(ip.Zone())}
	return a
}

func zone(name string) uint32 {
	if i, err := net.InterfaceByName(name); err == nil {
		return uint32(i.Index)
	}
	return 0
}

// bind opens the socket of s on a. The error's text is the log's.
func (m *master) bind(s *socket, a address) error {
	s.family = a.family
	fd, err := unix.Socket(a.domain, a.kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("unable to open %s socket: %s", s, strerror(err))
	}
	if err := m.prepare(fd, s, a); err != nil {
		unix.Close(fd)
		return err
	}
	s.fd = fd
	return nil
}

func (m *master) prepare(fd int, s *socket, a address) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		log.Err("unable to setsocketopt(SO_REUSEADDR) service %s: %s", s, strerror(err))
	}
	switch a.domain {
	case unix.AF_INET6:
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1); err != nil {
			log.Err("unable to setsocketopt(IPV6_V6ONLY) service %s: %s", s, strerror(err))
		}
		m.mark(unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_TCLASS, m.tos), s)
	case unix.AF_INET:
		m.mark(unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TOS, m.tos), s)
	case unix.AF_UNIX:
		unix.Unlink(a.text)
	}
	old := unix.Umask(0)
	err := unix.Bind(fd, a.sockaddr)
	unix.Umask(old)
	if err != nil {
		return fmt.Errorf("unable to bind to %s socket: %s", s, strerror(err))
	}
	if a.kind == unix.SOCK_STREAM {
		if err := unix.Listen(fd, m.opts.Backlog); err != nil {
			return fmt.Errorf("unable to listen to %s socket: %s", s, strerror(err))
		}
	}
	return nil
}

func (m *master) mark(err error, s *socket) {
	if err != nil {
		log.Warning("unable to setsocketopt(IP_TOS) service %s: %s", s, strerror(err))
	}
}

// strerror spells a system error as strerror(3) does.
func strerror(err error) string {
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return err.Error()
	}
	return capital(errno.Error())
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
