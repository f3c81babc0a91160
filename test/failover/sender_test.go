package failover

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"gocyrus/test/internal/murder"
	"gocyrus/test/internal/rig"
)

// A sender delivers mail, through one frontend after the other.
type sender struct {
	l     *ledger
	r     *rand.Rand
	doors []*murder.Seat
	c     *rig.LMTP
}

func (s *sender) run(stop <-chan struct{}) {
	defer func() {
		if s.c != nil {
			s.c.Close()
		}
	}()
	for {
		select {
		case <-stop:
			return
		default:
		}
		if s.c == nil {
			c, err := s.doors[s.r.IntN(len(s.doors))].DialLMTP()
			if err != nil {
				time.Sleep(20 * time.Millisecond) // a dead frontend refuses at once
				continue
			}
			s.c = c
		}
		if err := s.deliver(); err != nil {
			s.l.lost("LMTP", "a message", err)
			s.c.Close()
			s.c = nil
		}
	}
}

// deliver sends one message to one user or to several.
func (s *sender) deliver() error {
	id, text := s.l.message(s.r)
	to := map[string]*held{}
	var names []string
	s.l.locked(func() {
		for _, at := range s.r.Perm(len(s.l.users))[:1+s.r.IntN(2)*s.r.IntN(len(s.l.users))] {
			u := s.l.users[at]
			h := &held{id: id, is: maybe, busy: true}
			u.named("INBOX").msgs[id] = h
			to[u.name] = h
			names = append(names, u.name)
		}
	})
	began := s.l.now()
	return s.transact(text, names, func(name, reply string, early bool) {
		if !strings.HasPrefix(reply, "250") {
			s.l.refused(began, "LMTP", "to "+name, reply)
		}
		s.l.locked(func() {
			switch h := to[name]; {
			case strings.HasPrefix(reply, "250"):
				s.l.done++
				h.is, h.busy = yes, false
				s.l.story[id] = append(s.l.story[id], "delivered to "+name)
			case early:
				// Nothing was sent to anybody.
				for _, u := range s.l.users {
					if u.name == name {
						delete(u.named("INBOX").msgs, id)
					}
				}
			}
			// After DATA a refusal may be that of a frontend that has lost the backend.
		})
	})
}

// transact is one transaction. on is told each recipient's answer, early that at
// RCPT.
func (s *sender) transact(text string, names []string, on func(name, reply string, early bool)) error {
	if err := s.c.Send("MAIL FROM:<sender@example.org>\r\n"); err != nil {
		return err
	}
	if _, err := s.c.Expect("250"); err != nil {
		return err
	}
	var taken []string
	for _, name := range names {
		if err := s.c.Send("RCPT TO:<" + name + ">\r\n"); err != nil {
			return err
		}
		reply, err := s.c.Reply()
		if err != nil {
			return err
		}
		if strings.HasPrefix(reply, "250") {
			taken = append(taken, name)
			continue
		}
		on(name, reply, true)
	}
	if len(taken) == 0 {
		return nil
	}
	if err := s.c.Send("DATA\r\n"); err != nil {
		return err
	}
	if _, err := s.c.Expect("354"); err != nil {
		return err
	}
	if err := s.c.Send(strings.ReplaceAll(text, "\r\n.", "\r\n..") + ".\r\n"); err != nil {
		return err
	}
	for _, name := range taken {
		reply, err := s.c.Reply()
		if err != nil {
			return err
		}
		on(name, reply, false)
	}
	return nil
}

// A mover is administrators who move users from backend to backend.
type mover struct {
	l       *ledger
	doors   []string // IMAP addresses of the frontends
	servers []string
	done    int            // moves that were acknowledged
	refused map[string]int // by answer
}

func (m *mover) run(r *rand.Rand, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		if err := m.session(r, stop); err != nil {
			time.Sleep(20 * time.Millisecond) // a dead frontend refuses at once
		}
	}
}

// session moves users on one connection until it breaks.
func (m *mover) session(r *rand.Rand, stop <-chan struct{}) error {
	c, err := rig.Login(m.doors[r.IntN(len(m.doors))], "cyrus")
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		o := m.l.users[r.IntN(len(m.l.users))]
		u := o.name
		cmd := fmt.Sprintf("RENAME user.%s user.%s %s!default", u, u, m.servers[r.IntN(len(m.servers))])
		reply, err := c.Do(cmd)
		if err != nil {
			m.l.lost("cyrus", cmd, err)
			return err
		}
		var boxes []*box
		m.l.locked(func() { boxes = slices.Clone(o.boxes) })
		for _, b := range boxes {
			m.l.tellOf(b, "%s: %s", cmd, answer(reply))
		}
		m.l.locked(func() {
			if reply.OK() {
				m.done++
			} else {
				m.refused[reply.Status+" "+reply.Text]++
			}
		})
	}
}
