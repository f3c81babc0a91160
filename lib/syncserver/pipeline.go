package syncserver

import (
	"context"
	"runtime/debug"
	"sync"

	"gocyrus/lib/csync"
	"gocyrus/lib/log"
	"gocyrus/lib/prot"
)

// A pipeline carries out what a master sends without waiting for answers: while a
// command waits for the disk, the next are read, their messages staged, and those
// that concern other users carried out. Answers leave in the order of the
// commands, and of two commands about one user the second begins when the first is
// done.
type pipeline struct {
	ctx   context.Context
	sync  *Session
	out   *prot.Conn
	queue chan *job     // to the writer
	ended chan struct{} // the writer
	slots chan struct{} // of commands being carried out

	// Of the reader alone.
	last map[string]chan struct{} // by user: when the last command about it is done
	all  chan struct{}            // when the last one that concerns everybody is

	mu     sync.Mutex
	room   *sync.Cond
	held   int64 // octets of commands not yet answered
	number int   // of them
	err    error // of writing
}

const (
	// maxAhead is how many commands may wait for their answer.
	maxAhead = 256
	// maxParallel is how many are carried out at once: enough to keep a disk
	// busy that takes several syncs together.
	maxParallel = 8
	// maxAheadSize bounds the memory of commands that wait, in octets; one may be
	// larger when it is alone.
	maxAheadSize = 64 << 20
)

// job is one command on its way.
type job struct {
	cmd    *csync.Command
	deps   []chan struct{}
	done   chan struct{}
	answer *Answer
	size   int64
}

func newPipeline(ctx context.Context, s *Session, out *prot.Conn) *pipeline {
	p := &pipeline{ctx: ctx, sync: s, out: out, queue: make(chan *job, maxAhead), ended: make(chan struct{}), slots: make(chan struct{}, maxParallel), last: map[string]chan struct{}{}}
	p.room = sync.NewCond(&p.mu)
	go p.write()
	return p
}

// submit starts a command. It waits while too much is under way. The error is that
// of writing.
func (p *pipeline) submit(cmd *csync.Command) error {
	j := &job{cmd: cmd, done: make(chan struct{}), size: int64(len(cmd.Value))}
	if err := p.admit(j.size); err != nil {
		return err
	}
	p.order(j)
	p.queue <- j
	go p.run(j)
	return nil
}

// admit waits until there is room.
func (p *pipeline) admit(size int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.err == nil && p.number > 0 && p.held+size > maxAheadSize {
		p.room.Wait()
	}
	if p.err != nil {
		return p.err
	}
	p.number++
	p.held += size
	return nil
}

// order says what j has to wait for.
func (p *pipeline) order(j *job) {
	users, everybody := concerns(j.cmd)
	if everybody {
		for _, d := range p.last {
			j.deps = append(j.deps, d)
		}
		clear(p.last)
	}
	if p.all != nil {
		j.deps = append(j.deps, p.all)
	}
	if everybody {
		p.all = j.done
		return
	}
	if len(p.last) > maxAhead {
		p.prune()
	}
	for _, u := range users {
		if d := p.last[u]; d != nil && d != j.done {
			j.deps = append(j.deps, d)
		}
		p.last[u] = j.done
	}
}

// prune forgets commands that are done.
func (p *pipeline) prune() {
	for u, d := range p.last {
		select {
		case <-d:
			delete(p.last, u)
		default:
		}
	}
}

// run carries a command out in its turn.
func (p *pipeline) run(j *job) {
	defer close(j.done)
	for _, d := range j.deps {
		<-d
	}
	p.slots <- struct{}{}
	defer func() { <-p.slots }()
	defer func() {
		if r := recover(); r != nil {
			log.Crit("panic in %s %s: %v\n%s", j.cmd.Verb, j.cmd.Name, r, debug.Stack())
			j.answer = &Answer{Err: csync.ErrUnknown}
		}
	}()
	j.answer = p.sync.Do(p.ctx, j.cmd)
	j.cmd.Value = nil
}

// write writes the answers, and flushes when the next is not there yet.
func (p *pipeline) write() {
	defer close(p.ended)
	for {
		j, ok := p.next()
		if !ok {
			return
		}
		select {
		case <-j.done:
		default:
			p.failed(p.out.Flush())
			<-j.done
		}
		if j.answer != nil {
			p.failed(p.send(j.answer))
			j.answer.Close()
		}
		p.answered(j)
	}
}

func (p *pipeline) next() (*job, bool) {
	select {
	case j, ok := <-p.queue:
		return j, ok
	default:
		p.failed(p.out.Flush())
		j, ok := <-p.queue
		return j, ok
	}
}

func (p *pipeline) send(a *Answer) error {
	// An answer that was broken off in the middle is nothing to a client.
	if a.Err == nil {
		if err := a.WriteTo(p.out); err != nil {
			return err
		}
	}
	_, err := p.out.WriteString(a.Words() + "\r\n")
	return err
}

// failed takes note of an error of writing: the client is gone, or reads nothing.
// Then the reader is to end too.
func (p *pipeline) failed(err error) {
	if err == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
		p.out.Socket().Close()
		p.room.Broadcast()
	}
}

func (p *pipeline) answered(j *job) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if j.answer != nil {
		p.number--
		p.held -= j.size
	}
	p.room.Broadcast()
}

// busy says whether something is under way.
func (p *pipeline) busy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.number > 0
}

// drain waits until all is answered.
func (p *pipeline) drain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.number > 0 {
		p.room.Wait()
	}
}

// close ends the pipeline when all is answered and flushed; the reader calls it.
func (p *pipeline) close() {
	close(p.queue)
	<-p.ended
}
