package service

import (
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"
)

// handleSignals arranges for Cyrus's meaning of TERM, QUIT, INT and HUP.
func (w *worker) handleSignals() (stop func()) {
	ch := make(chan os.Signal, 4)
	signal.Notify(ch, unix.SIGTERM, unix.SIGQUIT, unix.SIGINT, unix.SIGHUP)
	signal.Ignore(unix.SIGPIPE)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case sig := <-ch:
				if sig == unix.SIGHUP {
					w.leave()
				} else {
					w.terminate()
				}
			case <-done:
				return
			}
		}
	}()
	return func() { signal.Stop(ch); close(done) }
}

// reportLeaving tells our own master which places are free again.
func (w *worker) reportLeaving() {
	if w.env.ours {
		w.status.sessions(len(w.active))
	}
}

// leave ends the taking of connections; sessions go on.
func (w *worker) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.leaving {
		return
	}
	w.leaving = true
	w.stopIdle()
	w.status.leave()
	w.reportLeaving()
	w.changed.Broadcast()
	w.interruptAccept()
}

func (w *worker) isLeaving() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.leaving
}

// interruptAccept makes a blocked Accept or ReadFrom return.
func (w *worker) interruptAccept() {
	past := time.Unix(1, 0)
	if l, ok := w.stream.(interface{ SetDeadline(time.Time) error }); ok {
		l.SetDeadline(past)
	}
	if w.packet != nil {
		w.packet.SetReadDeadline(past)
	}
}

// terminate ends every session at its next safe point.
func (w *worker) terminate() {
	w.leave()
	w.kill()
}

// masterGone lets go of the socket: sessions go on, but a new master must be
// able to bind.
func (w *worker) masterGone() { w.leave() }

// armIdle starts the clock when the last session has ended: after -T seconds
// to twice as many a worker that did serve exits. With free places asked for
// (prefork) it would only be started again. The caller holds w.mu.
func (w *worker) armIdle() {
	if w.leaving || len(w.active) > 0 || w.served == 0 || w.flags.idle <= 0 || w.idle != nil {
		return
	}
	if w.spare > 0 && !w.flags.idleSet {
		return
	}
	w.idle = time.AfterFunc(w.flags.idle, w.leave)
}

func (w *worker) stopIdle() {
	if w.idle != nil {
		w.idle.Stop()
		w.idle = nil
	}
}
