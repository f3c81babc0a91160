// Package spool holds a message that is coming in from a peer, before it is
// anyone's: normalised, hashed, on disk in the stage directory of a partition
// and parsed.
//
// A small message stays in memory until it is complete and reaches its file by
// one write; a large one goes to the file as it comes and is mapped for
// parsing. Nothing here is durable by itself: package stage links the file into
// mailboxes and says when to Sync.
//
// What is made of line ends, NULs and 8-bit header fields depends on the way in,
// and is what Cyrus 3.10 does: see LMTP and Append. A file whose Write or Finish
// failed can only be closed.
package spool

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/lib/config"
	"gocyrus/lib/mappedfile"
	"gocyrus/lib/message"
)

// Mode is the way a message comes in.
type Mode int

const (
	// LMTP takes the text of an SMTP or LMTP DATA command, dots unstuffed. Line
	// ends become CRLF: in the header a lone CR or LF is one, in the body a lone
	// LF is and a lone CR is dropped. The header must be made of fields; a
	// Return-Path in it goes, since delivery prepends its own.
	LMTP Mode = iota
	// Append takes the literal of an IMAP APPEND as it is, and refuses what a
	// mailbox must not hold.
	Append
)

// The reasons to refuse a message. What a client is told of them is the
// protocol engine's affair.
var (
	ErrNUL       = errors.New("message contains NUL characters")
	ErrBareLF    = errors.New("message contains bare newlines")
	ErrBadHeader = errors.New("message contains invalid header")
	Err8Bit      = errors.New("message contains non-ASCII characters in headers")
	ErrEmpty     = errors.New("message is empty")
	ErrTooBig    = errors.New("message is too large")
)

// Options are the settings of the way in.
type Options struct {
	Reject8Bit bool  // reject8bit: 8-bit octets in the header are Err8Bit
	Munge8Bit  bool  // munge8bit: they become "X"
	MaxSize    int64 // octets; 0 is no limit but that of the index, 4 GiB
	Memory     int   // a message up to this size is held in memory; 0 is 1 MiB
	// Binary is for an APPEND of a literal8: NULs and bare newlines may be in
	// parts with Content-Transfer-Encoding: binary (RFC 3516 section 4.4), which
	// are stored as base64.
	Binary bool
	// Missing gives header lines to add at the end of a header in LMTP mode; it
	// is told whether there are a Message-ID and a Date. May be nil.
	Missing func(messageID, date bool) []byte
	Parse   message.Options
}

// OptionsFrom reads the settings of imapd.conf. The maximum is that of the
// option maxmessagesize.
func OptionsFrom(cfg *config.Config) Options {
	return Options{
		Reject8Bit: cfg.Bool("reject8bit"),
		Munge8Bit:  cfg.Bool("munge8bit"),
		MaxSize:    cfg.Bytes("maxmessagesize"),
		Parse:      message.OptionsFrom(cfg),
	}
}

const (
	defaultMemory = 1 << 20
	// flushSize is the size of the writes of a large message.
	flushSize = 256 << 10
	// indexLimit is the largest size an index record can hold.
	indexLimit = 1<<32 - 1
)

// File is a message coming in. It is not safe for concurrent use.
type File struct {
	dir    string
	opts   Options
	filter filter
	name   string
	file   *os.File
	buf    []byte // what is not in the file yet
	data   []byte // all of it, once finished
	mapped bool
	sha    hash.Hash // of what is in the file; nil while all is in buf
	size   int64     // octets in the file
	err    error
	done   bool
	parked bool // the file is closed, and is there
}

// filter checks and normalises: next appends to dst what is stored for src, end
// what remains.
type filter interface {
	next(dst, src []byte) ([]byte, error)
	end(dst []byte) ([]byte, error)
}

// buffers are reused between messages.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// New starts a message in the stage directory dir of a partition, which is made
// if it is missing. Nothing touches the disk before the message is complete or
// outgrows memory.
func New(dir string, mode Mode, opts Options) *File {
	if opts.Memory == 0 {
		opts.Memory = defaultMemory
	}
	if opts.MaxSize <= 0 || opts.MaxSize > indexLimit {
		opts.MaxSize = indexLimit
	}
	f := &File{dir: dir, opts: opts, buf: (*buffers.Get().(*[]byte))[:0]}
	if mode == LMTP {
		f.filter = &lmtpFilter{opts: &f.opts}
	} else {
		f.filter = &appendFilter{opts: &f.opts}
	}
	return f
}

// Prepend adds header lines before the message: Return-Path, Received and the
// like, with CRLF. They are stored as they are. It must come before Write.
func (f *File) Prepend(lines []byte) { f.buf = append(f.buf, lines...) }

// AllowBinary is Options.Binary from here on: a part of the message is a literal8.
func (f *File) AllowBinary() { f.opts.Binary = true }

// Write takes the next octets of the message.
func (f *File) Write(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	taken := len(p)
	for len(p) > 0 {
		piece := p[:min(len(p), flushSize)] // bounds what the buffer grows by
		p = p[len(piece):]
		if f.buf, f.err = f.filter.next(f.buf, piece); f.err != nil {
			return 0, f.err
		}
		if f.err = f.overflow(); f.err != nil {
			return 0, f.err
		}
	}
	return taken, nil
}

// overflow checks the size and moves a message that outgrows memory to its file.
func (f *File) overflow() error {
	if f.size+int64(len(f.buf)) > f.opts.MaxSize {
		return fmt.Errorf("more than %d octets: %w", f.opts.MaxSize, ErrTooBig)
	}
	if f.file == nil && len(f.buf) <= f.opts.Memory || f.file != nil && len(f.buf) < flushSize {
		return nil
	}
	if f.sha == nil {
		f.sha = sha1.New()
	}
	return f.flush()
}

// flush writes the buffer to the file.
func (f *File) flush() error {
	if f.file == nil {
		if err := f.create(); err != nil {
			return err
		}
	}
	n, err := f.file.Write(f.buf)
	f.size += int64(n)
	if err != nil {
		return err
	}
	if f.sha != nil {
		f.sha.Write(f.buf)
		f.buf = f.buf[:0]
	}
	return nil
}

// sequence numbers the files of this process.
var sequence atomic.Uint64

// create makes the file, named as Cyrus names them: process, time, number.
func (f *File) create() error {
	prefix := strconv.Itoa(os.Getpid()) + "-" + strconv.FormatInt(time.Now().Unix(), 10) + "-"
	for made := false; ; {
		name := filepath.Join(f.dir, prefix+strconv.FormatUint(sequence.Add(1), 10))
		file, err := mappedfile.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		switch {
		case err == nil:
			f.file, f.name = file, name
			return nil
		case errors.Is(err, os.ErrExist):
			// Left by a process of the same number: take the next.
		case errors.Is(err, os.ErrNotExist) && !made:
			if err := os.MkdirAll(f.dir, 0o755); err != nil {
				return err
			}
			made = true
		default:
			return err
		}
	}
}

// Finish ends the message, writes what is not yet in its file, and parses it.
func (f *File) Finish() (*message.Message, error) {
	if f.err != nil || f.done {
		return nil, f.err
	}
	m, err := f.finish()
	if f.err = err; err != nil {
		return nil, err
	}
	f.done = true
	return m, nil
}

func (f *File) finish() (m *message.Message, err error) {
	if f.buf, err = f.filter.end(f.buf); err != nil {
		return nil, err
	}
	if f.size+int64(len(f.buf)) > f.opts.MaxSize {
		return nil, fmt.Errorf("more than %d octets: %w", f.opts.MaxSize, ErrTooBig)
	}
	if f.size == 0 && len(f.buf) == 0 {
		return nil, ErrEmpty
	}
	if f.opts.Binary {
		if err := f.encodeBinary(); err != nil {
			return nil, err
		}
	}
	if err := f.flush(); err != nil {
		return nil, err
	}
	opts := f.opts.Parse
	if f.sha == nil {
		f.data = f.buf
	} else {
		if f.data, err = unix.Mmap(int(f.file.Fd()), 0, int(f.size), unix.PROT_READ, unix.MAP_SHARED); err != nil {
			return nil, os.NewSyscallError("mmap", err)
		}
		f.mapped = true
		opts.GUID = (*[20]byte)(f.sha.Sum(nil))
	}
	return message.Parse(f.data, opts)
}

// Name is the path of the file once Finish has returned, to be linked from.
func (f *File) Name() string { return f.name }

// Bytes is the message once Finish has returned, until Close. It must not be
// changed.
func (f *File) Bytes() []byte { return f.data }

// Sync makes the octets of the file durable, not its name: it will be linked
// under another.
func (f *File) Sync() error {
	switch {
	case f.parked:
		file, err := os.Open(f.name)
		if err != nil {
			return err
		}
		return errors.Join(file.Sync(), file.Close())
	case f.file == nil:
		return nil
	}
	return f.file.Sync()
}

// Park gives back what a message that is complete holds: its memory, and the open
// file. It is for who has many before the first is stored. Bytes are no more; m, which
// Finish returned, keeps what it has of them.
func (f *File) Park(m *message.Message) error {
	if !f.done || f.parked || f.file == nil {
		return f.err
	}
	m.Detach()
	err := errors.Join(f.release(), f.file.Close())
	f.file, f.parked = nil, true
	return err
}

// release gives the memory back.
func (f *File) release() (err error) {
	if f.mapped {
		err = os.NewSyscallError("munmap", unix.Munmap(f.data))
	}
	if f.buf != nil && cap(f.buf) <= defaultMemory+flushSize {
		b := f.buf[:0]
		buffers.Put(&b)
	}
	f.buf, f.data, f.mapped = nil, nil, false
	return err
}

// Close removes the file. Links made of it stay.
func (f *File) Close() error {
	errs := [3]error{f.release()}
	if f.file != nil {
		errs[1] = f.file.Close()
	}
	if f.file != nil || f.parked {
		errs[2] = os.Remove(f.name)
	}
	f.file, f.parked = nil, false
	if f.err == nil {
		f.err = os.ErrClosed
	}
	return errors.Join(errs[:]...)
}
