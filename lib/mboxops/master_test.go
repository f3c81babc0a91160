package mboxops_test

import (
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
	"gocyrus/lib/mupdate/mupdatetest"
)

// master is a mupdate master that breaks down of what Cyrus's breaks down of, and
// that can be made to lose a connection at any command, or to go away.
type master struct {
	t    *testing.T
	addr string

	mu      sync.Mutex
	l       net.Listener
	conns   map[net.Conn]bool
	has     map[string]mupdate.Entry
	said    []string // commands but FIND, with the name
	all     int      // commands
	logins  int
	crashes int
	// fault is asked at each command; it says whether the connection is lost
	// before or after it is carried out, or the master goes away with it.
	fault func(n int) fault
}

// fault is what happens at a command.
type fault struct {
	before, after, down bool
	silent              bool // no answer comes

	also func() // before the connection is lost
}

func newMaster(t *testing.T) *master {
	m := &master{t: t, addr: "127.0.0.1:0", has: map[string]mupdate.Entry{}, conns: map[net.Conn]bool{}}
	m.up()
	t.Cleanup(func() {
		m.down()
		if m.crashes > 0 {
			t.Errorf("a Cyrus master would have broken down %d times", m.crashes)
		}
	})
	return m
}

// up has the master listen, at the address it had.
func (m *master) up() {
	m.t.Helper()
	l, err := net.Listen("tcp", m.addr)
	if err != nil {
		m.t.Fatal(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.l, m.addr = l, l.Addr().String()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			m.mu.Lock()
			m.conns[c] = true
			m.mu.Unlock()
			go m.serve(c)
		}
	}()
}

// down is the opposite; all connections are lost.
func (m *master) down() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away()
}

func (m *master) away() {
	m.l.Close()
	for c := range m.conns {
		c.Close()
	}
}

func (m *master) serve(c net.Conn) {
	defer func() {
		c.Close()
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.conns, c)
	}()
	mupdatetest.Serve(c, m.command)
}

// command carries one out; not ok is a connection that is lost.
func (m *master) command(tag, name string, args []string) (answer string, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch name {
	case "AUTHENTICATE":
		m.logins++
		return tag + " OK \"Authenticated\"\r\n", true
	case "LOGOUT":
		return tag + " OK \"bye-bye\"\r\n", true
	}
	m.all++
	if name != "FIND" && name != "LIST" {
		m.said = append(m.said, name+" "+strings.Join(args, " "))
	}
	var f fault
	if m.fault != nil {
		f = m.fault(m.all)
	}
	if f.down {
		defer m.away()
	}
	if !f.before {
		answer = m.answer(tag, name, args)
	}
	if f.also != nil {
		f.also()
	}
	if f.before {
		return "", false
	}
	if f.silent {
		return "", true
	}
	return answer, !f.after && answer != ""
}

func (m *master) answer(tag, name string, args []string) string {
	done := tag + " OK \"done\"\r\n"
	if name == "LIST" {
		var b []byte
		for _, n := range slices.Sorted(maps.Keys(m.has)) { // not in the order of keys
			if e := m.has[n]; len(args) == 0 || strings.HasPrefix(e.Location, args[0]) {
				b = mupdate.AppendEntry(append(b, tag+" "...), &e)
			}
		}
		return string(b) + done
	}
	n := args[0]
	old := m.has[n]
	switch name {
	case "FIND":
		if old.State != mupdate.Absent {
			return string(mupdate.AppendEntry([]byte(tag+" "), &old)) + done
		}
	case "RESERVE":
		if old.State != mupdate.Absent && old.Location != args[1] {
			return tag + " NO \"mailbox already exists\"\r\n"
		}
		m.has[n] = mupdate.Entry{State: mupdate.Reserved, Name: mboxname.Name(n), Location: args[1]}
	case "ACTIVATE":
		m.has[n] = mupdate.Entry{State: mupdate.Active, Name: mboxname.Name(n), Location: args[1], ACL: args[2]}
	case "DEACTIVATE":
		if old.State != mupdate.Active {
			m.crashes++
			return ""
		}
		m.has[n] = mupdate.Entry{State: mupdate.Reserved, Name: mboxname.Name(n), Location: args[1]}
	case "DELETE":
		if old.State == mupdate.Absent {
			m.crashes++
			return ""
		}
		delete(m.has, n)
	}
	return done
}

// set makes the master have an entry, or none when it is absent.
func (m *master) set(e mupdate.Entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.State == mupdate.Absent {
		delete(m.has, string(e.Name))
	} else {
		m.has[string(e.Name)] = e
	}
}

// sessions is how many connections there are.
func (m *master) sessions() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.conns)
}

// asked is how many logins and commands there were.
func (m *master) asked() (logins, commands int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.logins, m.all
}

// content is a copy of all entries.
func (m *master) content() map[string]mupdate.Entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.has)
}

// faults makes fn the fault, counting commands anew.
func (m *master) faults(fn func(n int) fault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault, m.all = fn, 0
}

// heard takes what was said since the last time, times in names left out.
func (m *master) heard() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	said := m.said
	m.said = nil
	for i, s := range said {
		f := strings.Split(s, " ")
		if n := mboxname.Name(f[1]); n.IsDeleted() {
			f[1] = f[1][:strings.LastIndexByte(f[1], '.')] + ".TIME"
		}
		said[i] = strings.Join(f, " ")
	}
	return said
}
