package service

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/lib/config"
	"gocyrus/lib/log"
	"gocyrus/lib/proc"
)

// worker is this process.
type worker struct {
	env     identity
	flags   flags
	opts    Options
	status  *status
	handler Handler
	names   *nameCache
	notes   *Messages
	reg     *proc.Registry
	ids     sessionIDs

	stream net.Listener   // nil for datagrams
	packet net.PacketConn // nil for streams
	binary *programFile
	room   int // most sessions at once
	spare  int // free places below which master should start another

	sessionCtx context.Context // cancelled by SIGTERM
	kill       context.CancelFunc

	mu      sync.Mutex
	changed *sync.Cond // active, leaving
	active  map[*conn]struct{}
	served  int  // sessions so far
	leaving bool // takes no more connections
	idle    *time.Timer
	wg      sync.WaitGroup
}

// newWorker takes over the descriptors that master left.
func newWorker(cfg *config.Config, env identity, f flags) (*worker, error) {
	w := &worker{
		env: env, flags: f, opts: OptionsFrom(cfg),
		names:  newNameCache(),
		active: map[*conn]struct{}{},
		binary: thisProgram(),
	}
	w.changed = sync.NewCond(&w.mu)
	w.notes = NewMessages(w.opts.Dir, env.service)
	w.reg = proc.Shared(w.opts.ProcDir)
	w.reg.OnError = func(err error) { log.Err("IOERROR: proc file: %v", err) }
	w.ids.base = w.opts.SessionBase
	w.sessionCtx, w.kill = context.WithCancel(context.Background())
	if f.stdio {
		w.status = newStatus(-1)
		return w, nil
	}
	w.status = newStatus(statusFD)
	var err error
	if w.stream, w.packet, err = inherited(listenFD); err != nil {
		return nil, err
	}
	w.room = capacity(w.opts.Sessions, env.sessions)
	w.spare = min(env.prefork, w.room)
	tuneMemory()
	return w, nil
}

// capacity is how many sessions this worker takes at once: its option, its
// part of maxchild, and what the descriptors allow. A session needs its socket
// and, with a mailbox open, a few files.
func capacity(own, granted int) int {
	n := own
	if granted > 0 && (n <= 0 || granted < n) {
		n = granted
	}
	const reserved, perSession = 64, 3
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err == nil && lim.Cur < 1<<30 {
		n = min(n, (int(lim.Cur)-reserved)/perSession)
	}
	return max(n, 1)
}

// tuneMemory keeps a process with thousands of idle sessions small: below
// 64 MB the collector runs at the usual doubling, which is bounded, and beyond
// it at half of that, unless the site says otherwise by GOGC.
func tuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
}

// inherited makes a listener or a packet socket of a descriptor.
func inherited(fd int) (net.Listener, net.PacketConn, error) {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return nil, nil, errors.New("getsockopt: SOL_SOCKET: failed to get type: " + text(err))
	}
	f := os.NewFile(uintptr(fd), "listen")
	defer f.Close() // the net package works on a duplicate
	if kind == unix.SOCK_DGRAM {
		p, err := net.FilePacketConn(f)
		return nil, p, err
	}
	l, err := net.FileListener(f)
	return l, nil, err
}

// run serves until there is nothing left to do and returns the exit code.
func (w *worker) run() int {
	stop := w.handleSignals()
	defer stop()
	w.status.watchMaster(w.masterGone)
	code := 0
	if w.packet != nil {
		w.servePackets()
	} else {
		code = w.acceptLoop()
	}
	w.wg.Wait()
	return w.finish(code)
}

// finish puts everything in order and says with which code to exit.
func (w *worker) finish(code int) int {
	w.status.leave()
	if s, ok := w.handler.(Shutdowner); ok {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		s.Shutdown(ctx)
		cancel()
	}
	w.reg.Close()
	if code == 0 && w.sessionCtx.Err() != nil {
		log.Notice("graceful shutdown")
		return exitTempFail
	}
	return code
}
