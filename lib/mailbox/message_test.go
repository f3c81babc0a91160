package mailbox

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/lock"
)

// TestMessageFile reads message files that are as their record says, shorter,
// longer, large and gone: the whole file is what is there, the header as much of
// it as there is.
func TestMessageFile(t *testing.T) {
	s, e := newStore(t, nil)
	m := open(t, s, e)
	defer m.Close()
	add(t, m, 1)
	path := m.paths.message(1, false)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var header int
	err = m.View(t.Context(), func(v *View) error {
		header = int(v.Raw(1).HeaderSize())
		return nil
	})
	if err != nil || header == 0 {
		t.Fatalf("header of %d octets, %v", header, err)
	}
	large := append(bytes.Clone(text), make([]byte, maxRead)...)
	for _, tc := range []struct {
		name string
		file []byte // nil is none
	}{
		{"as recorded", text},
		{"one octet less", text[:len(text)-1]},
		{"one octet more", append(bytes.Clone(text), '!')},
		{"large", large},
		{"cut in the header", text[:header/2]},
		{"empty", []byte{}},
		{"gone", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			// Another file each time, as the links of the first may be shared.
			if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			if tc.file != nil {
				if err := os.WriteFile(path, tc.file, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			err := m.View(t.Context(), func(v *View) error {
				checkMessageFile(t, m, v, tc.file, header)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			// The directory is opened again after that.
			m.rest()
			if err := m.gate.lock(t.Context(), lock.Exclusive); err != nil {
				t.Fatal(err)
			}
			if m.dir != nil {
				t.Error("the directory is open in a mailbox at rest")
			}
			m.gate.unlock(lock.Exclusive)
		})
	}
}

func checkMessageFile(t *testing.T, m *Mailbox, v *View, want []byte, header int) {
	t.Helper()
	for _, how := range []struct {
		name string
		open func(*View, indexfile.Raw) (*Message, error)
		want []byte
	}{
		{"OpenMessage", m.OpenMessage, want},
		{"OpenHeader", m.OpenHeader, want[:min(header, len(want))]},
	} {
		msg, err := how.open(v, v.Raw(1))
		if want == nil {
			if !errors.Is(err, ErrGone) {
				t.Errorf("%s: %v, want ErrGone", how.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", how.name, err)
			continue
		}
		if !bytes.Equal(msg.Bytes(), how.want) {
			t.Errorf("%s: %d octets, want %d", how.name, len(msg.Bytes()), len(how.want))
		}
		msg.Close()
	}
}

// TestRenameRefused has the entry of a renamed mailbox refused: the mailbox, its
// header and its account are as they were.
func TestRenameRefused(t *testing.T) {
	s, e, q := withQuota(t, 1000)
	m := open(t, s, e)
	defer m.Close()
	add(t, m, 1)
	before, err := os.ReadFile(m.paths.header)
	if err != nil {
		t.Fatal(err)
	}
	root := m.hf.QuotaRoot
	used, err := q.Get("user.alice")
	if root == "" || err != nil {
		t.Fatalf("quota root %q, %v", root, err)
	}
	ctx, unlock, err := s.LockUser(t.Context(), e.Name.Owner())
	if err != nil {
		t.Fatal(err)
	}
	to, refused := *e, errors.New("refused")
	to.Name += ".other"
	err = s.Rename(ctx, e, &to, "", func() error { return refused })
	unlock()
	if !errors.Is(err, refused) {
		t.Fatalf("Rename: %v", err)
	}
	after, err := os.ReadFile(m.paths.header)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("cyrus.header was %q, is %q, %v", before, after, err)
	}
	if _, err := os.Stat(m.paths.header + ".NEW"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("cyrus.header.NEW: %v", err)
	}
	if m.Name() != e.Name {
		t.Errorf("name is %s", m.Name())
	}
	wantUsage(t, q, "user.alice", used.Used)
	checkMailbox(t, m)

	ctx, unlock, err = s.LockUser(t.Context(), e.Name.Owner())
	if err != nil {
		t.Fatal(err)
	}
	err = s.Rename(ctx, e, &to, "", func() error { return nil })
	unlock()
	if err != nil || m.Name() != to.Name || m.hf.Name != string(to.Name) || m.hf.QuotaRoot != "" {
		t.Errorf("renamed: %v, %s, header %q under %q", err, m.Name(), m.hf.Name, m.hf.QuotaRoot)
	}
	checkMailbox(t, m)
}
