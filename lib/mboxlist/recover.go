package mboxlist

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/dlist"
	"gocyrus/lib/mboxname"
)

// Recover does what ctl_cyrusdb -r does to the list: records of before 3.6 get
// their present form, reservations of this server that a crash left are removed, and reverse
// ACL records are made or removed as the options want. notice is told.
func (l *List) Recover(o Options, notice func(text string)) error {
	if err := l.upgrade(notice); err != nil {
		return err
	}
	if err := l.dropReserved(notice); err != nil {
		return err
	}
	changed, err := l.SetReverseACLs(o.ReverseACLs)
	if changed && o.ReverseACLs {
		notice("adding reverse acl support")
	} else if changed {
		notice("removing reverse acl support")
	}
	return err
}

// dropReserved removes what was being made here. What another server has reserved is
// that server's to make or to give up: a mailbox that moves is such a one for a MUPDATE
// master, and to forget it would be to have its mail refused as that of nobody.
func (l *List) dropReserved(notice func(string)) error {
	var names []mboxname.Name
	err := l.Scan("", func(v View) error {
		if v.Is(FlagReserved) && len(v.Server()) == 0 {
			names = append(names, v.Name())
		}
		return nil
	})
	if err != nil || len(names) == 0 {
		return err
	}
	return l.Update(func(t *Tx) error {
		for _, n := range names {
			if err := t.Remove(n); err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
			notice(fmt.Sprintf("removed reserved mailbox '%s'", n))
		}
		return nil
	})
}

// errOld ends the look for the form of the list.
var errOld = errors.New("form of before 3.6")

// upgrade rewrites a list of before 3.6, whose keys are internal names, in one
// transaction.
func (l *List) upgrade(notice func(string)) error {
	err := l.db.Scan(nil, func(k, v []byte) error {
		if isNew(k, v) {
			return kv.Stop
		}
		return errOld
	})
	if !errors.Is(err, errOld) {
		return err
	}
	notice("upgrading the list of mailboxes to the form of Cyrus 3.6")
	return l.db.Update(func(tx kv.Tx) error { return l.upgradeIn(&Tx{l: l, tx: tx}, notice) })
}

// isNew says whether a record is one of 3.6 or later: a key of a letter, and
// the value that belongs to it.
func isNew(k, v []byte) bool {
	s := View{k, v}
	switch k[0] {
	case 'N':
		_, ok := s.field('I')
		// A mailbox News of an old list has an I too, and no T when it holds mail.
		return ok && len(s.Type()) > 0
	case 'I':
		_, ok := s.field('N')
		return ok
	case 'A':
		return bytes.IndexByte(k, '\x1e') == 2
	case 'J', 'U':
		return bytes.IndexByte(k, '\x1e') >= 0
	}
	return false
}

func (l *List) upgradeIn(t *Tx, notice func(string)) error {
	var keys [][]byte
	var entries []*Entry
	err := t.tx.Scan(nil, func(k, v []byte) error {
		keys = append(keys, bytes.Clone(k))
		if bytes.HasPrefix(k, []byte("$RACL")) || bytes.HasPrefix(k, []byte("$RUNQ")) {
			return nil
		}
		e, err := parseOld(mboxname.Name(k), v)
		if err != nil {
			return err
		}
		if e.UniqueID == "" {
			notice(fmt.Sprintf("mailbox '%s' has no unique id; reconstruct it", k))
		}
		entries = append(entries, e)
		return nil
	})
	for _, k := range keys {
		err = errors.Join(err, t.tx.Delete(k))
	}
	if err != nil {
		return err
	}
	// Tombstones before the mailbox that has the id now: so each becomes an
	// element of its history.
	for _, dead := range []bool{true, false} {
		for _, e := range entries {
			if e.Deleted() != dead {
				continue
			}
			if err := t.Put(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// parseOld reads a value of before 3.6: a keyed list in 3.x, or
//
//	[(uniqueid id specialuse use)] type [server!]partition acl
func parseOld(name mboxname.Name, v []byte) (*Entry, error) {
	e := &Entry{Name: name}
	if len(v) > 0 && v[0] == '%' {
		if _, err := e.parse(v); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrBadRecord, name, err)
		}
		e.Type = oldLetters(e.Type)
		return e, nil
	}
	rest := string(v)
	if strings.HasPrefix(rest, "(") {
		s := dlist.Scan(v)
		list, err := s.Value()
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrBadRecord, name, err)
		}
		for i := 0; i+1 < len(list.List); i += 2 {
			if list.List[i].Text == "uniqueid" {
				e.UniqueID = list.List[i+1].Text
			}
		}
		rest = string(v[s.Pos():])
	}
	typ, rest, _ := strings.Cut(rest, " ")
	part, acl, _ := strings.Cut(rest, " ")
	e.Type, e.Partition, e.ACL = legacyType(number(typ)), part, acl
	if server, p, ok := strings.Cut(part, "!"); ok {
		e.Server, e.Partition = server, p
	}
	return e, nil
}

// oldLetters turns the letters of 3.0 to 3.4, which have none for mail, into
// those of today.
func oldLetters(typ string) string {
	kind, flags := "e", ""
	for _, c := range typ {
		if strings.ContainsRune(flagOrder, c) {
			flags += string(c)
		} else {
			kind = string(c)
		}
	}
	for _, c := range []byte(flags) {
		kind = With(kind, c)
	}
	return With(kind, FlagLegacy)
}
