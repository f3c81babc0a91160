package failover

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
)

// state is what is known of a thing.
type state uint8

const (
	no    state = iota // must not be there
	yes                // must be there
	maybe              // asked for, or asked to go, and not answered
)

func (s state) allows(is bool) bool { return s == maybe || (s == yes) == is }

func known(is bool) state {
	if is {
		return yes
	}
	return no
}

const idHeader = "X-Failover-Id: "

// compose makes the text of a message, of CRLF lines. Most are small, as mail is.
func compose(r *rand.Rand, id string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s\r\nMessage-Id: <%s@failover.example>\r\nFrom: a@example.org\r\nTo: b@example.org\r\n", idHeader, id, id)
	fmt.Fprintf(&b, "Subject: failover %s\r\nDate: Tue, 24 Nov 2026 06:00:00 +0000\r\n\r\n", id)
	lines := 1 + r.IntN(20)
	if r.IntN(20) == 0 {
		lines *= 100
	}
	for range lines {
		fmt.Fprintf(&b, "%016x %016x\r\n", r.Uint64(), r.Uint64())
	}
	return b.String()
}

// A held message is a message in a mailbox.
type held struct {
	id      string
	uid     uint32 // 0 is unknown
	is      state
	flagged state
	busy    bool  // somebody works on it, or has had no answer
	into    *held // the message it becomes by the MOVE in flight
}

// A box is a mailbox. What a command without an answer was about stays in use, or
// taken, until the ledger is settled.
type box struct {
	name string
	to   string // the name it has if the rename in flight is done
	is   state
	msgs map[string]*held
	zoe  choice // her rights

	uidvalidity uint32 // 0 is unknown
	users       int    // who work in it
	taken       bool   // somebody deletes or renames it, or changes its ACL
	story       []string
}

// A choice is a value and what it becomes when the command in flight is done.
type choice struct{ is, or string }

// unknown is a value that nobody has set or seen.
const unknown = "?"

func (c choice) allows(v string) bool { return v == c.is || v == c.or || c.is == unknown }

func newBox(name string) *box {
	return &box{name: name, to: name, is: yes, msgs: map[string]*held{}, zoe: choice{unknown, unknown}}
}

func (b *box) free() bool { return b.is == yes && !b.taken && b.users == 0 }

// pick takes up to n messages that are certainly there and that nobody works on.
func (b *box) pick(r *rand.Rand, n int, fit func(*held) bool) []*held {
	var all []*held
	for _, h := range b.msgs {
		if h.is == yes && !h.busy && h.uid != 0 && (fit == nil || fit(h)) {
			all = append(all, h)
		}
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	all = all[:min(n, len(all))]
	for _, h := range all {
		h.busy = true
	}
	return all
}

// An owner is a user's mailboxes, or those that all share.
type owner struct {
	name  string
	boxes []*box
	next  int // for names of mailboxes
}

// sharing is the owner of the shared mailboxes, all of whom may do anything to the
// messages there.
const sharing = "anyone"

// named returns the mailbox of a name, or nil.
func (o *owner) named(name string) *box {
	for _, b := range o.boxes {
		if b.name == name {
			return b
		}
	}
	return nil
}

// below are the mailboxes under a name.
func (o *owner) below(name string) (all []*box) {
	for _, b := range o.boxes {
		if strings.HasPrefix(b.name, name+".") || strings.HasPrefix(b.to, name+".") {
			all = append(all, b)
		}
	}
	return all
}

// occupied says whether a name, or one above or below it, is in use or about to
// change.
func (o *owner) occupied(name string) bool {
	for _, b := range o.boxes {
		for _, is := range []string{b.name, b.to} {
			if is == name || strings.HasPrefix(is, name+".") {
				return true
			}
			if strings.HasPrefix(name, is+".") && (b.taken || b.is != yes) {
				return true
			}
		}
	}
	return false
}

// drop forgets mailboxes that are certainly gone.
func (o *owner) drop() {
	kept := o.boxes[:0]
	for _, b := range o.boxes {
		if b.is != no {
			kept = append(kept, b)
		}
	}
	o.boxes = kept
}

// A ledger is what a Murder has acknowledged, and what is wrong with it.
type ledger struct {
	mu     sync.Mutex
	users  []*owner
	shared *owner
	sent   map[string][32]byte // sums of all messages ever sent, by id
	story  map[string][]string // what was done with a message, and the answer, by id
	n      int
	done   int            // commands and recipients acknowledged
	noes   map[string]int // refusals, by text
	unsure int            // commands without an answer

	faults  []string
	excuses [][]string // what a NO may begin with: the last one now, those before it earlier
}

func newLedger(users ...string) *ledger {
	l := &ledger{excuses: [][]string{nil}, shared: &owner{name: sharing}, sent: map[string][32]byte{}, story: map[string][]string{}, noes: map[string]int{}}
	for _, u := range users {
		l.users = append(l.users, &owner{name: u, boxes: []*box{newBox("INBOX"), newBox("INBOX.Keep")}})
	}
	return l
}

// locked runs fn alone.
func (l *ledger) locked(fn func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fn()
}

// fault notes what is wrong.
func (l *ledger) fault(format string, args ...any) {
	l.locked(func() { l.faults = append(l.faults, fmt.Sprintf(format, args...)) })
}

// tell remembers what was done with messages, for whoever finds them where they
// should not be.
func (l *ledger) tell(all []*held, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	l.locked(func() {
		for _, h := range all {
			l.story[h.id] = append(l.story[h.id], text)
		}
	})
}

// tellOf is tell for all that may be in a mailbox.
func (l *ledger) tellOf(b *box, format string, args ...any) {
	var all []*held
	l.locked(func() { all = slices.Collect(maps.Values(b.msgs)) })
	l.tell(all, format, args...)
}

// message makes a message of a new id.
func (l *ledger) message(r *rand.Rand) (id, text string) {
	l.locked(func() { l.n++; id = fmt.Sprintf("m%07d", l.n) })
	text = compose(r, id)
	l.locked(func() { l.sent[id] = sha256.Sum256([]byte(text)) })
	return id, text
}

// lost notes a command without an answer. One that is waited for in vain is a fault,
// whatever is dead.
func (l *ledger) lost(who, what string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unsure++
	var e net.Error
	if errors.As(err, &e) && e.Timeout() {
		l.faults = append(l.faults, fmt.Sprintf("%s: %.100q hangs", who, what))
	}
}

// excuse says what a NO may begin with, from now on.
func (l *ledger) excuse(texts ...string) { l.locked(func() { l.excuses = append(l.excuses, texts) }) }

// now is a moment, for refused: a command asks for it when it begins.
func (l *ledger) now() (at int) {
	l.locked(func() { at = len(l.excuses) - 1 })
	return at
}

// refused notes a NO to a command that began at a moment. One that had no excuse then
// or at any time since is a fault: something may have died and come back meanwhile.
func (l *ledger) refused(began int, who, what, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.noes[text]++
	for _, e := range slices.Concat(l.excuses[began:]...) {
		if strings.HasPrefix(text, e) {
			return
		}
	}
	l.faults = append(l.faults, fmt.Sprintf("%s: %.100q: %s", who, what, text))
}
