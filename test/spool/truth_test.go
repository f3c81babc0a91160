package spool_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTruth opens each spool in place, mailboxes.db being brought into our format
// by START, and asks all that its writer was asked.
func TestTruth(t *testing.T) {
	for _, f := range fixtures {
		t.Run(f.name, func(t *testing.T) {
			want := f.truth(t)
			s := f.serve(t, f.unpack(t))
			got := take(t, s.addr, f.users)
			check(t, got, stored(want), f.rules())
		})
	}
}

// rules are what may differ from the truth of the file.
func (f *fixture) rules() []rule {
	rules := slices.Clone(ofTheRun)
	if f.old {
		rules = append(rules, of36...)
	}
	if f.name == "cyrus-3.6.1-default" {
		rules = append(rules, rule{"server_annotations > /shared/motd", "msg/motd was put there after the questions",
			func(d *difference) bool { return d.want == nil && d.got == "scheduled work on Sunday" }})
	}
	return rules
}

var storedReply = regexp.MustCompile(`, b['"]a\d+ (.*)\\r\\n['"]\)$`)

// stored brings the files' record of a refusal into the form of a survey.
func stored(truth map[string]any) map[string]any {
	for _, m := range truth["mailboxes"].(map[string]any) {
		box := m.(map[string]any)
		if e, ok := box["admin_open_error"].(string); ok {
			if m := storedReply.FindStringSubmatch(e); m != nil {
				box["admin_open_error"] = strings.ReplaceAll(m[1], `\\`, `\`)
			}
		}
	}
	return truth
}
