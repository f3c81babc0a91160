package twoskip

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
)

// dump prints every record up to the committed end. The lines are Cyrus's. A
// detail of more than 2 prints values.
func (t *file) dump(w io.Writer, detail int) error {
	b := t.m.Bytes()
	if _, err := fmt.Fprintf(w, "HEADER: v=%d fl=%d num=%d sz=(%08X/%08X)\n",
		version, t.h.flags, t.h.records, t.h.size, t.h.repackSize); err != nil {
		return err
	}
	var r record
	for off := uint64(dummyOffset); off < t.h.size && off+8 <= uint64(len(b)); off = r.end() {
		fmt.Fprintf(w, "%08X ", off)
		if string(b[off:off+8]) == blank {
			fmt.Fprintln(w, "BLANK")
			r = record{off: off, headLen: 8}
			continue
		}
		if err := readRecord(b, off, &r); err != nil {
			fmt.Fprintln(w, "ERROR")
			return err
		}
		if r.checkTail(b) != nil {
			start := off + uint64(r.headLen)
			fmt.Fprintf(w, "ERROR [TAILCRC %08X %08X] ", r.tail, crc32.ChecksumIEEE(b[start:r.end()]))
		}
		r.dump(w, detail)
	}
	return nil
}

func (r *record) dump(w io.Writer, detail int) {
	switch r.kind {
	case typeDelete:
		fmt.Fprintf(w, "DELETE ptr=%08X\n", r.next[0])
	case typeCommit:
		fmt.Fprintf(w, "COMMIT start=%08X\n", r.next[0])
	case typeAdd, typeDummy:
		name := "RECORD"
		if r.kind == typeDummy {
			name = "DUMMY"
		}
		fmt.Fprintf(w, "%s kl=%d dl=%d lvl=%d (%s)\n\t", name, len(r.key), len(r.val), r.level, printable(r.key))
		for i := 0; i <= r.level; i++ {
			fmt.Fprintf(w, "%08X ", r.next[i])
			if i%8 == 0 {
				fmt.Fprint(w, "\n\t")
			}
		}
		fmt.Fprintln(w)
		if detail > 2 {
			fmt.Fprintf(w, "\tv=(%s)\n", printable(r.val))
		}
	}
}

func printable(b []byte) []byte { return bytes.ReplaceAll(b, []byte{0}, []byte{'-'}) }
