package syncclient

import (
	"context"
	"sync"
	"time"

	"gocyrus/lib/csync"
	"gocyrus/lib/guid"
	"gocyrus/lib/log"
)

// Bounds of what the replica keeps at hand for one session. Beyond, all that is under
// way is finished and the replica told to forget.
const (
	maxStaged      = 1 << 16
	maxStagedBytes = 4 << 30
)

// session is one connection and what it has put at hand on the other side.
type session struct {
	c     *csync.Client
	began time.Time

	// gate is held shared by whoever relies on what is staged, and alone by RESTART,
	// and by work that is suspected of killing the replica.
	gate sync.RWMutex

	mu     sync.Mutex
	staged map[stagedKey]*chunk
	bytes  int64
}

type stagedKey struct {
	partition string
	guid      guid.GUID
}

func newSession(c *csync.Client) *session {
	return &session{c: c, began: time.Now(), staged: make(map[stagedKey]*chunk)}
}

// work runs fn, alone or beside others.
func (s *session) work(ctx context.Context, alone bool, fn func(context.Context, *session) error) error {
	if alone {
		s.gate.Lock()
		defer s.gate.Unlock()
		return fn(ctx, s)
	}
	s.gate.RLock()
	err := fn(ctx, s)
	s.gate.RUnlock()
	s.mu.Lock()
	staged, bytes := len(s.staged), s.bytes
	s.mu.Unlock()
	if staged > maxStaged || bytes > maxStagedBytes {
		// Those who are slow have it wait, up to a point.
		s.restart(ctx, staged > 4*maxStaged || bytes > 4*maxStagedBytes)
	}
	return err
}

// restart has the replica forget what is staged, if anything is. While somebody relies
// on it, that is left for later, or waited for. An error is that of the connection,
// which the next request meets too.
func (s *session) restart(ctx context.Context, wait bool) {
	if wait {
		s.gate.Lock()
	} else if !s.gate.TryLock() {
		return
	}
	defer s.gate.Unlock()
	s.mu.Lock()
	none := len(s.staged) == 0
	clear(s.staged)
	s.bytes = 0
	s.mu.Unlock()
	if none {
		return
	}
	if _, err := s.c.Do(ctx, csync.NewRestart()); err != nil {
		log.Err("sync_client RESTART failed: %v", err)
	}
}

// leave ends the session when nobody is at work in it.
func (s *session) leave(ctx context.Context) {
	s.gate.Lock()
	defer s.gate.Unlock()
	if s.c.Err() == nil {
		if err := s.c.Logout(ctx); err == nil {
			return
		}
	}
	s.c.Close()
}

// hold notes that the replica has a message at hand.
func (s *session) hold(k stagedKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.staged[k] = nil
}

// holds says whether the replica has a message at hand or is being sent it.
func (s *session) holds(k stagedKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.staged[k]
	return ok
}
