package service

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"iter"
	"os"
	"sync"
	"time"

	"gocyrus/lib/proc"
)

// Session is what the skeleton knows of one connection.
type Session struct {
	Service string      // the entry's name in cyrus.conf, the log's ident
	Proc    *proc.Entry // its line in the proc registry

	worker *worker
	client *client
	once   sync.Once
	id     string
}

type sessionKey struct{}

// FromContext returns the session that ctx, as given to Serve, belongs to. A
// test that calls Serve itself gets one that is registered nowhere.
func FromContext(ctx context.Context) *Session {
	if s, ok := ctx.Value(sessionKey{}).(*Session); ok {
		return s
	}
	return detached()
}

// detached is a session outside of any worker.
func detached() *Session {
	w := &worker{names: newNameCache(), env: identity{service: "test"}}
	w.ids.base = "localhost"
	w.notes = NewMessages(os.DevNull, w.env.service)
	return &Session{
		Service: w.env.service,
		Proc:    proc.New(os.DevNull).Register(w.env.service, unixSocket),
		worker:  w,
		client:  &client{addr: unixSocket, name: unixSocket, final: true},
	}
}

func (w *worker) newSession(c *conn) *Session {
	s := &Session{Service: w.env.service, worker: w, client: w.names.client(c.RemoteAddr())}
	s.Proc = w.reg.Register(s.Service, s.client.short())
	s.client.onName(s.Proc.SetClient)
	return s
}

func (s *Session) close() { s.Proc.Close() }

// Peer names the client for the log: "localhost [127.0.0.1]", "[::1]" when the
// address has no name that leads back to it, "[unix socket]". It waits for the
// resolver a moment at the most.
func (s *Session) Peer() string { return s.client.wait() }

// ID is the session's id, without the angle brackets that replies and log
// lines put around it: name, time, pid, count within that second, random.
func (s *Session) ID() string {
	s.once.Do(func() { s.id = s.worker.ids.next(time.Now()) })
	return s.id
}

// Messages are the administrator's notes: msg/shutdown and msg/motd.
func (s *Session) Messages() *Messages { return s.worker.notes }

// Login registers user as signed in, unless that would be more sessions than
// maxlogins_per_user or maxlogins_per_host allow; then the error is a
// *proc.OverLimit, whose text is for client and log.
func (s *Session) Login(user string) error {
	if s.worker.opts.Logins.PerHost > 0 {
		s.Proc.SetClient(s.Peer())
	}
	return s.Proc.Login(user, s.worker.opts.Logins)
}

// sessionIDs makes ids that no other session of this host had.
type sessionIDs struct {
	base string

	mu    sync.Mutex
	at    int64
	count int
}

// maxBase is how much of a long name goes into an id.
const maxBase = 128

func (g *sessionIDs) next(now time.Time) string {
	g.mu.Lock()
	if t := now.Unix(); t != g.at {
		g.at, g.count = t, 0
	}
	g.count++
	at, count := g.at, g.count
	g.mu.Unlock()
	var random [8]byte
	rand.Read(random[:])
	return fmt.Sprintf("%s-%d-%d-%d-%d", g.base[:min(len(g.base), maxBase)],
		at, os.Getpid(), count, binary.NativeEndian.Uint64(random[:]))
}

// linesOf yields the lines of a text without their ends.
func linesOf(text []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for line := range bytes.Lines(text) {
			if !yield(bytes.TrimRight(line, "\n")) {
				return
			}
		}
	}
}
