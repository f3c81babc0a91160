package mailbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"gocyrus/lib/indexfile"
)

// A Message is the file of a message, to be read.
type Message struct {
	b      []byte
	buf    *[]byte // of the pool, when b was read
	mapped bool
}

// maxRead is up to which size a message is read rather than mapped: below, the
// system calls and page faults of a map cost more than the copy.
const maxRead = 64 << 10

var buffers = sync.Pool{New: func() any { b := make([]byte, maxRead); return &b }}

// OpenMessage opens the file of r. It may be kept after the view. The error is
// ErrGone when there is no file, or one of the file system.
func (m *Mailbox) OpenMessage(v *View, r indexfile.Raw) (*Message, error) {
	return m.OpenFile(r.UID(), r.Flags()&indexfile.Archived != 0)
}

// OpenFile is OpenMessage for who is not in a View.
func (m *Mailbox) OpenFile(uid uint32, archived bool) (*Message, error) {
	path := m.paths.message(uid, archived)
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		if errors.Is(err, unix.ENOENT) {
			return nil, fmt.Errorf("%s: uid %d: %w", m.Name(), uid, ErrGone)
		}
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	msg, err := readMessage(fd)
	// Nothing was written through it.
	_ = unix.Close(fd)
	if err != nil {
		return nil, &os.PathError{Op: "read", Path: path, Err: err}
	}
	return msg, nil
}

func readMessage(fd int) (*Message, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	if st.Size > maxRead {
		b, err := unix.Mmap(fd, 0, int(st.Size), unix.PROT_READ, unix.MAP_SHARED)
		if err != nil {
			return nil, err
		}
		return &Message{b: b, mapped: true}, nil
	}
	buf := buffers.Get().(*[]byte)
	msg := &Message{b: (*buf)[:st.Size], buf: buf}
	for n := 0; n < len(msg.b); {
		k, err := unix.Pread(fd, msg.b[n:], int64(n))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			msg.Close()
			return nil, err
		case k == 0:
			msg.Close()
			return nil, io.ErrUnexpectedEOF
		}
		n += max(k, 0)
	}
	return msg, nil
}

// Bytes is the content, good until Close.
func (msg *Message) Bytes() []byte { return msg.b }

// Close gives the memory back.
func (msg *Message) Close() {
	switch {
	case msg.mapped:
		// Fails only for an address that was never mapped.
		_ = unix.Munmap(msg.b)
	case msg.buf != nil:
		buffers.Put(msg.buf)
	}
	*msg = Message{}
}
