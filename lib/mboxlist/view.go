package mboxlist

import (
	"gocyrus/lib/dlist"
	"gocyrus/lib/mboxname"
)

// View is a record during a scan, read only as far as it is asked. It is good
// until the function it was given to returns.
type View struct {
	key []byte // of the N record
	val []byte
}

// DBName is the name as mailboxes.db spells it.
func (v View) DBName() []byte { return v.key[1:] }

// Name is the name; the key of a record that has none is not shown.
func (v View) Name() mboxname.Name {
	n, _ := mboxname.FromDB(string(v.key[1:]))
	return n
}

// field returns a scanner that stands before the value of key.
func (v View) field(key byte) (dlist.Scanner, bool) {
	s := dlist.Scan(v.val)
	if _, err := s.Open(); err != nil {
		return s, false
	}
	for !s.Close() {
		k, err := s.Text()
		if err != nil {
			return s, false
		}
		if len(k) == 1 && k[0] == key {
			return s, true
		}
		if s.Skip() != nil {
			return s, false
		}
	}
	return s, false
}

func (v View) text(key byte) []byte {
	s, ok := v.field(key)
	if !ok {
		return nil
	}
	t, _ := s.Text()
	return t
}

// Type is the letters of the type, Partition, Server and UniqueID what Entry
// says of them.
func (v View) Type() []byte      { return v.text('T') }
func (v View) Partition() []byte { return v.text('P') }
func (v View) Server() []byte    { return v.text('S') }
func (v View) UniqueID() []byte  { return v.text('I') }

// Is says whether the type has the flag.
func (v View) Is(flag byte) bool {
	t := v.Type()
	for i := 1; i < len(t); i++ {
		if t[i] == flag {
			return true
		}
	}
	return false
}

// ACL is the access control list in its form with TABs.
func (v View) ACL() string {
	s, ok := v.field('A')
	if !ok {
		return ""
	}
	acl, _ := scanACL(&s)
	return acl
}

// Entry reads all of the record.
func (v View) Entry() (*Entry, error) { return decode(v.Name(), v.val) }
