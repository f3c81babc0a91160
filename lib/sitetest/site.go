// Package sitetest gives a test the stores of a site that no server runs on, and looks
// at what the test leaves in them.
package sitetest

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/lib/config"
	"gocyrus/lib/repair"
	"gocyrus/lib/site"
)

// Site opens an empty site in a directory of the test's own, as a service reads
// conf. In it $dir is that directory.
func Site(t testing.TB, service, conf string) (*config.Config, *site.Site) {
	t.Helper()
	dir := t.TempDir()
	cfg, err := config.Parse(strings.NewReader(strings.ReplaceAll(conf, "$dir", dir)), filepath.Join(dir, "imapd.conf"), service)
	if err != nil {
		t.Fatal(err)
	}
	st, err := site.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return cfg, st
}

// CheckSpool fails the test for each thing that is wrong with a mailbox or a quota
// root, messages included.
func CheckSpool(t testing.TB, st *site.Site) {
	t.Helper()
	findings, err := repair.CheckSite(context.Background(), st, repair.CheckOptions{Content: true})
	if err != nil {
		t.Errorf("check of the spool: %v", err)
	}
	for _, f := range findings {
		t.Errorf("the spool is inconsistent: %s: %s", f.Kind, f)
	}
}
