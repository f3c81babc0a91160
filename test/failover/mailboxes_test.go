package failover

import (
	"fmt"
	"strings"

	"gocyrus/test/internal/rig"
)

// boxesPerUser bounds what one round has to verify.
const boxesPerUser = 16

// fixed says whether a mailbox stays under its name.
func (b *box) fixed() bool { return !strings.HasPrefix(b.name, "INBOX.d") }

// take takes a mailbox that nobody uses, to delete or rename it: with tree one that
// may have others below, and these too. It is nil where there is none.
func (w *worker) take(tree bool) (all []*box) {
	w.l.locked(func() {
		for _, at := range w.r.Perm(len(w.u.boxes)) {
			b := w.u.boxes[at]
			below := w.u.below(b.name)
			if b.fixed() || !tree && len(below) > 0 {
				continue
			}
			all = append([]*box{b}, below...)
			if !allFree(all) {
				all = nil
				continue
			}
			for _, b := range all {
				b.taken = true
			}
			return
		}
	})
	return all
}

func allFree(all []*box) bool {
	for _, b := range all {
		if !b.free() {
			return false
		}
	}
	return true
}

// newName is a name nobody has, at the top or below a mailbox; now and then one that
// a deleted mailbox had. The ledger is locked.
func (w *worker) newName() string {
	n := w.u.next
	if w.r.IntN(4) > 0 || n == 0 {
		w.u.next++
	} else {
		n = w.r.IntN(n)
	}
	for _, b := range w.u.boxes {
		if !b.fixed() && b.free() && w.r.IntN(6) == 0 {
			return fmt.Sprintf("%s.c%d", b.name, n)
		}
	}
	return fmt.Sprintf("INBOX.d%d", n)
}

func (w *worker) create() {
	var b *box
	w.l.locked(func() {
		name := w.newName()
		if w.u.occupied(name) || len(w.u.boxes) >= boxesPerUser {
			return
		}
		b = newBox(name)
		b.is, b.taken = maybe, true
		w.u.boxes = append(w.u.boxes, b)
	})
	if b == nil {
		return
	}
	r, how := w.do("CREATE %s", b.name)
	w.note([]*box{b}, "CREATE", r)
	w.told(how, func(ok bool) { b.is, b.taken = known(ok), false })
}

// note remembers what was done with mailboxes.
func (w *worker) note(all []*box, what string, r *rig.Reply) {
	w.l.locked(func() {
		for _, b := range all {
			b.story = append(b.story, what+": "+answer(r))
		}
	})
}

// told is what an answer does to mailboxes.
func (w *worker) told(how outcome, fn func(ok bool)) {
	if how == unsure {
		return
	}
	w.l.locked(func() {
		fn(how == done)
		w.u.drop()
	})
}

func (w *worker) delete() {
	all := w.take(false) // a mailbox with others below it is not deleted
	if all == nil {
		return
	}
	b := all[0]
	w.l.locked(func() { b.is = maybe })
	r, how := w.do("DELETE %s", b.name)
	w.l.tellOf(b, "DELETE %s: %s", b.name, answer(r))
	w.note([]*box{b}, "DELETE", r)
	w.told(how, func(ok bool) { b.is, b.taken = known(!ok), false })
}

// rename renames a mailbox, with all below it.
func (w *worker) rename() {
	all := w.take(true)
	if all == nil {
		return
	}
	from, to := all[0].name, ""
	w.l.locked(func() {
		to = w.newName()
		if w.u.occupied(to) || strings.HasPrefix(to, from+".") {
			to = ""
		}
		for _, b := range all {
			if b.taken = to != ""; b.taken {
				b.to = to + strings.TrimPrefix(b.name, from)
			}
		}
	})
	if to == "" {
		return
	}
	r, how := w.do("RENAME %s %s", from, to)
	for _, b := range all {
		w.l.tellOf(b, "RENAME %s %s: %s", from, to, answer(r))
	}
	w.note(all, "RENAME "+from+" "+to, r)
	w.told(how, func(ok bool) {
		for _, b := range all {
			if b.taken = false; ok {
				b.name = b.to
			}
			b.to = b.name
		}
	})
}

// setACL gives somebody rights on a mailbox, or takes them.
func (w *worker) setACL() {
	var b *box
	rights := []string{"l", "lr", "lrs", "lrsw", "lrswip", ""}[w.r.IntN(6)]
	w.l.locked(func() {
		for _, at := range w.r.Perm(len(w.u.boxes)) {
			if w.u.boxes[at].free() {
				b = w.u.boxes[at]
				b.taken = true // its ACL is one's at a time
				b.zoe.or = rights
				return
			}
		}
	})
	if b == nil {
		return
	}
	_, how := w.do("SETACL %s zoe %q", b.name, rights)
	w.told(how, func(ok bool) {
		if !ok {
			rights = b.zoe.is
		}
		b.zoe, b.taken = choice{rights, rights}, false
	})
}
