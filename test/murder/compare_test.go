package murder

import (
	"slices"
	"strings"
	"testing"

	"gocyrus/test/internal/murder"
)

// sample is a step's outcome of Cyrus's alone.
var sample = []string{"> alice: SELECT INBOX", "* 3 EXISTS", "* 0 RECENT", "OK Completed", "> alice: NOOP", "OK Completed"}

// TestDiff: every change of one line of an outcome is seen.
func TestDiff(t *testing.T) {
	if d := diff(sample, sample); d != "" {
		t.Errorf("the same differs: %s", d)
	}
	for i := range sample {
		for what, other := range map[string][]string{
			"gone":    slices.Delete(slices.Clone(sample), i, i+1),
			"twice":   slices.Insert(slices.Clone(sample), i, sample[i]),
			"changed": slices.Replace(slices.Clone(sample), i, i+1, sample[i]+"x"),
			"cut":     sample[:i],
		} {
			if diff(other, sample) == "" || diff(sample, other) == "" {
				t.Errorf("line %d %s: no difference", i, what)
			}
		}
	}
	swapped := slices.Clone(sample)
	swapped[1], swapped[2] = swapped[2], swapped[1]
	if diff(swapped, sample) == "" {
		t.Error("another order is no difference")
	}
}

// TestExpected: a difference holds where it is said to, and nowhere else.
func TestExpected(t *testing.T) {
	all := []difference{
		{"our frontend", `read: alice: SELECT INBOX`, `(\* \d+ EXISTS)`, "* CLOSED\n$1", ""},
		{"our be1, real frontend; our master", `read: alice: .*`, `OK Completed`, "OK Done", ""},
		{"our frontend", `read: bob: .*`, `.*`, "", ""},
	}
	real, ours := murder.Real, murder.Ours
	for _, tc := range []struct {
		name, step string
		k          kinds
		want       string
		used       int
	}{
		{"Cyrus's alone", "read", kinds{real, real, [2]murder.Kind{real, real}}, strings.Join(sample, "|"), 0},
		{"our frontend", "read", kinds{real, ours, [2]murder.Kind{ours, real}},
			"> alice: SELECT INBOX|* CLOSED|* 3 EXISTS|* 0 RECENT|OK Completed|> alice: NOOP|OK Completed", 1},
		{"our backend", "read", kinds{real, real, [2]murder.Kind{ours, real}},
			"> alice: SELECT INBOX|* 3 EXISTS|* 0 RECENT|OK Done|> alice: NOOP|OK Done", 1},
		{"our other backend", "read", kinds{real, real, [2]murder.Kind{real, ours}}, strings.Join(sample, "|"), 0},
		{"our master and frontend", "read", kinds{ours, ours, [2]murder.Kind{real, real}},
			"> alice: SELECT INBOX|* CLOSED|* 3 EXISTS|* 0 RECENT|OK Done|> alice: NOOP|OK Done", 2},
		{"another step", "reads", kinds{ours, ours, [2]murder.Kind{ours, ours}}, strings.Join(sample, "|"), 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			used := map[*difference]bool{}
			got := expected(all, tc.step, sample, tc.k, used)
			if s := strings.Join(got, "|"); s != tc.want {
				t.Errorf("got  %s\nwant %s", s, tc.want)
			}
			if len(used) != tc.used || len(unused(all, used)) != len(all)-tc.used {
				t.Errorf("%d differences are used, want %d", len(used), tc.used)
			}
		})
	}
}

// TestNormal: what differs from run to run is taken out, and nothing else.
func TestNormal(t *testing.T) {
	for in, want := range map[string]string{
		"OK [APPENDUID 1795523285 12] Completed":       "OK [APPENDUID V 12] Completed",
		"OK [COPYUID 1795523285 1:2 3:4] Completed":    "OK [COPYUID V 1:2 3:4] Completed",
		"* STATUS INBOX (UIDVALIDITY 1795523285)":      "* STATUS INBOX (UIDVALIDITY V)",
		"* 1 FETCH (UID 12 MODSEQ (37))":               "* 1 FETCH (UID 12 MODSEQ (M))",
		"* 1 FETCH (RFC822.SIZE 300000)":               "* 1 FETCH (RFC822.SIZE 300000)",
		"* QUOTA user.alice (STORAGE 714000 10000000)": "* QUOTA user.alice (STORAGE 714000 10000000)",
	} {
		if got := normal(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// TestMessage: a literal has the octets that its command announces, in lines.
func TestMessage(t *testing.T) {
	for _, n := range []int{0, 1, 10, 66, 100, 131, 4095, 4096, 65537} {
		m := message(n)
		if len(m) != n {
			t.Errorf("message(%d) has %d octets", n, len(m))
		}
		if strings.Count(m, "\r") != strings.Count(m, "\n") || strings.Count(m, "\r\n") != strings.Count(m, "\n") {
			t.Errorf("message(%d) has half a line end: %q", n, m[max(0, n-10):])
		}
	}
}
