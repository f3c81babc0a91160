package mboxops_test

import (
	"errors"
	"net"
	"testing"

	"gocyrus/lib/mboxops"
)

// TestPaySilent: who has something to tell a master that takes connections and does not
// answer holds nobody's mailboxes locked meanwhile.
func TestPaySilent(t *testing.T) {
	m := newMaster(t)
	s := backend(t, m)
	create(t, s, "cyrus", "user.alice")
	m.faults(func(int) fault { return fault{before: true, down: true} })
	if _, err := s.Ops.Create(ctx, mboxops.Root("cyrus"), "user.alice.a", mboxops.CreateParams{}); !errors.Is(err, mboxops.ErrNoMaster) {
		t.Fatal(err)
	}
	if n := s.Ops.Murder.Owed(); n != 1 {
		t.Fatalf("%d debts", n)
	}
	m.faults(nil)

	silent, err := net.Listen("tcp", m.addr)
	if err != nil {
		t.Fatal(err)
	}
	paid := make(chan error, 1)
	go func() { paid <- s.Ops.PayAll(ctx) }()
	c, err := silent.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_, unlock, err := s.Mailboxes.LockUser(ctx, "alice")
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	select {
	case err := <-paid:
		t.Errorf("the lock was to be had when it had been given up: %v", err)
	default:
	}
	silent.Close()
	c.Close()
	if err := <-paid; !errors.Is(err, mboxops.ErrNoMaster) {
		t.Error(err)
	}
	m.up()
	if err := s.Ops.PayAll(ctx); err != nil || s.Ops.Murder.Owed() != 0 {
		t.Errorf("%d debts are left: %v", s.Ops.Murder.Owed(), err)
	}
	agree(t, m, s)
}
