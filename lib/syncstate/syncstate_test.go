package syncstate

import (
	"slices"
	"testing"

	"gocyrus/lib/csync"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mboxlist"
)

func TestOptionLetters(t *testing.T) {
	for _, tc := range []struct {
		options indexfile.Options
		letters string
	}{
		{0, ""},
		{indexfile.OptPOP3NewUIDL, "P"},
		{indexfile.OptAlarms | indexfile.OptDupDeliver | indexfile.OptSharedSeen | indexfile.OptPOP3NewUIDL, "PSDA"},
		// What is each server's own does not travel.
		{indexfile.OptNeedsRepack | indexfile.OptSharedSeen, "S"},
	} {
		if got := OptionLetters(tc.options); got != tc.letters {
			t.Errorf("OptionLetters(%x) = %q; want %q", tc.options, got, tc.letters)
		}
		const own = indexfile.OptNeedsRepack
		if got := SetOptions(own|indexfile.OptDupDeliver, tc.letters+"?"); got != own|tc.options {
			t.Errorf("SetOptions(%q) = %x; want %x", tc.letters, got, own|tc.options)
		}
	}
}

func TestWireType(t *testing.T) {
	for in, want := range map[string]string{"e": "", "el": "", "f": "f", "fl": "f", "ei": "ei", "er": "", "ed": "ed"} {
		if got := WireType(in); got != want {
			t.Errorf("WireType(%q) = %q; want %q", in, got, want)
		}
	}
}

func TestSortAnnotations(t *testing.T) {
	want := []csync.Annotation{
		{Entry: "/a", UserID: "", Value: []byte("2")}, {Entry: "/a", UserID: "alice", Value: []byte("1")}, {Entry: "/b", UserID: "", Value: []byte("0")},
	}
	got := []csync.Annotation{want[2], want[1], want[0]}
	SortAnnotations(got)
	if !slices.EqualFunc(got, want, func(a, b csync.Annotation) bool { return a.Entry == b.Entry && a.UserID == b.UserID }) {
		t.Errorf("sorted: %v", got)
	}
}

// TestEmptyMailbox shows Cyrus's way with the options of a mailbox without messages.
func TestEmptyMailbox(t *testing.T) {
	h := &indexfile.Header{Options: indexfile.OptSharedSeen}
	if got := optionsOf(h); got != "PS" {
		t.Errorf("empty: %q", got)
	}
	h.Exists = 1
	if got := optionsOf(h); got != "S" {
		t.Errorf("with a message: %q", got)
	}
}

func TestIntermediate(t *testing.T) {
	m := Intermediate(&mboxlist.Entry{Name: "user.alice.x", UniqueID: "id", Type: "ei", UIDValidity: 4, CreatedModSeq: 5, FolderModSeq: 6})
	if !m.Intermediate() || m.UIDValidity != 4 || m.CreatedModSeq != 5 || m.FolderModSeq != 6 || m.HighestModSeq != 0 || m.Partition != "" {
		t.Errorf("%+v", m)
	}
}
