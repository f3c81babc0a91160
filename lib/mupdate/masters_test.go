package mupdate

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"time"
)

// mute is the address of a server that takes connections and says nothing.
func mute(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

// nobody is an address where nobody listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	return l.Addr().String()
}

func TestMemory(t *testing.T) {
	all := []string{"a", "b", "c"}
	m := &memory{}
	for _, tc := range []struct {
		do   func()
		want string
	}{
		{func() {}, "abc"},
		{func() { m.praise("b") }, "bca"},
		{func() { m.blame("a", all) }, "bca"}, // somebody else's
		{func() { m.blame("b", all) }, "cab"},
		{func() { m.blame("c", all) }, "abc"},
		{func() { m.good = ""; m.blame("a", all) }, "bca"},
		{func() { m.blame("gone", all) }, "bca"},
		{func() { m.praise("gone") }, "abc"},
	} {
		tc.do()
		got := ""
		for _, s := range m.order(all) {
			got += s
		}
		if got != tc.want {
			t.Errorf("%s, want %s", got, tc.want)
		}
	}
	if got := (*memory)(nil).order(all); !slices.Equal(got, all) {
		t.Errorf("without memory: %v", got)
	}
}

// TestFailOver: masters that are down, hang, or have lost their list are passed over,
// and the good one is tried first from then on.
func TestFailOver(t *testing.T) {
	for name, tc := range map[string]struct {
		addr func(t *testing.T) string
	}{
		"down": {nobody},
		"mute": {mute},
		"away": {func(t *testing.T) string {
			return (&fragile{greeting: "* BYE \"no longer ready for connections\"\r\n"}).start(t).Servers[0]
		}},
		"never": {func(t *testing.T) string {
			return (&fragile{greeting: "* AUTH\r\n* OK MUPDATE \"mup\"\r\n"}).start(t).Servers[0]
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &fragile{}
			o := m.start(t)
			good := o.Servers[0]
			o.Servers, o.memory = []string{tc.addr(t), tc.addr(t), good}, &memory{}
			// A limit that says nothing but that it must not be for ever.
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			c, err := Connect(ctx, o)
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
			if c.Server() != good || o.memory.order(o.Servers)[0] != good {
				t.Errorf("connected to %s of %v, next %v", c.Server(), o.Servers, o.memory.order(o.Servers))
			}
		})
	}
}

// TestFailOverWithin: a master that breaks down, or loses its list, in the middle of an
// operation: that is done at another one.
func TestFailOverWithin(t *testing.T) {
	for name, last := range map[string]string{
		"broken down":    "* BYE \"oops\"\r\n",
		"without a list": "X0 NO \"mailbox list is out of reach\"\r\n",
	} {
		bad := &fragile{extra: func(string, []string) string { return last }}
		good := &fragile{}
		o := bad.start(t)
		o.Servers = append(o.Servers, good.start(t).Servers...)
		err := Do(t.Context(), o, func(c *Client) error { return c.Activate(t.Context(), "user.a", "be1!p", "") })
		if err != nil || len(good.has) != 1 || bad.conns != 1 {
			t.Errorf("%s: %v, the other has %v, %d connections", name, err, good.has, bad.conns)
		}
	}
}

// TestAllFail: what each of them said is told.
func TestAllFail(t *testing.T) {
	o := Options{Servers: []string{nobody(t), nobody(t)}, Timeout: time.Second}
	if _, err := Connect(t.Context(), o); err == nil {
		t.Error("connected to nobody")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o.Servers = []string{mute(t), mute(t)}
	if _, err := Connect(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
}
