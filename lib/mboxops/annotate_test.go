package mboxops_test

import (
	"errors"
	"strings"
	"testing"

	"gocyrus/lib/annotate"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/quota"
	"gocyrus/lib/site"
)

func text(entry, value string) mboxops.Annotation {
	return mboxops.Annotation{Entry: entry, Shared: true, Data: []byte(value)}
}

// state is what an annotation changes of a mailbox beside the database.
type state struct {
	Folder, Highest uint64
	Used            uint32
	Options         indexfile.Options
}

func stateOf(t *testing.T, s *site.Site, n mboxname.Name) (st state) {
	t.Helper()
	e, err := s.List.Lookup(n)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Mailboxes.Open(ctx, e)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	err = m.View(ctx, func(v *mailbox.View) error {
		h := v.Header()
		st = state{e.FolderModSeq, h.HighestModSeq, h.AnnotUsed, h.Options}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestAnnotate(t *testing.T) {
	s := open(t)
	create(t, s, "cyrus", "user.alice", "user.alice.Work", "user.alice.Work.Deep", "shared")
	const box = "user.alice.Work"
	denied := errors.New("denied")
	sharedSeen := func(h *indexfile.Header) bool {
		was := h.Options
		h.Options |= indexfile.OptSharedSeen
		return h.Options != was
	}
	for _, tc := range []struct {
		name string
		set  []mboxops.Annotation
		ups  uint64 // by how much the modseqs rise
		used uint32 // octets afterwards
		err  error
	}{
		{"one value", []mboxops.Annotation{text("/comment", "abc")}, 1, 3, nil},
		{"the same", []mboxops.Annotation{text("/comment", "abc")}, 0, 3, nil},
		{"two, and no change", []mboxops.Annotation{text("/comment", "x"), text("/sort", "yy"), text("/thread", "")}, 2, 3, nil},
		{"the last counts", []mboxops.Annotation{text("/comment", "12345"), text("/comment", "1")}, 2, 3, nil},
		{"property", []mboxops.Annotation{{Entry: "/seen", Header: sharedSeen}}, 1, 3, nil},
		{"property again", []mboxops.Annotation{{Entry: "/seen", Header: sharedSeen, Denied: denied}}, 0, 3, nil},
		{"denied, and so already", []mboxops.Annotation{{Entry: "/sort", Shared: true, Data: []byte("yy"), Denied: denied}}, 0, 3, nil},
		{"all or none", []mboxops.Annotation{text("/thread", "zz"), {Entry: "/sort", Shared: true, Data: []byte("no"), Denied: denied}}, 0, 3, denied},
		{"away", []mboxops.Annotation{text("/comment", ""), text("/sort", "")}, 2, 0, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := stateOf(t, s, box)
			if err := s.Ops.Annotate(ctx, "alice", box, false, tc.set); !errors.Is(err, tc.err) {
				t.Fatalf("%v, want %v", err, tc.err)
			}
			after := stateOf(t, s, box)
			want := state{before.Folder, before.Highest + tc.ups, tc.used, after.Options}
			if tc.ups > 0 {
				want.Folder = want.Highest
			}
			if after != want {
				t.Errorf("%+v, before %+v, want %+v", after, before, want)
			}
		})
	}
	if st := stateOf(t, s, box); st.Options&indexfile.OptSharedSeen == 0 {
		t.Error("the property is not set")
	}
	e, err := s.List.Lookup(box)
	if err != nil {
		t.Fatal(err)
	}
	if v, ok, err := s.Annotations.Get(annotate.Key{Scope: e.UniqueID, Entry: "/thread"}); ok || err != nil {
		t.Errorf("a value of a change that failed: %q, %v", v.Data, err)
	}
}

func TestAnnotateQuota(t *testing.T) {
	s := open(t)
	create(t, s, "cyrus", "user.alice")
	limits := [quota.NumResources]int64{}
	for i := range limits {
		limits[i] = quota.Unlimited
	}
	limits[quota.AnnotationStorage] = 1
	if err := s.Ops.SetQuota(ctx, user("cyrus"), "user.alice", limits); err != nil {
		t.Fatal(err)
	}
	big := []mboxops.Annotation{text("/comment", strings.Repeat("x", 1100))}
	if err := s.Ops.Annotate(ctx, "alice", "user.alice", false, big); !errors.Is(err, quota.ErrOver) {
		t.Errorf("over quota: %v", err)
	}
	if st := stateOf(t, s, "user.alice"); st.Used != 0 || st.Folder != 1 {
		t.Errorf("after a refusal %+v", st)
	}
	if err := s.Ops.Annotate(ctx, "alice", "user.alice", true, big); err != nil {
		t.Errorf("quota not asked: %v", err)
	}
	if err := s.Ops.Annotate(ctx, "alice", "user.alice", false, []mboxops.Annotation{text("/comment", "less")}); err != nil {
		t.Errorf("less in a full mailbox: %v", err)
	}
}

func TestAnnotateUse(t *testing.T) {
	s := open(t, `specialuse_nochildren: \Archive`)
	create(t, s, "cyrus", "user.alice", "user.alice.A", "user.alice.A.B", "user.bob", "shared")
	for _, tc := range []struct {
		user string
		box  mboxname.Name
		uses string
		err  error
		want string
	}{
		{"alice", "user.alice", `\Junk sent`, nil, `\Junk \Sent`}, // any mailbox, several
		{"alice", "user.alice.A", `\Junk`, nil, `\Junk`},          // the INBOX does not count
		{"alice", "user.alice.A.B", `\Junk`, mboxops.ErrUseConflict, ""},
		{"alice", "user.alice.A", `\junk \TRASH`, nil, `\Junk \Trash`},
		{"alice", "user.alice.A.B", `\All`, mboxops.ErrBadUse, ""},
		{"alice", "user.alice.A", `\Archive`, mboxops.ErrHasChildren, `\Junk \Trash`},
		{"alice", "user.alice.A.B", `\Archive`, nil, `\Archive`},
		{"alice", "user.alice.A", "", nil, ""},
		{"cyrus", "user.alice", `\Trash`, nil, `\Trash`}, // the administrator's own
		{"bob", "user.alice", `\Sent`, nil, `\Sent`},
		{"alice", "user.alice", `\Junk \Sent`, nil, `\Junk \Sent`},
	} {
		set := []mboxops.Annotation{{Entry: annotate.SpecialUse, Data: []byte(tc.uses)}}
		if err := s.Ops.Annotate(ctx, tc.user, tc.box, false, set); !errors.Is(err, tc.err) {
			t.Errorf("%s: %s %s: %v, want %v", tc.user, tc.box, tc.uses, err, tc.err)
		}
		e, err := s.List.Lookup(tc.box)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(s.Ops.SpecialUse(tc.user, tc.box, e.UniqueID), " "); got != tc.want {
			t.Errorf("%s: %s has %q, want %q", tc.user, tc.box, got, tc.want)
		}
	}
}

// TestRenameModSeq: a mailbox that was in use for long gets the folder modseq of
// the rename above its messages', as the replicas compare them.
func TestRenameModSeq(t *testing.T) {
	s := open(t)
	create(t, s, "cyrus", "user.alice", "user.alice.Work")
	e, err := s.List.Lookup("user.alice.Work")
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := s.Mailboxes.Update(ctx, e, func(tx *mailbox.Tx) error { _, err := tx.TouchModSeq(); return err }); err != nil {
			t.Fatal(err)
		}
	}
	before := stateOf(t, s, "user.alice.Work")
	if err := s.Ops.Rename(ctx, mboxops.Root("cyrus"), "user.alice.Work", "user.alice.Play", mboxops.RenameParams{}); err != nil {
		t.Fatal(err)
	}
	after := stateOf(t, s, "user.alice.Play")
	if after.Highest != before.Highest+1 || after.Folder != after.Highest {
		t.Errorf("modseqs %+v, after %+v", after, before)
	}
}
