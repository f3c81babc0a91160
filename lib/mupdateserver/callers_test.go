package mupdateserver

import (
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// TestCallers: who kicks a slave that has several masters waits while it goes from one to
// the next, and not when that takes long; with one master he does not wait.
func TestCallers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	call := func() net.Conn {
		t.Helper()
		k, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { k.Close() })
		return k
	}
	heard := func(k net.Conn) string {
		t.Helper()
		k.SetDeadline(time.Now().Add(patience))
		b, err := io.ReadAll(k)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	lost := func(c *callers) net.Conn {
		t.Helper()
		k := call()
		c.answer(<-c.calls)(false)
		return k
	}

	one := &callers{}
	if err := one.open(path); err != nil {
		t.Fatal(err)
	}
	if got := heard(lost(one)); got != "" {
		t.Errorf("one master, and it is gone: %q", got)
	}
	one.close()

	c := &callers{patient: true}
	for range 2 { // it listens on
		if err := c.open(path); err != nil {
			t.Fatal(err)
		}
	}
	k := lost(c)
	c.lose()
	c.hold(t.Context(), time.Millisecond)
	for _, w := range c.left() {
		c.answer(w)(true)
	}
	if got := heard(k); got != "ok" {
		t.Errorf("the next master is there: %q", got)
	}
	k = lost(c)
	later := call()
	c.hold(t.Context(), briefly+time.Millisecond)
	if got := heard(k) + heard(later); got != "" {
		t.Errorf("none is there for long: %q", got)
	}
	// Where none has been there for long, each attempt may be short.
	k = lost(c)
	c.lost = time.Now().Add(-callersWait)
	later = call()
	c.without(func() {
		if got := heard(k) + heard(later); got != "" {
			t.Errorf("none has been there for long: %q", got)
		}
	})
	k = lost(c)
	c.lose()
	c.hold(t.Context(), time.Millisecond)
	for _, w := range c.left() {
		c.answer(w)(true)
	}
	if got := heard(k); got != "ok" {
		t.Errorf("the next master is there soon: %q", got)
	}
	k = lost(c)
	c.close()
	if got := heard(k); got != "" {
		t.Errorf("the slave ends: %q", got)
	}
	if _, err := net.Dial("unix", path); err == nil {
		t.Error("somebody listens still")
	}
}
