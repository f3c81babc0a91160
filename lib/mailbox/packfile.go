package mailbox

import (
	"bufio"
	"os"
)

// packFile is a file being written as NAME.NEW.
type packFile struct {
	path string
	f    *os.File
	w    *bufio.Writer
	n    int64
}

func newPackFile(path string) (*packFile, error) {
	f, err := os.OpenFile(path+".NEW", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return nil, err
	}
	return &packFile{path: path, f: f, w: bufio.NewWriterSize(f, 1<<16)}, nil
}

func (p *packFile) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	p.n += int64(n)
	return n, err
}

func (p *packFile) sync() error {
	if err := p.w.Flush(); err != nil {
		return err
	}
	return p.f.Sync()
}

func (p *packFile) rename() error { return os.Rename(p.path+".NEW", p.path) }
