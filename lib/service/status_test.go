package service

import (
	"encoding/binary"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// sent returns the messages that f makes.
func sent(t *testing.T, f func(*status)) []int {
	t.Helper()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	f(newStatus(p[1]))
	var got []int
	for {
		var b [StatusSize]byte
		if n, _ := unix.Read(p[0], b[:]); n != len(b) {
			return got
		}
		if pid := int(binary.NativeEndian.Uint32(b[4:])); pid != os.Getpid() {
			t.Errorf("pid %d, want our own", pid)
		}
		got = append(got, int(binary.NativeEndian.Uint32(b[:4])))
	}
}

func TestStatus(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(*status)
		want []int
	}{
		{"with room", func(s *status) { s.connection(true); s.connection(true) }, []int{4, 4}},
		{"full, then not", func(s *status) { s.connection(true); s.connection(false); s.set(false) }, []int{4, 4, 2, 1}},
		{"beyond what was announced", func(s *status) { s.connection(false); s.connection(false) }, []int{4, 2}},
		{"leaving twice", func(s *status) { s.leave(); s.leave() }, []int{2}},
		{"leaving while full", func(s *status) { s.connection(false); s.leave() }, []int{4, 2}},
		{"counting down", func(s *status) { s.leave(); s.sessions(3); s.sessions(0) }, []int{2, 5 | 3<<8, 5}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := sent(t, tc.do); !slices.Equal(got, tc.want) {
				t.Errorf("messages %v, want %v", got, tc.want)
			}
		})
	}
}

func TestMasterGone(t *testing.T) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	s := newStatus(p[1])
	gone := make(chan struct{})
	s.watchMaster(func() { close(gone) })
	unix.Close(p[0])
	<-gone
	s.leave() // EPIPE is no end
	if !s.lost {
		t.Error("the broken pipe was not noticed")
	}
	unix.Close(p[1])
}

func TestCapacity(t *testing.T) {
	for _, tc := range []struct{ own, granted, want int }{
		{10, 0, 10}, {10, 3, 3}, {3, 10, 3}, {0, 7, 7}, {0, 0, 1},
	} {
		if got := capacity(tc.own, tc.granted); got != tc.want {
			t.Errorf("capacity(%d, %d) = %d, want %d", tc.own, tc.granted, got, tc.want)
		}
	}
}
