package syncclient

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"gocyrus/lib/csync"
	"gocyrus/lib/guid"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
)

// Bounds of one MESSAGE command. The number of files is Cyrus's; octets are bounded
// because other users' requests wait behind.
const (
	maxChunkFiles = 1024
	maxChunkBytes = 1 << 20
	// maxReserve is how many GUIDs Cyrus asks for at once.
	maxReserve = 8192
)

// errUnsent is a message that could not be read, or is not what the index says.
var errUnsent = errors.New("message file is missing or damaged")

// chunk is one MESSAGE command under way, or done.
type chunk struct {
	inLine chan struct{} // closed when what is sent next comes after it, or it will not be sent
	done   chan struct{}
	err    error                  // set when done is closed
	unsent map[guid.GUID]struct{} // likewise
}

func newChunk() *chunk { return &chunk{inLine: make(chan struct{}), done: make(chan struct{})} }

// claim makes a message the business of a chunk, unless the replica has it at hand
// or another chunk brings it: then that one, nil when it is done, and false.
func (s *session) claim(k stagedKey, by *chunk, size int64) (*chunk, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if have, ok := s.staged[k]; ok {
		return have, false
	}
	s.staged[k] = by
	s.bytes += size
	return by, true
}

// stager sends the messages of one mailbox.
type stager struct {
	c         *Client
	s         *session
	box       *openBox
	partition string

	now   *chunk // is being filled
	files []csync.Upload
	size  int64

	chunks []*chunk // to wait for
}

// stage sees to it that the replica has messages at hand, or will have when it has
// read the chunks, which are those to wait for, with an error too. They may be another
// mailbox's, and not be sent yet.
func (s *session) stage(ctx context.Context, c *Client, e *mboxlist.Entry, partition string, list []message) ([]*chunk, error) {
	if len(list) == 0 {
		return nil, nil
	}
	box, err := c.site.Mailboxes.Open(ctx, e)
	if err != nil {
		return nil, boxError(e, err)
	}
	st := &stager{c: c, s: s, box: &openBox{box: box}, partition: partition, now: newChunk()}
	st.box.keep()
	defer st.box.drop()
	for _, m := range list {
		if st.add(m); len(st.files) == maxChunkFiles || st.size >= maxChunkBytes {
			if err := st.send(ctx); err != nil {
				return st.chunks, err
			}
		}
	}
	err = st.send(ctx)
	return st.chunks, err
}

// add puts a message into the present chunk, unless the replica has it at hand or
// another chunk brings it.
func (st *stager) add(m message) {
	k := stagedKey{st.partition, m.guid}
	if earlier, mine := st.s.claim(k, st.now, int64(m.size)); !mine {
		if earlier != nil {
			st.await(earlier)
		}
		return
	}
	st.await(st.now)
	st.files = append(st.files, csync.Upload{
		FileLiteral: csync.FileLiteral{Partition: st.partition, GUID: m.guid, Size: m.size},
		Open:        func() ([]byte, func(), error) { return st.box.read(m) },
	})
	st.size += int64(m.size)
}

func (st *stager) await(ch *chunk) {
	if n := len(st.chunks); n == 0 || st.chunks[n-1] != ch {
		st.chunks = append(st.chunks, ch)
	}
}

// send sends the present chunk as soon as there is room on the line.
func (st *stager) send(ctx context.Context) error {
	ch, files, size := st.now, st.files, st.size
	if len(files) == 0 {
		return nil
	}
	st.now, st.files, st.size = newChunk(), nil, 0
	// A file takes some room of its own, be it empty.
	n, err := st.c.bytes.take(ctx, size+int64(len(files))*256)
	if err != nil {
		close(ch.inLine)
		st.s.settle(ch, files, nil, err)
		return err
	}
	st.box.keep()
	p := st.s.c.Start(csync.NewUpload(files))
	close(ch.inLine)
	go func() {
		defer st.box.drop()
		// It is in the hands of the connection, which ends it one way or the other.
		a, err := p.Wait(context.WithoutCancel(ctx))
		st.c.bytes.give(n)
		var unsent []guid.GUID
		if a != nil {
			unsent = a.NotSent
		}
		st.s.settle(ch, files, unsent, err)
		if err == nil {
			st.c.report.Count(0, len(files)-len(unsent), size)
		}
	}()
	return nil
}

// openBox is a mailbox that stays open while its files are on their way.
type openBox struct {
	box   *mailbox.Mailbox
	users atomic.Int64
}

func (b *openBox) keep() { b.users.Add(1) }

func (b *openBox) drop() {
	if b.users.Add(-1) == 0 {
		b.box.Close()
	}
}

func (b *openBox) read(m message) ([]byte, func(), error) {
	f, err := b.box.OpenFile(m.uid, m.archived)
	if err != nil {
		return nil, nil, err
	}
	return f.Bytes(), f.Close, nil
}

// settle ends a chunk: what it did not bring is nobody's business again.
func (s *session) settle(ch *chunk, files []csync.Upload, unsent []guid.GUID, err error) {
	ch.err = err
	ch.unsent = make(map[guid.GUID]struct{}, len(unsent))
	for _, g := range unsent {
		ch.unsent[g] = struct{}{}
	}
	s.mu.Lock()
	for _, f := range files {
		k := stagedKey{f.Partition, f.GUID}
		if s.staged[k] != ch {
			continue
		}
		if _, gone := ch.unsent[f.GUID]; gone || err != nil {
			delete(s.staged, k)
		} else {
			s.staged[k] = nil
		}
	}
	s.mu.Unlock()
	close(ch.done)
}

// waitInLine waits until what is sent next comes after chunks.
func waitInLine(ctx context.Context, chunks []*chunk) error {
	for _, ch := range chunks {
		select {
		case <-ch.inLine:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// waitChunks waits for chunks; the error is errUnsent when one could not send something.
func waitChunks(ctx context.Context, chunks []*chunk) error {
	for _, ch := range chunks {
		select {
		case <-ch.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if ch.err != nil {
			return fmt.Errorf("APPLY MESSAGE: %w", ch.err)
		}
		for g := range ch.unsent {
			return fmt.Errorf("%s: %w", g, errUnsent)
		}
	}
	return nil
}
