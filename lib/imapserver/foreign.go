package imapserver

import (
	"strings"
	"sync"

	"gocyrus/lib/acl"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// foreign remembers which users' mailboxes others than their owner may be able
// to see: of a hundred thousand these are few, and every LIST of every user has
// to look at them. It is made anew when the list has changed.
type foreign struct {
	mu   sync.Mutex
	gen  uint64
	made bool
	all  []granted
}

// granted is a mailbox whose ACL names others than its owner.
type granted struct {
	name mboxname.Name
	acl  string
}

// get returns the mailboxes in the order of the list. The slice is shared and
// must not be changed.
func (f *foreign) get(list *mboxlist.List) ([]granted, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	gen := list.Generation()
	if f.made && gen != 0 && gen == f.gen {
		return f.all, nil
	}
	var all []granted
	// The number is read before the scan: what changes during it makes the next
	// caller look again.
	err := list.Scan("", func(e mboxlist.View) error {
		a := e.ACL()
		n := e.Name()
		if !n.IsUserTree() || !othersIn(a, n.Owner()) || !mayList(e) {
			return nil
		}
		all = append(all, granted{n, a})
		return nil
	})
	if err != nil {
		return nil, err
	}
	f.all, f.gen, f.made = all, gen, true
	return all, nil
}

// othersIn says whether an ACL names anyone but the owner.
func othersIn(list, owner string) bool {
	for id := range acl.Entries(list) {
		if id != owner && !strings.HasPrefix(id, "-") {
			return true
		}
	}
	return false
}

// mayList says whether a record is a mailbox for mail.
func mayList(e mboxlist.View) bool {
	t := e.Type()
	return (len(t) == 0 || t[0] == 'e') && isMailbox(t)
}

// isMailbox says whether a record of type t stands for a mailbox, of any kind.
func isMailbox(t []byte) bool {
	for _, flag := range t[min(1, len(t)):] {
		switch flag {
		case mboxlist.FlagDeleted, mboxlist.FlagReserved, mboxlist.FlagIntermediate:
			return false
		}
	}
	return true
}
