package mboxlist

import (
	"bufio"
	"io"
	"strconv"
	"unicode/utf8"
)

// DumpOptions choose what Dump prints.
type DumpOptions struct {
	Partition      string // of this partition alone; empty: all
	Intermediaries bool   // intermediate records too
	Remove         bool   // remove what was printed
}

// Dump prints the list as ctl_mboxlist -d of Cyrus 3.6 and 3.10 does: one JSON
// object, a record a line, tombstones included, in the order of the database.
func (l *List) Dump(w io.Writer, o DumpOptions) error {
	out := bufio.NewWriterSize(w, 64<<10)
	out.WriteString("{\n")
	var printed []*Entry
	var line []byte
	err := l.Scan("", func(v View) error {
		if v.Is(FlagIntermediate) && !o.Intermediaries {
			return nil
		}
		if o.Partition != "" && string(v.Partition()) != o.Partition {
			return nil
		}
		e, err := v.Entry()
		if err != nil {
			return err
		}
		if line != nil {
			out.WriteString(",\n")
		}
		line = e.appendJSON(line[:0])
		if o.Remove {
			printed = append(printed, e)
		}
		_, err = out.Write(line)
		return err
	})
	if err != nil {
		return err
	}
	out.WriteString("\n}\n")
	if err := out.Flush(); err != nil || len(printed) == 0 {
		return err
	}
	return l.Update(func(t *Tx) error {
		for _, e := range printed {
			if err := t.Remove(e.Name); err != nil {
				return err
			}
		}
		return nil
	})
}

// appendJSON appends e's line. What a record does not have is left out.
func (e *Entry) appendJSON(b []byte) []byte {
	b = appendJSONString(b, string(e.Name))
	b = append(b, `: {"name": `...)
	b = appendJSONString(b, string(e.Name))
	b = appendJSONNumber(b, "mtime", uint64(e.MTime))
	b = appendJSONNumber(b, "uidvalidity", uint64(e.UIDValidity))
	b = appendJSONNumber(b, "createdmodseq", e.CreatedModSeq)
	b = appendJSONNumber(b, "foldermodseq", e.FolderModSeq)
	b = appendJSONField(b, "mbtype", e.Type)
	b = appendJSONField(b, "partition", e.Partition)
	b = appendJSONField(b, "server", e.Server)
	b = append(b, `, "acl": {`...)
	first := true
	eachACL(e.ACL, func(id, rights string) {
		if !first {
			b = append(b, ", "...)
		}
		first = false
		b = appendJSONString(append(appendJSONString(b, id), ": "...), rights)
	})
	b = append(b, '}')
	b = appendJSONField(b, "uniqueid", e.UniqueID)
	b = append(b, `, "name_history": [`...)
	for i := range e.History {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = e.History[i].appendJSON(b)
	}
	return append(b, "]}"...)
}

func (f *Former) appendJSON(b []byte) []byte {
	b = appendJSONString(append(b, `{"name": `...), string(f.Name))
	b = appendJSONNumber(b, "mtime", uint64(f.MTime))
	b = appendJSONNumber(b, "uidvalidity", uint64(f.UIDValidity))
	b = appendJSONNumber(b, "createdmodseq", f.CreatedModSeq)
	b = appendJSONNumber(b, "foldermodseq", f.FolderModSeq)
	b = appendJSONField(b, "mbtype", f.Type)
	b = appendJSONField(b, "partition", f.Partition)
	return append(b, '}')
}

// appendJSONNumber: numbers are strings there.
func appendJSONNumber(b []byte, key string, n uint64) []byte {
	b = append(append(append(b, `, "`...), key...), `": "`...)
	return append(strconv.AppendUint(b, n, 10), '"')
}

// appendJSONField leaves out what is empty or no UTF-8, as Cyrus's library does.
func appendJSONField(b []byte, key, val string) []byte {
	if val == "" || !utf8.ValidString(val) {
		return b
	}
	b = append(append(append(b, `, "`...), key...), `": `...)
	return appendJSONString(b, val)
}

const upperHex = "0123456789ABCDEF"

func appendJSONString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, `\b`...)
		case '\f':
			b = append(b, `\f`...)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			if c < 0x20 {
				b = append(append(b, `\u00`...), upperHex[c>>4], upperHex[c&15])
				continue
			}
			b = append(b, c)
		}
	}
	return append(b, '"')
}
