// Package recorded finds what was recorded of real Cyrus servers, spools and
// dialogues, for the tests that compare with it. It lies beside the repository, in
// shared/fixtures, or where GOCYRUS_FIXTURES says; what a test wants in any case is
// copied into testdata/recorded of its package.
package recorded

import (
	"os"
	"path/filepath"
	"testing"
)

// Path is where a file or directory of the recordings is: beside the repository, else
// in the package's testdata. Without either the test is skipped.
func Path(t testing.TB, elem ...string) string {
	t.Helper()
	dir := os.Getenv("GOCYRUS_FIXTURES")
	if dir == "" {
		dir = filepath.Join(root(t), "..", "shared", "fixtures")
	}
	name := filepath.Join(elem...)
	for _, dir := range []string{dir, filepath.Join("testdata", "recorded")} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Skipf("%s is not in %s (GOCYRUS_FIXTURES)", name, dir)
	return ""
}

// root is the directory of go.mod; tests run in that of their package.
func root(t testing.TB) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	t.Fatal("no go.mod above the test")
	return ""
}
