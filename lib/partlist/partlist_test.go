package partlist

import (
	"errors"
	"testing"
)

func list(o Options, percentFree map[string]int) *List {
	o.Roots = map[string]string{}
	for name := range percentFree {
		o.Roots[name] = "/" + name
	}
	l := New(o)
	l.stat = func(dir string) (uint64, uint64, error) {
		p := percentFree[dir[1:]]
		if p < 0 {
			return 0, 0, errors.New("not mounted")
		}
		return uint64(p), 100, nil
	}
	return l
}

func TestChoose(t *testing.T) {
	disks := map[string]int{"a": 10, "b": 60, "c": 30}
	for _, tc := range []struct {
		name  string
		o     Options
		disks map[string]int
		want  string // any of these letters
	}{
		{"the default", Options{Default: "a", Mode: FreespaceMost}, disks, "a"},
		{"most free", Options{Mode: FreespaceMost}, disks, "b"},
		{"highest share", Options{Mode: PercentMost}, disks, "b"},
		{"excluded", Options{Mode: PercentMost, Exclude: []string{"b"}}, disks, "c"},
		{"any", Options{Mode: Random}, disks, "abc"},
		{"soft limit", Options{Mode: Random, SoftLimit: 80}, disks, "bc"},
		{"all above the soft limit", Options{Mode: PercentMost, SoftLimit: 20}, disks, "b"},
		{"weighted, full ones never", Options{Mode: Weighted}, map[string]int{"a": 0, "b": 50}, "b"},
		{"not mounted", Options{Mode: Random}, map[string]int{"a": -1, "b": 1}, "b"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := list(tc.o, tc.disks)
			seen := map[string]bool{}
			for range 300 {
				got, err := l.Choose()
				if err != nil {
					t.Fatal(err)
				}
				seen[got] = true
			}
			for name := range seen {
				found := false
				for _, c := range tc.want {
					found = found || string(c) == name
				}
				if !found {
					t.Errorf("chose %s, want one of %s", name, tc.want)
				}
			}
			if len(seen) != len(tc.want) {
				t.Errorf("chose among %v, want %s", seen, tc.want)
			}
		})
	}
}

func TestNone(t *testing.T) {
	for _, l := range []*List{list(Options{Default: "x"}, map[string]int{"a": 1}), list(Options{Mode: Random}, nil)} {
		if got, err := l.Choose(); !errors.Is(err, ErrNone) {
			t.Errorf("%q, %v", got, err)
		}
	}
}
