// Package headerfile reads and writes cyrus.header: the type, name, unique id,
// quota root, access list and user flags of a mailbox.
//
// The file is 115 octets of magic and then one line, a keyed list in the text of
// Cyrus's dlist:
//
//	%(T e N user.alice I kolc… Q user.alice A %(alice lrswipkxtecdan) U ($Forwarded NIL))
//
// Up to Cyrus 3.4 three lines stood there, which are read too:
//
//	QUOTAROOT TAB UNIQUEID
//	flag names separated by one space, an empty name for a free slot
//	identifier TAB rights TAB …
//
// The name is not to be trusted: a legacy mailbox that was renamed or deleted
// keeps the old one in its header. The package opens no file.
package headerfile

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"

	"gocyrus/lib/dlist"
	"gocyrus/lib/indexfile"
)

// ErrFormat is a file that is not a mailbox header.
var ErrFormat = errors.New("mailbox header has an invalid format")

// magic is the first 115 octets.
const magic = "\xa1\x02\x8b\x0dCyrus mailbox header\n" +
	"\"The best thing about this system was that it had lots of goals.\"\n" +
	"\t--Jim Morris on Andrew\n"

// maxSize bounds a file: 128 flags, and some thousand entries of the ACL.
const maxSize = 4 << 20

// A Header is the content of one file.
type Header struct {
	Type      string // letters, as in mailboxes.db; empty in the old form
	Name      string // internal name; empty in the old form
	UniqueID  string
	QuotaRoot string
	ACL       string   // identifier TAB rights TAB, repeated
	Flags     []string // in slot order, at most indexfile.MaxUserFlags; "" is a free slot
}

// Parse reads a file of either form. The error is ErrFormat.
func Parse(b []byte) (*Header, error) {
	if len(b) > maxSize {
		return nil, fmt.Errorf("%d octets: %w", len(b), ErrFormat)
	}
	rest, ok := bytes.CutPrefix(b, []byte(magic))
	if !ok {
		return nil, fmt.Errorf("magic: %w", ErrFormat)
	}
	h := new(Header)
	var err error
	if bytes.HasPrefix(rest, []byte("%")) {
		err = h.parseKeyed(rest)
	} else {
		err = h.parseLines(rest)
	}
	if err != nil {
		return nil, err
	}
	if len(h.Flags) > indexfile.MaxUserFlags {
		return nil, fmt.Errorf("%d flags: %w", len(h.Flags), ErrFormat)
	}
	return h, nil
}

func (h *Header) parseLines(b []byte) error {
	lines := strings.SplitN(string(b), "\n", 4)
	if len(lines) < 3 {
		return fmt.Errorf("%d lines: %w", len(lines), ErrFormat)
	}
	var ok bool
	if h.QuotaRoot, h.UniqueID, ok = strings.Cut(lines[0], "\t"); !ok {
		return fmt.Errorf("no unique id: %w", ErrFormat)
	}
	h.Flags = trim(strings.Split(lines[1], " "))
	h.ACL = lines[2]
	return nil
}

// trim drops free slots at the end.
func trim(flags []string) []string {
	for len(flags) > 0 && flags[len(flags)-1] == "" {
		flags = flags[:len(flags)-1]
	}
	return flags
}

func (h *Header) parseKeyed(b []byte) error {
	s := dlist.Scan(bytes.TrimRight(b, "\n"))
	err := each(&s, func(key string) (err error) {
		switch key {
		case "T":
			h.Type, err = text(&s)
		case "N":
			h.Name, err = text(&s)
		case "I":
			h.UniqueID, err = text(&s)
		case "Q":
			h.QuotaRoot, err = text(&s)
		case "A":
			h.ACL, err = parseACL(&s)
		case "U":
			h.Flags, err = parseFlags(&s)
		default:
			err = s.Skip()
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if !s.AtEnd() {
		return fmt.Errorf("octets behind the list: %w", ErrFormat)
	}
	if h.UniqueID == "" { // a blank too few or too many turns keys into values
		return fmt.Errorf("no unique id: %w", ErrFormat)
	}
	return nil
}

// each goes over the keyed list that stands next; fn reads the value of a key.
func each(s *dlist.Scanner, fn func(key string) error) error {
	if keyed, err := s.Open(); err != nil {
		return err
	} else if !keyed {
		return errors.New("no keyed list")
	}
	for !s.Close() {
		key, err := text(s)
		if err != nil {
			return err
		}
		if err := fn(key); err != nil {
			return err
		}
	}
	return nil
}

func text(s *dlist.Scanner) (string, error) {
	b, err := s.Text()
	return string(b), err
}

func parseACL(s *dlist.Scanner) (string, error) {
	var acl strings.Builder
	err := each(s, func(id string) error {
		rights, err := text(s)
		acl.WriteString(id + "\t" + rights + "\t")
		return err
	})
	return acl.String(), err
}

func parseFlags(s *dlist.Scanner) (flags []string, err error) {
	if _, err := s.Open(); err != nil {
		return nil, err
	}
	for !s.Close() {
		f, err := text(s)
		if err != nil {
			return nil, err
		}
		if flags = append(flags, f); len(flags) > indexfile.MaxUserFlags {
			return nil, errors.New("too many flags")
		}
	}
	return trim(flags), nil
}

// Append appends the file, in the new form.
func (h *Header) Append(b []byte) []byte {
	b = append(b, magic...)
	b = append(b, "%(T "...)
	b = dlist.AppendString(b, h.Type)
	b = append(b, " N "...)
	b = dlist.AppendString(b, h.Name)
	b = append(b, " I "...)
	b = dlist.AppendString(b, h.UniqueID)
	if h.QuotaRoot != "" {
		b = append(b, " Q "...)
		b = dlist.AppendString(b, h.QuotaRoot)
	}
	b = append(b, " A %("...)
	for i, f := 0, strings.Split(h.ACL, "\t"); i+1 < len(f); i += 2 {
		if i > 0 {
			b = append(b, ' ')
		}
		b = dlist.AppendString(b, f[i])
		b = append(b, ' ')
		b = dlist.AppendString(b, f[i+1])
	}
	b = append(b, ')')
	if flags := trim(h.Flags); len(flags) > 0 {
		b = append(b, " U ("...)
		for i, f := range flags {
			if i > 0 {
				b = append(b, ' ')
			}
			if f == "" {
				b = append(b, "NIL"...)
			} else {
				b = dlist.AppendString(b, f)
			}
		}
		b = append(b, ')')
	}
	return append(b, ")\n"...)
}

// Clone is a copy whose Flags may be changed.
func (h *Header) Clone() *Header {
	c := *h
	c.Flags = append([]string(nil), h.Flags...)
	return &c
}

// Slot finds the slot of a flag, whatever its case; -1 is none.
func (h *Header) Slot(flag string) int {
	for i, f := range h.Flags {
		if f != "" && strings.EqualFold(f, flag) {
			return i
		}
	}
	return -1
}

// CRC is what the index header keeps of a file.
func CRC(file []byte) uint32 { return crc32.ChecksumIEEE(file) }
