package spool

import (
	"bytes"
	"fmt"
	"io"

	"gocyrus/lib/message"
)

// encodeBinary puts binary parts into base64. A message that has gone to its
// file comes back for it, and stays in memory.
func (f *File) encodeBinary() error {
	whole := f.buf
	if f.size > 0 {
		whole = make([]byte, f.size, f.size+int64(len(f.buf)))
		if _, err := f.file.ReadAt(whole, 0); err != nil {
			return err
		}
		whole = append(whole, f.buf...)
	}
	encoded := message.EncodeBinary(whole, f.opts.Parse)
	if encoded != nil {
		whole = encoded
	}
	switch {
	case bytes.IndexByte(whole, 0) >= 0:
		return ErrNUL // outside the parts that may have them
	case int64(len(whole)) > f.opts.MaxSize:
		return fmt.Errorf("more than %d octets: %w", f.opts.MaxSize, ErrTooBig)
	case encoded == nil:
		return nil
	}
	if f.size > 0 {
		if err := f.file.Truncate(0); err != nil {
			return err
		}
		if _, err := f.file.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
	f.buf, f.size, f.sha = whole, 0, nil
	return nil
}
