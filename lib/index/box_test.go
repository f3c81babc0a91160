package index

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/lib/acl"
	"gocyrus/lib/change"
	"gocyrus/lib/cyrusdb/kvtest"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/message"
	"gocyrus/lib/quota"
	"gocyrus/lib/seen"
	"gocyrus/lib/seqset"
)

// box is a mailbox to play with.
type box struct {
	*mailbox.Mailbox
	store *mailbox.Store
	t     testing.TB
	stage string
	file  string
	msg   *message.Message
}

func newStore(t testing.TB, sinks ...change.Sink) *mailbox.Store {
	root := t.TempDir()
	o := mailbox.Options{
		Layout: &mboxname.Layout{ConfigDir: filepath.Join(root, "conf"), LockDir: filepath.Join(root, "lock")},
		Partitions: map[string]mailbox.Partition{
			"default": {Data: filepath.Join(root, "spool")},
		},
		IndexVersion: 17, SingleInstance: true,
	}
	q := quota.NewDB(kvtest.New())
	err := q.Set("user.alice", func(r *quota.Root) error {
		r.Limit[quota.Message] = 2
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s := mailbox.NewStore(o, nil, q, sinks...)
	t.Cleanup(s.Close)
	return s
}

const text = "From: a@example.net\r\nSubject: test\r\nDate: Tue, 4 Mar 2025 10:01:00 +0100\r\n\r\nbody\r\n"

func newBox(t testing.TB, s *mailbox.Store, name mboxname.Name) *box {
	t.Helper()
	return newBoxUnder(t, s, name, "")
}

// newBoxUnder is newBox with a quota root.
func newBoxUnder(t testing.TB, s *mailbox.Store, name mboxname.Name, root string) *box {
	t.Helper()
	e := &mboxlist.Entry{Name: name, UniqueID: s.NewUniqueID(), Partition: "default", Type: "e"}
	if err := s.Create(t.Context(), e, mailbox.CreateOptions{QuotaRoot: root}); err != nil {
		t.Fatal(err)
	}
	m, err := s.Open(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	b := &box{Mailbox: m, store: s, t: t, stage: t.TempDir()}
	b.file = filepath.Join(b.stage, "message")
	if err := os.WriteFile(b.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if b.msg, err = message.Parse([]byte(text), message.DefaultOptions()); err != nil {
		t.Fatal(err)
	}
	return b
}

// add appends n messages.
func (b *box) add(n int, flags indexfile.Flags, keywords ...string) {
	b.t.Helper()
	err := b.Update(b.t.Context(), func(tx *mailbox.Tx) error {
		for range n {
			_, _, err := tx.Append(mailbox.Append{File: b.file, Message: b.msg, Flags: flags, UserFlags: keywords})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// expunge removes messages behind the sessions' backs.
func (b *box) expunge(uids ...uint32) {
	b.t.Helper()
	err := b.Update(b.t.Context(), func(tx *mailbox.Tx) error {
		for _, uid := range uids {
			recno, ok := tx.Find(uid)
			if !ok {
				return fmt.Errorf("no uid %d", uid)
			}
			if err := tx.Expunge(recno); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// flag sets a flag of a message behind the sessions' backs.
func (b *box) flag(uid uint32, f indexfile.Flags) {
	b.t.Helper()
	err := b.Update(b.t.Context(), func(tx *mailbox.Tx) error {
		recno, ok := tx.Find(uid)
		if !ok {
			return fmt.Errorf("no uid %d", uid)
		}
		var r indexfile.Record
		if err := tx.Record(recno, &r); err != nil {
			return err
		}
		r.Flags |= f
		return tx.Rewrite(recno, &r)
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// live are the UIDs of the mailbox as it is.
func (b *box) live() (uids []uint32) {
	b.t.Helper()
	err := b.View(b.t.Context(), func(v *mailbox.View) error {
		for recno := 1; recno <= v.NumRecords(); recno++ {
			if r := v.Raw(recno); r.Live() {
				uids = append(uids, r.UID())
			}
		}
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return uids
}

var owner = Who{User: "alice", Owner: true, Rights: acl.Full}

func (b *box) open(who Who, readOnly bool) *State {
	b.t.Helper()
	s, err := Open(b.t.Context(), b.Mailbox, who, readOnly)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

func (b *box) refresh(s *State, hold bool) *Changes {
	b.t.Helper()
	c, err := s.Refresh(b.t.Context(), hold)
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

// flags are the flags of a message as a session sees them: "\Recent \Seen foo".
func (b *box) flags(s *State, seq int) string {
	b.t.Helper()
	var words []string
	err := s.View(b.t.Context(), func(r *Reader) error {
		raw, ok := r.Raw(seq)
		if !ok {
			return fmt.Errorf("no message %d", seq)
		}
		f := r.Flags(raw)
		if f.Recent {
			words = append(words, `\Recent`)
		}
		words = f.System.Names(words)
		for slot, k := range s.Keywords() {
			if f.User.Has(slot) {
				words = append(words, k)
			}
		}
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.Join(words, " ")
}

// seenMap is a SeenStore in memory.
type seenMap map[string]seen.Record

func (m seenMap) Get(id string) (seen.Record, error) { return m[id], nil }
func (m seenMap) Put(id string, r seen.Record) error { m[id] = r; return nil }

func all(s *State) Numbers {
	if s.Exists() == 0 {
		return nil
	}
	return Numbers(seqset.Set{{First: 1, Last: uint32(s.Exists())}})
}

// set reads "1:3,5".
func set(text string) seqset.Set {
	s, err := seqset.Parse(text)
	if err != nil {
		panic(err)
	}
	return s
}

func nums(text string) Numbers { return Numbers(set(text)) }
