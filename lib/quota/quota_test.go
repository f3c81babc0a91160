package quota

import (
	"errors"
	"testing"

	"gocyrus/lib/cyrusdb/kvtest"
	"gocyrus/lib/mboxname"
)

func TestRecord(t *testing.T) {
	for _, tc := range []struct{ name, in, out string }{
		{"real", "%(S (86244 20000) M (83 5000) AS (101 64) NF (15 100) MODSEQ 115)\n", "%(S (86244 20000) M (83 5000) AS (101 64) NF (15 100) MODSEQ 115)"},
		{"no limits", "%(S (1716) M (2) AS (0) NF (3) MODSEQ 6)", "%(S (1716) M (2) AS (0) NF (3) MODSEQ 6)"},
		{"running quota -f is kept", "%(S (1) M (2) AS (0) NF (3) SCAN %(MBOX user.a S 1 M 1 AS 0 NF 1) MODSEQ 6)", "%(S (1) M (2) AS (0) NF (3) MODSEQ 6 SCAN %(MBOX user.a S 1 M 1 AS 0 NF 1))"},
		{"any order", "%(MODSEQ 6 M (2) S (1 5))", "%(S (1 5) M (2) AS (0) NF (0) MODSEQ 6)"},
		{"old", "2048\n10\n", "%(S (2048 10) M (0) AS (0) NF (0) MODSEQ 0)"},
		{"old, no limit, messages", "2048\n-1 M 3 9\n", "%(S (2048) M (3 9) AS (0) NF (0) MODSEQ 0)"},
		{"negative usage", "%(S (-5 10) M (0))", "%(S (0 10) M (0) AS (0) NF (0) MODSEQ 0)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			q, err := parse("user.x", []byte(tc.in))
			if err != nil {
				t.Fatal(err)
			}
			if got := string(q.append(nil)); got != tc.out {
				t.Errorf("got %s, want %s", got, tc.out)
			}
		})
	}
	for _, bad := range []string{"", "x", "%(S)", "%(S (1 2 3))", "%(S 1)", "%(S (1)", "%(S (x))", "%(MODSEQ y)", "%(S (1)))"} {
		if q, err := parse("user.x", []byte(bad)); !errors.Is(err, ErrFormat) {
			t.Errorf("parse(%q) = %v, %v", bad, q, err)
		}
	}
}

func TestCheck(t *testing.T) {
	q := New("user.x")
	q.Limit[Storage], q.Limit[Message] = 10, 3
	q.Used = Usage{10239, 3, 0, 0}
	for _, tc := range []struct {
		name  string
		r     Resource
		delta int64
		err   error
	}{
		{"exactly full", Storage, 1, nil},
		{"one octet over", Storage, 2, ErrOver},
		{"removal from a full mailbox", Message, -1, nil},
		{"nothing", Message, 0, nil},
		{"one message over", Message, 1, ErrOver},
		{"no limit", Mailbox, 1 << 40, nil},
	} {
		if err := q.Check(tc.r, tc.delta); !errors.Is(err, tc.err) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func TestDB(t *testing.T) {
	d := NewDB(kvtest.New())
	if _, err := d.Get("user.x"); !errors.Is(err, ErrNotFound) {
		t.Errorf("Get: %v", err)
	}
	if err := d.Update("user.x", func(*Root) error { return nil }); !errors.Is(err, ErrNotFound) {
		t.Errorf("Update: %v", err)
	}
	if err := d.Charge("user.x", Usage{5, 1}); err != nil {
		t.Errorf("Charge of no root: %v", err)
	}
	if err := d.Set("user.x", func(q *Root) error { q.Limit[Storage] = 7; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := d.Charge("user.x", Usage{5, 1}); err != nil {
		t.Fatal(err)
	}
	if err := d.Charge("user.x", Usage{-3, -2}); err != nil {
		t.Fatal(err)
	}
	q, err := d.Get("user.x")
	if err != nil || q.Used != (Usage{2, 0, 0, 0}) || q.Limit[Storage] != 7 || q.ModSeq != 3 {
		t.Errorf("got %+v, %v", q, err)
	}
	if err := d.Set("example.org!", func(*Root) error { return nil }); err != nil {
		t.Fatal(err)
	}
	// What changes nothing, and what is nobody's, has no modseq (3.10).
	if err := errors.Join(d.Update("user.x", func(*Root) error { return nil }), d.Charge("example.org!", Usage{1})); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[mboxname.Name]uint64{"user.x": 3, "example.org!": 0} {
		if q, err := d.Get(name); err != nil || q.ModSeq != want {
			t.Errorf("%s: modseq %d, %v; want %d", name, q.ModSeq, err, want)
		}
	}
	d.SetClock(func(name mboxname.Name, last uint64) (uint64, error) { return last + 10, nil })
	if err := d.Charge("user.x", Usage{1}); err != nil {
		t.Fatal(err)
	}
	if q, err := d.Get("user.x"); err != nil || q.ModSeq != 13 {
		t.Errorf("by another clock: %+v, %v", q, err)
	}
	for _, tc := range []struct {
		mailbox, root mboxname.Name
	}{
		{"user.x", "user.x"}, {"user.x.a.b", "user.x"}, {"user.xy", ""}, {"example.org!user.zoe.a", "example.org!"},
	} {
		if got, ok, err := d.Find(tc.mailbox); got != tc.root || ok != (tc.root != "") || err != nil {
			t.Errorf("Find(%s) = %s, %v, %v", tc.mailbox, got, ok, err)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte("%(S (86244 20000) M (83 5000) AS (101 64) NF (15 100) SCAN %(A 1) MODSEQ 115)"))
	f.Add([]byte("2048\n-1 M 3 9\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := parse("user.x", b)
		if err != nil {
			return
		}
		text := q.append(nil)
		again, err := parse("user.x", text)
		if err != nil || string(again.append(nil)) != string(text) {
			t.Errorf("%q wrote %q, read back %v", b, text, err)
		}
	})
}
