package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, tc := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0},
		{[]float64{3}, 3},
		{[]float64{9, 1, 2}, 2},
		{[]float64{4, 1, 2, 9}, 3},
	} {
		if got := median(tc.values); got != tc.want {
			t.Errorf("median(%v) = %v, want %v", tc.values, got, tc.want)
		}
	}
}

func TestResult(t *testing.T) {
	for _, tc := range []struct {
		name   string
		values map[string][]float64
		ratio  string // to Cyrus
		behind bool
	}{
		{"ahead of both", map[string][]float64{"cyrus": {10}, "dovecot": {4}, "ours": {2}}, "0.200", false},
		{"behind Dovecot", map[string][]float64{"cyrus": {10}, "dovecot": {1}, "ours": {2}}, "0.200", true},
		{"behind Cyrus", map[string][]float64{"cyrus": {1}, "dovecot": {4}, "ours": {2}}, "2.00", true},
		{"no Cyrus", map[string][]float64{"dovecot": {4}, "ours": {2}}, "–", false},
		{"not measured", map[string][]float64{"cyrus": {1}, "dovecot": {4}}, "–", false},
	} {
		res := &result{Label: tc.name, Values: tc.values}
		if got := res.ratio("cyrus"); got != tc.ratio || res.behind() != tc.behind {
			t.Errorf("%s: ratio %s, behind %v; want %s, %v", tc.name, got, res.behind(), tc.ratio, tc.behind)
		}
	}
}

// A new table replaces the old one and leaves the page around it.
func TestWriteTable(t *testing.T) {
	name := filepath.Join(t.TempDir(), "page.md")
	page := "# Title\n\n" + tableBegin + "old\n" + tableEnd + "\nThe end.\n"
	if err := os.WriteFile(name, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := writeTable(name, "new"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	want := "# Title\n\n" + tableBegin + "\nnew\n" + tableEnd + "\nThe end.\n"
	if string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Every row of both sizes names itself, and no two share a name.
func TestRows(t *testing.T) {
	for _, z := range []sizes{fullSizes, quickSizes} {
		seen := map[string]bool{}
		for _, w := range rows(z) {
			if w.name == "" || w.run == nil || seen[w.name] {
				t.Errorf("row %q is unnamed, empty or there twice", w.name)
			}
			seen[w.name] = true
		}
	}
}

// A sum that ours does not share with Cyrus is a fault of ours.
func TestCompare(t *testing.T) {
	ours := &cyrusSite{site: &site{name: "ours"}}
	for _, tc := range []struct {
		name        string
		cyrus, ours uint32
		faults      int
	}{{"equal", 7, 7, 0}, {"different", 7, 8, 1}} {
		r := &runner{servers: []server{ours}, broken: map[string]bool{}}
		r.compare(row{name: tc.name}, map[string]map[string]uint32{"cyrus": {"what": tc.cyrus}, "ours": {"what": tc.ours}})
		if len(r.out.Faults) != tc.faults {
			t.Errorf("%s: faults %s", tc.name, strings.Join(r.out.Faults, "; "))
		}
	}
}

// Memory is summed over the whole family, and this process has some.
func TestDescendants(t *testing.T) {
	me := os.Getpid()
	family := descendants(me)
	if len(family) == 0 || family[0].pid != me {
		t.Fatalf("descendants of %d: %v", me, family)
	}
	if pss(me) < 500 {
		t.Errorf("a Go program of %d KiB", pss(me))
	}
}
