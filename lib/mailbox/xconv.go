package mailbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"gocyrus/lib/log"
)

// What the conversations database of another server says of a mailbox, its
// XCONVMODSEQ, has to be told back to it, or it sends the mailbox again on every
// pass. It is not part of the mailbox: it stands in a small file of its own
// beside cyrus.index, one decimal number and LF. The file is not synced, and to
// lose it costs that one pass.

// XConvModSeq is the modseq of conversations that another server has given the
// mailbox, 0 for none.
func (v *View) XConvModSeq() (uint64, error) {
	if v.tx != nil && v.tx.b.xconv != nil {
		return *v.tx.b.xconv, nil
	}
	b, err := os.ReadFile(v.m.paths.xconv)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(string(bytes.TrimSpace(b)), 10, 64)
	if err != nil {
		return 0, nil // half written: as good as lost
	}
	return n, nil
}

// SetXConvModSeq stores n for XConvModSeq; 0 is none.
func (tx *Tx) SetXConvModSeq(n uint64) { tx.b.xconv = &n }

// writeXConv is done when all else is durable. The change is no less so if it
// fails.
func (b *batch) writeXConv() {
	if b.xconv == nil {
		return
	}
	path := b.m.paths.xconv
	var err error
	if *b.xconv == 0 {
		err = remove(path)
	} else {
		// Of one length, so that it is replaced by one write.
		err = writeOver(path, fmt.Appendf(nil, "%020d\n", *b.xconv))
	}
	if err != nil {
		log.Err("IOERROR: %v", err)
	}
}

func writeOver(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, 0)
	return errors.Join(err, f.Close())
}
