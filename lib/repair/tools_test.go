package repair

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/quota"
)

// number is the one that Cyrus gives every message.
var number = regexp.MustCompile(`(?m)^\d{6}> `)

// TestExamine compares what is printed of whole spools with what Cyrus prints.
func TestExamine(t *testing.T) {
	for _, name := range []string{"cyrus-3.6.1-default", "cyrus-3.6.1-classic", "cyrus-3.6.1-oldindex"} {
		t.Run(name, func(t *testing.T) {
			sp := unpack(t, name)
			s := sp.open(t)
			all, err := Find(s, "*")
			if err != nil {
				t.Fatal(err)
			}
			var got, sums, files bytes.Buffer
			for _, e := range all {
				x := "Examining " + External(s, e.Name) + "..."
				for _, b := range []*bytes.Buffer{&got, &sums, &files} {
					b.WriteString(x)
				}
				err := errors.Join(Examine(t.Context(), s, e, Which{}, &got), ExamineQuota(t.Context(), s, e, &sums),
					ExamineFiles(t.Context(), s, e, &files))
				if err != nil {
					t.Error(err)
				}
			}
			same(t, number.ReplaceAllString(got.String(), "000001> "), sp.cyrus(t, "mbexamine"))
			same(t, sums.String(), sp.cyrus(t, "mbexamine", "-q"))
			if name == "cyrus-3.6.1-default" {
				// The others have messages elsewhere, or no GUIDs.
				same(t, files.String(), sp.cyrus(t, "mbexamine", "-c"))
			}
		})
	}
}

// same compares two texts and shows the first line that differs.
func same(t *testing.T, got, want string) {
	t.Helper()
	g, w := strings.Split(strings.TrimSpace(got), "\n"), strings.Split(strings.TrimSpace(want), "\n")
	for i := range max(len(g), len(w)) {
		a, b := "(end)", "(end)"
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			t.Errorf("line %d: ours\n%q\nCyrus's\n%q", i+1, a, b)
			return
		}
	}
}

// TestFixQuota spoils quota roots and corrects them as Cyrus does.
func TestFixQuota(t *testing.T) {
	sp := unpack(t, "cyrus-3.6.1-default")
	s := sp.open(t)
	spoil := func(root mboxname.Name, fn func(*quota.Root)) {
		t.Helper()
		if err := s.Quota.Set(root, func(q *quota.Root) error { fn(q); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	spoil("user.alice", func(q *quota.Root) { q.Used[quota.Storage], q.Used[quota.Mailbox] = 5, 99 })
	spoil("user.nobody", func(q *quota.Root) { q.Limit[quota.Storage] = 10 })
	if err := s.Mailboxes.SetQuotaRoot(t.Context(), entry(t, s, "user.bob"), "user.alice"); err != nil {
		t.Fatal(err)
	}
	spoil("user.alice", func(q *quota.Root) { q.Used[quota.Message] = 1 })
	want := []string{
		"user.bob: quota root user.alice --> user.bob",
		"user.alice: STORAGE usage was 2597, now 86244",
		"user.alice: MESSAGE usage was 1, now 83",
		"user.alice: MAILBOX usage was 100, now 15",
		"user.bob: STORAGE usage was 0, now 2592",
		"user.bob: MESSAGE usage was 0, now 3",
		"user.bob: MAILBOX usage was 0, now 1",
		"user.nobody: removed",
	}
	found, err := FixQuota(t.Context(), s, Selection{}, true)
	if err != nil || !slices.Equal(lines(found), want) {
		t.Errorf("report: %q, %v; want %q", lines(found), err, want)
	}
	if found, err = FixQuota(t.Context(), s, Selection{}, false); err != nil {
		t.Error(err)
	}
	// The mailbox took its usage with it before the roots were added up.
	if f := lines(found); len(f) == 0 || f[0] != want[0] || f[len(f)-1] != want[len(want)-1] {
		t.Errorf("found %q", f)
	}
	if found, err = FixQuota(t.Context(), s, Selection{}, false); err != nil || len(found) > 0 {
		t.Errorf("again: %q, %v", lines(found), err)
	}
	if _, err := s.Quota.Get("user.nobody"); !errors.Is(err, quota.ErrNotFound) {
		t.Errorf("root without a mailbox: %v", err)
	}
	if out := sp.cyrus(t, "quota", "-f", "-q"); out != "" {
		t.Errorf("Cyrus finds: %s", out)
	}
}

// TestSumRootMoves adds up a root while mail comes in and goes: the sum must be
// right whenever all is quiet again.
func TestSumRootMoves(t *testing.T) {
	s := unpack(t, "cyrus-3.6.1-default").open(t)
	e := entry(t, s, "user.alice")
	done := make(chan error, 1)
	go func() {
		done <- func() error {
			m, err := s.Mailboxes.Open(t.Context(), e)
			if err != nil {
				return err
			}
			defer m.Close()
			for range 200 {
				if err := touch(t.Context(), m); err != nil {
					return err
				}
			}
			return nil
		}()
	}()
	for running := true; running; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		default:
			if _, err := sumRoot(t.Context(), s, "user.alice", false); err != nil {
				t.Fatal(err)
			}
		}
	}
	if left, err := sumRoot(t.Context(), s, "user.alice", true); err != nil || len(left) > 0 {
		t.Errorf("afterwards: %q, %v", left, err)
	}
}

// TestVersions converts a mailbox to each version and back.
func TestVersions(t *testing.T) {
	sp := unpack(t, "cyrus-3.6.1-default")
	s := sp.open(t)
	e := entry(t, s, "user.alice")
	for _, v := range []uint32{12, 13, 16, indexfile.MaxWrite, 17} {
		if _, err := SetVersion(t.Context(), s, e, v); err != nil {
			t.Fatal(err)
		}
		found, err := Check(t.Context(), s, e, CheckOptions{Content: true})
		if err != nil || len(found) > 0 {
			t.Errorf("version %d: %q, %v", v, found, err)
		}
		// Before 13 an index does not say what annotations take.
		if wrong, err := sumRoot(t.Context(), s, "user.alice", true); err != nil || v >= 13 && len(wrong) > 0 {
			t.Errorf("version %d: quota: %q, %v", v, wrong, err)
		}
	}
	if said := sp.cyrus(t, "reconstruct", "-n", "-G", "user/alice"); said != "user/alice" {
		t.Errorf("Cyrus says: %s", said)
	}
}

// TestAdopt takes the entries of mailboxes out of the list and finds them again.
func TestAdopt(t *testing.T) {
	s := unpack(t, "cyrus-3.6.1-classic").open(t)
	const name = mboxname.Name("user.alice.Archive.2025")
	was := entry(t, s, name)
	if err := s.List.Update(func(tx *mboxlist.Tx) error { return tx.Remove(name) }); err != nil {
		t.Fatal(err)
	}
	found, err := Discover(s, entry(t, s, "user.alice.Archive"))
	if err != nil || !slices.Equal(found, []mboxname.Name{name}) {
		t.Fatalf("discovered %q, %v", found, err)
	}
	e, err := Adopt(t.Context(), s, name, was.Partition, false)
	if err != nil {
		t.Fatal(err)
	}
	if e.UniqueID != was.UniqueID || e.ACL != was.ACL || e.UIDValidity != was.UIDValidity || e.Type != was.Type {
		t.Errorf("adopted %+v, was %+v", e, was)
	}
	if found, err := Check(t.Context(), s, e, CheckOptions{Content: true}); err != nil || len(found) > 0 {
		t.Errorf("after Adopt: %q, %v", found, err)
	}
	if _, err := Adopt(t.Context(), s, "user.alice.Nothing", was.Partition, false); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a directory: %v", err)
	}
	// With new metadata the header follows mailboxes.db.
	e, err = Adopt(t.Context(), s, name, was.Partition, true)
	if err != nil || e.UniqueID == was.UniqueID {
		t.Fatalf("fresh: %+v, %v", e, err)
	}
	if _, err := Reconstruct(t.Context(), s, e, Options{PreferList: true}); err != nil {
		t.Fatal(err)
	}
	if found, err := Check(t.Context(), s, entry(t, s, name), CheckOptions{Content: true}); err != nil || len(found) > 0 {
		t.Errorf("after a fresh Adopt: %q, %v", found, err)
	}
}

// TestAdoptHeader makes the entry of a mailbox whose directory is named by its id.
func TestAdoptHeader(t *testing.T) {
	s := unpack(t, "cyrus-3.6.1-default").open(t)
	was := entry(t, s, "user.bob")
	p, err := pathsOf(s.Mailboxes.Options(), was)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.List.Update(func(tx *mboxlist.Tx) error { return tx.Remove("user.bob") }); err != nil {
		t.Fatal(err)
	}
	said, err := AdoptHeader(t.Context(), s, filepath.Dir(p.header))
	if want := fmt.Sprintf("created mbentry for user.bob (%s)", was.UniqueID); err != nil || said != want {
		t.Errorf("said %q, %v; want %q", said, err, want)
	}
	if e := entry(t, s, "user.bob"); e.UIDValidity != was.UIDValidity || e.ACL != was.ACL || e.Type != was.Type {
		t.Errorf("adopted %+v, was %+v", e, was)
	}
	elsewhere := filepath.Join(t.TempDir(), "cyrus.header")
	b, err := os.ReadFile(p.header)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(elsewhere, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err = AdoptHeader(t.Context(), s, elsewhere); err != nil || !strings.Contains(said, "is not located in proper location") {
		t.Errorf("elsewhere: %q, %v", said, err)
	}
}
