package idle

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/lib/log"
)

const (
	// lookInterval is how often the link looks whether idled is still the one
	// that knows our keys.
	lookInterval = 5 * time.Second
	// sendLimit is how long one datagram may wait for room in idled's queue.
	sendLimit = time.Second
	// maxKeys is how many keys go into one datagram.
	maxKeys = 200
	// maxPending bounds what waits to be sent; beyond it the oldest news are
	// for the poll to find.
	maxPending = 10000
)

// link is this process's end towards idled. Callers only leave word in its
// lists; a goroutine sends.
type link struct {
	hub    *Hub
	server *net.UnixAddr
	own    string // path of idle.PID
	conn   *net.UnixConn
	pid    int
	look   time.Duration

	mu      sync.Mutex
	changes map[string]bool // keys to start (true) or stop
	news    map[string]struct{}
	known   bool // idled has our keys
	wakeup  chan struct{}
	done    chan struct{}
	closed  bool
}

// newLink binds our socket. When that fails there is no link, and sessions
// poll.
func newLink(h *Hub, o Options) *link {
	l := &link{
		hub: h, pid: os.Getpid(), look: lookInterval,
		server:  &net.UnixAddr{Name: o.Socket, Net: "unixgram"},
		own:     filepath.Join(o.Dir, fmt.Sprintf("idle.%d", os.Getpid())),
		changes: map[string]bool{}, news: map[string]struct{}{},
		wakeup: make(chan struct{}, 1), done: make(chan struct{}),
	}
	if o.look > 0 {
		l.look = o.look
	}
	conn, err := bind(l.own)
	if err != nil {
		log.Err("IDLE: no socket for idled's messages: %v. Falling back to polling every %d seconds.",
			err, int(o.Poll.Seconds()))
		return nil
	}
	l.conn = conn
	go l.receive()
	go l.send()
	return l
}

// bind makes a datagram socket at path that everyone may write to. Its name is
// taken away by hand: net would do so only for a listener.
func bind(path string) (*net.UnixConn, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	}
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o777); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func (l *link) connected() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known
}

func (l *link) watch(key string)   { l.change(key, true) }
func (l *link) unwatch(key string) { l.change(key, false) }

// change leaves word of a watch. While idled does not know us there is none to
// leave: it will be told everything at once.
func (l *link) change(key string, start bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.known {
		return
	}
	l.changes[key] = start
	l.poke()
}

func (l *link) notify(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.known || len(l.news) >= maxPending {
		return
	}
	l.news[key] = struct{}{}
	l.poke()
}

// poke wakes the sender. The caller holds l.mu.
func (l *link) poke() {
	select {
	case l.wakeup <- struct{}{}:
	default:
	}
}

func (l *link) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.closed = true
	if l.known {
		l.conn.SetWriteDeadline(time.Now().Add(sendLimit))
		l.conn.WriteToUnix(packStop(l.pid, nil), l.server)
	}
	close(l.done)
	l.conn.Close()
	os.Remove(l.own)
}

// send is the goroutine that talks to idled.
func (l *link) send() {
	tick := time.NewTicker(l.look)
	defer tick.Stop()
	var known fs.FileInfo
	for {
		known = l.meet(known)
		select {
		case <-l.done:
			return
		case <-tick.C:
		case <-l.wakeup:
			l.flush()
		}
	}
}

// meet tells idled every key when it is not the idled that was told before:
// a new one has another socket file.
func (l *link) meet(known fs.FileInfo) fs.FileInfo {
	st, err := os.Stat(l.server.Name)
	if err != nil {
		l.forget()
		return nil
	}
	if known != nil && l.connected() && os.SameFile(known, st) && known.ModTime().Equal(st.ModTime()) {
		return known
	}
	// From here on changes are noted; the keys that are read below may then
	// be told twice, but none is left out.
	l.mu.Lock()
	l.known = true
	clear(l.changes)
	l.mu.Unlock()
	keys := l.hub.keys()
	for first := true; first || len(keys) > 0; first = false {
		n := min(len(keys), maxKeys)
		if !l.write(packStart(l.pid, keys[:n], !first)) {
			return nil
		}
		keys = keys[n:]
	}
	return st
}

func (l *link) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known = false
	clear(l.changes)
	clear(l.news)
}

// flush sends what has been left.
func (l *link) flush() {
	l.mu.Lock()
	changes, news := l.changes, l.news
	l.changes, l.news = map[string]bool{}, map[string]struct{}{}
	l.mu.Unlock()
	var start, stop []string
	for key, on := range changes {
		if on {
			start = append(start, key)
		} else {
			stop = append(stop, key)
		}
	}
	for ; len(start) > 0; start = start[min(len(start), maxKeys):] {
		l.write(packStart(l.pid, start[:min(len(start), maxKeys)], true))
	}
	for ; len(stop) > 0; stop = stop[min(len(stop), maxKeys):] {
		l.write(packStop(l.pid, stop[:min(len(stop), maxKeys)]))
	}
	for key := range news {
		if !l.write(packNotify(l.pid, key)) {
			return
		}
	}
}

// write sends one datagram, waiting a moment for room. False means that idled
// is not there; it will be told everything when it is again.
func (l *link) write(b []byte) bool {
	l.conn.SetWriteDeadline(time.Now().Add(sendLimit))
	_, err := l.conn.WriteToUnix(b, l.server)
	if err == nil {
		return true
	}
	if errors.Is(err, net.ErrClosed) {
		return false
	}
	if !gone(err) {
		log.Err("IDLE: error sending message to idled for pid %d: %v", l.pid, err)
	}
	l.forget()
	return false
}

// gone is an error of a peer that has ended: nothing to remark on.
func gone(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ECONNREFUSED)
}

// receive is the goroutine that hears idled.
func (l *link) receive() {
	buf := make([]byte, maxDatagram)
	for {
		n, _, err := l.conn.ReadFromUnix(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			if errors.Is(err, syscall.EINTR) {
				continue
			}
			log.Err("IDLE: recvfrom failed: %v", err)
			return
		}
		d, err := parse(buf[:n])
		if err != nil {
			log.Err("IDLE: %v", err)
			continue
		}
		l.heard(d)
	}
}

func (l *link) heard(d datagram) {
	switch d.kind {
	case kindNotify:
		for _, key := range d.keys {
			l.hub.wake(key)
		}
	case kindAlert:
		l.hub.wakeAll()
	}
}
