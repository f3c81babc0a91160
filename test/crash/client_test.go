package crash_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"

	"gocyrus/test/internal/rig"
)

// faults collects what is wrong, from all clients of a round.
type faults struct {
	mu  sync.Mutex
	all []string
}

func (f *faults) add(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, fmt.Sprintf(format, args...))
}

// A client works on a user's mailboxes until its connection breaks.
type client struct {
	*rig.IMAP
	u        *user
	s        *store
	r        *rand.Rand
	f        *faults
	selected *box
	done     int   // commands acknowledged
	broken   error // how the session ended, when the client did not end it
}

// run works until the connection breaks, or stop is closed.
func (c *client) run(addr string, stop <-chan struct{}) {
	conn, err := rig.Login(addr, c.u.name)
	if err != nil {
		return // the site went away first
	}
	c.IMAP = conn
	defer conn.Close()
	defer c.leave()
	if _, err := c.do("ENABLE CONDSTORE"); err != nil {
		return
	}
	for {
		select {
		case <-stop:
			return
		default:
		}
		if c.broken = c.work(); c.broken != nil {
			return
		}
	}
}

// works are what a client does, and how often among others.
var works = []struct {
	weight int
	do     func(*client) error
}{
	{20, (*client).append}, {4, (*client).appendMany}, {16, (*client).store}, {10, (*client).expunge},
	{8, (*client).copy}, {8, (*client).move}, {6, (*client).learn}, {5, (*client).create},
	{3, (*client).delete}, {6, (*client).rename}, {4, (*client).setACL}, {3, (*client).subscribe}, {4, (*client).unselect},
}

func (c *client) work() error {
	sum := 0
	for _, w := range works {
		sum += w.weight
	}
	n := c.r.IntN(sum)
	for _, w := range works {
		if n -= w.weight; n < 0 {
			return w.do(c)
		}
	}
	return nil
}

// do sends a command that has to succeed. A NO is a fault, but for one of a
// server that is going down.
func (c *client) do(cmd string) (*rig.Reply, error) {
	r, err := c.Do(cmd)
	if err != nil {
		return nil, err
	}
	if !r.OK() {
		c.f.add("%s: %.100q: %s %s", c.u.name, cmd, r.Status, r.Text)
		return r, nil
	}
	c.done++
	return r, nil
}

// use picks a mailbox that may be used, and holds it in place.
func (c *client) use(fit func(*box) bool) *box {
	c.u.mu.Lock()
	defer c.u.mu.Unlock()
	var all []*box
	for _, b := range c.u.boxes {
		if b.is == yes && !b.taken && (fit == nil || fit(b)) {
			all = append(all, b)
		}
	}
	if len(all) == 0 {
		return nil
	}
	b := all[c.r.IntN(len(all))]
	b.users++
	return b
}

func (c *client) release(b *box) {
	c.u.mu.Lock()
	b.users--
	c.u.mu.Unlock()
}

// leave forgets the selected mailbox.
func (c *client) leave() {
	if c.selected != nil {
		c.release(c.selected)
		c.selected = nil
	}
}

// selectBox selects a mailbox that is held. It stays held until the next.
func (c *client) selectBox(b *box) error {
	if c.selected == b {
		return nil
	}
	c.leave()
	c.u.mu.Lock()
	name, uidnext, modseq := b.name, b.uidnext, b.modseq // what others are told meanwhile may be newer than the answer
	b.users++
	c.u.mu.Unlock()
	c.selected = b
	r, err := c.do("SELECT " + name)
	if err != nil {
		return err
	}
	if !r.OK() {
		return fmt.Errorf("SELECT %s: %s", name, r.Text)
	}
	c.u.mu.Lock()
	defer c.u.mu.Unlock()
	if err := b.opened(r, uidnext, modseq); err != nil {
		c.f.add("%s %s: %v", c.u.name, name, err)
	}
	return nil
}

// opened compares what SELECT says with what was said before it was sent, and
// remembers it.
func (b *box) opened(r *rig.Reply, uidnext uint32, highest uint64) error {
	validity, next := number(r, "UIDVALIDITY"), number(r, "UIDNEXT")
	modseq := number(r, "HIGHESTMODSEQ")
	if b.uidvalidity != 0 && validity != uint64(b.uidvalidity) {
		return fmt.Errorf("UIDVALIDITY was %d and is %d", b.uidvalidity, validity)
	}
	if next < uint64(uidnext) {
		return fmt.Errorf("UIDNEXT is %d, at least %d was told", next, uidnext)
	}
	if modseq < highest {
		return fmt.Errorf("HIGHESTMODSEQ is %d, %d was told", modseq, highest)
	}
	b.uidvalidity, b.uidnext, b.modseq = uint32(validity), max(uint32(next), b.uidnext), max(modseq, b.modseq)
	return nil
}

func number(r *rig.Reply, code string) uint64 {
	args, ok := r.UntaggedCode(code)
	if !ok || len(args) == 0 {
		return 0
	}
	n, _ := strconv.ParseUint(args[0], 10, 64)
	return n
}

func (c *client) unselect() error {
	if c.selected == nil {
		return nil
	}
	_, err := c.do("UNSELECT")
	c.leave()
	return err
}

// parseSet reads a set as COPYUID has it, in its order.
func parseSet(s string) (all []uint32) {
	for part := range strings.SplitSeq(s, ",") {
		lo, hi, ranged := strings.Cut(part, ":")
		a, _ := strconv.ParseUint(lo, 10, 32)
		b := a
		if ranged {
			b, _ = strconv.ParseUint(hi, 10, 32)
		}
		for ; a <= b && a != 0; a++ {
			all = append(all, uint32(a))
		}
	}
	return all
}

// uidSet writes the UIDs of messages.
func uidSet(all []*held) string {
	parts := make([]string, len(all))
	for i, h := range all {
		parts[i] = strconv.FormatUint(uint64(h.uid), 10)
	}
	return strings.Join(parts, ",")
}
