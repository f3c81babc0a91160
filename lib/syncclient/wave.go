package syncclient

import (
	"sync"
	"time"

	"gocyrus/lib/log"
	"gocyrus/lib/synclog"
)

// A batch is done when all its users are. One who takes long, because a hundred thousand
// messages have come at once, must not keep everybody else's mail waiting for that: after
// a while rolling replication goes on with the next log. What the slow ones were about
// goes back into the log, so that a crash does not lose it, and is left alone until they
// are through.

// slowAfter is when rolling replication goes on without the slow ones.
const slowAfter = 2 * time.Second

// maxSlow bounds the users that earlier batches still work on.
const maxSlow = 64

// slow is the users that earlier batches still work on; empty is the shared mailboxes.
type slow struct {
	mu    sync.Mutex
	users map[string]int
	idle  sync.WaitGroup
}

func (s *slow) busy(user string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.users[user] > 0
}

func (s *slow) none() bool { return s.len() == 0 }

func (s *slow) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.users)
}

func (s *slow) add(users []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users == nil {
		s.users = make(map[string]int)
	}
	for _, u := range users {
		s.users[u]++
	}
	s.idle.Add(1)
}

func (s *slow) remove(users []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range users {
		if s.users[u]--; s.users[u] <= 0 {
			delete(s.users, u)
		}
	}
	s.idle.Done()
}

// task is one thing of a batch that may take long.
type task struct {
	users []string       // whose locks it takes
	lines []synclog.Line // what it is about
	do    func(*run) error

	state taskState
}

type taskState int

const (
	waiting taskState = iota
	running
	done
)

// wave is tasks that are done beside each other.
type wave struct {
	r *run

	mu    sync.Mutex
	tasks []*task
	gone  bool // the batch went on without those that were not done
}

// forAllOrGoOn does tasks, many at a time, and returns when all are done or, in rolling
// replication, when those that are not are slow.
func (r *run) forAllOrGoOn(tasks []*task) {
	if r.over() || len(tasks) == 0 {
		return
	}
	w := &wave{r: r, tasks: tasks}
	ended := make(chan struct{})
	var err error
	go func() {
		defer close(ended)
		err = each(tasks, r.c.opt.Users, r.ends, w.one)
	}()
	var late <-chan time.Time
	if r.c.goesOn {
		t := time.NewTimer(r.c.slowAfter)
		defer t.Stop()
		late = t.C
	}
	for {
		select {
		case <-ended:
			if err != nil {
				r.broke(err)
			}
			return
		case <-late:
			if w.leave() {
				return
			}
			late = nil
		}
	}
}

// one does one task with a run of its own, whose results count unless they come too late.
func (w *wave) one(t *task) error {
	w.mu.Lock()
	if w.gone {
		w.mu.Unlock()
		return nil
	}
	t.state = running
	w.mu.Unlock()
	own := &run{c: w.r.c, ctx: w.r.ctx, gone: w.r.gone, promoted: make(map[string]bool)}
	err := t.do(own)
	w.mu.Lock()
	defer w.mu.Unlock()
	t.state = done
	if !w.gone {
		w.r.merge(own)
		return err
	}
	w.r.c.slow.remove(t.users)
	if own.failed != nil || err != nil {
		// Its lines are in the log, and it is tried again with them.
		log.Notice("SYNCNOTICE: slow replication failed: %v", firstError(own.failed, err))
	}
	return nil
}

// leave has the batch go on; false when too many are slow already.
func (w *wave) leave() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.r.c.slow.len() >= maxSlow {
		return false
	}
	w.gone = true
	for _, t := range w.tasks {
		if t.state == done {
			continue
		}
		w.r.put(nil, t.lines...)
		if t.state == running {
			w.r.c.slow.add(t.users)
		}
	}
	return true
}

// merge takes over the results of a run.
func (r *run) merge(own *run) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for u := range own.promoted {
		r.promoted[u] = true
	}
	r.metas = append(r.metas, own.metas...)
	r.left.Deferred = append(r.left.Deferred, own.left.Deferred...)
	r.left.Failed = append(r.left.Failed, own.left.Failed...)
	if r.failed == nil {
		r.failed = own.failed
	}
	if r.broken == nil {
		r.broken = own.broken
	}
}
