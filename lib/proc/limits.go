package proc

import (
	"fmt"
	"strings"
)

// Limits are the bounds on signed-in sessions; 0 is no bound.
type Limits struct {
	PerUser int // maxlogins_per_user
	PerHost int // maxlogins_per_host
}

// OverLimit is the error of Login: how many signed-in sessions there are,
// without the one refused. Its text is what Cyrus tells client and log.
type OverLimit struct {
	Limits
	Client, User string
	Hosts, Users int
}

func (e *OverLimit) Error() string {
	var parts []string
	if e.PerHost > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d from %s", e.Hosts, e.PerHost, e.Client))
	}
	if e.PerUser > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d for %s", e.Users, e.PerUser, e.User))
	}
	return "Too many open connections (" + strings.Join(parts, ", ") + ")"
}

// Login says that user has signed in, unless l forbids it: then the entry
// stays as it is and the error is an *OverLimit. Signed-in sessions of every
// service count, in this process exactly and in others by their files, so two
// processes may at the same moment both give the last place away, as two
// Cyrus processes may.
func (e *Entry) Login(user string, l Limits) error {
	if l.PerUser <= 0 && l.PerHost <= 0 {
		e.SetUser(user)
		return nil
	}
	if err := e.claim(user, l); err != nil {
		return err
	}
	return e.reg.Flush()
}

// claim counts and registers under one lock, so that this process's own
// sessions never are more than the limit.
func (e *Entry) claim(user string, l Limits) error {
	r := e.reg
	over := &OverLimit{Limits: l, User: user}
	count := func(in Info) {
		if in.User == "" {
			return
		}
		if in.User == user {
			over.Users++
		}
		if in.Client == over.Client {
			over.Hosts++
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	over.Client = e.in.Client
	err := each(r.dir, func(in Info) {
		if in.PID != r.pid {
			count(in)
		}
	})
	if err != nil {
		return err
	}
	for el := r.entries.Front(); el != nil; el = el.Next() {
		if o := el.Value.(*Entry); o != e {
			count(o.in)
		}
	}
	if l.PerHost > 0 && over.Hosts >= l.PerHost || l.PerUser > 0 && over.Users >= l.PerUser {
		return over
	}
	if e.elem != nil && e.in.User != user {
		e.in.User = user
		r.changed()
	}
	return nil
}
