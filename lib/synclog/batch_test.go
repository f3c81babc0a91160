package synclog

import (
	"reflect"
	"strings"
	"testing"

	"gocyrus/lib/mboxname"
)

func TestBatch(t *testing.T) {
	type names = []mboxname.Name
	for _, tc := range []struct {
		name  string
		lines []Line
		want  Batch
	}{
		{"nothing", nil, Batch{}},
		{"mailboxes of users apart, once each",
			[]Line{Append("user.a"), Mailbox("user.a"), Mailbox("user.b.x"), Mailbox("user.a.y")},
			Batch{Cohorts: []Cohort{{"a", names{"user.a", "user.a.y"}}, {"b", names{"user.b.x"}}}}},
		{"shared ones together",
			[]Line{Mailbox("s1"), Mailbox("user.a"), Mailbox("s2")},
			Batch{Cohorts: []Cohort{{"", names{"s1", "s2"}}, {"a", names{"user.a"}}}}},
		{"deleted ones with their owner",
			[]Line{Mailbox("DELETED.user.a.x.5F000000"), Mailbox("user.a")},
			Batch{Cohorts: []Cohort{{"a", names{"DELETED.user.a.x.5F000000", "user.a"}}}}},
		{"a copy stays with the source's user",
			[]Line{Double("user.a", "user.b")},
			Batch{Cohorts: []Cohort{{"a", names{"user.a", "user.b"}}}}},
		{"a rename is both users'",
			[]Line{Raw("RENAME user.a.x user.b.x")},
			Batch{Cohorts: []Cohort{{"a", names{"user.a.x", "user.b.x"}}, {"b", names{"user.a.x", "user.b.x"}}}}},
		{"user covers state but not mailboxes",
			[]Line{Mailbox("user.a"), Seen("a", "id"), Sub("a", "user.a"), Meta("a"), User("a"), Seen("b", "id"), Sub("b", "s")},
			Batch{Cohorts: []Cohort{{"a", names{"user.a"}}}, Users: []string{"a"},
				Seen: []SeenItem{{"b", "id"}}, Subs: []SubItem{{"b", "s"}}}},
		{"the end of a user covers the user",
			[]Line{Seen("a", "id"), Sub("a", "user.a"), Meta("a"), User("a"), Unuser("a"), User("b")},
			Batch{Users: []string{"b"}, Unusers: []string{"a"}}},
		{"meta covers seen state and subscriptions",
			[]Line{Seen("a", "id"), Meta("a"), Sub("a", "user.a"), Sub("b", "x")},
			Batch{Metas: []string{"a"}, Subs: []SubItem{{"b", "x"}}}},
		{"sieve is meta, unsub is sub",
			[]Line{Raw("SIEVE a"), Raw("UNSUB b x"), Sub("b", "x")},
			Batch{Metas: []string{"a"}, Subs: []SubItem{{"b", "x"}}}},
		{"the rest, once each",
			[]Line{Quota("user.a"), Quota("user.a"), Annotation(""), Annotation(""), Unmailbox("x"), Unmailbox("x")},
			Batch{Quotas: []string{"user.a"}, Annotations: names{""}, Unmailboxes: names{"x"}}},
		{"what lacks an argument, and words nobody knows, are left out",
			[]Line{Raw("SUB a"), Raw("SEEN a"), Raw("RENAME a"), Raw(`MAILBOX ""`), Raw("NOSUCH a"), Raw("ACL a"), User("a")},
			Batch{Users: []string{"a"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var text strings.Builder
			for _, n := range tc.lines {
				text.WriteString(string(n))
			}
			got, err := read(strings.NewReader(text.String()))
			if err != nil || !reflect.DeepEqual(*got, tc.want) {
				t.Errorf("%+v, %v; want %+v", *got, err, tc.want)
			}
			if got.Empty() != reflect.DeepEqual(tc.want, Batch{}) {
				t.Errorf("Empty() = %v", got.Empty())
			}
		})
	}
}
