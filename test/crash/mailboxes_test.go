package crash_test

import (
	"fmt"
	"strings"
)

// take takes a mailbox that nobody uses, to delete or rename it: with tree one
// that has others below, and these too, without one that has none. nil is that
// there is no such mailbox.
func (c *client) take(tree bool) []*box {
	c.u.mu.Lock()
	defer c.u.mu.Unlock()
	for _, at := range c.r.Perm(len(c.u.boxes)) {
		b := c.u.boxes[at]
		if b.fixed() || !b.free() {
			continue
		}
		below := c.u.below(b.name)
		if tree != (len(below) > 0) {
			continue
		}
		all := append([]*box{b}, below...)
		if !allFree(all) {
			continue
		}
		for _, b := range all {
			b.taken = true
		}
		return all
	}
	return nil
}

func (b *box) free() bool { return b.is == yes && !b.taken && b.users == 0 }

func allFree(all []*box) bool {
	for _, b := range all {
		if !b.free() {
			return false
		}
	}
	return true
}

// below are the mailboxes under a name.
func (u *user) below(name string) (all []*box) {
	for _, b := range u.boxes {
		if strings.HasPrefix(b.name, name+"/") || strings.HasPrefix(b.to, name+"/") {
			all = append(all, b)
		}
	}
	return all
}

// newName is a name nobody has, at the top or below a mailbox; now and then one
// that a deleted mailbox had.
func (c *client) newName() string {
	n := c.u.next
	if c.r.IntN(4) > 0 || n == 0 {
		c.u.next++
	} else {
		n = c.r.IntN(n)
	}
	name := fmt.Sprintf("INBOX/d%d", n)
	for _, b := range c.u.boxes {
		if !b.fixed() && b.free() && c.r.IntN(8) == 0 {
			return fmt.Sprintf("%s/c%d", b.name, n)
		}
	}
	return name
}

// occupied says whether a name, or one above or below it, is in use or about to
// change.
func (u *user) occupied(name string) bool {
	for _, b := range u.boxes {
		for _, is := range []string{b.name, b.to} {
			if is == name || strings.HasPrefix(is, name+"/") {
				return true
			}
			if strings.HasPrefix(name, is+"/") && (b.taken || b.is != yes) {
				return true
			}
		}
	}
	return false
}

// boxesPerUser bounds what one round has to verify.
const boxesPerUser = 24

func (c *client) create() error {
	c.u.mu.Lock()
	name := c.newName()
	if c.u.occupied(name) || len(c.u.boxes) >= boxesPerUser {
		c.u.mu.Unlock()
		return nil
	}
	b := newBox(name)
	b.is, b.taken = maybe, true
	c.u.boxes = append(c.u.boxes, b)
	c.u.mu.Unlock()
	r, err := c.do("CREATE " + name)
	if err != nil {
		return err
	}
	c.u.mu.Lock()
	defer c.u.mu.Unlock()
	b.is, b.taken = known(r.OK()), false
	c.u.drop()
	return nil
}

// drop forgets mailboxes that are certainly gone.
func (u *user) drop() {
	kept := u.boxes[:0]
	for _, b := range u.boxes {
		if b.is != no {
			kept = append(kept, b)
		}
	}
	u.boxes = kept
}

func (c *client) delete() error {
	all := c.take(false) // a mailbox with others below it is not deleted
	if all == nil {
		return nil
	}
	b := all[0]
	c.u.mu.Lock()
	b.is = maybe
	c.u.mu.Unlock()
	r, err := c.do("DELETE " + b.name)
	if err != nil {
		return err
	}
	c.u.mu.Lock()
	defer c.u.mu.Unlock()
	b.is, b.taken = known(!r.OK()), false
	c.u.drop()
	return nil
}

// rename renames a mailbox, with all below it.
func (c *client) rename() error {
	all := c.take(c.r.IntN(2) == 0)
	if all == nil {
		return nil
	}
	c.u.mu.Lock()
	from, to := all[0].name, c.newName()
	if c.u.occupied(to) || strings.HasPrefix(to, from+"/") {
		for _, b := range all {
			b.taken = false
		}
		c.u.mu.Unlock()
		return nil
	}
	for _, b := range all {
		b.to = to + strings.TrimPrefix(b.name, from)
	}
	c.u.mu.Unlock()
	r, err := c.do("RENAME " + from + " " + to)
	if err != nil {
		return err
	}
	c.u.mu.Lock()
	defer c.u.mu.Unlock()
	for _, b := range all {
		c.u.renamed(b, r.OK())
		b.taken = false
	}
	return nil
}

// renamed settles the name of a mailbox.
func (u *user) renamed(b *box, done bool) {
	if !done {
		b.to = b.name
		return
	}
	from := b.name
	b.name = b.to
	u.moveTold(b, from)
}

// setACL gives somebody rights on a mailbox, or takes them.
func (c *client) setACL() error {
	c.u.mu.Lock()
	var b *box
	for _, at := range c.r.Perm(len(c.u.boxes)) {
		if c.u.boxes[at].free() {
			b = c.u.boxes[at]
			b.taken = true // its ACL is one client's at a time
			break
		}
	}
	c.u.mu.Unlock()
	if b == nil {
		return nil
	}
	who := []string{"zoe", "team"}[c.r.IntN(2)]
	rights := []string{"l", "lr", "lrs", "lrsw", "lrswip", ""}[c.r.IntN(6)]
	c.u.mu.Lock()
	was := unknown // a new mailbox has the rights of the one above it
	if c, ok := b.acl[who]; ok {
		was = c.is
	}
	b.acl[who] = choice{was, rights}
	c.u.mu.Unlock()
	r, err := c.do(fmt.Sprintf("SETACL %s %s %q", b.name, who, rights))
	if err != nil {
		return err
	}
	c.u.mu.Lock()
	defer c.u.mu.Unlock()
	if !r.OK() {
		rights = was
	}
	b.acl[who] = choice{rights, rights}
	b.taken = false
	return nil
}

// subscribe subscribes to one of the mailboxes that stay, or ends it.
func (c *client) subscribe() error {
	name := staying[c.r.IntN(len(staying))]
	cmd, want := "SUBSCRIBE ", yes
	if c.r.IntN(2) == 0 {
		cmd, want = "UNSUBSCRIBE ", no
	}
	c.u.mu.Lock()
	if c.u.inSub[name] {
		c.u.mu.Unlock()
		return nil
	}
	was := c.u.subs[name]
	c.u.inSub[name] = true
	if was != want {
		c.u.subs[name] = maybe
	}
	c.u.mu.Unlock()
	r, err := c.do(cmd + name)
	if err != nil {
		return err
	}
	c.u.mu.Lock()
	defer c.u.mu.Unlock()
	delete(c.u.inSub, name)
	if c.u.subs[name] = want; !r.OK() {
		c.u.subs[name] = was
	}
	return nil
}
