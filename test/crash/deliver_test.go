package crash_test

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"gocyrus/test/internal/rig"
)

// A sender delivers mail over LMTP until its connection breaks.
type sender struct {
	s    *store
	r    *rand.Rand
	f    *faults
	done int // recipients acknowledged
}

func (d *sender) run(addr string, stop <-chan struct{}) {
	conn, err := rig.DialLMTP(addr)
	if err != nil {
		return
	}
	defer conn.Close()
	for {
		select {
		case <-stop:
			return
		default:
		}
		if err := d.deliver(conn); err != nil {
			return
		}
	}
}

// deliver sends one message to one user, or to several.
func (d *sender) deliver(conn *rig.LMTP) error {
	m := d.s.compose(d.r)
	to := map[string]*user{}
	names := []string{}
	for _, at := range d.r.Perm(len(d.s.users))[:1+d.r.IntN(2)*d.r.IntN(len(d.s.users))] {
		u := d.s.users[at]
		to[u.name] = u
		names = append(names, u.name)
		u.mu.Lock()
		u.named("INBOX").msgs[m.id] = &held{id: m.id, is: maybe, busy: true, flags: map[string]state{}}
		u.mu.Unlock()
	}
	return conn.Deliver(m.text, names, func(rcpt, reply string) {
		u := to[rcpt]
		u.mu.Lock()
		defer u.mu.Unlock()
		b := u.named("INBOX")
		if !strings.HasPrefix(reply, "250") {
			d.f.add("LMTP to %s: %s", rcpt, reply)
			delete(b.msgs, m.id)
			return
		}
		d.done++
		b.msgs[m.id].is, b.msgs[m.id].busy = yes, false
	})
}

// An administrator sets limits until its connection breaks.
type administrator struct {
	s    *store
	r    *rand.Rand
	f    *faults
	done int
}

func (a *administrator) run(addr string, stop <-chan struct{}) {
	conn, err := rig.Login(addr, "admin")
	if err != nil {
		return
	}
	defer conn.Close()
	for {
		select {
		case <-stop:
			return
		default:
		}
		u := a.s.users[a.r.IntN(len(a.s.users))]
		limit := fmt.Sprint(1_000_000 + a.r.IntN(1_000_000))
		u.mu.Lock()
		was := u.limit.is
		u.limit.or = limit
		u.mu.Unlock()
		r, err := conn.Do("SETQUOTA user/" + u.name + " (STORAGE " + limit + ")")
		if err != nil {
			return
		}
		a.done++
		if !r.OK() {
			a.f.add("SETQUOTA %s: %s %s", u.name, r.Status, r.Text)
			limit = was
		}
		u.mu.Lock()
		u.limit = choice{limit, limit}
		u.mu.Unlock()
	}
}
