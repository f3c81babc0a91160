// Package idle wakes sessions when a mailbox they watch has changed.
//
// Inside a process a Hub does it directly: a watcher has a channel that holds
// one wake-up, so that a slow one hears of any number of changes once. Between
// processes idled carries the word, over datagram sockets:
//
//	{configdirectory}/socket/idle       idled's (idlesocket)
//	{configdirectory}/socket/idle.PID   each process's own, not each session's
//
// Datagrams have 3.10's form: eight octets of length in the machine's order
// and a JSON object. A process tells idled which mailboxes it watches as they
// come and go, and what it changed; idled tells every other process that
// watches. Mailboxes are named by their unique ids.
//
// Nothing here is reliable, by design: datagrams to an idled that does not run
// or does not keep up are lost. Sessions look at their mailbox themselves every
// imapidlepoll (Options.Poll) besides.
package idle

import (
	"path/filepath"
	"sync"
	"time"

	"gocyrus/lib/config"
)

// Options say where idled is.
type Options struct {
	Socket string        // idlesocket
	Dir    string        // where idle.PID is made: configdirectory/socket
	Poll   time.Duration // imapidlepoll; 0 turns IDLE off

	look time.Duration // for tests: instead of lookInterval
}

// OptionsFrom reads the options once.
func OptionsFrom(cfg *config.Config) Options {
	o := Options{
		Socket: cfg.Str("idlesocket"),
		Dir:    filepath.Join(cfg.Dir(), "socket"),
		Poll:   cfg.Duration("imapidlepoll"),
	}
	if o.Socket == "" {
		o.Socket = filepath.Join(o.Dir, "idle")
	}
	return o
}

// numShards spreads the keys over as many locks: every commit of the process
// comes by.
const numShards = 32

// Hub is the one of a process.
type Hub struct {
	opts   Options
	shards [numShards]shard
	link   *link // nil without idled
}

type shard struct {
	mu      sync.Mutex
	watched map[string]map[*watcher]struct{}
}

type watcher struct{ ch chan struct{} }

// New returns a hub that is joined to idled, if there is one, now or later.
func New(o Options) *Hub {
	h := newHub(o)
	if o.Socket != "" && o.Poll > 0 {
		h.link = newLink(h, o)
	}
	return h
}

// newHub is one without idled.
func newHub(o Options) *Hub {
	h := &Hub{opts: o}
	for i := range h.shards {
		h.shards[i].watched = map[string]map[*watcher]struct{}{}
	}
	return h
}

// Poll is how often a session that waits should look for itself; 0 means that
// there is no IDLE.
func (h *Hub) Poll() time.Duration { return h.opts.Poll }

// Connected says whether idled has been heard to take our datagrams.
func (h *Hub) Connected() bool { return h.link != nil && h.link.connected() }

// Watch returns a channel that receives when the mailbox of that unique id has
// changed. stop ends the watch; it may be called more than once.
func (h *Hub) Watch(key string) (<-chan struct{}, func()) {
	w := &watcher{ch: make(chan struct{}, 1)}
	s := h.shard(key)
	s.mu.Lock()
	set := s.watched[key]
	first := set == nil
	if first {
		set = map[*watcher]struct{}{}
		s.watched[key] = set
	}
	set[w] = struct{}{}
	if first && h.link != nil {
		h.link.watch(key)
	}
	s.mu.Unlock()
	return w.ch, func() { h.unwatch(key, w) }
}

func (h *Hub) unwatch(key string, w *watcher) {
	s := h.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	set := s.watched[key]
	if _, ok := set[w]; !ok {
		return
	}
	delete(set, w)
	if len(set) == 0 {
		delete(s.watched, key)
		if h.link != nil {
			h.link.unwatch(key)
		}
	}
}

// Notify says that the mailbox of that unique id has changed. It does not
// wait. Watchers of this process are woken, the caller's own among them, and
// other processes told.
func (h *Hub) Notify(key string) {
	h.wake(key)
	if h.link != nil {
		h.link.notify(key)
	}
}

// wake wakes the watchers of this process.
func (h *Hub) wake(key string) {
	s := h.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.watched[key] {
		w.wake()
	}
}

// wakeAll wakes everyone: something is new for all, such as msg/shutdown.
func (h *Hub) wakeAll() {
	for i := range h.shards {
		s := &h.shards[i]
		s.mu.Lock()
		for _, set := range s.watched {
			for w := range set {
				w.wake()
			}
		}
		s.mu.Unlock()
	}
}

func (w *watcher) wake() {
	select {
	case w.ch <- struct{}{}:
	default: // it has not heard of the last change yet
	}
}

// keys are those that are watched now.
func (h *Hub) keys() []string {
	var out []string
	for i := range h.shards {
		s := &h.shards[i]
		s.mu.Lock()
		for key := range s.watched {
			out = append(out, key)
		}
		s.mu.Unlock()
	}
	return out
}

// Close leaves idled. Watches end with the process.
func (h *Hub) Close() {
	if h.link != nil {
		h.link.close()
	}
}

// shard picks by FNV-1a.
func (h *Hub) shard(key string) *shard {
	sum := uint32(2166136261)
	for i := 0; i < len(key); i++ {
		sum = (sum ^ uint32(key[i])) * 16777619
	}
	return &h.shards[sum%numShards]
}
