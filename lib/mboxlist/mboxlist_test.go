package mboxlist

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/cyrusdb/kvtest"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/recorded"
)

func newList(t testing.TB, rows map[string]string) (*List, *kvtest.Memory) {
	t.Helper()
	db := kvtest.With(rows)
	if rows == nil {
		db = kvtest.New()
	}
	l := New(db, Options{Admins: []string{"cyrus"}})
	l.now = func() time.Time { return time.Unix(1795323875, 0) }
	return l, db
}

func update(t testing.TB, l *List, fn func(*Tx) error) {
	t.Helper()
	if err := l.Update(fn); err != nil {
		t.Fatal(err)
	}
}

// What real 3.6.1 had before and after RENAME ToRename Renamed.
func TestRename(t *testing.T) {
	l, db := newList(t, map[string]string{
		"Nuser\x1falice\x1fToRename": "%(T e I ffpm P default V 1795323872 C 1 F 1 M 1795323872 A %(alice lrswipkxtecdan))",
		"Iffpm":                      "%(T e N user\x1falice\x1fToRename P default V 1795323872 C 1 F 1 M 1795323872 A %(alice lrswipkxtecdan) H ())",
	})
	update(t, l, func(tx *Tx) error {
		e, err := tx.Lookup("user.alice.ToRename")
		if err != nil {
			return err
		}
		e.Name, e.FolderModSeq, e.MTime = "user.alice.Renamed", 4, 0
		return tx.Rename("user.alice.ToRename", e)
	})
	want := map[string]string{
		"Nuser\x1falice\x1fToRename": "%(T ed I ffpm V 1795323872 C 1 F 4 M 1795323875)",
		"Nuser\x1falice\x1fRenamed":  "%(T e I ffpm P default V 1795323872 C 1 F 4 M 1795323875 A %(alice lrswipkxtecdan))",
		"Iffpm": "%(T e N user\x1falice\x1fRenamed P default V 1795323872 C 1 F 4 M 1795323875 A %(alice lrswipkxtecdan) " +
			"H (%(N user\x1falice\x1fToRename M 1795323875 V 1795323872 C 1 F 4 T ed)))",
	}
	for k, v := range want {
		if got := db.Rows()[k]; got != v {
			t.Errorf("%q:\n%s\nwant\n%s", k, got, v)
		}
	}
	if n := len(db.Rows()); n != len(want) {
		t.Errorf("%d rows", n)
	}
}

func TestRenameRefused(t *testing.T) {
	l, _ := newList(t, nil)
	update(t, l, func(tx *Tx) error {
		return errors.Join(
			tx.Put(&Entry{Name: "user.a", UniqueID: "1", Partition: "default"}),
			tx.Put(&Entry{Name: "user.b", UniqueID: "2", Partition: "default"}),
			tx.Put(&Entry{Name: "user.gone", UniqueID: "3", Type: "ed"}))
	})
	for _, tc := range []struct {
		name     string
		old, new mboxname.Name
		want     error
	}{
		{"no such mailbox", "user.none", "user.c", ErrNotFound},
		{"a tombstone", "user.gone", "user.c", ErrNotFound},
		{"onto another", "user.a", "user.b", ErrExists},
		{"onto itself", "user.a", "user.a", ErrExists},
		{"onto a tombstone", "user.a", "user.gone", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := l.Update(func(tx *Tx) error {
				return tx.Rename(tc.old, &Entry{Name: tc.new, UniqueID: "1", Partition: "default"})
			})
			if !errors.Is(err, tc.want) {
				t.Errorf("err = %v, want %v", err, tc.want)
			}
		})
	}
}

// A create over a tombstone forgets the old id only if it lives nowhere else.
func TestCreateOverTombstone(t *testing.T) {
	l, db := newList(t, nil)
	update(t, l, func(tx *Tx) error {
		return tx.Put(&Entry{Name: "user.a.x", UniqueID: "old", Partition: "default", UIDValidity: 7})
	})
	update(t, l, func(tx *Tx) error { return tx.Delete("user.a.x", 9) })
	if e, err := l.Lookup("user.a.x"); err != nil || !e.Deleted() || e.FolderModSeq != 9 || e.UIDValidity != 7 || e.Partition != "" {
		t.Fatalf("tombstone %+v, %v", e, err)
	}
	update(t, l, func(tx *Tx) error {
		return tx.Put(&Entry{Name: "user.a.x", UniqueID: "new", Partition: "default", UIDValidity: 8})
	})
	if _, ok := db.Rows()["Iold"]; ok {
		t.Error("the id of the tombstone is still there")
	}
	update(t, l, func(tx *Tx) error {
		return tx.Rename("user.a.x", &Entry{Name: "user.a.y", UniqueID: "new", Partition: "default"})
	})
	update(t, l, func(tx *Tx) error {
		return tx.Put(&Entry{Name: "user.a.x", UniqueID: "third", Partition: "default"})
	})
	e, err := l.LookupID("new")
	if err != nil || e.Name != "user.a.y" || len(e.History) != 1 || e.History[0].Name != "user.a.x" {
		t.Errorf("id that lives elsewhere: %+v, %v", e, err)
	}
}

func TestReverseACLs(t *testing.T) {
	l, db := newList(t, nil)
	put := func(acl string) {
		t.Helper()
		update(t, l, func(tx *Tx) error {
			return errors.Join(tx.Put(&Entry{Name: "user.a.x", UniqueID: "1", Partition: "default", ACL: acl}),
				tx.Put(&Entry{Name: "shared", UniqueID: "2", Partition: "default", ACL: "anyone\tlrs\t"}))
		})
	}
	rows := func() (keys []string) {
		for k := range db.Rows() {
			if k[0] == 'A' {
				keys = append(keys, k)
			}
		}
		slices.Sort(keys)
		return keys
	}
	put("a\tlrs\tbob\tlr\t")
	if got := rows(); got != nil {
		t.Errorf("records without the option: %q", got)
	}
	if changed, err := l.SetReverseACLs(true); err != nil || !changed {
		t.Fatal(changed, err)
	}
	if got, want := rows(), []string{"AS\x1e", "AS\x1eanyone\x1eshared", "AU\x1ebob\x1euser\x1fa\x1fx"}; !slices.Equal(got, want) {
		t.Errorf("made %q, want %q", got, want)
	}
	put("a\tlrs\tcyrus\tlr\tcarol\tr\tdave\tp\t")
	var names []string
	ok, err := l.ScanReverse("carol", true, func(n []byte) error { names = append(names, string(n)); return nil })
	if !ok || err != nil || !slices.Equal(names, []string{"user\x1fa\x1fx"}) {
		t.Errorf("carol sees %q, %v, %v", names, ok, err)
	}
	if got, want := rows(), []string{"AS\x1e", "AS\x1eanyone\x1eshared", "AU\x1ecarol\x1euser\x1fa\x1fx"}; !slices.Equal(got, want) {
		t.Errorf("after a change %q, want %q", got, want)
	}
	update(t, l, func(tx *Tx) error { return tx.Delete("user.a.x", 0) })
	if got, want := rows(), []string{"AS\x1e", "AS\x1eanyone\x1eshared"}; !slices.Equal(got, want) {
		t.Errorf("after the deletion %q, want %q", got, want)
	}
	if changed, err := l.SetReverseACLs(false); err != nil || !changed || rows() != nil {
		t.Error(changed, err, rows())
	}
}

func TestScanTree(t *testing.T) {
	l, _ := newList(t, nil)
	update(t, l, func(tx *Tx) error {
		for i, n := range []mboxname.Name{"user.a", "user.a.x", "user.a.x.y", "user.ab", "user.a^b", "user.a-b.x"} {
			if err := tx.Put(&Entry{Name: n, UniqueID: fmt.Sprint(i), Partition: "default"}); err != nil {
				return err
			}
		}
		return nil
	})
	var got []mboxname.Name
	if err := l.ScanUser("a", func(v View) error { got = append(got, v.Name()); return nil }); err != nil {
		t.Fatal(err)
	}
	if want := []mboxname.Name{"user.a", "user.a.x", "user.a.x.y"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTypeLetters(t *testing.T) {
	for _, tc := range []struct {
		typ  string
		flag byte
		with string
	}{
		{"e", 'd', "ed"}, {"el", 'd', "edl"}, {"", 'd', "ed"}, {"edl", 'd', "edl"}, {"ed", 'l', "edl"}, {"d", 'd', "dd"}, {"er", 'z', "erz"},
	} {
		if got := With(tc.typ, tc.flag); got != tc.with {
			t.Errorf("With(%q, %c) = %q, want %q", tc.typ, tc.flag, got, tc.with)
		}
	}
	if got := Without("edl", 'd'); got != "el" {
		t.Errorf("Without = %q", got)
	}
}

// fixture opens a file of the recorded spools, or skips.
func fixture(t *testing.T, name string) io.Reader {
	t.Helper()
	f, err := os.Open(recorded.Path(t, "spool", name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// The text that the real tool dumped, undumped and dumped again, is the same
// but for the times.
func TestDumpRoundTrip(t *testing.T) {
	for _, name := range []string{"cyrus-3.6.1-default", "cyrus-3.6.1-classic", "cyrus-3.10.3-conversations"} {
		t.Run(name, func(t *testing.T) {
			want, err := io.ReadAll(fixture(t, name+".ctl_mboxlist-d.json.gz"))
			if err != nil {
				t.Fatal(err)
			}
			l, _ := newList(t, nil)
			if err := l.Undump(bytes.NewReader(want), func(s string) { t.Error(s) }); err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			if err := l.Dump(&got, DumpOptions{Intermediaries: true}); err != nil {
				t.Fatal(err)
			}
			if g, w := noTimes(got.String()), noTimes(string(want)); g != w {
				t.Errorf("dumped\n%s\nwant\n%s", g, w)
			}
		})
	}
}

func noTimes(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if before, after, ok := strings.Cut(line, `"mtime": "`); ok {
			_, after, _ = strings.Cut(after, `"`)
			lines[i] = before + after
		}
	}
	return strings.Join(lines, "\n")
}

func TestUndumpComplaints(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"no partition", `{"a": {"uidvalidity":"1","createdmodseq":"1","foldermodseq":"1","mbtype":"e","uniqueid":"x"}}`, "missing partition for a"},
		{"no id", `{"a": {"uidvalidity":"1","createdmodseq":"1","foldermodseq":"1","mbtype":"e","partition":"p"}}`, "missing uniqueid for a"},
		{"no modseq", `{"a": {"uidvalidity":"1","foldermodseq":"1","mbtype":"e","partition":"p","uniqueid":"x"}}`, "missing createdmodseq for a"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l, _ := newList(t, nil)
			var got []string
			if err := l.Undump(strings.NewReader(tc.in), func(s string) { got = append(got, s) }); err != nil || !slices.Equal(got, []string{tc.want}) {
				t.Errorf("complaints %q, %v", got, err)
			}
		})
	}
	l, _ := newList(t, nil)
	if err := l.Undump(strings.NewReader("user.a\t0 default"), func(string) {}); err == nil {
		t.Error("text taken for JSON")
	}
}

func TestUndumpLegacy(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"3.0", "user.a\t0 default a\tlrs\t >id1 1795323875 17 3 2 \n",
			"%(T el I id1 P default V 17 C 2 F 3 M 1795323875 A %(a lrs))"},
		{"2.3", "user.a\t0 default a\tlrs\tanyone\tp\t\n", "%(T el I NIL P default M 1795323875 A %(a lrs anyone p))"},
		{"remote", "user.a\t1 srv!p a\tlrs\t\n", "%(T erl I NIL P p S srv M 1795323875 A %(a lrs))"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l, db := newList(t, nil)
			if err := l.UndumpLegacy(strings.NewReader(tc.in), func(s string) { t.Error(s) }); err != nil {
				t.Fatal(err)
			}
			if got := db.Rows()["Nuser\x1fa"]; got != tc.want {
				t.Errorf("stored %s\nwant %s", got, tc.want)
			}
		})
	}
}

// Later Cyrus's keys survive.
func TestUnknownKeys(t *testing.T) {
	in := "%(T e I x J P1 P default M 5 UG (a b) A %(a lrs))"
	e, err := decode("user.a", []byte(in))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(e.appendValue(nil, 'N')), "%(T e I x P default M 5 A %(a lrs) J P1 UG (a b))"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// FuzzDecode: whatever the value, reading it ends, and what was read is stored
// and read back the same.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("%(T e I ffpm P default V 1 C 1 F 4 M 5 A %(alice lrs))"))
	f.Add([]byte("%(T e N user\x1fa P d H (%(N user\x1fb M 1 T ed)))"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = decodeID("x", b)
		v := View{[]byte("Nuser\x1fa"), b}
		_, _, _ = v.ACL(), v.Type(), v.Partition()
		e, err := v.Entry()
		if err != nil {
			return
		}
		again, err := decode(e.Name, e.appendValue(nil, 'N'))
		if err != nil || again.ACL != "" && again.UniqueID != e.UniqueID {
			t.Errorf("%q: read back %+v, %v", b, again, err)
		}
	})
}

func big(b *testing.B, n int) *List {
	l, err := Open(Options{Path: filepath.Join(b.TempDir(), "mailboxes.db")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	for i := 0; i < n; i += 5000 {
		update(b, l, func(tx *Tx) error {
			for j := i; j < i+5000; j++ {
				e := &Entry{Name: mboxname.Name(fmt.Sprintf("user.u%06d", j)), UniqueID: fmt.Sprintf("%024d", j), Partition: "default",
					UIDValidity: 1795323871, CreatedModSeq: 1, FolderModSeq: 19, ACL: fmt.Sprintf("u%06d\tlrswipkxtecdan\t", j)}
				if err := tx.Put(e); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return l
}

func BenchmarkLookup(b *testing.B) {
	l := big(b, 100000)
	b.Run("cached", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := l.Lookup("user.u050000"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("random", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			i = (i + 7919) % 100000
			if _, err := l.Lookup(mboxname.Name(fmt.Sprintf("user.u%06d", i))); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkScan100k(b *testing.B) {
	l := big(b, 100000)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		err := l.Scan("", func(v View) error {
			if !v.Is(FlagDeleted) && len(v.ACL()) > 0 {
				n++
			}
			return nil
		})
		if err != nil || n != 100000 {
			b.Fatal(n, err)
		}
	}
}

var _ kv.DB = (*kvtest.Memory)(nil)

// TestLateTombstone: the tombstone of a former name does not take the id of the mailbox.
func TestLateTombstone(t *testing.T) {
	l := New(kvtest.New(), Options{})
	live := &Entry{Name: "DELETED.user.a.x.1", UniqueID: "id", Type: "e", Partition: "p"}
	stone := &Entry{Name: "user.a.x", UniqueID: "id", Type: "ed"}
	for range 2 {
		if err := l.Update(func(tx *Tx) error { return errors.Join(tx.Put(live), tx.Put(stone)) }); err != nil {
			t.Fatal(err)
		}
		if e, err := l.LookupID("id"); err != nil || e.Name != live.Name {
			t.Errorf("%+v, %v", e, err)
		}
		if e, err := l.Lookup("user.a.x"); err != nil || !e.Deleted() {
			t.Errorf("%+v, %v", e, err)
		}
	}
}
