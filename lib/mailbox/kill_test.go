package mailbox

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// victim is what TestMain becomes in a child of TestKilled: it changes a mailbox
// until it is killed, and says on stdout what it was told is done.
const victim = "GOCYRUS_MAILBOX_VICTIM"

// crime is what the child needs to know.
type crime struct {
	Root  string
	Entry *mboxlist.Entry
	Stage string
}

func TestMain(m *testing.M) {
	if s := os.Getenv(victim); s != "" {
		var c crime
		if err := json.Unmarshal([]byte(s), &c); err != nil {
			panic(err)
		}
		c.run()
		return
	}
	os.Exit(m.Run())
}

func (c *crime) options() Options {
	return Options{
		Layout:         &mboxname.Layout{ConfigDir: c.Root + "/conf", LockDir: c.Root + "/lock"},
		Partitions:     map[string]Partition{"default": {Data: c.Root + "/spool"}},
		IndexVersion:   19,
		SingleInstance: true,
	}
}

func (c *crime) run() {
	s := NewStore(c.options(), nil, nil)
	m, err := s.Open(context.Background(), c.Entry)
	if err != nil {
		panic(err)
	}
	text, err := os.ReadFile(c.Stage)
	if err != nil {
		panic(err)
	}
	msg := parse(text)
	for n := 0; ; n++ {
		var done string
		err := m.Update(context.Background(), func(tx *Tx) (err error) {
			done, err = c.step(tx, n, msg)
			return err
		})
		if err != nil {
			panic(err)
		}
		fmt.Println(done)
	}
}

// step is one change, and the line that tells of it.
func (c *crime) step(tx *Tx, n int, msg parsed) (string, error) {
	live := tx.Index().Len()
	if n%6 == 0 {
		h := tx.Header()
		x := Exact{Append: Append{File: c.Stage, Message: msg, UID: h.LastUID + 2}, ModSeq: h.HighestModSeq + 3, LastUpdated: 1, GUID: msg.GUID}
		return fmt.Sprintln("append", x.UID, x.ModSeq), tx.AppendAllExact([]Exact{x})
	}
	if n%3 == 0 || live < 5 {
		uid, ms, err := tx.Append(Append{File: c.Stage, Message: msg, UserFlags: []string{fmt.Sprint("F", n%7)}})
		return fmt.Sprintln("append", uid, ms), err
	}
	recno := tx.Index().Recno(rand.IntN(live) + 1)
	var r indexfile.Record
	if err := tx.Record(recno, &r); err != nil {
		return "", err
	}
	if n%3 == 1 {
		r.Flags ^= indexfile.Flagged | indexfile.Seen
	} else {
		r.Flags |= indexfile.Expunged
	}
	err := tx.Rewrite(recno, &r)
	return fmt.Sprintln("change", r.UID, r.ModSeq), err
}

// TestKilled kills a process that changes a mailbox, many times. What it was
// told is done is there, and the mailbox agrees with itself.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	root := t.TempDir()
	stage, _ := staged(t, root, "victim", 300)
	c := crime{Root: root, Stage: stage}
	s := NewStore(c.options(), nil, nil)
	defer s.Close()
	c.Entry = &mboxlist.Entry{Name: "user.victim", UniqueID: s.NewUniqueID(), Partition: "default", Type: "e"}
	if err := s.Create(t.Context(), c.Entry, CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	state := make(map[uint32]uint64) // modseq that was acknowledged, by uid
	for range 30 {
		c.kill(t, state)
		m := open(t, s, c.Entry)
		// The next change mends the CRC of a cyrus.header that was replaced
		// when the child was killed.
		if err := m.Update(t.Context(), func(*Tx) error { return nil }); err != nil {
			t.Fatal(err)
		}
		checkMailbox(t, m)
		checkAcknowledged(t, m, state)
		m.Close()
	}
	if len(state) < 20 {
		t.Errorf("only %d messages were appended: the test proves little", len(state))
	}
}

// kill runs the child for a moment, and notes what it says.
func (c *crime) kill(t *testing.T, state map[uint32]uint64) {
	t.Helper()
	arg, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victim+"="+string(arg))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	kill := func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
	}
	var timer *time.Timer
	for lines.Scan() {
		if timer == nil {
			// Somewhere in the middle of what it does next.
			timer = time.AfterFunc(time.Duration(rand.IntN(20_000))*time.Microsecond, kill)
		}
		var what string
		var uid uint32
		var ms uint64
		if n, _ := fmt.Sscan(lines.Text(), &what, &uid, &ms); n == 3 {
			state[uid] = ms
		}
	}
	if timer == nil {
		t.Fatal("the child said nothing")
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the child was not killed")
	}
}

func checkAcknowledged(t *testing.T, m *Mailbox, state map[uint32]uint64) {
	t.Helper()
	err := m.View(t.Context(), func(v *View) error {
		for uid, ms := range state {
			recno, ok := v.Find(uid)
			if !ok {
				t.Errorf("uid %d was acknowledged and is not there", uid)
				continue
			}
			if got := v.Raw(recno).ModSeq(); got < ms {
				t.Errorf("uid %d: change %d was acknowledged, record has %d", uid, ms, got)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestHalfWritten puts a mailbox into the states between the writes of a commit
// that changes records, and into some that only a disk makes.
func TestHalfWritten(t *testing.T) {
	for _, tc := range []struct {
		name   string
		damage func(h *indexfile.Header, r *indexfile.Record) (crc byte)
	}{
		{"marked, nothing else", func(h *indexfile.Header, _ *indexfile.Record) byte {
			h.Format |= indexfile.FormatDirty
			return 0
		}},
		{"marked, record changed", func(h *indexfile.Header, r *indexfile.Record) byte {
			h.Format |= indexfile.FormatDirty
			r.Flags |= indexfile.Flagged | indexfile.Expunged
			r.ModSeq = h.HighestModSeq + 1
			return 0
		}},
		{"record of a header that was lost", func(h *indexfile.Header, r *indexfile.Record) byte {
			r.Flags |= indexfile.Flagged
			r.ModSeq = h.HighestModSeq + 3
			return 0
		}},
		{"header torn", func(h *indexfile.Header, r *indexfile.Record) byte {
			h.Unseen, h.Exists = 77, 78
			return 1
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, e := newStore(t, nil)
			m := open(t, s, e)
			add(t, m, 3)
			h := m.hdr
			var r indexfile.Record
			err := m.View(t.Context(), func(v *View) error { return v.Record(2, &r) })
			if err != nil {
				t.Fatal(err)
			}
			m.Close()
			bad := tc.damage(&h, &r)
			f, err := os.OpenFile(m.Path("index"), os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			rec, _ := r.AppendTo(nil, h.Version)
			head, _ := h.AppendTo(nil)
			head[len(head)-1] ^= bad
			if _, err := f.WriteAt(rec, h.Offset(2)); err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteAt(head, 0); err != nil {
				t.Fatal(err)
			}
			// Another process, which sees the mailbox for the first time.
			s = NewStore(s.opt, nil, nil)
			defer s.Close()
			m = open(t, s, e)
			defer m.Close()
			if err := m.View(t.Context(), func(v *View) error { v.Index(); return nil }); err != nil {
				t.Fatal(err)
			}
			add(t, m, 1)
			checkMailbox(t, m)
		})
	}
}

// TestCutWhileRead cuts the index while a view reads it: an error, not the end
// of the process.
func TestCutWhileRead(t *testing.T) {
	s, e := newStore(t, nil)
	m := open(t, s, e)
	defer m.Close()
	add(t, m, 100)
	err := m.View(t.Context(), func(v *View) error {
		if err := os.Truncate(m.Path("index"), 0); err != nil {
			t.Fatal(err)
		}
		return v.Record(100, new(indexfile.Record))
	})
	wantCorrupt(t, err)
	wantCorrupt(t, m.View(t.Context(), func(*View) error { return nil }))
}
