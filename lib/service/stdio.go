package service

import (
	"net"
	"os"
	"time"

	"gocyrus/lib/log"
)

// stdio serves one session on descriptors 0 and 1 (-X).
func (w *worker) stdio() error {
	stop := w.handleSignals()
	defer stop()
	c := newConn(stdioConn())
	w.mu.Lock()
	w.active[c] = struct{}{}
	w.wg.Add(1)
	w.mu.Unlock()
	w.session(c)
	return silent(w.finish(0))
}

// stdioConn is the socket that standard input is (inetd, ssh), or the two
// files put together.
func stdioConn() net.Conn {
	if c, err := net.FileConn(os.Stdin); err == nil {
		return c
	}
	return files{}
}

// files is a connection of standard input and output. Where they have no
// deadlines, being plain files, none are kept.
type files struct{}

func (files) Read(p []byte) (int, error)         { return os.Stdin.Read(p) }
func (files) Write(p []byte) (int, error)        { return os.Stdout.Write(p) }
func (files) LocalAddr() net.Addr                { return &net.UnixAddr{Net: "unix"} }
func (files) RemoteAddr() net.Addr               { return &net.UnixAddr{Net: "unix"} }
func (files) SetReadDeadline(t time.Time) error  { os.Stdin.SetReadDeadline(t); return nil }
func (files) SetWriteDeadline(t time.Time) error { os.Stdout.SetWriteDeadline(t); return nil }

func (f files) SetDeadline(t time.Time) error {
	f.SetReadDeadline(t)
	return f.SetWriteDeadline(t)
}

func (files) Close() error {
	err := os.Stdin.Close()
	if e := os.Stdout.Close(); err == nil {
		err = e
	}
	return err
}

// servePackets hands the datagram socket to the server.
func (w *worker) servePackets() {
	h, ok := w.handler.(PacketHandler)
	if !ok {
		log.Err("not a service for datagrams: its entry needs proto=tcp")
		return
	}
	h.ServePacket(w.sessionCtx, w.packet)
}
