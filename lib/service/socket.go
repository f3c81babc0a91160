package service

import (
	"errors"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"gocyrus/lib/log"
)

// setSocketOptions readies an accepted connection. Go turns Nagle's algorithm
// off by itself, and keepalive on, which is the site's to decide.
func setSocketOptions(nc net.Conn, o Options) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return
	}
	cfg := net.KeepAliveConfig{Enable: o.Keepalive, Idle: -1, Interval: -1, Count: -1}
	if o.KeepaliveIdle > 0 {
		cfg.Idle = o.KeepaliveIdle
	}
	if o.KeepaliveIntvl > 0 {
		cfg.Interval = o.KeepaliveIntvl
	}
	if o.KeepaliveCount > 0 {
		cfg.Count = o.KeepaliveCount
	}
	if err := tcp.SetKeepAliveConfig(cfg); err != nil && !errors.Is(err, unix.EINVAL) {
		// EINVAL: the client has gone already.
		log.Err("unable to setsocketopt(SO_KEEPALIVE): %s", text(err))
	}
}

// transient says whether accept may be tried again after err: the errors of a
// connection that went away, and shortage.
func transient(err error) bool {
	for _, e := range []error{
		unix.EINTR, unix.EAGAIN, unix.ECONNABORTED, unix.EPROTO, unix.ENETDOWN, unix.ENOPROTOOPT,
		unix.EHOSTDOWN, unix.ENONET, unix.EHOSTUNREACH, unix.EOPNOTSUPP, unix.ENETUNREACH,
		os.ErrDeadlineExceeded,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return exhausted(err)
}

func exhausted(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) ||
		errors.Is(err, unix.ENOMEM) || errors.Is(err, unix.ENOBUFS)
}
