package site_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gocyrus/lib/annotate"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/quota"
	"gocyrus/lib/site"
)

// TestMachineWentDown: what changed shortly before the machine went down is logged by
// the first who opens the site, as the end of the logs and all notes may be lost.
func TestMachineWentDown(t *testing.T) {
	t.Setenv("GOCYRUS_SITE_OPTIONS", "sync_log: yes\ndelete_mode: immediate")
	dir := t.TempDir()
	s, err := open(dir)
	fatal(t, err)
	for _, n := range []mboxname.Name{"user.ann", "user.ann.old", "user.ann.gone", "user.bob", "user.eve"} {
		_, err := s.Ops.Create(t.Context(), admin, n, mboxops.CreateParams{})
		fatal(t, err)
	}
	fatal(t, s.Ops.Rename(t.Context(), admin, "user.ann.old", "user.ann.new", mboxops.RenameParams{}))
	fatal(t, s.Ops.Delete(t.Context(), admin, "user.ann.gone", mboxops.DeleteParams{}))
	fatal(t, s.Ops.Delete(t.Context(), admin, "user.eve", mboxops.DeleteParams{}))
	fatal(t, s.Ops.SetQuota(t.Context(), admin, "user.bob", [quota.NumResources]int64{5, -1, -1, -1}))
	fatal(t, s.Subs.Set(s.Ops.User("ann"), "user.ann", true))
	fatal(t, s.Subs.Set(s.Ops.User("bob"), "user.bob", true))
	fatal(t, s.Annotations.Apply(annotate.Change{Key: serverComment, Data: []byte("x")}))
	// Bob's was long ago.
	hour := time.Now().Add(-time.Hour)
	fatal(t, os.Chtimes(s.Layout.UserFile("bob", "sub", s.Ops.InboxID("bob")), hour, hour))
	take(t, s)
	fatal(t, s.Close())

	wentDown(t, filepath.Join(dir, "conf/inflight.sync"))
	s, err = open(dir)
	fatal(t, err)
	defer func() { fatal(t, s.Close()) }()
	b := take(t, s)
	var named []mboxname.Name
	for _, c := range b.Cohorts {
		named = append(named, c.Mailboxes...)
	}
	for what, ok := range map[string]bool{
		"the mailbox that was renamed": slices.Contains(named, "user.ann.new") && slices.Contains(named, "user.ann.old"),
		"the one that was removed":     slices.Contains(b.Unmailboxes, "user.ann.gone"),
		"the user who was removed":     slices.Contains(b.Unusers, "eve"),
		"ann's subscriptions":          slices.Contains(b.Metas, "ann"),
		"the limits":                   slices.Contains(b.Quotas, "user.bob"),
		"the server's annotations":     slices.Contains(b.Annotations, mboxname.Name("")),
	} {
		if !ok {
			t.Errorf("%s: not in %+v", what, b)
		}
	}
	if slices.Contains(b.Metas, "bob") {
		t.Errorf("bob's subscriptions, which are old: %+v", b.Metas)
	}
	again(t, s)
}

// again opens the site once more: all is logged once.
func again(t *testing.T, s *site.Site) {
	t.Helper()
	other, err := site.Open(s.Config)
	fatal(t, err)
	if b := take(t, other); !b.Empty() {
		t.Errorf("logged again: %+v", b)
	}
	fatal(t, other.Close())
}

// wentDown leaves in a directory of notes what a process leaves under which the
// machine goes down: a file with the id of a boot that is not this one.
func wentDown(t *testing.T, notes string) {
	t.Helper()
	head := "gocyrus inflight 1" + "00000000-0000-0000-0000-000000000000"
	fatal(t, os.MkdirAll(notes, 0o755))
	fatal(t, os.WriteFile(filepath.Join(notes, "1.0"), append([]byte(head), make([]byte, 4096)...), 0o600))
}
