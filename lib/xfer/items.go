package xfer

import (
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// Items are what there is to move from a partition, or from all of them when it is
// empty, in the order of mailboxes.db: users by the partition of their INBOX, and
// every mailbox that belongs to no user who has an INBOX here.
func (m *Mover) Items(partition string) (all []Item, err error) {
	inboxes := map[string]bool{}
	visit := func(fn func(n mboxname.Name, v mboxlist.View)) error {
		return m.site.List.Scan("", func(v mboxlist.View) error {
			if !here(v) {
				return nil
			}
			fn(v.Name(), v)
			return nil
		})
	}
	err = visit(func(n mboxname.Name, _ mboxlist.View) {
		if n.IsInbox() {
			inboxes[n.Owner()] = true
		}
	})
	if err != nil {
		return nil, err
	}
	err = visit(func(n mboxname.Name, v mboxlist.View) {
		item := Item{Mailbox: n, Partition: string(v.Partition())}
		if n.IsInbox() {
			item.User = n.Owner()
		} else if inboxes[n.Owner()] {
			return // goes with the user
		}
		if partition == "" || partition == item.Partition {
			all = append(all, item)
		}
	})
	return all, err
}

// here says whether a record is a mailbox of this server's.
func here(v mboxlist.View) bool {
	for _, flag := range []byte{mboxlist.FlagDeleted, mboxlist.FlagReserved, mboxlist.FlagIntermediate, mboxlist.FlagRemote, mboxlist.FlagMoving} {
		if v.Is(flag) {
			return false
		}
	}
	return true
}
