package spool_test

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A difference is one fact that two surveys have differently; absent is what a
// survey has that does not have it.
type difference struct {
	path      []string
	got, want any
}

type nothing struct{}

func (nothing) String() string { return "(absent)" }

var absent nothing

func (d *difference) String() string {
	return fmt.Sprintf("%s\n got %.600v\nwant %.600v", strings.Join(d.path, " > "), d.got, d.want)
}

// compare counts the facts and returns those that differ.
func compare(got, want any) (facts int, all []difference) {
	var walk func(path []string, got, want any)
	walk = func(path []string, got, want any) {
		g, gok := got.(map[string]any)
		w, wok := want.(map[string]any)
		if gok && wok {
			for _, k := range keysOf(g, w) {
				walk(append(slices.Clip(path), k), value(g, k), value(w, k))
			}
			return
		}
		gl, gok := got.([]any)
		wl, wok := want.([]any)
		if gok && wok && len(gl) == len(wl) && len(gl) > 0 {
			if _, maps := gl[0].(map[string]any); maps {
				for i := range gl {
					walk(append(slices.Clip(path), fmt.Sprint(i)), gl[i], wl[i])
				}
				return
			}
		}
		facts++
		if !reflect.DeepEqual(got, want) {
			all = append(all, difference{path, got, want})
		}
	}
	walk(nil, got, want)
	return facts, all
}

func keysOf(a, b map[string]any) []string {
	var keys []string
	for _, m := range []map[string]any{a, b} {
		for k := range m {
			if !slices.Contains(keys, k) {
				keys = append(keys, k)
			}
		}
	}
	slices.Sort(keys)
	return keys
}

func value(m map[string]any, key string) any {
	if v, ok := m[key]; ok {
		return v
	}
	return absent
}

// A rule says which differences are right, and why.
type rule struct {
	path string // a regular expression on the path, its parts joined by " > "
	why  string
	// right checks the values; nil takes any.
	right func(d *difference) bool
}

// check reports all differences that no rule explains, and counts.
func check(t testing.TB, got, want any, rules []rule) {
	t.Helper()
	facts, all := compare(got, want)
	unexplained := 0
	reasons := map[string]int{}
	for _, d := range all {
		if why := explain(&d, rules); why != "" {
			reasons[why]++
			continue
		}
		if unexplained++; unexplained <= 40 {
			t.Errorf("%v", &d)
		}
	}
	if facts < 1000 {
		t.Errorf("only %d facts were compared", facts)
	}
	t.Logf("%d facts, %d equal, %d different for a reason, %d without", facts, facts-len(all), len(all)-unexplained, unexplained)
	for why, n := range reasons {
		t.Logf("%d different: %s", n, why)
	}
}

func explain(d *difference, rules []rule) string {
	path := strings.Join(d.path, " > ")
	for _, r := range rules {
		if regexp.MustCompile(`^(?:`+r.path+`)$`).MatchString(path) && (r.right == nil || r.right(d)) {
			return r.why
		}
	}
	return ""
}

const vendor = "/vendor/cmu/cyrus-imapd/"

// ofTheRun are differences between two runs of whatever server.
var ofTheRun = []rule{
	{"note", "a remark on the file", nil},
	{"server|capability", "of the program, not of the spool", nil},
	{"server_annotations > /shared" + vendor + "freespace.*", "of the disk, not of the spool", nil},
}

// of36 are differences between ours and 3.6, as between 3.10 and 3.6.
var of36 = []rule{
	{"mailboxes > .* > /(private|shared)" + vendor + "(noexpire_until|userrawquota)", "entries that 3.6 does not have",
		func(d *difference) bool { return d.got == absent || d.want == absent }},
	{"mailboxes > .* > quotaroot", "names of quota resources", func(d *difference) bool {
		return reflect.DeepEqual(newNames(d.got), newNames(d.want))
	}},
	{"users > .*\\..* > (list|lsub)", "3.6 hides the own mailboxes of a user with a dot where the separator is one", hidesOwn},
}

// newNames is QUOTA lines with the names that 3.10 has for resources.
func newNames(v any) any {
	lines, _ := v.([]any)
	out := make([]any, len(lines))
	for i, l := range lines {
		out[i] = strings.NewReplacer("X-ANNOTATION-STORAGE", "ANNOTATION-STORAGE", "X-NUM-FOLDERS", "MAILBOX").Replace(l.(string))
	}
	return out
}

// hidesOwn says whether one of two lists is the other without the user's own
// mailboxes.
func hidesOwn(d *difference) bool {
	var lists [2][]any
	for i, v := range []any{d.got, d.want} {
		lists[i], _ = v.([]any)
		lists[i] = slices.DeleteFunc(slices.Clone(lists[i]), func(l any) bool {
			name, _ := l.([]any)[2].(string)
			return name == "INBOX" || strings.HasPrefix(name, "INBOX.")
		})
	}
	return len(lists[0]) == len(lists[1]) && (len(lists[0]) == 0 || reflect.DeepEqual(lists[0], lists[1]))
}
