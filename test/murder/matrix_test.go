package murder

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"gocyrus/test/internal/murder"
)

// kinds are those of a Murder's seats.
type kinds struct {
	master, frontend murder.Kind
	backends         [2]murder.Kind
}

func (k kinds) String() string {
	be := k.backends[0].String() + " backends"
	if k.backends[0] != k.backends[1] {
		be = fmt.Sprintf("%v and %v backend", k.backends[0], k.backends[1])
	}
	return fmt.Sprintf("%v master, %v frontend, %s", k.master, k.frontend, be)
}

// pairs are every kind of each seat, and a backend of each kind under each kind of
// frontend.
func pairs() []kinds {
	var all []kinds
	both := []murder.Kind{murder.Real, murder.Ours}
	for _, master := range both {
		for _, fe := range both {
			for _, be := range both {
				all = append(all, kinds{master, fe, [2]murder.Kind{be, be}})
			}
		}
	}
	for _, fe := range both {
		all = append(all, kinds{murder.Ours, fe, [2]murder.Kind{murder.Ours, murder.Real}})
	}
	return all
}

// play is steps in a Murder of its own, and further lines of imapd.conf for it.
type play struct {
	steps []step
	imapd map[string][]string
}

// outcome is what came of each step, by its name.
type outcome map[string][]string

func (k kinds) run(t *testing.T, p play) outcome {
	m := murder.New(t, murder.Options{Master: k.master, Backends: k.backends[:], Frontends: []murder.Kind{k.frontend}, Imapd: p.imapd})
	x := &run{t: t, m: m, fe: m.Frontends[0], sessions: map[string]*conn{}}
	all := outcome{}
	for _, s := range p.steps {
		all[s.name] = x.step(s)
	}
	return all
}

// alt is the name space that Cyrus has by default since version 3.
var alt = []string{"altnamespace: yes", "unixhierarchysep: yes"}

// plays are all. In none a frontend has the choice between backends: the outcome is
// the same in every Murder.
var plays = []play{
	{steps, map[string][]string{"frontend": {"serverlist: $be2"}, "be2": {"delete_mode: immediate"}}},
	{altSteps, map[string][]string{"": alt, "frontend": {"serverlist: $be2"}}},
	{domainSteps, map[string][]string{"": append(alt[:2:2], "virtdomains: userid", "defaultdomain: internal"), "frontend": {"serverlist: $be2"}}},
	{oddSteps, map[string][]string{"frontend": {"serverlist: $be2", "proxyd_disable_mailbox_referrals: no", "mupdate_retry_delay: 2"}, "backend": {"allowallsubscribe: no"}}},
}

// TestMatrix takes every step in every mixture of ours and Cyrus's. The outcome must
// be that of Cyrus's servers alone, but for what differences lists.
func TestMatrix(t *testing.T) {
	used := map[*difference]bool{}
	all := pairs()
	cyrus := make([]outcome, len(plays))
	t.Run(all[0].String(), func(t *testing.T) {
		for i, p := range plays {
			cyrus[i] = all[0].run(t, p)
		}
	})
	if cyrus[len(plays)-1] == nil {
		t.Skip("there is nothing to compare with")
	}
	var mu sync.Mutex // of used
	passed := t.Run("beside", func(t *testing.T) {
		for _, k := range all[1:] {
			t.Run(k.String(), func(t *testing.T) {
				t.Parallel() // much of the time is spent in waiting
				for i, p := range plays {
					got := k.run(t, p)
					mu.Lock()
					for _, s := range p.steps {
						want := expected(differences, s.name, cyrus[i][s.name], k, used)
						if d := diff(got[s.name], want); d != "" {
							t.Errorf("%s:\n%s", s.name, d)
						}
					}
					mu.Unlock()
				}
			})
		}
	})
	if passed {
		for _, d := range unused(differences, used) {
			t.Errorf("there is no such difference any more: %+v", *d)
		}
	}
}

// TestMatrixFails: a frontend that places mailboxes elsewhere is found out.
func TestMatrixFails(t *testing.T) {
	var outcomes []outcome
	for _, kind := range []murder.Kind{murder.Real, murder.Ours} {
		k := kinds{kind, kind, [2]murder.Kind{kind, kind}}
		for _, be := range []string{"be2", "be1"} {
			outcomes = append(outcomes, k.run(t, play{steps[:1], map[string][]string{"frontend": {"serverlist: $" + be}}}))
		}
		for i, wrong := range []bool{false, true} {
			want := expected(differences, "create", outcomes[0]["create"], k, map[*difference]bool{})
			got := outcomes[len(outcomes)-2+i]["create"]
			if d := diff(got, want); (d != "") != wrong {
				t.Errorf("%v, wrong %v: %s", k, wrong, d)
			}
		}
	}
}

// diff is empty for the same lines, otherwise it shows where they part: the command
// and its answers in both.
func diff(got, want []string) string {
	var b strings.Builder
	gotBy, wantBy := blocks(got), blocks(want)
	for i := range max(len(gotBy), len(wantBy)) {
		var g, w []string
		if i < len(gotBy) {
			g = gotBy[i]
		}
		if i < len(wantBy) {
			w = wantBy[i]
		}
		if slices.Equal(g, w) {
			continue
		}
		head := g
		if len(head) == 0 {
			head = w
		}
		fmt.Fprintf(&b, "%s\n", head[0])
		for _, l := range without(g, w) {
			fmt.Fprintf(&b, "  got  %s\n", l)
		}
		for _, l := range without(w, g) {
			fmt.Fprintf(&b, "  want %s\n", l)
		}
		if len(without(g, w))+len(without(w, g)) == 0 {
			fmt.Fprintf(&b, "  got  %s\n  want %s\n", strings.Join(g, "\n       "), strings.Join(w, "\n       "))
		}
	}
	return b.String()
}

// blocks are a step's lines, each with its answers.
func blocks(lines []string) [][]string {
	var all [][]string
	for _, l := range lines {
		if strings.HasPrefix(l, command) || len(all) == 0 {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], l)
	}
	return all
}

// without are the lines of a that b does not have, as often as a has them more.
func without(a, b []string) []string {
	b = slices.Clone(b)
	var rest []string
	for _, l := range a {
		if i := slices.Index(b, l); i >= 0 {
			b = slices.Delete(b, i, i+1)
			continue
		}
		rest = append(rest, l)
	}
	return rest
}
