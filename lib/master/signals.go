package master

import (
	"os"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"
)

// signals turns signals into a readable descriptor for poll.
type signals struct {
	fd int // read end of the pipe

	w  int
	ch chan os.Signal

	mu      sync.Mutex
	pending map[os.Signal]bool
}

func (s *signals) open() error {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return err
	}
	s.fd, s.w = p[0], p[1]
	s.pending = map[os.Signal]bool{}
	s.ch = make(chan os.Signal, 16)
	signal.Notify(s.ch, unix.SIGTERM, unix.SIGQUIT, unix.SIGINT, unix.SIGHUP, unix.SIGCHLD)
	go s.forward()
	return nil
}

func (s *signals) forward() {
	for sig := range s.ch {
		s.mu.Lock()
		s.pending[sig] = true
		s.mu.Unlock()
		// A full pipe has waked the loop already.
		unix.Write(s.w, []byte{0})
	}
}

// drain empties the pipe after poll.
func (s *signals) drain() {
	var b [64]byte
	for {
		if n, _ := unix.Read(s.fd, b[:]); n < len(b) {
			return
		}
	}
}

// take says whether sig came since it was last asked for.
func (s *signals) take(sig os.Signal) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.pending[sig]
	delete(s.pending, sig)
	return was
}

// quit says whether one of the signals that stop master came.
func (s *signals) quit() bool {
	term, quit, intr := s.take(unix.SIGTERM), s.take(unix.SIGQUIT), s.take(unix.SIGINT)
	return term || quit || intr
}
