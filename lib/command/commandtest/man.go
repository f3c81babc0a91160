// Package commandtest holds the checks that every program shares.
package commandtest

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

var (
	// itFl is one item of the list of flags: ".It Fl n Ar name" or, with a long
	// name, ".It Fl n Ar name , Fl Fl service Ns = Ns Ar name".
	itFl   = regexp.MustCompile(`(?m)^\.It Fl (.*)$`)
	flName = regexp.MustCompile(`(?:^|Fl )(?:Fl )?-?([^\s=,|]+)`)
	nd     = regexp.MustCompile(`(?m)^\.Nd (.*)$`)
)

// ManPage fails unless the mdoc page at path documents exactly the flags of
// app, long names and all, and describes it with app's Usage.
func ManPage(t *testing.T, app *cli.App, path string) {
	t.Helper()
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, f := range app.Flags {
		want = append(want, f.Names()...)
	}
	got := flagsOf(string(page))
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%s documents flags %q; the program takes %q", path, got, want)
	}
	if m := nd.FindStringSubmatch(string(page)); m == nil || strings.TrimSpace(m[1]) != app.Usage {
		t.Errorf("%s: .Nd does not say %q", path, app.Usage)
	}
}

func flagsOf(page string) []string {
	var names []string
	for _, item := range itFl.FindAllStringSubmatch(page, -1) {
		for _, m := range flName.FindAllStringSubmatch(item[1], -1) {
			names = append(names, m[1])
		}
	}
	return names
}
