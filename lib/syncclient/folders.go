package syncclient

import (
	"slices"

	"gocyrus/lib/csync"
	"gocyrus/lib/mboxname"
)

// fate is what is to become of a mailbox that the replica has and that is not among
// the local ones looked at.
type fate int

const (
	leave  fate = iota // nobody knows it here: it may be all there is of somebody's mail
	remove             // it was deleted here
)

// folderPlan is what has to happen to the replica's mailboxes before their content
// is looked at.
type folderPlan struct {
	Deletes []mboxname.Name
	Renames []csync.Rename // in an order in which each target is free
	// Stuck are renames whose target is a mailbox of the replica that stays.
	Stuck []csync.Rename
	Left  []mboxname.Name // mailboxes only the replica has, which are left alone
}

func (p *folderPlan) empty() bool { return len(p.Deletes) == 0 && len(p.Renames) == 0 }

// planFolders pairs mailboxes by unique id and plans what to delete and to rename.
// locals have the partition that they are to have at the replica. judge decides
// about mailboxes without a partner here; park gives a name, free on both sides,
// for a mailbox that has to step aside because others wait for its name in a circle.
func planFolders(locals, remotes []*csync.Mailbox, judge func(*csync.Mailbox) fate, park func(*csync.Mailbox) mboxname.Name) folderPlan {
	var plan folderPlan
	here := byID(locals)
	taken := make(map[mboxname.Name]bool, len(remotes))
	var moves []move
	for _, r := range remotes {
		l := here[r.UniqueID]
		switch {
		case l == nil && judge(r) == remove:
			plan.Deletes = append(plan.Deletes, r.Name)
			continue
		case l == nil:
			plan.Left = append(plan.Left, r.Name)
		case isEntry(l) || isEntry(r):
			// One that is there for its children alone has no files to move.
		case l.Name != r.Name || l.Partition != r.Partition:
			moves = append(moves, move{l, r.Name})
		}
		taken[r.Name] = true
	}
	plan.order(moves, taken, park)
	return plan
}

// move is a mailbox that is now elsewhere at the replica.
type move struct {
	box  *csync.Mailbox // as it is here
	from mboxname.Name  // where the replica has it
}

// order puts moves into an order in which each target is free when its turn comes.
func (p *folderPlan) order(moves []move, taken map[mboxname.Name]bool, park func(*csync.Mailbox) mboxname.Name) {
	do := func(m move, to mboxname.Name) {
		p.Renames = append(p.Renames, rename(m, to))
		delete(taken, m.from)
		taken[to] = true
	}
	for len(moves) > 0 {
		before := len(moves)
		moves = slices.DeleteFunc(moves, func(m move) bool {
			if m.from != m.box.Name && taken[m.box.Name] {
				return false
			}
			do(m, m.box.Name)
			return true
		})
		if len(moves) < before {
			continue
		}
		moves = p.dropStuck(moves, taken)
		if len(moves) == before && before > 0 {
			// All wait for each other.
			m := moves[0]
			to := park(m.box)
			do(m, to)
			moves[0].from = to
		}
	}
}

// dropStuck takes out the moves whose target is held by a mailbox that does not move.
func (p *folderPlan) dropStuck(moves []move, taken map[mboxname.Name]bool) []move {
	leaving := make(map[mboxname.Name]bool, len(moves))
	for _, m := range moves {
		leaving[m.from] = true
	}
	return slices.DeleteFunc(moves, func(m move) bool {
		if leaving[m.box.Name] || !taken[m.box.Name] {
			return false
		}
		p.Stuck = append(p.Stuck, rename(m, m.box.Name))
		return true
	})
}

func rename(m move, to mboxname.Name) csync.Rename {
	return csync.Rename{Old: m.from, New: to, Partition: m.box.Partition, UIDValidity: m.box.UIDValidity}
}

// isEntry says whether a mailbox is an entry in mailboxes.db without files.
func isEntry(m *csync.Mailbox) bool { return m.Intermediate() || m.Deleted() }

func byID(list []*csync.Mailbox) map[string]*csync.Mailbox {
	m := make(map[string]*csync.Mailbox, len(list))
	for _, b := range list {
		m[b.UniqueID] = b
	}
	return m
}

// parkedName is a name beside n that nobody has, for a mailbox that has to be out of
// the way for a moment.
func parkedName(n mboxname.Name, uniqueID string, used func(mboxname.Name) bool) mboxname.Name {
	sep := mboxname.Name("-")
	if n.IsInbox() {
		// Beside an INBOX are other users.
		sep = "."
	}
	id := mboxname.Name(uniqueID)
	for i := range id {
		if name := n + sep + id[i:]; !used(name) {
			return name
		}
	}
	return n + sep + id + sep + id
}
