package crash_test

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	"gocyrus/lib/mailbox"
	"gocyrus/lib/repair"
	"gocyrus/lib/site"
	"gocyrus/test/internal/rig"
)

// checkFiles checks every file of a site that does not run.
func checkFiles(t *testing.T, s *rig.Site, f *faults) {
	t.Helper()
	stores, err := site.Open(s.Config())
	if err != nil {
		f.add("files: %v", err)
		return
	}
	defer stores.Close()
	found, err := repair.CheckSite(context.Background(), stores, repair.CheckOptions{Content: true})
	if err != nil {
		f.add("files: %v", err)
	}
	for _, finding := range found {
		if !leftOver(stores, finding) {
			f.add("files: %s: %s", finding.Kind, finding)
		}
	}
	var out bytes.Buffer
	if err := stores.List.Verify(&out, stores.Layout, stores.Config.Partitions()); err != nil {
		f.add("mailboxes.db: %v", err)
	}
	for line := range strings.Lines(out.String()) {
		// The directory of a CREATE or DELETE that was interrupted: the list is
		// written last by one and first by the other.
		if !strings.HasSuffix(line, "but no DB entry\n") {
			f.add("mailboxes.db: %s", line)
		}
	}
}

// leftOver says whether a finding is what a change left that was interrupted
// before it was one, and that the next one takes the place of: the file of a
// message whose UID is still to be given, or a cache without as much as a
// generation.
func leftOver(stores *site.Site, f repair.Finding) bool {
	if f.Kind != repair.Extra && f.Kind != repair.Cache {
		return false
	}
	ctx := context.Background()
	e, err := stores.List.Lookup(f.Mailbox)
	if err != nil {
		return false
	}
	m, err := stores.Mailboxes.Open(ctx, e)
	if err != nil {
		return false
	}
	defer m.Close()
	if f.Kind == repair.Cache {
		st, err := os.Stat(m.Path("cache"))
		return err == nil && f.UID == 0 && st.Size() < 4
	}
	free := false
	err = m.View(ctx, func(v *mailbox.View) error {
		free = f.UID > v.Header().LastUID
		return nil
	})
	return err == nil && free
}
