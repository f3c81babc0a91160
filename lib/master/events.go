package master

import (
	"time"

	"gocyrus/lib/log"
	"gocyrus/lib/masterconf"
)

// event is an entry of EVENTS with the time of its next run.
type event struct {
	entry masterconf.Entry
	next  time.Time
}

// period is the time between two runs; 0 is one run only, which a negative
// number in the file also comes to: Cyrus would fork without pause.
func (e *event) period() time.Duration {
	return max(time.Duration(e.entry.Period)*time.Minute, 0)
}

// schedule makes the events of a file: the periodic and the one-time ones run
// now, the daily ones at their next hour.
func schedule(entries []masterconf.Entry, now time.Time) []*event {
	var events []*event
	for _, e := range entries {
		if e.Err != nil {
			continue
		}
		ev := &event{entry: e, next: now}
		if e.At >= 0 {
			ev.next = nextDaily(e.At, now)
		}
		events = append(events, ev)
	}
	return events
}

// nextDaily is the next time after now that the local clock shows at, in
// minutes after midnight.
func nextDaily(at int, now time.Time) time.Time {
	y, mo, d := now.Date()
	t := time.Date(y, mo, d, at/60, at%60, 0, 0, now.Location())
	if !t.After(now) {
		t = time.Date(y, mo, d+1, at/60, at%60, 0, 0, now.Location())
	}
	return t
}

// runEvents starts what is due and drops what will not run again.
func (m *master) runEvents() {
	now := m.now()
	var keep []*event
	for _, ev := range m.events {
		if ev.next.After(now) {
			keep = append(keep, ev)
			continue
		}
		m.runEvent(ev)
		if ev.advance(now) {
			keep = append(keep, ev)
		}
	}
	m.events = keep
}

// advance sets the time of the next run; false means there is none. A clock
// that was set forward does not bring back the runs it left out.
func (e *event) advance(now time.Time) bool {
	if e.entry.At < 0 {
		e.next = now.Add(e.period())
		return e.period() > 0
	}
	const day = 24 * time.Hour
	for !e.next.After(now) {
		e.next = e.next.Add(day)
	}
	// Where daylight saving has begun or ended, a day was not 24 hours.
	right := nextDaily(e.entry.At, now)
	if delta := right.Sub(e.next); delta != 0 {
		e.next = right
		log.Notice("timezone shift for %s - altering schedule by %d seconds", e.entry.Name, int(delta.Seconds()))
	}
	return true
}

func (m *master) runEvent(ev *event) {
	path, _ := m.executable(ev.entry.Args[0])
	pid, err := m.start(startUp{path: path, argv: ev.entry.Args, fd3: -1, fd4: -1})
	if err != nil {
		log.Err("can't exec %s on schedule: %s", path, strerror(err))
		return
	}
	m.started(&child{pid: pid, kind: "EVENT", name: ev.entry.Name, path: path, state: stateReady})
}

// nextEvent is when the next event is due, if there is one.
func (m *master) nextEvent() (time.Time, bool) {
	var first time.Time
	for _, ev := range m.events {
		if first.IsZero() || ev.next.Before(first) {
			first = ev.next
		}
	}
	return first, !first.IsZero()
}
