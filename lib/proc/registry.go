package proc

import (
	"container/list"
	"os"
	"sync"
	"time"
)

// Changes wait minDelay for company; while writing the file takes long because
// it is, the wait is costFactor times that, and maxDelay at the most.
const (
	minDelay   = 100 * time.Millisecond
	maxDelay   = 2 * time.Second
	costFactor = 20
)

// Registry is the file of this process.
type Registry struct {
	dir string
	pid int

	// OnError, when set before the first Register, hears of a file that could
	// not be written; the sessions themselves go on.
	OnError func(error)

	writing sync.Mutex // one writer of the file at a time; before mu

	mu      sync.Mutex
	entries list.List // of *Entry, oldest first
	timer   *time.Timer
	armed   bool
	cost    time.Duration
}

// Entry is the line of one session. Its methods may be called from any
// goroutine, and cost no system call.
type Entry struct {
	reg  *Registry
	elem *list.Element
	in   Info
}

// New returns the registry of this process in dir. There should be only one
// per process and directory: it replaces the process's file whole.
func New(dir string) *Registry {
	r := &Registry{dir: dir, pid: os.Getpid()}
	r.timer = time.AfterFunc(time.Hour, r.expire)
	r.timer.Stop()
	return r
}

var (
	sharedMu sync.Mutex
	shared   = map[string]*Registry{}
)

// Register adds a session of client to this process's file in dir.
func Register(dir, service, client string) *Entry { return Shared(dir).Register(service, client) }

// Shared returns the one registry of this process in dir.
func Shared(dir string) *Registry {
	sharedMu.Lock()
	defer sharedMu.Unlock()
	r := shared[dir]
	if r == nil {
		r = New(dir)
		shared[dir] = r
	}
	return r
}

// Register adds a session.
func (r *Registry) Register(service, client string) *Entry {
	e := &Entry{reg: r, in: Info{PID: r.pid, Service: service, Client: client}}
	r.mu.Lock()
	defer r.mu.Unlock()
	e.elem = r.entries.PushBack(e)
	r.changed()
	return e
}

// changed sees to it that the file will be written. The caller holds r.mu.
func (r *Registry) changed() {
	if r.armed {
		return
	}
	r.armed = true
	r.timer.Reset(min(max(minDelay, costFactor*r.cost), maxDelay))
}

func (r *Registry) expire() {
	if err := r.Flush(); err != nil && r.OnError != nil {
		r.OnError(err)
	}
}

// Flush writes what has changed now instead of a moment later. The login
// limits need it: other processes count by this file.
func (r *Registry) Flush() error {
	r.writing.Lock()
	defer r.writing.Unlock()

	r.mu.Lock()
	if !r.armed {
		r.mu.Unlock()
		return nil
	}
	r.armed = false
	r.timer.Stop()
	var data []byte
	for el := r.entries.Front(); el != nil; el = el.Next() {
		data = appendLine(data, el.Value.(*Entry).in)
	}
	r.mu.Unlock()

	if len(data) == 0 {
		return Remove(r.dir, r.pid)
	}
	start := time.Now()
	err := replace(r.dir, r.pid, data)
	cost := time.Since(start)
	r.mu.Lock()
	r.cost = cost
	r.mu.Unlock()
	return err
}

// Close removes the file: the process ends.
func (r *Registry) Close() error {
	r.mu.Lock()
	for el := r.entries.Front(); el != nil; el = el.Next() {
		el.Value.(*Entry).elem = nil
	}
	r.entries.Init()
	r.armed = true
	r.mu.Unlock()
	return r.Flush()
}

// SetClient names the client, once its address has been looked up.
func (e *Entry) SetClient(client string) { e.set(&e.in.Client, client) }

// SetUser says who has signed in; empty when the session is nobody's again.
func (e *Entry) SetUser(user string) { e.set(&e.in.User, user) }

// SetMailbox names the selected mailbox by its internal name.
func (e *Entry) SetMailbox(mailbox string) { e.set(&e.in.Mailbox, mailbox) }

// SetCommand says what the session does.
func (e *Entry) SetCommand(command string) { e.set(&e.in.Command, command) }

func (e *Entry) set(field *string, value string) {
	e.reg.mu.Lock()
	defer e.reg.mu.Unlock()
	if *field == value || e.elem == nil {
		return
	}
	*field = value
	e.reg.changed()
}

// Close ends the session's line. A second Close does nothing.
func (e *Entry) Close() {
	e.reg.mu.Lock()
	defer e.reg.mu.Unlock()
	if e.elem == nil {
		return
	}
	e.reg.entries.Remove(e.elem)
	e.elem = nil
	e.reg.changed()
}
