package mailbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/mappedfile"
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
	return m.openIn(v, r, func(fd int) (*Message, error) { return readSized(fd, r.Size()) })
}

// OpenHeader is OpenMessage for who needs no more than the header: the Message
// has the octets that r counts as header, fewer when the file ends before.
func (m *Mailbox) OpenHeader(v *View, r indexfile.Raw) (*Message, error) {
	return m.openIn(v, r, func(fd int) (*Message, error) {
		if r.HeaderSize() > maxRead {
			return readMessage(fd)
		}
		return readStart(fd, int(r.HeaderSize()))
	})
}

// openIn reads the file of r, found from the directory of the mailbox: most of
// what it costs to open a small file is the way there. The view keeps that
// directory open.
func (m *Mailbox) openIn(_ *View, r indexfile.Raw, read func(fd int) (*Message, error)) (*Message, error) {
	archived := r.Flags()&indexfile.Archived != 0
	path := func() string { return m.paths.message(r.UID(), archived) }
	if archived && m.paths.archive != "" {
		return m.readAt(unix.AT_FDCWD, path(), path, read)
	}
	dir, err := m.dataDir()
	if err != nil {
		if errors.Is(err, unix.ENOENT) {
			return nil, fmt.Errorf("%s: uid %d: %w", m.Name(), r.UID(), ErrGone)
		}
		return nil, err
	}
	var name [11]byte
	file := append(strconv.AppendUint(name[:0], uint64(r.UID()), 10), '.')
	return m.readAt(dir, string(file), path, read)
}

// OpenFile is OpenMessage for who is not in a View.
func (m *Mailbox) OpenFile(uid uint32, archived bool) (*Message, error) {
	path := m.paths.message(uid, archived)
	return m.readAt(unix.AT_FDCWD, path, func() string { return path }, readMessage)
}

// readAt reads the file of a name in dir; path is for what goes wrong.
func (m *Mailbox) readAt(dir int, name string, path func() string, read func(fd int) (*Message, error)) (*Message, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		if errors.Is(err, unix.ENOENT) {
			return nil, fmt.Errorf("%s: %s: %w", m.Name(), name, ErrGone)
		}
		return nil, &os.PathError{Op: "open", Path: path(), Err: err}
	}
	msg, err := read(fd)
	// Nothing was written through it.
	_ = unix.Close(fd)
	if err != nil {
		return nil, &os.PathError{Op: "read", Path: path(), Err: err}
	}
	return msg, nil
}

// dataDir is the directory of the messages, kept open until the mailbox is put
// to rest. The caller holds the index lock, in either mode.
func (m *Mailbox) dataDir() (fd int, err error) {
	m.turn <- struct{}{}
	defer func() { <-m.turn }()
	if m.dir == nil {
		if m.dir, err = openDir(m.paths.data); err != nil {
			return -1, err
		}
	}
	return int(m.dir.Fd()), nil
}

func openDir(path string) (*os.File, error) {
	return mappedfile.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY, 0)
}

// readSized reads a file that should have size octets, in one go; one that has
// not is read as it is.
func readSized(fd int, size uint32) (*Message, error) {
	if size >= maxRead {
		return readMessage(fd)
	}
	buf := buffers.Get().(*[]byte)
	// An octet more is asked for, which tells that there is none.
	n, err := unix.Pread(fd, (*buf)[:size+1], 0)
	if err != nil || n != int(size) {
		buffers.Put(buf)
		return readMessage(fd)
	}
	return &Message{b: (*buf)[:n], buf: buf}, nil
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
	msg, err := readStart(fd, int(st.Size))
	if err == nil && len(msg.b) < int(st.Size) {
		msg.Close()
		return nil, io.ErrUnexpectedEOF
	}
	return msg, err
}

// readStart reads the first size octets, at most maxRead, or as many as there are.
func readStart(fd, size int) (*Message, error) {
	buf := buffers.Get().(*[]byte)
	n := 0
	for n < size {
		k, err := unix.Pread(fd, (*buf)[n:size], int64(n))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			buffers.Put(buf)
			return nil, err
		}
		if k == 0 {
			break
		}
		n += k
	}
	return &Message{b: (*buf)[:n], buf: buf}, nil
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
