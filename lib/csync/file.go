package csync

import (
	"io"

	"gocyrus/lib/dlist"
	"gocyrus/lib/guid"
)

// file reads what follows "%{": partition, GUID, size, and hands the octets on.
// The head stays in buf.
func (l *lexer) file() error {
	start := len(l.buf)
	l.buf = append(l.buf, "%{"...)
	for range 2 {
		c, err := l.src.ReadByte()
		if err == nil {
			err = l.astring(c)
		}
		if err != nil {
			return err
		}
		if c, err := l.src.ReadByte(); err != nil {
			return err
		} else if c != ' ' {
			return l.unread()
		}
		l.buf = append(l.buf, ' ')
	}
	n, c, err := l.digits()
	if err != nil {
		return err
	}
	if c != '}' {
		return l.unread()
	}
	if err := l.lineEnd(true); err != nil {
		return err
	}
	// From here on the octets must be taken from the stream, whatever is wrong.
	f, err := fileLiteral(l.buf[start:], uint32(n))
	if err == nil {
		l.buf = f.appendMark(l.buf[:start], FromServer)
		err = l.room(0)
	}
	if err != nil {
		if derr := l.discard(n); derr != nil {
			return derr
		}
		return errSyntax
	}
	return l.handFile(f)
}

// fileLiteral reads a head whose size has been read.
func fileLiteral(head []byte, size uint32) (f FileLiteral, err error) {
	s := dlist.Scan(head[len("%{"):])
	part, err := scanText(&s)
	if err != nil {
		return f, err
	}
	id, err := scanText(&s)
	if err != nil {
		return f, err
	}
	g, err := guid.Parse(string(id))
	return FileLiteral{Partition: string(part), GUID: g, Size: size}, err
}

// handFile gives the octets to the callback. Its error is kept: the command must
// be read to its end before it can be refused.
func (l *lexer) handFile(f FileLiteral) error {
	r := &fileReader{src: l.src, left: int64(f.Size)}
	if l.files != nil {
		if err := l.files(f, r); err != nil && l.fileErr == nil {
			l.fileErr = err
		}
	}
	if r.err == nil {
		_, r.err = io.Copy(io.Discard, r)
	}
	return r.err
}

// fileReader is the octets of one file. It remembers an error of the stream, for
// a callback that does not.
type fileReader struct {
	src  Source
	left int64
	err  error
}

func (r *fileReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := r.src.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	r.err = err
	return n, err
}

// Files reads the heads in the value of a MESSAGE: one, or a list in which what
// is no file is passed over.
func Files(value []byte) ([]FileLiteral, error) {
	s := dlist.Scan(value)
	var list []FileLiteral
	one := func() error {
		if k, err := s.Kind(); err != nil {
			return bad(err)
		} else if k != dlist.File {
			return bad(s.Skip())
		}
		h, err := s.File()
		if err != nil {
			return bad(err)
		}
		var f FileLiteral
		n, err := number(h.Size)
		if err == nil {
			f.Partition, f.Size = string(h.Partition), uint32(n)
			err = setText(&f.GUID, h.ID)
		}
		list = append(list, f)
		return err
	}
	k, err := s.Kind()
	if err != nil {
		return nil, bad(err)
	}
	if k == dlist.List {
		err = eachItem(&s, one)
	} else {
		err = one()
	}
	return list, atEnd(&s, err)
}
