package failover

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"gocyrus/test/internal/rig"
)

// An outcome is how a command ended.
type outcome uint8

const (
	done    outcome = iota // OK
	refused                // NO: nothing has changed
	unsure                 // no answer, or none of the server that carries it out
)

// lostBackend is what a frontend says where it has lost a backend, or has not
// reached it.
const lostBackend = "Server(s) unavailable"

// halfMoved is what it says where it has brought messages to one backend and cannot
// remove them from the other.
const halfMoved = "Messages were copied, but could not be removed"

// A worker works on a user's mailboxes, through one frontend after the other: it
// goes to another when its connection breaks.
type worker struct {
	l     *ledger
	u     *owner
	r     *rand.Rand
	doors []string // IMAP addresses of the frontends
	c     *rig.IMAP
}

// works are what a worker does, and how often among others.
var works = []struct {
	weight int
	do     func(*worker)
}{
	{20, (*worker).append}, {8, (*worker).flag}, {4, (*worker).expunge}, {6, (*worker).copy}, {6, (*worker).move},
	{6, (*worker).learn}, {6, (*worker).create}, {3, (*worker).delete}, {5, (*worker).rename}, {5, (*worker).setACL},
}

func (w *worker) run(stop <-chan struct{}) {
	defer w.leave()
	for {
		select {
		case <-stop:
			return
		default:
		}
		if !w.enter(stop) {
			return
		}
		w.work()
	}
}

// enter has a session, if it takes another frontend. It is false after stop.
func (w *worker) enter(stop <-chan struct{}) bool {
	for w.c == nil {
		c, err := rig.Login(w.doors[w.r.IntN(len(w.doors))], w.u.name)
		if err == nil {
			w.c = c
			return true
		}
		select {
		case <-stop:
			return false
		case <-time.After(20 * time.Millisecond): // a dead frontend refuses at once
		}
	}
	return true
}

func (w *worker) leave() {
	if w.c != nil {
		w.c.Close()
		w.c = nil
	}
}

func (w *worker) work() {
	sum := 0
	for _, k := range works {
		sum += k.weight
	}
	n := w.r.IntN(sum)
	for _, k := range works {
		if n -= k.weight; n < 0 {
			k.do(w)
			return
		}
	}
}

// do sends a command. After one without an answer the session is over.
func (w *worker) do(format string, args ...any) (*rig.Reply, outcome) {
	cmd := fmt.Sprintf(format, args...)
	if w.c == nil {
		return nil, unsure
	}
	began := w.l.now()
	r, err := w.c.Do(cmd)
	if err != nil {
		w.leave()
		w.l.lost(w.u.name, cmd, err)
		return nil, unsure
	}
	switch {
	case r.OK():
		w.l.locked(func() { w.l.done++ })
		return r, done
	case r.Status == "NO" && (strings.HasPrefix(r.Text, lostBackend) || strings.HasPrefix(r.Text, halfMoved)):
		w.l.refused(began, w.u.name, cmd, r.Text)
		return r, unsure
	case r.Status == "NO":
		w.l.refused(began, w.u.name, cmd, r.Text)
		return r, refused
	}
	w.l.fault("%s: %.100q: %s %s", w.u.name, cmd, r.Status, r.Text)
	return r, refused
}

// use picks a mailbox to work in, shared ones among them, and holds it in place.
func (w *worker) use(fit func(*box) bool) (b *box) {
	w.l.locked(func() {
		var all []*box
		for _, o := range []*owner{w.u, w.l.shared} {
			for _, b := range o.boxes {
				if b.is == yes && !b.taken && (fit == nil || fit(b)) {
					all = append(all, b)
				}
			}
		}
		if len(all) > 0 {
			b = all[w.r.IntN(len(all))]
			b.users++
		}
	})
	return b
}

func (w *worker) release(b *box) { w.l.locked(func() { b.users-- }) }

// open selects a mailbox and picks messages of it; without any, or without an
// answer, there is nothing to close.
func (w *worker) open(b *box, n int, fit func(*held) bool) []*held {
	r, how := w.do("SELECT %s", b.name)
	if how != done {
		return nil
	}
	args, _ := r.UntaggedCode("UIDVALIDITY")
	var all []*held
	w.l.locked(func() {
		if v := number(args); b.uidvalidity == 0 {
			b.uidvalidity = v
		} else if b.uidvalidity != v {
			w.l.faults = append(w.l.faults, fmt.Sprintf("%s %s: UIDVALIDITY was %d and is %d", w.u.name, b.name, b.uidvalidity, v))
		}
		all = b.pick(w.r, n, fit)
	})
	if len(all) == 0 {
		w.do("UNSELECT")
	}
	return all
}

func number(args []string) uint32 {
	if len(args) == 0 {
		return 0
	}
	n, _ := strconv.ParseUint(args[0], 10, 32)
	return uint32(n)
}

// settle is what an answer does to messages: fn for each, and they are free
// again. Without an answer they stay as they are.
func (w *worker) settle(all []*held, how outcome, fn func(h *held, ok bool)) {
	if how == unsure {
		return
	}
	w.l.locked(func() {
		for _, h := range all {
			if fn != nil {
				fn(h, how == done)
			}
			h.busy = false
		}
	})
}

// uidSet writes the UIDs of messages.
func uidSet(all []*held) string {
	parts := make([]string, len(all))
	for i, h := range all {
		parts[i] = strconv.FormatUint(uint64(h.uid), 10)
	}
	return strings.Join(parts, ",")
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
