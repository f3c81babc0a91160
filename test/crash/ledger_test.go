package crash_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
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

// A message is what was sent, by its id.
type message struct {
	id   string
	text string // of CRLF lines, beginning with the header that holds the id
	sum  [32]byte
}

const idHeader = "X-Crash-Id: "

// newMessage makes a message of some lines. Most are small, as mail is.
func newMessage(r *rand.Rand, id string) message {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s\r\nMessage-Id: <%s@crash.example>\r\nFrom: a@example.org\r\nTo: b@example.org\r\n", idHeader, id, id)
	fmt.Fprintf(&b, "Subject: crash %s\r\nDate: Tue, 24 Nov 2026 06:00:00 +0000\r\n\r\n", id)
	lines := 1 + r.IntN(20)
	if r.IntN(20) == 0 {
		lines *= 200
	}
	for range lines {
		fmt.Fprintf(&b, "%016x %016x\r\n", r.Uint64(), r.Uint64())
	}
	return message{id: id, text: b.String(), sum: sha256.Sum256([]byte(b.String()))}
}

// A held message is a message in a mailbox.
type held struct {
	id    string
	uid   uint32 // 0 is unknown
	is    state
	flags map[string]state
	busy  bool  // a client works on it
	into  *held // the message it becomes by the MOVE in flight
}

// A box is a mailbox of a user, alone in it or shared by clients.
type box struct {
	name string
	to   string // the name it has if the rename in flight is done
	is   state
	msgs map[string]*held
	acl  map[string]choice

	uidvalidity uint32
	modseq      uint64 // highest told
	uidnext     uint32 // lowest that may come next, as told

	users int  // clients that work in it or have it selected
	taken bool // a client deletes or renames it, or changes its ACL
}

// A choice is a value and what it becomes when the command in flight is done.
type choice struct{ is, or string }

// unknown is a value that no client has set or seen.
const unknown = "?"

func (c choice) allows(v string) bool { return v == c.is || v == c.or || c.is == unknown }

// user is one user's ledger.
type user struct {
	name string

	mu    sync.Mutex
	boxes []*box
	subs  map[string]state
	inSub map[string]bool // a client changes the subscription
	limit choice          // of the quota root, in KB
	next  int             // for names of mailboxes

	// told are the messages that were ever seen under a UID, by mailbox name
	// and UIDVALIDITY: RFC 3501 section 2.3.1.1.
	told map[place]map[uint32]string
}

type place struct {
	name        string
	uidvalidity uint32
}

// staying are the mailboxes that each user has from the start, and keeps.
var staying = []string{"INBOX", "INBOX/Keep", "INBOX/Sub", "INBOX/Sub/Deep"}

func newUser(name string) *user {
	u := &user{name: name, subs: map[string]state{}, inSub: map[string]bool{}, told: map[place]map[uint32]string{}}
	for _, b := range staying {
		u.boxes = append(u.boxes, newBox(b))
	}
	return u
}

func newBox(name string) *box {
	return &box{name: name, to: name, is: yes, msgs: map[string]*held{}, acl: map[string]choice{}}
}

// fixed says whether a mailbox stays under its name: subscriptions are made to
// these.
func (b *box) fixed() bool { return !strings.HasPrefix(b.name, "INBOX/d") }

// named returns the mailbox of a name, or nil.
func (u *user) named(name string) *box {
	for _, b := range u.boxes {
		if b.name == name {
			return b
		}
	}
	return nil
}

// see notes that a UID is a message's, and says what it was before.
func (u *user) see(b *box, uid uint32, id string) error {
	at := place{b.name, b.uidvalidity}
	if u.told[at] == nil {
		u.told[at] = map[uint32]string{}
	}
	if was, ok := u.told[at][uid]; ok && was != id {
		return fmt.Errorf("%s %s: UID %d of UIDVALIDITY %d was message %s and is %s", u.name, b.name, uid, b.uidvalidity, was, id)
	}
	u.told[at][uid] = id
	if uid >= b.uidnext {
		b.uidnext = uid + 1
	}
	return nil
}

// moveTold takes along what was told of a mailbox that has a new name.
func (u *user) moveTold(b *box, from string) {
	if t := u.told[place{from, b.uidvalidity}]; t != nil {
		u.told[place{b.name, b.uidvalidity}] = t
	}
}

// pick takes up to n messages of a mailbox that are certainly there and that
// nobody works on.
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

func (b *box) live() (n int) {
	for _, h := range b.msgs {
		if h.is == yes {
			n++
		}
	}
	return n
}

// A store is the ledger of a site: its users, and all messages ever sent.
type store struct {
	users []*user

	mu   sync.Mutex
	sent map[string]message
	n    int
}

func newStore(users int) *store {
	s := &store{sent: map[string]message{}}
	for i := range users {
		s.users = append(s.users, newUser(fmt.Sprintf("u%d", i)))
	}
	return s
}

// compose makes a message of a new id.
func (s *store) compose(r *rand.Rand) message {
	s.mu.Lock()
	s.n++
	id := fmt.Sprintf("m%07d", s.n)
	s.mu.Unlock()
	m := newMessage(r, id)
	s.mu.Lock()
	s.sent[id] = message{id: id, sum: m.sum} // the text is known by its sum
	s.mu.Unlock()
	return m
}
