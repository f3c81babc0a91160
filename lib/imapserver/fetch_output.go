package imapserver

import (
	"sync"

	"gocyrus/lib/mailbox"
	"gocyrus/lib/prot"
)

const (
	// batchSize is how much of an answer is made up before the mailbox is let
	// go and the client written to.
	batchSize = 64 << 10
	// directSize is the size of a literal that is sent from the mapped file
	// rather than copied.
	directSize = 32 << 10
	// maxHeld bounds the mapped files of one batch.
	maxHeld = 64
)

// output gathers a part of an answer while the mailbox is locked, to be written
// when it is not: a client that does not read holds up nobody else. Large
// literals stay in their mapped files.
type output struct {
	buf  []byte
	cuts []cut
	size int // octets of cuts
	held []*mailbox.Message
}

// cut is octets that belong at a place in the buffer.
type cut struct {
	at   int
	data []byte
}

// full says whether it is time to write.
func (o *output) full() bool {
	return len(o.buf) >= batchSize || o.size >= 4*batchSize || len(o.held) >= maxHeld
}

// literal appends the octets of a literal, after its announcement; data may be
// part of a message that is held.
func (o *output) literal(data []byte, mapped bool) {
	if !mapped || len(data) < directSize {
		o.buf = append(o.buf, data...)
		return
	}
	o.cuts = append(o.cuts, cut{len(o.buf), data})
	o.size += len(data)
}

// hold keeps m open until the output has been written.
func (o *output) hold(m *mailbox.Message) { o.held = append(o.held, m) }

// flush hands everything to c and starts anew.
func (o *output) flush(c *prot.Conn) error {
	from := 0
	var err error
	for _, cut := range o.cuts {
		if err = write(c, o.buf[from:cut.at], err); err == nil {
			err = c.WriteLarge(cut.data)
		}
		from = cut.at
	}
	err = write(c, o.buf[from:], err)
	o.drop()
	return err
}

func write(c *prot.Conn, p []byte, err error) error {
	if err == nil && len(p) > 0 {
		_, err = c.Write(p)
	}
	return err
}

// drop forgets what was gathered.
func (o *output) drop() {
	for _, m := range o.held {
		m.Close()
	}
	clear(o.cuts)
	o.buf, o.cuts, o.held, o.size = o.buf[:0], o.cuts[:0], o.held[:0], 0
}

var outputs = sync.Pool{New: func() any { return new(output) }}

// release drops what was not written and gives o back.
func (o *output) release() {
	o.drop()
	if cap(o.buf) <= 4*batchSize {
		outputs.Put(o)
	}
}
