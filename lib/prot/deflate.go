package prot

import (
	"bytes"
	"sync"

	"github.com/klauspost/compress/flate"
)

// maxDict is how much of what was sent before is kept for the next block to
// refer to; the compressor itself keeps nothing between two writes.
const maxDict = 8 << 10

// Sizes of the buffer for compressed input: of one that waits for commands, and of
// one through which messages come.
const (
	minRaw = 1 << 10
	maxRaw = 32 << 10
)

// zPool holds the buffers that an answer is compressed into, to leave in one
// write.
var zPool = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// deflate is the DEFLATE layer, with a small buffer of its own for compressed
// input.
type deflate struct {
	c     *Conn
	z     inflater
	raw   []byte // compressed octets read: raw[pos:end]
	pos   int
	end   int
	ahead []byte // compressed octets that came before the layer was there

	first    byte // an octet that wait has decompressed
	hasFirst bool
	err      error // what ended the input for good
	dict     []byte
}

func newDeflate(c *Conn, ahead []byte) *deflate {
	return &deflate{c: c, raw: make([]byte, minRaw), ahead: ahead}
}

// wait returns when decompressed input is at hand; the caller has set the
// deadline. A flush that carries no octet does not end it.
func (d *deflate) wait() error {
	for !d.hasFirst {
		var one [1]byte
		if d.inflate(one[:]) == 1 {
			d.first, d.hasFirst = one[0], true
			return nil
		}
		if d.err != nil {
			return d.err
		}
		if err := d.fill(d.c.layer.Read); err != nil {
			return err
		}
	}
	return nil
}

func (d *deflate) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		n := 0
		if d.hasFirst {
			p[0], d.hasFirst, n = d.first, false, 1
		}
		if n += d.inflate(p[n:]); n > 0 {
			return n, nil
		}
		if d.err != nil {
			return 0, d.err
		}
		if err := d.fill(d.c.readLayer); err != nil {
			return 0, err
		}
	}
}

// inflate decompresses what is at hand into p.
func (d *deflate) inflate(p []byte) int {
	if d.err != nil {
		return 0
	}
	n, used, err := d.z.inflate(p, d.raw[d.pos:d.end])
	d.pos += used
	d.err = err
	return n
}

// fill reads compressed octets; all those before have been used.
func (d *deflate) fill(read func([]byte) (int, error)) error {
	d.pos, d.end = 0, 0
	if len(d.ahead) > 0 {
		d.end = copy(d.raw, d.ahead)
		d.ahead = d.ahead[d.end:]
		return nil
	}
	n, err := read(d.raw)
	d.end = n
	if n == len(d.raw) && n < maxRaw {
		// Much is coming in: a larger buffer for the next time.
		d.raw = append(make([]byte, 0, 2*n), d.raw...)[:2*n]
	}
	if n > 0 {
		return nil
	}
	return err
}

// write compresses p as one or more blocks that end on an octet's boundary.
func (d *deflate) write(p []byte) error {
	b := zPool.Get().(*bytes.Buffer)
	defer zPool.Put(b)
	b.Reset()
	if err := flate.StatelessDeflate(b, p, false, d.dict); err != nil {
		return err
	}
	if _, err := d.c.layer.Write(b.Bytes()); err != nil {
		return err
	}
	if len(p) >= maxDict {
		d.dict = append(d.dict[:0], p[len(p)-maxDict:]...)
		return nil
	}
	if over := len(d.dict) + len(p) - maxDict; over > 0 {
		d.dict = append(d.dict[:0], d.dict[over:]...)
	}
	d.dict = append(d.dict, p...)
	return nil
}
