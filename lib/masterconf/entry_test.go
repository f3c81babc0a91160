package masterconf

import "testing"

func entry(t *testing.T, section, attributes string) Entry {
	t.Helper()
	f := Parse([]byte(section+" {\na cmd=\"x y\" listen=1 "+attributes+"\n}\n"), "f")
	if err := f.Err(); err != nil {
		t.Fatal(err)
	}
	for _, entries := range [][]Entry{f.Start, f.Services, f.Events, f.Daemons} {
		if len(entries) == 1 {
			return entries[0]
		}
	}
	t.Fatal("no entry")
	return Entry{}
}

func TestService(t *testing.T) {
	type want struct {
		proto                     string
		prefork, child, fds, rate int
		babysit                   bool
		notes                     int
	}
	for _, tc := range []struct {
		name, attributes string
		want             want
	}{
		{"defaults", "", want{"tcp", 0, Unlimited, 0, 0, false, 0}},
		{"all", "proto=tcp6 prefork=3 maxchild=10 maxfds=256 maxforkrate=5 babysit=yes", want{"tcp6", 3, 10, 256, 5, true, 0}},
		{"babysit", "babysit=1", want{"tcp", 1, Unlimited, 0, 10, true, 0}},
		{"negative maxchild", "maxchild=-1", want{"tcp", 0, Unlimited, 0, 0, false, 0}},
		{"a word for maxchild is 0", "maxchild=many", want{"tcp", 0, 0, 0, 0, false, 0}},
		{"udp", "proto=udp prefork=5 maxchild=7 babysit=y", want{"udp", 1, 1, 0, 10, false, 0}},
		{"first of a key wins", "prefork=1 prefork=2", want{"tcp", 1, Unlimited, 0, 0, false, 0}},
		{"unknown keys", "maxchilds=5", want{"tcp", 0, Unlimited, 0, 0, false, 0}},
		{"digits, then anything", "prefork=5x", want{"tcp", 5, Unlimited, 0, 0, false, 0}},
		{"no number", "prefork=x", want{"tcp", 0, Unlimited, 0, 0, false, 1}},
		{"no switch", "babysit=Yes", want{"tcp", 0, Unlimited, 0, 0, false, 1}},
		{"huge", "prefork=99999999999", want{"tcp", 2147483647, Unlimited, 0, 0, false, 0}},
		{"empty value", `prefork="" babysit=""`, want{"tcp", 0, Unlimited, 0, 0, false, 2}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := entry(t, "SERVICES", tc.attributes)
			got := want{e.Proto, e.Prefork, e.Maxchild, e.Maxfds, e.Maxforkrate, e.Babysit, len(e.Notes)}
			if got != tc.want {
				t.Errorf("%s: %+v, want %+v (notes %q)", tc.attributes, got, tc.want, e.Notes)
			}
		})
	}
}

func TestEvent(t *testing.T) {
	for _, tc := range []struct {
		name, attributes string
		period, at       int
	}{
		{"once", "", 0, -1},
		{"period", "period=30", 30, -1},
		{"half a minute is none", "period=0.5", 0, -1},
		{"negative", "period=-1", -1, -1},
		{"at", "at=0401", 0, 241},
		{"at midnight", "at=0", 0, 0},
		{"at with period", "at=2359 period=5", 5, 1439},
		{"at out of range", "at=2400 period=5", 5, -1},
		{"minutes out of range", "at=0460", 0, -1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if e := entry(t, "EVENTS", tc.attributes); e.Period != tc.period || e.At != tc.at {
				t.Errorf("%s: period %d, at %d; want %d, %d", tc.attributes, e.Period, e.At, tc.period, tc.at)
			}
		})
	}
}

func TestDaemon(t *testing.T) {
	for _, tc := range []struct {
		attributes string
		wait       bool
		rate       int
	}{
		{"", false, 10},
		{"wait=y maxforkrate=3", true, 3},
		{"wait=off", false, 10},
	} {
		if e := entry(t, "DAEMON", tc.attributes); e.Wait != tc.wait || e.Maxforkrate != tc.rate {
			t.Errorf("%q: %+v", tc.attributes, e)
		}
	}
}
