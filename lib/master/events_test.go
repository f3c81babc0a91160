package master

import (
	"testing"
	"time"

	"gocyrus/lib/masterconf"
)

func berlin(t *testing.T) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skipf("no time zone data: %v", err)
	}
	return loc
}

func TestNextDaily(t *testing.T) {
	loc := berlin(t)
	at := func(y, mo, d, h, mi int) time.Time { return time.Date(y, time.Month(mo), d, h, mi, 0, 0, loc) }
	for _, tc := range []struct {
		name      string
		now, want time.Time
		at        int
	}{
		{"later today", at(2026, 11, 24, 3, 59), at(2026, 11, 24, 4, 0), 4 * 60},
		{"now is tomorrow", at(2026, 11, 24, 4, 0), at(2026, 11, 25, 4, 0), 4 * 60},
		{"end of the month", at(2026, 11, 30, 5, 0), at(2026, 12, 1, 4, 30), 4*60 + 30},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := nextDaily(tc.at, tc.now); !got.Equal(tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

// TestAdvance: what the time of an event is after it ran at now.
func TestAdvance(t *testing.T) {
	loc := berlin(t)
	at := func(mo, d, h, mi int) time.Time { return time.Date(2026, time.Month(mo), d, h, mi, 0, 0, loc) }
	for _, tc := range []struct {
		name   string
		entry  masterconf.Entry
		next   time.Time
		now    time.Time
		want   time.Time
		repeat bool
	}{
		{"period drifts by lateness", masterconf.Entry{Period: 30, At: -1}, at(11, 24, 12, 0), at(11, 24, 12, 1), at(11, 24, 12, 31), true},
		{"once", masterconf.Entry{At: -1}, at(11, 24, 12, 0), at(11, 24, 12, 0), at(11, 24, 12, 0), false},
		{"negative period is once", masterconf.Entry{Period: -1, At: -1}, at(11, 24, 12, 0), at(11, 24, 12, 0), at(11, 24, 12, 0), false},
		{"daily", masterconf.Entry{At: 240}, at(11, 24, 4, 0), at(11, 24, 4, 0), at(11, 25, 4, 0), true},
		{"clock set forward: no run is made up for", masterconf.Entry{At: 240}, at(11, 20, 4, 0), at(11, 24, 9, 0), at(11, 25, 4, 0), true},
		{"into summer time", masterconf.Entry{At: 240}, at(3, 28, 4, 0), at(3, 28, 4, 0), at(3, 29, 4, 0), true},
		{"out of it", masterconf.Entry{At: 240}, at(10, 24, 4, 0), at(10, 24, 4, 0), at(10, 25, 4, 0), true},
		{"near midnight", masterconf.Entry{At: 5}, at(10, 25, 0, 5), at(10, 25, 0, 5), at(10, 26, 0, 5), true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ev := &event{entry: tc.entry, next: tc.next}
			if got := ev.advance(tc.now); got != tc.repeat {
				t.Errorf("repeats: %t, want %t", got, tc.repeat)
			}
			if tc.repeat && !ev.next.Equal(tc.want) {
				t.Errorf("next %v, want %v", ev.next, tc.want)
			}
		})
	}
}
