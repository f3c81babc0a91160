package repair

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox/headerfile"
	"gocyrus/lib/mboxname"
)

// TestReconstruct damages a mailbox in every way and mends it. Where Cyrus is
// installed the same damage is done to a second copy, which Cyrus mends: both
// must say the same and leave the same messages, but where ours saves more; and
// Cyrus must find nothing wrong with ours.
func TestReconstruct(t *testing.T) {
	const name = mboxname.Name("user.alice")
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			sp := unpack(t, "cyrus-3.6.1-default")
			s := sp.open(t)
			p, err := pathsOf(s.Mailboxes.Options(), entry(t, s, name))
			if err != nil {
				t.Fatal(err)
			}
			d.do(victim{t, p})
			found, err := Reconstruct(t.Context(), s, entry(t, s, name), d.opt)
			if err != nil {
				t.Fatal(err)
			}
			if d.ours != nil && !slices.Equal(lines(found), d.ours) {
				t.Errorf("found %q, want %q", lines(found), d.ours)
			}
			unresolved := d.opt == (Options{}) && (d.name == "another message" || d.name == "odd file" || d.name == "ACL") || d.opt.IgnoreOdd
			again, err := Check(t.Context(), s, entry(t, s, name), CheckOptions{Content: true})
			if err != nil {
				t.Fatal(err)
			}
			if len(again) > 0 && !unresolved {
				t.Errorf("after reconstruct: %q", again)
			}
			if left, err := FixQuota(t.Context(), s, Selection{}, true); err != nil || len(left) > 0 {
				t.Errorf("quota afterwards: %q, %v", left, err)
			}
			compareWithCyrus(t, sp, p, found, d.better, d.args, unresolved, d.do)
		})
	}
}

// TestReconstructReal runs over spools in which nothing is wrong: no file may
// change.
func TestReconstructReal(t *testing.T) {
	for _, name := range spools {
		t.Run(name, func(t *testing.T) {
			s := unpack(t, name).open(t)
			all, err := Mailboxes(s, "")
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range all {
				p, err := pathsOf(s.Mailboxes.Options(), e)
				if err != nil {
					t.Fatal(err)
				}
				before := contents(t, p)
				found, err := Reconstruct(t.Context(), s, e, Options{Reparse: true})
				if err != nil || len(found) > 0 {
					t.Errorf("%s: %q, %v", e.Name, found, err)
				}
				if contents(t, p) != before {
					t.Errorf("%s: files have changed", e.Name)
				}
			}
		})
	}
}

// contents is all of index, header and cache.
func contents(t *testing.T, p *paths) string {
	t.Helper()
	var all strings.Builder
	for _, f := range []string{p.index, p.header, p.caches[0]} {
		b, err := os.ReadFile(f)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		fmt.Fprintf(&all, "%d:%s", len(b), b)
	}
	return all.String()
}

// TestArchive mends a mailbox that has messages on two partitions, metadata on a
// third, and an owner with a shared clock.
func TestArchive(t *testing.T) {
	s := unpack(t, "cyrus-3.6.1-classic").open(t)
	e := entry(t, s, "user.alice.Corpus")
	p, err := pathsOf(s.Mailboxes.Options(), e)
	if err != nil {
		t.Fatal(err)
	}
	uids, err := fileUIDs(p.dirs[1])
	if err != nil || len(uids) < 9 {
		t.Fatalf("archived: %v, %v", uids, err)
	}
	v := victim{t, p}
	v.must(os.MkdirAll(p.dirs[0], 0o755))
	v.octet(2, 30)                                                         // archived, comes back under a new UID
	v.must(os.Rename(p.message(uids[4], true), p.message(uids[4], false))) // moved back by hand
	v.must(os.Remove(p.message(uids[5], true)))
	v.must(os.Remove(p.caches[1]))
	found, err := Reconstruct(t.Context(), s, e, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		fmt.Sprintf("user.alice.Corpus uid %d not found", uids[5]),
		fmt.Sprintf("Marking file as not archived user.alice.Corpus %d", uids[4]),
		fmt.Sprintf("user.alice.Corpus uid %d rediscovered - appending", uids[1]),
	} {
		if !slices.Contains(lines(found), want) {
			t.Errorf("found %q, not %q", lines(found), want)
		}
	}
	if again, err := Check(t.Context(), s, e, CheckOptions{Content: true}); err != nil || len(again) > 0 {
		t.Errorf("afterwards: %q, %v", again, err)
	}
	if left, err := FixQuota(t.Context(), s, Selection{}, true); err != nil || len(left) > 0 {
		t.Errorf("quota afterwards: %q, %v", left, err)
	}
}

// compareWithCyrus does the same to another copy with Cyrus's reconstruct.
func compareWithCyrus(t *testing.T, ours *spool, p *paths, found []Finding, better bool, flags string, unresolved bool, do func(victim)) {
	t.Helper()
	if _, _, err := cyrusBin(); err != nil {
		t.Log("no Cyrus to judge: ", err)
		return
	}
	real := unpack(t, "cyrus-3.6.1-default")
	rel := func(path string) string { return strings.Replace(path, ours.root, real.root, 1) }
	q := &paths{header: rel(p.header), index: rel(p.index), annots: rel(p.annots)}
	q.dirs[0], q.caches[0] = rel(p.dirs[0]), rel(p.caches[0])
	do(victim{t, q})
	args := []string{"user/alice"}
	if flags != "" {
		args = append([]string{flags}, args...)
	}
	said := real.cyrus(t, "reconstruct", args...)
	if !better {
		got := comparable(strings.Join(append(lines(found), "user/alice"), "\n"))
		if want := comparable(strings.ReplaceAll(said, real.root, ours.root)); got != want {
			t.Errorf("ours says\n%s\nCyrus says\n%s", got, want)
		}
		if got, want := state(t, p), state(t, q); got != want {
			t.Errorf("ours leaves\n%s\nCyrus leaves\n%s", got, want)
		}
	}
	said = ours.cyrus(t, "reconstruct", "-n", "-G", "user/alice")
	// Cyrus reads its own mailboxes.db, which ours has a copy of.
	if line, rest, _ := strings.Cut(said, "\n"); strings.HasPrefix(line, "Wrong uidvalidity in mbentry") && better {
		said = rest
	}
	if said != "user/alice" && !unresolved {
		t.Errorf("Cyrus says of ours: %s", said)
	}
}

// loose are what two runs cannot have in common: sync CRCs take in the time, and
// ours writes the cache anew with the index, wherever it was.
var loose = regexp.MustCompile(`(?m)(sync_crc\w*) \d+ => \d+$|^.* rewrote cache for .*\n`)

func comparable(said string) string { return loose.ReplaceAllString(said, "$1") }

// state is what a client sees of a mailbox.
func state(t testing.TB, p *paths) string {
	t.Helper()
	b, err := os.ReadFile(p.index)
	if err != nil {
		t.Fatal(err)
	}
	h, err := indexfile.ParseHeader(b)
	if err != nil {
		t.Fatal(err)
	}
	tab, err := indexfile.NewTable(b, h)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(p.header)
	if err != nil {
		t.Fatal(err)
	}
	hf, err := headerfile.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	var s strings.Builder
	fmt.Fprintf(&s, "exists %d unseen %d answered %d flagged %d deleted %d used %d annots %d last %d uidvalidity %d options %x\n%+v\n",
		h.Exists, h.Unseen, h.Answered, h.Flagged, h.Deleted, h.QuotaUsed, h.AnnotUsed, h.LastUID, h.UIDValidity, h.Options, *hf)
	for n := 1; n <= tab.Len(); n++ {
		var r indexfile.Record
		if err := tab.Raw(n).Record(&r); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&s, "%d date %d sent %d gm %d size %d header %d flags %x %x cid %x guid %x\n",
			r.UID, r.InternalDate, r.SentDate, r.GMTime, r.Size, r.HeaderSize, r.Flags, r.UserFlags, r.CID, r.GUID)
	}
	return s.String()
}
