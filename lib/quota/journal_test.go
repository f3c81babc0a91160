package quota

import (
	"errors"
	"testing"

	"gocyrus/lib/change"
	"gocyrus/lib/change/changetest"
	"gocyrus/lib/cyrusdb/kvtest"
)

func TestJournal(t *testing.T) {
	var j changetest.Journal
	d := NewDB(kvtest.New())
	d.SetJournal(&j)
	limit := func(n int64) func(*Root) error {
		return func(q *Root) error { q.Limit[Message] = n; return nil }
	}
	refused := errors.New("refused")
	for _, tc := range []struct {
		name   string
		do     func() error
		err    error
		events int
	}{
		{"new limit", func() error { return d.Set("user.a", limit(5)) }, nil, 1},
		{"another", func() error { return d.Update("user.a", limit(6)) }, nil, 1},
		{"the same", func() error { return d.Update("user.a", limit(6)) }, nil, 0},
		{"usage", func() error { return d.Charge("user.a", Usage{Message: 1}) }, nil, 0},
		{"usage, counted", func() error {
			return d.Update("user.a", func(q *Root) error { q.Used[Message] = 9; return nil })
		}, nil, 0},
		{"refused", func() error {
			return d.Update("user.a", func(q *Root) error { q.Limit[Message] = 1; return refused })
		}, refused, 0},
		{"no such root", func() error { return d.Update("user.b", limit(1)) }, ErrNotFound, 0},
		{"removed", func() error { return d.Delete("user.a") }, nil, 1},
		{"new without limits", func() error { return d.Set("user.a", func(*Root) error { return nil }) }, nil, 1},
		{"removed again", func() error { return d.Delete("user.a") }, nil, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := tc.do(); !errors.Is(err, tc.err) {
				t.Fatal(err)
			}
			events, whole := j.Take()
			if !whole || len(events) != tc.events {
				t.Errorf("%+v, whole: %v", events, whole)
			}
			for _, e := range events {
				if e != (change.Event{Kind: change.Limits, Name: "user.a"}) {
					t.Errorf("%+v", e)
				}
			}
		})
	}
}
