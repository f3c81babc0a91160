package failover

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"gocyrus/lib/cyrustest"
	"gocyrus/test/internal/rig"
)

// A visitor is a session of the five hundred: it reads, appends or idles until it is
// lost.
type visitor struct {
	user string
	kind int
	n    int
	sent int
	had  []string // subjects that were acknowledged
	open []string // subjects without an answer, with "?"
}

const (
	reads = iota
	appends
	idles
	kinds
)

// frontendKilled kills a frontend under five hundred sessions.
func frontendKilled(t *testing.T, p *topology) {
	m := p.scene(t)
	dead, other := m.doors[0], m.doors[1]
	for i := range 8 {
		m.AddUser(fmt.Sprintf("user%d", i), m.homes[i%2])
	}
	m.Settled()
	for i := range 8 {
		c := other.Session(fmt.Sprintf("user%d", i))
		c.Must("APPEND INBOX " + literal(string(cyrustest.Message("first"))))
		c.Close()
	}
	agreed(t, m.Murder)
	before := descriptors(t, m)

	all := make([]*visitor, 500)
	var in, out sync.WaitGroup
	var early, lost atomic.Int64
	in.Add(len(all))
	enough := make(chan struct{})
	for i := range all {
		v := &visitor{user: fmt.Sprintf("user%d", i%8), kind: i % kinds, n: i}
		all[i] = v
		out.Go(func() {
			busy := false
			err := v.visit(dead.IMAP, func() { busy = true; in.Done() }, enough)
			switch {
			case !busy:
				t.Errorf("%s: %v", v.user, err)
				early.Add(1)
				in.Done()
			case err != nil:
				lost.Add(1)
			}
		})
	}
	in.Wait()
	// What is counted at the end can be seen while it is there.
	open := 0
	for name, n := range descriptors(t, m) {
		open += n - before[name]
	}
	if open < len(all) {
		t.Errorf("%d descriptors are open at the backends", open)
	}
	dead.Kill()
	out.Wait()
	if early.Load() > 0 || int(lost.Load()) != len(all) {
		t.Errorf("%d of %d sessions never began, %d were lost", early.Load(), len(all), lost.Load())
	}
	close(enough)

	// All are back at once, at another.
	for _, v := range all {
		out.Go(func() {
			if err := v.visit(other.IMAP, func() {}, enough); err != nil {
				t.Errorf("%s, again: %v", v.user, err)
			}
		})
	}
	out.Wait()
	for i := range 8 {
		user, want := fmt.Sprintf("user%d", i), []string{"first"}
		for _, v := range all {
			if v.user != user {
				continue
			}
			want = append(want, v.had...)
			want = append(want, v.open...)
		}
		has(t, other, user, "INBOX", want...)
		c := other.Session(user)
		c.Must("CREATE INBOX.Locks", "RENAME INBOX.Locks INBOX.Free", "SELECT INBOX", `STORE 1:* +FLAGS.SILENT (\Deleted)`, "EXPUNGE", "DELETE INBOX.Free")
		c.Close()
	}
	admin := other.Session(cyrustest.Admin)
	admin.Must("CREATE user.meanwhile " + m.homes[0].IP + "!default")
	admin.Close()
	dead.Resume()
	agreed(t, m.Murder)
	dead.Session("meanwhile").Must("SELECT INBOX")

	// Nothing of the dead sessions is left at the backends.
	for _, fe := range m.outer {
		if err := fe.Stop(); err != nil {
			t.Errorf("%s: %v", fe.Name, err)
		}
	}
	m.Eventually("the descriptors of their sessions to be closed", func() bool {
		for name, n := range descriptors(t, m) {
			if n > before[name]+spare {
				return false
			}
		}
		return true
	})
	for _, be := range m.homes {
		if n := len(be.Children("imapd")); n > 4 {
			t.Errorf("%s has %d processes of imapd and no session", be.Name, n)
		}
	}
}

// spare are descriptors that a process may keep which it did not have at first: of
// databases that it has opened, the master's connection, a spare process.
const spare = 24

// entering bounds how many connect at a time, at the frontend and through it at a
// backend: master's queue of 32 is for each.
var entering = make(chan bool, 24)

func enter(addr, user string) (*rig.IMAP, error) {
	entering <- true
	defer func() { <-entering }()
	c, err := rig.Login(addr, user)
	if err != nil {
		return nil, err
	}
	if err := must(c, "SELECT INBOX"); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// visit is one session, until it is lost, or for one round when enough is closed. busy
// is called when it is in the middle of what it does, once.
func (v *visitor) visit(addr string, busy func(), enough <-chan struct{}) error {
	c, err := enter(addr, v.user)
	if err != nil {
		return err
	}
	defer c.Close()
	var once sync.Once
	for first := true; ; first = false {
		select {
		case <-enough:
			if !first {
				return nil
			}
		default:
		}
		if err := v.once(c, func() { once.Do(busy) }, enough); err != nil {
			return err
		}
		once.Do(busy)
	}
}

// once is one thing that a session does. idling is called when IDLE has begun, for
// its end is not to be waited for.
func (v *visitor) once(c *rig.IMAP, idling func(), enough <-chan struct{}) error {
	switch v.kind {
	case reads:
		return must(c, "FETCH 1:* (FLAGS BODY.PEEK[])")
	case idles:
		return v.idle(c, idling, enough)
	}
	v.sent++
	text := fmt.Sprintf("visit %d of %d", v.sent, v.n)
	if err := must(c, "APPEND INBOX "+literal(string(cyrustest.Message(text)))); err != nil {
		v.open = append(v.open, text+"?")
		return err
	}
	v.had = append(v.had, text)
	return nil
}

// idle idles until something happens in the mailbox, which somebody appends to all
// the time; after enough it ends at once.
func (v *visitor) idle(c *rig.IMAP, begun func(), enough <-chan struct{}) error {
	tag, err := c.Start("IDLE")
	if err != nil {
		return err
	}
	line, err := c.Line()
	for ; err == nil && !strings.HasPrefix(line, "+"); line, err = c.Line() {
	}
	if err != nil {
		return err
	}
	begun()
	select {
	case <-enough:
	default:
		if _, err := c.Line(); err != nil {
			return err
		}
	}
	if err := c.Send("DONE\r\n"); err != nil {
		return err
	}
	_, err = c.Await(tag)
	return err
}

func must(c *rig.IMAP, cmd string) error {
	r, err := c.Do(cmd)
	if err == nil && !r.OK() {
		err = fmt.Errorf("%.60q: %s %s", cmd, r.Status, r.Text)
	}
	return err
}

// descriptors are how many each backend's processes of imapd have open, together.
func descriptors(t *testing.T, m *scene) map[string]int {
	t.Helper()
	all := map[string]int{}
	for _, be := range m.homes {
		for _, pid := range be.Children("imapd") {
			files, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/fd")
			if err != nil {
				continue // it has ended
			}
			all[be.Name] += len(files)
		}
	}
	return all
}
