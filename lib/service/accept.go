package service

import (
	"context"
	"errors"
	"net"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/lib/log"
)

// acceptLoop takes connections until the worker leaves. The code is not 0 when
// accepting itself fails.
func (w *worker) acceptLoop() int {
	defer w.stream.Close()
	for w.waitForRoom() {
		if why := w.binary.changed(); why != "" {
			log.Info("%s", why)
			w.leave()
			return 0
		}
		c, err := w.stream.Accept()
		switch {
		case err == nil:
			w.start(c)
		case w.isLeaving():
			return 0
		case errors.Is(err, unix.EINVAL):
			// Master has shut the socket down and its SIGHUP is on the way.
			w.leave()
			return 0
		case !transient(err):
			log.Err("accept failed: %v", err)
			w.leave()
			return exitOSErr
		case exhausted(err):
			// Out of descriptors or memory: what helps is a session's end, and
			// the pause keeps the loop from spinning until then.
			log.Err("accept failed: %v", err)
			time.Sleep(100 * time.Millisecond)
		}
	}
	return 0
}

// waitForRoom blocks while the worker is full; false means it is leaving.
func (w *worker) waitForRoom() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for !w.leaving && len(w.active) >= w.room {
		w.changed.Wait()
	}
	if w.leaving {
		return false
	}
	w.armIdle()
	return true
}

// start gives a connection its goroutine.
func (w *worker) start(nc net.Conn) {
	setSocketOptions(nc, w.opts)
	c := newConn(nc)
	w.mu.Lock()
	w.served++
	w.active[c] = struct{}{}
	w.stopIdle()
	retire := w.served/w.room >= w.flags.uses
	room := !retire && w.hasRoom()
	w.wg.Add(1)
	if !w.leaving {
		w.status.connection(room)
	}
	w.mu.Unlock()
	if retire {
		w.leave()
	}
	go w.session(c)
}

// hasRoom says whether master may count on this worker. The caller holds w.mu.
func (w *worker) hasRoom() bool {
	return w.room-len(w.active) > max(w.spare-1, 0)
}

// session serves c. A panic is logged and costs this connection only.
func (w *worker) session(c *conn) {
	defer w.wg.Done()
	defer w.ended(c)
	defer c.Close()
	s := w.newSession(c)
	defer s.close()
	if !w.permitted(s.client) {
		return
	}
	defer func() {
		if r := recover(); r != nil {
			logPanic(s, r)
		}
	}()
	ctx, cancel := context.WithCancel(w.sessionCtx)
	defer cancel()
	stop := context.AfterFunc(ctx, c.interrupt)
	defer stop()
	w.handler.Serve(context.WithValue(ctx, sessionKey{}, s), c)
}

func logPanic(s *Session, r any) {
	buf := make([]byte, 16<<10)
	buf = buf[:runtime.Stack(buf, false)]
	log.Err("IOERROR: panic in session of %s: %v", s.Peer(), r)
	for line := range linesOf(buf) {
		log.Err("  %s", line)
	}
}

// ended takes a session off the books.
func (w *worker) ended(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.active, c)
	if w.leaving {
		w.reportLeaving()
	} else {
		w.status.set(!w.hasRoom())
	}
	w.changed.Broadcast()
	w.armIdle()
}
