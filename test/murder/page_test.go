package murder

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/murder-differences.md anew")

const page = "../../docs/murder-differences.md"

// TestPage: the page of the differences is that of the table.
func TestPage(t *testing.T) {
	want := render()
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the table of test/murder/differences_test.go says: go test ./test/murder -run TestPage -update", page)
	}
}

const intro = `# What a Murder with servers of ours does otherwise

test/murder takes the same steps in every mixture of master, frontend and backends, of ours and of Cyrus 3.6.1's, and
compares every answer with that of Cyrus's alone. These are all differences; the order of lines about mailboxes is not
compared. The lines themselves are in test/murder/differences_test.go, of which this page is made.

| Seats | Steps | Difference |
| --- | --- | --- |
`

// render is the page: a line for each reason, in the order of the table.
func render() string {
	var b strings.Builder
	b.WriteString(intro)
	var reasons []string
	seats, places := map[string][]string{}, map[string][]string{}
	for i := range differences {
		d := &differences[i]
		if seats[d.why] == nil {
			reasons = append(reasons, d.why)
		}
		for in := range strings.SplitSeq(d.in, "; ") {
			seats[d.why] = withMore(seats[d.why], backend.ReplaceAllString(in, "backend"))
		}
		for _, s := range slices.Concat(steps, altSteps, domainSteps, oddSteps) {
			for line := range strings.Lines(s.script) {
				if line = strings.TrimSpace(line); line != "" && whole(d.at).MatchString(s.name+": "+line) {
					places[d.why] = withMore(places[d.why], s.name)
				}
			}
		}
	}
	for _, why := range reasons {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", strings.Join(seats[why], "; "), strings.Join(places[why], ", "), why)
	}
	return b.String()
}

var backend = regexp.MustCompile(`\bbe\d`)

// withMore is a list with one more, unless it has that.
func withMore(list []string, one string) []string {
	if slices.Contains(list, one) {
		return list
	}
	return append(list, one)
}
