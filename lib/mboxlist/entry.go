package mboxlist

import (
	"strconv"
	"strings"

	"gocyrus/lib/dlist"
	"gocyrus/lib/mboxname"
)

// Entry is a record of mailboxes.db.
type Entry struct {
	Name      mboxname.Name
	UniqueID  string // empty on a MUPDATE master
	Partition string // empty on a frontend, in tombstones and reservations
	Server    string // of a remote mailbox

	// EmptyPartition says that Partition is written although it is empty: the
	// location "server!" of MUPDATE, which is another than "server".
	EmptyPartition bool

	UIDValidity   uint32
	CreatedModSeq uint64
	FolderModSeq  uint64 // of the last change of name, ACL or type
	MTime         int64  // of the record, seconds UTC

	Type    string   // the letters of Cyrus: type, then flags; "e", "ed", "el"
	ACL     string   // identifier TAB rights TAB ...
	History []Former // newest first; from LookupID alone

	extra []byte // keys this package does not know, as they were
}

// Former is a name that a mailbox had.
type Former struct {
	Name          mboxname.Name
	UIDValidity   uint32
	CreatedModSeq uint64
	FolderModSeq  uint64
	MTime         int64
	Type          string
	Partition     string
}

// Flags of Type, after its first letter.
const (
	FlagDeleted      = 'd' // a tombstone
	FlagMoving       = 'm' // being moved to another server
	FlagRemote       = 'r' // lives on another server
	FlagReserved     = 'z' // being created in a Murder
	FlagIntermediate = 'i' // is there for its children alone
	FlagLegacy       = 'l' // has a directory by name
)

// flagOrder is the order in which Cyrus writes flags.
const flagOrder = "dmrzil"

// Is says whether Type has the flag.
func (e *Entry) Is(flag byte) bool { return hasFlag(e.Type, flag) }

func hasFlag(typ string, flag byte) bool {
	return len(typ) > 1 && strings.IndexByte(typ[1:], flag) >= 0
}

// With returns typ with a flag set, in Cyrus's order of letters.
func With(typ string, flag byte) string {
	if hasFlag(typ, flag) {
		return typ
	}
	if typ == "" {
		typ = "e"
	}
	out, done := []byte(typ[:1]), false
	for _, c := range []byte(typ[1:]) {
		if !done && strings.IndexByte(flagOrder, flag) < strings.IndexByte(flagOrder, c) {
			out, done = append(out, flag), true
		}
		out = append(out, c)
	}
	if !done {
		out = append(out, flag)
	}
	return string(out)
}

// Without returns typ without a flag.
func Without(typ string, flag byte) string {
	if !hasFlag(typ, flag) {
		return typ
	}
	return typ[:1] + strings.ReplaceAll(typ[1:], string(flag), "")
}

// Incoming says whether the mailbox is arriving here from another server, which has it
// until it is announced: where every server of a murder is a frontend too, the record names
// that one and clients are sent there. The files are here already, and nobody is served
// from them: a message that a frontend with an old list brought would have a UID that the
// next message from the other server has too.
func (e *Entry) Incoming() bool {
	return e.Is(FlagRemote) && !e.Is(FlagMoving) && !e.Is(FlagDeleted) && e.UniqueID != ""
}

// Foreign says whether the mailbox is another server's, and nothing of it is here.
func (e *Entry) Foreign() bool { return e.Is(FlagRemote) && !e.Is(FlagMoving) && !e.Incoming() }

// Kind is the first letter of Type: 'e' for mail.
func (e *Entry) Kind() byte {
	if e.Type == "" {
		return 'e'
	}
	return e.Type[0]
}

// Deleted says whether the record is a tombstone.
func (e *Entry) Deleted() bool { return e.Is(FlagDeleted) }

// tombstone is what remains of e under its name.
func (e *Entry) tombstone(mtime int64) *Entry {
	return &Entry{
		Name: e.Name, UniqueID: e.UniqueID, UIDValidity: e.UIDValidity, CreatedModSeq: e.CreatedModSeq,
		FolderModSeq: e.FolderModSeq, MTime: mtime, Type: With(e.Type, FlagDeleted),
	}
}

// former is e as an element of the history of the mailbox's next name.
func (e *Entry) former() Former {
	return Former{e.Name, e.UIDValidity, e.CreatedModSeq, e.FolderModSeq, e.MTime, e.Type, e.Partition}
}

// parse reads a value into e, whose Name the caller sets. dbname is that of an
// I record.
func (e *Entry) parse(val []byte) (dbname string, err error) {
	s := dlist.Scan(val)
	if _, err := s.Open(); err != nil {
		return "", err
	}
	for !s.Close() {
		key, err := s.Text()
		if err != nil {
			return "", err
		}
		switch {
		case len(key) != 1:
			err = e.keep(key, &s)
		case key[0] == 'N':
			dbname, err = text(&s)
		default:
			err = e.field(key, &s)
		}
		if err != nil {
			return "", err
		}
	}
	return dbname, nil
}

func text(s *dlist.Scanner) (string, error) {
	t, err := s.Text()
	return string(t), err
}

func (e *Entry) field(key []byte, s *dlist.Scanner) (err error) {
	var n uint64
	switch key[0] {
	case 'T':
		e.Type, err = text(s)
	case 'I':
		e.UniqueID, err = text(s)
	case 'P':
		var p []byte
		p, err = s.Text()
		e.Partition, e.EmptyPartition = string(p), p != nil && len(p) == 0
	case 'S':
		e.Server, err = text(s)
	case 'V':
		n, err = s.Uint()
		e.UIDValidity = uint32(n)
	case 'C':
		e.CreatedModSeq, err = s.Uint()
	case 'F':
		e.FolderModSeq, err = s.Uint()
	case 'M':
		n, err = s.Uint()
		e.MTime = int64(n)
	case 'A':
		e.ACL, err = scanACL(s)
	case 'H':
		e.History, err = scanHistory(s)
	default:
		err = e.keep(key, s)
	}
	return err
}

// keep notes a key of a later Cyrus, such as J, to write it again.
func (e *Entry) keep(key []byte, s *dlist.Scanner) error {
	v, err := s.Value()
	if err != nil {
		return err
	}
	e.extra = v.Append(append(dlist.AppendText(append(e.extra, ' '), key), ' '))
	return nil
}

func scanACL(s *dlist.Scanner) (string, error) {
	if _, err := s.Open(); err != nil {
		return "", err
	}
	var b []byte
	for !s.Close() {
		id, err := s.Text()
		if err != nil {
			return "", err
		}
		b = append(append(b, id...), '\t')
		rights, err := s.Text()
		if err != nil {
			return "", err
		}
		b = append(append(b, rights...), '\t')
	}
	return string(b), nil
}

func scanHistory(s *dlist.Scanner) (all []Former, err error) {
	if _, err := s.Open(); err != nil {
		return nil, err
	}
	for !s.Close() {
		if _, err := s.Open(); err != nil {
			return nil, err
		}
		var e Entry
		var dbname string
		for !s.Close() {
			key, err := s.Text()
			if err != nil {
				return nil, err
			}
			switch {
			case len(key) != 1:
				err = s.Skip()
			case key[0] == 'N':
				dbname, err = text(s)
			case key[0] == 'H': // not inside itself
				err = s.Skip()
			default:
				err = e.field(key, s)
			}
			if err != nil {
				return nil, err
			}
		}
		if e.Name, err = mboxname.FromDB(dbname); err != nil {
			return nil, err
		}
		all = append(all, e.former())
	}
	return all, nil
}

// appendValue appends the value of e's N record, or of its I record, in the
// order of Cyrus's mboxlist_entry_dlist.
func (e *Entry) appendValue(b []byte, record byte) []byte {
	b = appendField(append(b, "%("...), "T", e.Type)
	if record == 'I' {
		b = appendField(b, " N", e.Name.DB())
	} else if e.UniqueID == "" {
		b = append(b, " I NIL"...)
	} else {
		b = appendField(b, " I", e.UniqueID)
	}
	if e.Partition != "" || e.EmptyPartition {
		b = appendField(b, " P", e.Partition)
	}
	if e.Server != "" {
		b = appendField(b, " S", e.Server)
	}
	b = appendNumbers(b, e.UIDValidity, e.CreatedModSeq, e.FolderModSeq)
	b = strconv.AppendInt(append(b, " M "...), e.MTime, 10)
	if e.ACL != "" {
		b = appendACL(append(b, " A "...), e.ACL)
	}
	if record == 'I' {
		b = append(b, " H ("...)
		for i := range e.History {
			if i > 0 {
				b = append(b, ' ')
			}
			b = e.History[i].append(b)
		}
		b = append(b, ')')
	}
	return append(append(b, e.extra...), ')')
}

func appendField(b []byte, key, val string) []byte {
	return dlist.AppendString(append(append(b, key...), ' '), val)
}

func appendNumbers(b []byte, v uint32, c, f uint64) []byte {
	if v != 0 {
		b = strconv.AppendUint(append(b, " V "...), uint64(v), 10)
	}
	if c != 0 {
		b = strconv.AppendUint(append(b, " C "...), c, 10)
	}
	if f != 0 {
		b = strconv.AppendUint(append(b, " F "...), f, 10)
	}
	return b
}

func appendACL(b []byte, acl string) []byte {
	b = append(b, "%("...)
	first := true
	eachACL(acl, func(id, rights string) {
		if !first {
			b = append(b, ' ')
		}
		first = false
		b = dlist.AppendString(append(dlist.AppendString(b, id), ' '), rights)
	})
	return append(b, ')')
}

// eachACL goes over an ACL in its form with TABs. A last identifier without
// rights is no entry.
func eachACL(acl string, fn func(id, rights string)) {
	for {
		id, rest, ok := strings.Cut(acl, "\t")
		if !ok || id == "" {
			return
		}
		rights, rest, _ := strings.Cut(rest, "\t")
		fn(id, rights)
		acl = rest
	}
}

func (f *Former) append(b []byte) []byte {
	b = appendField(append(b, "%("...), "N", f.Name.DB())
	if f.MTime != 0 {
		b = strconv.AppendInt(append(b, " M "...), f.MTime, 10)
	}
	b = appendNumbers(b, f.UIDValidity, f.CreatedModSeq, f.FolderModSeq)
	b = appendField(b, " T", f.Type)
	if f.Partition != "" {
		b = appendField(b, " P", f.Partition)
	}
	return append(b, ')')
}
