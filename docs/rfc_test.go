// Package docs has no code: its test keeps rfc.md complete.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var cited = regexp.MustCompile(`RFC (\d{3,4})\b`)

func TestEveryCitedRFCHasARow(t *testing.T) {
	page, err := os.ReadFile("rfc.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for line := range strings.Lines(string(page)) {
		if cell, _, ok := strings.Cut(strings.TrimPrefix(line, "| "), " |"); ok && strings.HasPrefix(line, "| ") {
			for _, n := range strings.Fields(cell) {
				rows[n] = true
			}
		}
	}
	for _, root := range []string{"../lib", "../cmd"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range cited.FindAllStringSubmatch(string(text), -1) {
				if !rows[m[1]] {
					t.Errorf("%s cites RFC %s, which has no row", path, m[1])
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
