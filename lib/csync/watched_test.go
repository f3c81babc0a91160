package csync

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

func TestLate(t *testing.T) {
	start := time.Unix(1000, 0)
	for _, tc := range []struct {
		name  string
		since int64 // seconds; 0: nothing is expected
		now   int64
		want  bool
	}{
		{"idle for long", 0, 5000, false},
		{"in time", 900, 1029, false},
		{"silent since the last octet", 900, 1030, true},
		{"asked while idle", 1500, 1529, false},
		{"asked while idle, no answer", 1500, 1530, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := &watched{}
			w.since.Store(tc.since * int64(time.Second))
			if got := w.late(start, time.Unix(tc.now, 0), 30*time.Second); got != tc.want {
				t.Errorf("late = %v", got)
			}
		})
	}
}

// slow is a connection on which the first reads run into the deadline.
type slow struct {
	net.Conn
	timeouts int
}

func (s *slow) SetReadDeadline(time.Time) error { return nil }

func (s *slow) Read(p []byte) (int, error) {
	if s.timeouts--; s.timeouts >= 0 {
		return 0, os.ErrDeadlineExceeded
	}
	p[0] = 'x'
	return 1, nil
}

func TestWatchedRead(t *testing.T) {
	w := watch(&slow{timeouts: 3}, time.Nanosecond)
	var p [1]byte
	if _, err := w.Read(p[:]); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("while something is expected: %v", err)
	}
	w.expect(false)
	if n, err := w.Read(p[:]); n != 1 || err != nil {
		t.Errorf("while nothing is: %d, %v", n, err)
	}
}
