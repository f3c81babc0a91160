package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// result is what one line of the table holds: the values of each server, a
// round each.
type result struct {
	Label  string               `json:"label"`
	Unit   string               `json:"unit"`
	Values map[string][]float64 `json:"values"`
}

// outcome is a whole run.
type outcome struct {
	Machine string            `json:"machine"`
	Date    string            `json:"date"`
	Rounds  int               `json:"rounds"`
	About   map[string]string `json:"about"`
	Order   []string          `json:"order"` // of the servers
	Results []*result         `json:"results"`
	Faults  []string          `json:"faults"` // wrong answers and failures
	Notes   []string          `json:"notes"`
}

// runner carries rows out.
type runner struct {
	servers []server
	z       sizes
	rounds  int
	spare   float64
	prof    *profiler
	out     outcome
	made    map[string]map[string]error // server, fixture: how making it ended
	broken  map[string]bool             // servers that failed the present row
}

// say tells whoever waits what goes on.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

// row runs one row on all servers, turn by turn, until ctx ends.
func (r *runner) row(ctx context.Context, w row) {
	r.broken = map[string]bool{}
	for _, srv := range r.servers {
		// Who cannot take part is left out without a word.
		if _, ok := srv.(sociable); w.several && !ok {
			r.broken[srv.Name()] = true
		}
	}
	r.prepare(w)
	rounds := r.rounds
	if w.rounds > 0 {
		rounds = w.rounds
	}
	first := len(r.out.Results)
	for round := range rounds {
		sums := map[string]map[string]uint32{}
		for i := range r.servers {
			srv := r.servers[(i+round)%len(r.servers)]
			if r.broken[srv.Name()] || ctx.Err() != nil {
				continue
			}
			l := &lap{srv: srv, z: r.z, round: round, spare: r.spare, prof: r.prof}
			// What others wrote is not to reach the disk on this one's time.
			syscall.Sync()
			if err := w.run(l); err != nil {
				r.fault(w, srv, err)
			}
			r.keep(l, w, first)
			sums[srv.Name()] = l.sums
		}
		r.compare(w, sums)
	}
	for _, res := range r.out.Results[first:] {
		say("  %s: %s", res.Label, res.summary(r.out.Order))
	}
}

// prepare makes the fixtures that the row needs, on all servers at once. What
// failed once is not tried again.
func (r *runner) prepare(w row) {
	for _, fix := range w.needs {
		var wg sync.WaitGroup
		errs := make([]error, len(r.servers))
		for i, srv := range r.servers {
			if err, tried := r.made[srv.Name()][fix.name]; tried || r.broken[srv.Name()] {
				errs[i] = err
				continue
			}
			wg.Go(func() {
				begin := time.Now()
				errs[i] = fix.make(srv, r.z)
				say("  %s: %s took %.1f s", srv.Name(), fix.name, time.Since(begin).Seconds())
			})
		}
		wg.Wait()
		for i, srv := range r.servers {
			if r.broken[srv.Name()] {
				continue
			}
			r.made[srv.Name()][fix.name] = errs[i]
			if errs[i] != nil {
				r.fault(w, srv, fmt.Errorf("%s: %w", fix.name, errs[i]))
			}
		}
	}
}

// fault books an error and takes the server out of the row.
func (r *runner) fault(w row, srv server, err error) {
	text := fmt.Sprintf("%s: %s: %v", w.name, srv.Name(), err)
	say("FAULT %s", text)
	r.out.Faults = append(r.out.Faults, text)
	r.broken[srv.Name()] = true
}

// keep adds a lap's lines to the results of its row, which begin at first.
func (r *runner) keep(l *lap, w row, first int) {
	for _, ln := range l.lines {
		at := slices.IndexFunc(r.out.Results[first:], func(res *result) bool { return res.Label == ln.label })
		if at < 0 {
			unit := w.unit
			if unit == "" {
				unit = "ms"
			}
			r.out.Results = append(r.out.Results, &result{Label: ln.label, Unit: unit, Values: map[string][]float64{}})
			at = len(r.out.Results) - 1 - first
		}
		values := r.out.Results[first+at].Values
		values[l.srv.Name()] = append(values[l.srv.Name()], ln.value)
	}
	for _, note := range l.notes {
		r.out.Notes = append(r.out.Notes, l.srv.Name()+": "+note)
	}
}

// compare checks that ours answered as Cyrus did, where octets are to be equal.
func (r *runner) compare(w row, sums map[string]map[string]uint32) {
	for what, want := range sums["cyrus"] {
		got, ok := sums["ours"][what]
		if ok && got != want && !r.broken["ours"] {
			for _, srv := range r.servers {
				if srv.Name() == "ours" {
					r.fault(w, srv, fmt.Errorf("%s differs from Cyrus's: %w", what, errAnswer))
				}
			}
		}
	}
}
