package mailbox

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/message"
)

// known puts into r what is known of the message's content, and returns its
// cache, nil when there is none.
func (a *Append) known(r *indexfile.Record) (cache []byte) {
	switch {
	case a.From != nil:
		s := &a.From.Record
		r.Size, r.HeaderSize, r.GUID = s.Size, s.HeaderSize, s.GUID
		r.SentDate, r.GMTime, r.CacheVersion, r.CacheCRC = s.SentDate, s.GMTime, s.CacheVersion, s.CacheCRC
		return a.From.Cache
	case a.Message != nil:
		p := a.Message
		r.Size, r.HeaderSize, r.GUID = p.Size, p.HeaderSize, p.GUID
		r.SentDate, r.GMTime, r.CacheVersion, r.CacheCRC = p.SentDate, p.GMTime, message.CacheVersion, p.CacheCRC
		return p.Cache
	default:
		return nil
	}
}

// dated gives a message without a date that of its arrival.
func dated(r *indexfile.Record) {
	if r.GMTime == 0 {
		r.GMTime = r.InternalDate
	}
	if r.SentDate == 0 {
		t := time.Unix(int64(r.InternalDate), 0)
		r.SentDate = uint32(time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.Local).Unix())
	}
}

// content is the record of x but for flag slots and the place of its cache, and
// the cache. A message that nobody has parsed is read.
func (s *Store) content(x *Exact) (*indexfile.Record, []byte, error) {
	r := &indexfile.Record{
		UID: x.UID, InternalDate: x.InternalDate, LastUpdated: x.LastUpdated, SaveDate: x.SaveDate,
		Flags: x.Flags & (indexfile.System | indexfile.Snoozed), ModSeq: x.ModSeq,
		CID: x.CID, CreatedModSeq: x.CreatedModSeq,
	}
	if x.Expunged {
		r.Flags |= indexfile.Expunged
	}
	var cache []byte
	if x.stub() {
		r.Flags |= indexfile.Unlinked
		r.Size, r.GUID = x.Size, x.GUID
	} else if cache = x.known(r); cache == nil {
		msg, err := s.parseFile(x.path())
		if err != nil {
			return nil, nil, err
		}
		parsed := Append{Message: msg}
		cache = parsed.known(r)
	}
	if r.GUID != x.GUID || r.Size == 0 {
		return nil, nil, fmt.Errorf("%d octets of %x, wanted %x: %w", r.Size, r.GUID, x.GUID, ErrBadFile)
	}
	dated(r)
	return r, cache, nil
}

// parseFile reads a message that is to be appended. The error is ErrBadFile, or
// one of the file system.
func (s *Store) parseFile(path string) (m *message.Message, err error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil, fmt.Errorf("%s: %w: %w", path, ErrBadFile, ErrGone)
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	f, err := readMessage(fd)
	_ = unix.Close(fd) // nothing was written through it
	if err != nil {
		return nil, &os.PathError{Op: "read", Path: path, Err: err}
	}
	defer f.Close()
	// A large file is mapped, and somebody may cut it short.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch p := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }:
			err = fmt.Errorf("%s: fault in a mapped file: %w", path, ErrBadFile)
		default:
			panic(p)
		}
	}()
	if len(f.Bytes()) == 0 {
		return nil, fmt.Errorf("%s: no octets: %w", path, ErrBadFile)
	}
	return message.Parse(f.Bytes(), s.opt.Parse)
}
