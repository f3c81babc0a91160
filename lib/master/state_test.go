package master

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/lib/masterconf"
	"gocyrus/lib/service"
)

// books is a master with one socket, without processes.
func books(now *time.Time) (*master, *socket) {
	m := &master{children: map[int]*child{}, now: func() time.Time { return *now }}
	s := newSocket(masterconf.Entry{Section: masterconf.Services, Name: "imap", Proto: "tcp", Maxchild: masterconf.Unlimited})
	s.family = "ipv4"
	return m, s
}

// TestMessages is the table of the process model, section 5.1.
func TestMessages(t *testing.T) {
	for _, tc := range []struct {
		name  string
		from  state
		what  int
		to    state
		ready int // change
		conns int
	}{
		{"READY, available", stateReady, service.StatusAvailable, stateReady, 0, 0},
		{"READY, unavailable", stateReady, service.StatusUnavailable, stateBusy, -1, 0},
		{"READY, connection", stateReady, service.StatusConnection, stateBusy, -1, 1},
		{"READY, one of many", stateReady, service.StatusMulti, stateReady, 0, 1},
		{"BUSY, available", stateBusy, service.StatusAvailable, stateReady, 1, 0},
		{"BUSY, unavailable", stateBusy, service.StatusUnavailable, stateBusy, 0, 0},
		{"BUSY, connection", stateBusy, service.StatusConnection, stateBusy, 0, 1},
		{"BUSY, one of many", stateBusy, service.StatusMulti, stateBusy, 0, 1},
		{"UNKNOWN, available", stateUnknown, service.StatusAvailable, stateReady, 0, 0},
		{"UNKNOWN, unavailable", stateUnknown, service.StatusUnavailable, stateBusy, 0, 0},
		{"UNKNOWN, connection", stateUnknown, service.StatusConnection, stateBusy, 0, 1},
		{"DEAD, available", stateDead, service.StatusAvailable, stateDead, 0, 0},
		{"DEAD, unavailable", stateDead, service.StatusUnavailable, stateDead, 0, 0},
		{"DEAD, connection", stateDead, service.StatusConnection, stateDead, 0, 1},
		{"nonsense", stateReady, 99, stateReady, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			now := time.Unix(1e9, 0)
			m, s := books(&now)
			c := &child{pid: 7, svc: s, state: tc.from}
			m.children[7] = c
			s.ready = 5
			m.receive(s, message{tc.what, 7})
			if c.state != tc.to || s.ready != 5+tc.ready || s.connections != tc.conns {
				t.Errorf("state %v, ready %+d, connections %d; want %v, %+d, %d",
					c.state, s.ready-5, s.connections, tc.to, tc.ready, tc.conns)
			}
		})
	}
}

func TestMessageOfUnknownChild(t *testing.T) {
	now := time.Unix(1e9, 0)
	m, s := books(&now)
	m.receive(s, message{service.StatusAvailable, 7})
	if s.ready != 0 || m.children[7].state != stateDead {
		t.Errorf("ready %d, state %v: a stranger counts", s.ready, m.children[7].state)
	}
}

func TestEnds(t *testing.T) {
	for _, tc := range []struct {
		name          string
		from          state
		failed        bool
		served        bool
		active, ready int // change
		fails         int
	}{
		{"READY, well", stateReady, false, false, -1, -1, 0},
		{"READY, failed", stateReady, true, false, -1, -1, 1},
		{"READY with sessions, failed", stateReady, true, true, -1, -1, 0},
		{"BUSY, well", stateBusy, false, false, -1, 0, 0},
		{"BUSY, failed", stateBusy, true, false, -1, 0, 0},
		{"UNKNOWN", stateUnknown, true, false, -1, 0, 0},
		{"DEAD", stateDead, true, false, 0, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			now := time.Unix(1e9, 0)
			m, s := books(&now)
			c := &child{pid: 7, svc: s, state: tc.from, served: tc.served}
			m.children[7] = c
			s.active, s.ready = 5, 5
			m.ended(c, tc.failed)
			if s.active != 5+tc.active || s.ready != 5+tc.ready || s.readyFails != tc.fails {
				t.Errorf("active %+d, ready %+d, failures %d; want %+d, %+d, %d",
					s.active-5, s.ready-5, s.readyFails, tc.active, tc.ready, tc.fails)
			}
			if c.state != stateDead {
				t.Errorf("state %v, want DEAD", c.state)
			}
		})
	}
}

// Five failures, none more than ten seconds after the one before it.
func TestReadyFailures(t *testing.T) {
	for _, tc := range []struct {
		name    string
		apart   time.Duration
		n       int
		enabled bool
	}{
		{"four", time.Second, 4, true},
		{"five", 10 * time.Second, 5, false},
		{"five with pauses", 11 * time.Second, 5, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			now := time.Unix(1e9, 0)
			m, s := books(&now)
			for range tc.n {
				now = now.Add(tc.apart)
				m.readyFailure(s, &child{svc: s})
			}
			if s.enabled != tc.enabled {
				t.Errorf("enabled %t, want %t", s.enabled, tc.enabled)
			}
		})
	}
}

func TestPlaces(t *testing.T) {
	now := time.Unix(1e9, 0)
	m, s := books(&now)
	s.entry.Maxchild = 10
	full := &child{pid: 1, svc: s, state: stateBusy, places: 4}
	gone := &child{pid: 2, svc: s, state: stateDead, places: 3}
	other := &child{pid: 3, state: stateReady, places: 1}
	m.children = map[int]*child{1: full, 2: gone, 3: other}
	if n := m.places(s); n != 6 {
		t.Errorf("%d places, want 6: neither the dead nor strangers count", n)
	}
	m.receive(s, message{service.StatusSessions | 1<<8, 1})
	if n := m.places(s); n != 9 {
		t.Errorf("%d places, want 9: the leaving one has 1 session", n)
	}
	m.receive(s, message{service.StatusSessions | 7<<8, 1})
	if n := m.places(s); n != 9 {
		t.Errorf("%d places, want 9: nobody's share grows", n)
	}
}

func TestReadMessage(t *testing.T) {
	s := newSocket(masterconf.Entry{})
	if err := s.openStatus(); err != nil {
		t.Fatal(err)
	}
	defer s.closeStatus()
	if _, ok, err := readMessage(s.statusR); ok || err != nil {
		t.Errorf("empty pipe: %t, %v", ok, err)
	}
	unix.Write(s.statusW, []byte{2, 0, 0, 0, 0x39, 0x30, 0, 0})
	if msg, ok, err := readMessage(s.statusR); !ok || err != nil || msg != (message{2, 12345}) {
		t.Errorf("got %v, %t, %v", msg, ok, err)
	}
	unix.Write(s.statusW, []byte{2, 0, 0})
	if _, _, err := readMessage(s.statusR); err == nil {
		t.Error("a short message was read")
	}
}
