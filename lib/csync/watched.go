package csync

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// watched is a connection on which a read may take as long as it likes while
// nothing is expected, and else as long as the limit after the last octet or the
// start of the wait, whichever is later. Each write has the limit, too.
type watched struct {
	net.Conn
	limit atomic.Int64 // a time.Duration; 0 is none
	// since is when something began to be expected, in Unix nanoseconds; 0 while
	// nothing is. Before the session proper something always is.
	since atomic.Int64
	// end is when the last read ends, once nothing can be written; nil before.
	end atomic.Pointer[time.Time]
}

// lastWords is how long a peer that takes nothing any more is listened to.
const lastWords = 2 * time.Second

func watch(nc net.Conn, limit time.Duration) *watched {
	w := &watched{Conn: nc}
	w.limit.Store(int64(limit))
	w.expect(true)
	return w
}

func (w *watched) expect(on bool) {
	if on {
		w.since.Store(time.Now().UnixNano())
	} else {
		w.since.Store(0)
	}
}

// hurry bounds all reads to come, and one that is waiting, by lastWords from now.
func (w *watched) hurry() {
	end := time.Now().Add(lastWords)
	w.end.Store(&end)
	w.Conn.SetReadDeadline(end)
}

func (w *watched) Read(p []byte) (int, error) {
	start := time.Now()
	for {
		limit := time.Duration(w.limit.Load())
		if limit > 0 {
			w.Conn.SetReadDeadline(time.Now().Add(limit))
		} else {
			w.Conn.SetReadDeadline(time.Time{})
		}
		if end := w.end.Load(); end != nil {
			w.Conn.SetReadDeadline(*end)
		}
		n, err := w.Conn.Read(p)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) || w.late(start, time.Now(), limit) {
			return n, err
		}
	}
}

// late says whether the peer has been silent for longer than it may.
func (w *watched) late(start, now time.Time, limit time.Duration) bool {
	if w.end.Load() != nil {
		return true
	}
	since := w.since.Load()
	if since == 0 {
		return false
	}
	if begun := time.Unix(0, since); begun.After(start) {
		start = begun
	}
	return now.Sub(start) >= limit
}

func (w *watched) Write(p []byte) (int, error) {
	at := time.Time{}
	if limit := time.Duration(w.limit.Load()); limit > 0 {
		at = time.Now().Add(limit)
	}
	w.Conn.SetWriteDeadline(at)
	return w.Conn.Write(p)
}
