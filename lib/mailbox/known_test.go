package mailbox

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/lock"
)

// TestKnown checks when a header is known without a lock, and that it is then
// the one of the file.
func TestKnown(t *testing.T) {
	s, e := newStore(t, nil)
	other := NewStore(s.opt, nil, nil)
	defer other.Close()
	if _, ok := other.Known(e); ok {
		t.Error("a mailbox that was never open is known")
	}
	m, n := open(t, s, e), open(t, other, e)
	defer m.Close()
	defer n.Close()
	view := func() (h indexfile.Header) {
		if err := n.View(t.Context(), func(v *View) error { h = *v.Header(); return nil }); err != nil {
			t.Fatal(err)
		}
		return h
	}
	known := func(what string) {
		t.Helper()
		if h, ok := other.Known(e); !ok || h != view() {
			t.Errorf("%s: known %v, exists %d, want %d", what, ok, h.Exists, view().Exists)
		}
	}
	known("just opened")
	add(t, m, 3)
	if h, ok := n.Known(); ok {
		t.Errorf("after a change of another process: known with %d messages", h.Exists)
	}
	view()
	known("after a look")
	add(t, n, 1)
	known("after a change of this process")
	if err := os.Link(n.paths.index, n.paths.index+".snapshot"); err != nil {
		t.Fatal(err)
	}
	known("with another name")

	if err := m.user.take(t.Context(), lock.Exclusive); err != nil {
		t.Fatal(err)
	}
	if _, ok := n.Known(); !ok {
		t.Error("not known while another process has the user's lock")
	}
	m.user.drop(lock.Exclusive)

	// A copy of the same octets under the name is another file.
	b, err := os.ReadFile(n.paths.index)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(n.paths.index+".NEW", b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(n.paths.index+".NEW", n.paths.index); err != nil {
		t.Fatal(err)
	}
	if _, ok := n.Known(); ok {
		t.Error("replaced: known")
	}
	view()
	known("after a look at the new file")
	if err := os.Remove(n.paths.index); err != nil {
		t.Fatal(err)
	}
	if _, ok := n.Known(); ok {
		t.Error("removed: known")
	}
}

// TestKnownWhileChanged: a header that is being written is not known.
func TestKnownWhileChanged(t *testing.T) {
	s, e := newStore(t, nil)
	m := open(t, s, e)
	defer m.Close()
	err := m.Update(t.Context(), func(*Tx) error {
		if _, ok := m.Known(); ok {
			t.Error("known during an update")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = m.View(t.Context(), func(v *View) error {
		if h, ok := m.Known(); !ok || h != *v.Header() {
			t.Error("not known beside a view")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// Cut short behind the back of the process.
	if err := unix.Truncate(m.paths.index, 10); err != nil {
		t.Fatal(err)
	}
	if _, ok := m.Known(); ok {
		t.Error("known without a header")
	}
}

// TestUpdateThen checks what then sees, that it is left out after a failure, and
// that its panic is its caller's.
func TestUpdateThen(t *testing.T) {
	s, e := newStore(t, nil)
	m := open(t, s, e)
	defer m.Close()
	add(t, m, 2)
	expunge := func(tx *Tx) error { return tx.Expunge(1) }
	ran := false
	err := m.UpdateThen(t.Context(), expunge, func(v *View) {
		ran = true
		if got := v.Index().Len(); got != 1 || v.Header().Exists != 1 || v.Raw(1).Live() {
			t.Errorf("then sees %d messages, header %d", got, v.Header().Exists)
		}
	})
	if err != nil || !ran {
		t.Fatalf("ran %v: %v", ran, err)
	}
	err = m.UpdateThen(t.Context(), func(*Tx) error { return ErrBusy }, func(*View) { t.Error("then after a failure") })
	if err == nil {
		t.Error("no error")
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is lost")
			}
		}()
		_ = m.UpdateThen(t.Context(), func(*Tx) error { return nil }, func(*View) { panic("then") })
	}()
	add(t, m, 1)
	checkMailbox(t, m)
}
