package imtest

import (
	"io"
	"sync"
)

// swap is a writer whose target changes; what comes without one is dropped.
type swap struct {
	mu sync.Mutex
	w  io.Writer
}

func newSwitch() *swap { return &swap{w: io.Discard} }

func (s *swap) to(w io.Writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.w = w
}

// Write never fails: a peer who has gone must not end the session.
func (s *swap) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.w.Write(p)
	return len(p), nil
}
