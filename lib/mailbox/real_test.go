package mailbox

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox/headerfile"
	"gocyrus/lib/mboxname"
)

var spools = []string{"cyrus-3.6.1-default", "cyrus-3.6.1-classic", "cyrus-3.6.1-oldindex", "cyrus-3.10.3-conversations"}

// TestRealSpools reads all mailboxes of spools that Cyrus wrote: they contain
// what the server said over IMAP, their headers agree with their records, and
// files and caches are found and fit.
func TestRealSpools(t *testing.T) {
	for _, name := range spools {
		t.Run(name, func(t *testing.T) {
			sp := unpack(t, name)
			s := NewStore(OptionsFrom(sp.cfg), nil, nil)
			defer s.Close()
			seen := 0
			for _, e := range sp.entries {
				m, err := s.Open(t.Context(), e)
				if err != nil {
					t.Errorf("%s: %v", e.Name, err)
					continue
				}
				checkMailbox(t, m)
				if checkTruth(t, sp, m) {
					seen++
				}
				m.Close()
			}
			if seen < 10 {
				t.Errorf("only %d mailboxes were compared with the server's answers", seen)
			}
		})
	}
}

// checkMailbox checks a mailbox against itself: counts, sync CRCs, header CRC,
// digests, caches.
func checkMailbox(t testing.TB, m *Mailbox) {
	t.Helper()
	err := m.View(context.Background(), func(v *View) error {
		file, err := os.ReadFile(m.Path("header"))
		if err != nil {
			return err
		}
		if got, want := v.Header().HeaderFileCRC, headerfile.CRC(file); got != want {
			t.Errorf("%s: header CRC %x, is %x", m.Name(), got, want)
		}
		checkHeader(t, v)
		last, x := uint32(0), v.Index()
		live := 0
		for recno := 1; recno <= v.NumRecords(); recno++ {
			var r indexfile.Record
			if err := v.Record(recno, &r); err != nil {
				return err
			}
			if r.UID <= last || r.UID > v.Header().LastUID || r.ModSeq > v.Header().HighestModSeq {
				t.Errorf("%s: record %d: uid %d after %d, modseq %d", m.Name(), recno, r.UID, last, r.ModSeq)
			}
			last = r.UID
			if at, ok := v.Find(r.UID); at != recno || !ok {
				t.Errorf("%s: uid %d found at %d, %v", m.Name(), r.UID, at, ok)
			}
			if r.Flags&indexfile.Unlinked != 0 {
				continue
			}
			checkMessage(t, v, recno, &r)
			if r.Flags&indexfile.Expunged != 0 {
				continue
			}
			live++
			if live > x.Len() || x.UID(live) != r.UID || x.Recno(live) != recno {
				t.Errorf("%s: snapshot lacks uid %d", m.Name(), r.UID)
			}
		}
		if live != x.Len() || live != int(v.Header().Exists) {
			t.Errorf("%s: %d live records, %d in the snapshot, %d exist", m.Name(), live, x.Len(), v.Header().Exists)
		}
		return nil
	})
	if err != nil {
		t.Errorf("%s: %v", m.Name(), err)
	}
}

// checkHeader compares the header's counts with those of the records, as far as
// its version has them.
func checkHeader(t testing.TB, v *View) {
	t.Helper()
	want := *v.Header()
	a := v.m.annots()
	defer a.close()
	if err := count(&want, v.m.table.Len(), v.m.table.Raw, &v.m.crcs, a); err != nil {
		t.Errorf("%s: %v", v.m.Name(), err)
	}
	if got, want := counted(*v.Header()), counted(want); got != want {
		t.Errorf("%s: header\n%+v, counted\n%+v", v.m.Name(), got, want)
	}
}

// counted is h without the counts for which its version has no place.
func counted(h indexfile.Header) indexfile.Header {
	if h.Version < 14 {
		h.Unseen = 0
	}
	if h.Version < 18 {
		h.QuotaDeletedUsed, h.QuotaExpungedUsed = 0, 0
	}
	if h.Version < 13 {
		h.SyncCRCAnnot = 0
	}
	return h
}

func checkMessage(t testing.TB, v *View, recno int, r *indexfile.Record) {
	t.Helper()
	msg, err := v.m.OpenMessage(v, v.Raw(recno))
	if err != nil {
		t.Errorf("%s: %v", v.m.Name(), err)
		return
	}
	defer msg.Close()
	if len(msg.Bytes()) != int(r.Size) || sha1.Sum(msg.Bytes()) != r.GUID {
		t.Errorf("%s: uid %d: %d octets, record has %d; or another digest", v.m.Name(), r.UID, len(msg.Bytes()), r.Size)
	}
	if _, err := v.Cache(v.Raw(recno)); err != nil {
		t.Errorf("%s: uid %d: cache: %v", v.m.Name(), r.UID, err)
	}
}

// adminName is the name under which the truth files list a mailbox.
func adminName(n mboxname.Name, dotted bool) string {
	s := n.Local()
	if !dotted {
		s = strings.ReplaceAll(strings.ReplaceAll(s, ".", "/"), "^", ".")
	}
	if d := n.Domain(); d != "" {
		s += "@" + d
	}
	return s
}

// checkTruth compares with what IMAP said; false means that it said nothing.
func checkTruth(t testing.TB, sp *realSpool, m *Mailbox) bool {
	t.Helper()
	box := sp.truth.Mailboxes[adminName(m.Name(), !sp.cfg.Bool("unixhierarchysep"))]
	user := m.Owner()
	if user == "" {
		user = "alice"
	}
	view, ok := box.Views[user]
	if !ok {
		return false
	}
	err := m.View(context.Background(), func(v *View) error {
		h, x := v.Header(), v.Index()
		num := func(key string) uint64 { n, _ := view.Status[key].(float64); return uint64(n) }
		if num("UIDNEXT") != uint64(h.LastUID)+1 || num("UIDVALIDITY") != uint64(h.UIDValidity) ||
			num("HIGHESTMODSEQ") != h.HighestModSeq || num("MESSAGES") != uint64(x.Len()) {
			t.Errorf("%s: %+v, server said %v", m.Name(), h, view.Status)
		}
		if len(view.Messages) != x.Len() {
			t.Errorf("%s: %d messages, server had %d", m.Name(), x.Len(), len(view.Messages))
			return nil
		}
		shared := m.Owner() == "" && h.Options&indexfile.OptSharedSeen == 0
		for i, want := range view.Messages {
			compare(t, v, x.Recno(i+1), want, shared)
		}
		return nil
	})
	if err != nil {
		t.Errorf("%s: %v", m.Name(), err)
	}
	return true
}

// compare compares one message. In a shared mailbox \Seen is not the record's.
func compare(t testing.TB, v *View, recno int, want map[string]any, shared bool) {
	t.Helper()
	r := v.Raw(recno)
	if got := float64(r.UID()); got != want["UID"] {
		t.Errorf("%s: record %d: uid %v, server said %v", v.m.Name(), recno, got, want["UID"])
	}
	if ms := want["MODSEQ"].([]any)[0]; float64(r.ModSeq()) != ms {
		t.Errorf("%s: uid %d: modseq %d, server said %v", v.m.Name(), r.UID(), r.ModSeq(), ms)
	}
	got := r.Flags().Names(nil)
	for i, f := range v.UserFlags() {
		if r.HasUserFlag(i) {
			got = append(got, f)
		}
	}
	var flags []string
	for _, f := range want["FLAGS"].([]any) {
		if f != `\Recent` {
			flags = append(flags, f.(string))
		}
	}
	if shared {
		unseen := func(f string) bool { return f == `\Seen` }
		got, flags = slices.DeleteFunc(got, unseen), slices.DeleteFunc(flags, unseen)
	}
	slices.Sort(got)
	slices.Sort(flags)
	if !slices.Equal(got, flags) {
		t.Errorf("%s: uid %d: flags %v, server said %v", v.m.Name(), r.UID(), got, flags)
	}
	if g := fmt.Sprintf("%x", r.GUID()); g != want["DIGEST.SHA1"] {
		t.Errorf("%s: uid %d: guid %s, server said %v", v.m.Name(), r.UID(), g, want["DIGEST.SHA1"])
	}
	if float64(r.Size()) != want["RFC822.SIZE"] {
		t.Errorf("%s: uid %d: size %d, server said %v", v.m.Name(), r.UID(), r.Size(), want["RFC822.SIZE"])
	}
	date, err := time.Parse("_2-Jan-2006 15:04:05 -0700", want["INTERNALDATE"].(string))
	if err != nil || date.Unix() != int64(r.InternalDate()) {
		t.Errorf("%s: uid %d: internal date %d, server said %v (%v)", v.m.Name(), r.UID(), r.InternalDate(), want["INTERNALDATE"], err)
	}
}

// TestOpenErrors checks what is told of a mailbox that cannot be opened.
func TestOpenErrors(t *testing.T) {
	sp := unpack(t, "cyrus-3.6.1-default")
	s := NewStore(OptionsFrom(sp.cfg), nil, nil)
	defer s.Close()
	e := *sp.entries[0]
	p, err := s.pathsOf(&e)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(p.index)
	if err != nil {
		t.Fatal(err)
	}
	alter := func(off int, b byte) []byte {
		c := slices.Clone(whole)
		c[off] = b
		return c
	}
	for _, tc := range []struct {
		name  string
		index []byte // nil is no file
		want  error
	}{
		{"no index", nil, ErrNotFound},
		{"empty", []byte{}, ErrCorrupt},
		{"version 20", alter(11, 20), ErrBadFormat},
		{"version 11", alter(11, 11), ErrBadFormat},
		{"another size", alter(15, 0), ErrCorrupt},
		{"another uidvalidity", alter(46, whole[46]^1), ErrCorrupt},
		{"cut in the header", whole[:100], ErrCorrupt},
	} {
		t.Run(tc.name, func(t *testing.T) {
			os.Remove(p.index)
			if tc.index != nil {
				if err := os.WriteFile(p.index, tc.index, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			m, err := s.Open(t.Context(), &e)
			if !errors.Is(err, tc.want) {
				t.Errorf("Open: %v, want %v", err, tc.want)
			}
			if err == nil {
				m.Close()
			}
		})
	}
	e.Partition = "nowhere"
	if _, err := s.Open(t.Context(), &e); !errors.Is(err, ErrNotFound) {
		t.Errorf("Open on an unknown partition: %v", err)
	}
}
