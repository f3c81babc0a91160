package smtpwire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"sync"
)

// ErrLong is the error of a line over its bound. The line has been passed over.
var ErrLong = errors.New("line too long")

// bufferSize is how much is read at once: DATA comes in such pieces.
const bufferSize = 64 << 10

var buffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, bufferSize) }}

// Reader reads lines, and text that ends with a dot. It holds a buffer only
// while there is something in it.
type Reader struct {
	src io.Reader
	buf *bufio.Reader
}

// NewReader returns a reader of src.
func NewReader(src io.Reader) *Reader { return &Reader{src: src} }

// Buffered is how many octets can be read without asking the source.
func (r *Reader) Buffered() int {
	if r.buf == nil {
		return 0
	}
	return r.buf.Buffered()
}

// Drop forgets what was read from the source and not used.
func (r *Reader) Drop() {
	if r.buf != nil {
		r.buf.Reset(nil)
		buffers.Put(r.buf)
		r.buf = nil
	}
}

// Taken is what was read from the source and not used, taken out of the reader: for
// whoever reads the source from now on.
func (r *Reader) Taken() []byte {
	if r.Buffered() == 0 {
		return nil
	}
	b, _ := r.buf.Peek(r.buf.Buffered())
	b = bytes.Clone(b)
	r.Drop()
	return b
}

// Release gives the buffer back if it is empty.
func (r *Reader) Release() {
	if r.Buffered() == 0 {
		r.Drop()
	}
}

func (r *Reader) reader() *bufio.Reader {
	if r.buf == nil {
		r.buf = buffers.Get().(*bufio.Reader)
		r.buf.Reset(r.src)
	}
	return r.buf
}

// Line reads a line of at most max octets and returns it without its end, good
// until the next read. The error is ErrLong or the source's.
func (r *Reader) Line(max int) ([]byte, error) {
	b := r.reader()
	line, err := b.ReadSlice('\n')
	long := errors.Is(err, bufio.ErrBufferFull) || len(line) > max
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = b.ReadSlice('\n')
	}
	if err != nil {
		return nil, err
	}
	if long {
		return nil, ErrLong
	}
	line = line[:len(line)-1]
	return bytes.TrimSuffix(line, []byte("\r")), nil
}

// WriteError is the error of Text when all was read and the writer failed.
type WriteError struct{ Err error }

func (e *WriteError) Error() string { return e.Err.Error() }
func (e *WriteError) Unwrap() error { return e.Err }

// Text copies text to w up to a line that is a dot and CRLF, which is passed
// over, and takes away the dot that stands before each line that began with one
// (RFC 5321 section 4.5.2). n is the length of the text in octets. An error of w
// does not stop the reading: the stream stays in step, and the error is returned
// at the end in a WriteError; any other error is the source's. A line begins
// after CRLF alone: a server that takes the dot after a bare LF, or before one,
// for the end takes commands out of a body (CVE-2023-51764), as Cyrus 3.10 does.
func (r *Reader) Text(w io.Writer) (n int64, err error) {
	t := texter{r: r.reader(), w: w}
	// The first line has no CRLF before it.
	if err := t.dot(); err != nil {
		return t.n, err
	}
	for !t.over {
		if err := t.piece(); err != nil {
			return t.n, err
		}
	}
	if t.werr != nil {
		return t.n, &WriteError{t.werr}
	}
	return t.n, nil
}

// texter is one text under way. Its methods return the source's errors.
type texter struct {
	r    *bufio.Reader
	w    io.Writer
	n    int64
	werr error
	cr   bool // the last octet read was a CR
	over bool
}

func (t *texter) write(b []byte) {
	t.n += int64(len(b))
	if t.werr == nil && len(b) > 0 {
		_, t.werr = t.w.Write(b)
	}
}

// piece copies what is at hand up to the start of a line with a dot.
func (t *texter) piece() error {
	if _, err := t.r.Peek(1); err != nil {
		return unexpected(err)
	}
	b, _ := t.r.Peek(t.r.Buffered())
	n, end := len(b), false
	switch i := bytes.Index(b, []byte("\r\n.")); {
	case t.cr && b[0] == '\n': // the line end was cut in two
		n, end = 1, true
	case i >= 0:
		n, end = i+2, true
	default:
		end = bytes.HasSuffix(b, []byte("\r\n"))
	}
	t.cr = b[n-1] == '\r'
	t.write(b[:n])
	t.r.Discard(n)
	if end {
		return t.dot()
	}
	return nil
}

// dot looks at the start of a line.
func (t *texter) dot() error {
	b, err := t.r.Peek(1)
	if err != nil {
		return unexpected(err)
	}
	if b[0] != '.' {
		return nil
	}
	// At most two octets more say what the dot is for. The peer has to send
	// them: a text cannot end here.
	if b, err = t.r.Peek(2); err != nil {
		return unexpected(err)
	}
	if b[1] == '\r' {
		if b, err = t.r.Peek(3); err != nil {
			return unexpected(err)
		}
		if b[2] == '\n' {
			t.over = true
			t.r.Discard(3)
			return nil
		}
	}
	t.r.Discard(1)
	return nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
