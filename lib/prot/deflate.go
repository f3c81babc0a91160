package prot

import (
	"bytes"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
)

// maxDict is how much of what was sent before is kept for the next block to
// refer to; the compressor itself keeps nothing between two writes.
const maxDict = 8 << 10

// zPool holds the buffers that an answer is compressed into, to leave in one
// write.
var zPool = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// deflate is the DEFLATE layer: a decompressor fed by a small raw buffer of our
// own, so that waiting for input happens outside of it. flate.Reader keeps any
// error for ever, a timeout too.
type deflate struct {
	c     *Conn
	raw   []byte // compressed octets read: raw[pos:end]
	pos   int
	end   int
	r     io.ReadCloser
	more  bool // the last Read filled its buffer: flate may hold more
	ahead []byte
	dict  []byte
}

func newDeflate(c *Conn, ahead []byte) *deflate {
	d := &deflate{c: c, raw: make([]byte, 1<<10), ahead: ahead}
	d.r = flate.NewReader(d.source())
	return d
}

// source reads compressed octets for flate, one by one where it asks so:
// flate then never takes more than it needs.
func (d *deflate) source() flate.Reader { return (*rawReader)(d) }

type rawReader deflate

func (r *rawReader) fill() error {
	if r.pos < r.end {
		return nil
	}
	if len(r.ahead) > 0 {
		n := copy(r.raw, r.ahead)
		r.ahead = r.ahead[n:]
		r.pos, r.end = 0, n
		return nil
	}
	n, err := r.c.readLayer(r.raw)
	r.pos, r.end = 0, n
	if n > 0 {
		return nil
	}
	return err
}

func (r *rawReader) ReadByte() (byte, error) {
	if err := r.fill(); err != nil {
		return 0, err
	}
	b := r.raw[r.pos]
	r.pos++
	return b, nil
}

func (r *rawReader) Read(p []byte) (int, error) {
	if err := r.fill(); err != nil {
		return 0, err
	}
	n := copy(p, r.raw[r.pos:r.end])
	r.pos += n
	return n, nil
}

// wait returns when compressed input is at hand; the caller has set the
// deadline.
func (d *deflate) wait() error {
	if d.more || d.pos < d.end || len(d.ahead) > 0 {
		return nil
	}
	n, err := d.c.layer.Read(d.raw)
	d.pos, d.end = 0, n
	if n > 0 {
		return nil
	}
	return err
}

func (d *deflate) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	d.more = n == len(p)
	return n, err
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
