package drain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/proxy"
	"gocyrus/lib/xfer"
)

// fake is a mover; fail says what a move to a server ends with.
type fake struct {
	mu    sync.Mutex
	items []xfer.Item
	fail  func(item xfer.Item, server string) error
	came  []xfer.Item // appear when the others have moved
}

func (f *fake) Items(partition string) (all []xfer.Item, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, i := range f.items {
		if partition == "" || i.Partition == partition {
			all = append(all, i)
		}
	}
	return all, nil
}

func (f *fake) Move(_ context.Context, item xfer.Item, server, partition string, _ func(string)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		if err := f.fail(item, server); err != nil {
			return err
		}
	}
	f.items = slices.DeleteFunc(f.items, func(i xfer.Item) bool { return i == item })
	f.items = append(f.items, f.came...)
	f.came = nil
	return nil
}

func user(name, partition string) xfer.Item {
	return xfer.Item{User: name, Mailbox: mboxname.Inbox(name), Partition: partition}
}

var (
	alice, bob = user("alice", "default"), user("bob", "p2")
	news       = xfer.Item{Mailbox: "news", Partition: "default"}
	later      = &xfer.Unfinished{Err: errors.New("away")}
)

func TestRun(t *testing.T) {
	unavailable := fmt.Errorf("b: %w", proxy.ErrUnavailable)
	for _, tc := range []struct {
		name string
		o    Options
		fail func(xfer.Item, string) error
		came []xfer.Item
		want string // a line for each result
		left int
	}{
		{name: "everything", want: "alice b\nbob b\nnews b"},
		{name: "a partition", o: Options{Partition: "p2"}, want: "bob b"},
		{name: "a user, and one who is not here", o: Options{Users: []string{"bob", "eve"}}, want: "eve : mailbox does not exist\nbob b", left: 1},
		{name: "dry", o: Options{DryRun: true}, want: "alice b\nbob b\nnews b"},
		{name: "to a partition", o: Options{Targets: []Target{{"c", "p9"}}}, want: "alice c!p9\nbob c!p9\nnews c!p9"},
		{
			name: "one fails", want: "alice b\nbob b: mailbox has been moved to another server\nnews b", left: 1,
			fail: func(i xfer.Item, _ string) error {
				if i == bob {
					return mboxops.ErrMoving
				}
				return nil
			},
		},
		{
			name: "a server is away", want: "alice c\nbob c\nnews c",
			fail: func(_ xfer.Item, server string) error {
				if server == "b" {
					return unavailable
				}
				return nil
			},
		},
		{
			name: "all are away", want: "alice c: b: server is unavailable\nbob : server is unavailable\nnews : server is unavailable", left: 3,
			fail: func(xfer.Item, string) error { return unavailable },
		},
		{
			name: "announced later", want: "alice b: " + later.Error() + "\nbob b\nnews b",
			fail: func(i xfer.Item, _ string) error {
				if i == alice {
					return later
				}
				return nil
			},
		},
		{name: "one came meanwhile", came: []xfer.Item{user("eve", "default")}, want: "alice b\nbob b\nnews b\neve b"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := &fake{items: []xfer.Item{alice, bob, news}, fail: tc.fail, came: tc.came}
			o := tc.o
			if o.Targets == nil {
				o.Targets = []Target{{Server: "b"}, {Server: "c"}}
			}
			o.Pick = func(_ context.Context, servers []string) (string, error) { return servers[0], nil }
			var lines []string
			left, err := Run(t.Context(), f, o, func(r Result) {
				line := fmt.Sprintf("%s %s", r.Item, r.Target)
				if r.Err != nil {
					line += ": " + r.Err.Error()
				}
				lines = append(lines, line)
			})
			if got := strings.Join(lines, "\n"); got != tc.want || left != tc.left || err != nil {
				t.Errorf("left %d, %v, want %d\n%s\nwant\n%s", left, err, tc.left, got, tc.want)
			}
			if tc.o.DryRun && len(f.items) != 3 {
				t.Error("a dry run has moved something")
			}
		})
	}
}

// TestNowhere: without another server nothing is tried.
func TestNowhere(t *testing.T) {
	if _, err := Run(t.Context(), &fake{}, Options{}, nil); !errors.Is(err, ErrNowhere) {
		t.Error(err)
	}
}

// TestJobs: several at once are all moved, and each is told once.
func TestJobs(t *testing.T) {
	f := &fake{}
	for i := range 100 {
		f.items = append(f.items, user(fmt.Sprintf("u%d", i), "default"))
	}
	told := map[xfer.Item]int{}
	left, err := Run(t.Context(), f, Options{
		Targets: []Target{{Server: "b"}}, Jobs: 8,
		Pick: func(_ context.Context, servers []string) (string, error) { return servers[0], nil },
	}, func(r Result) { told[r.Item]++ })
	if left != 0 || err != nil || len(told) != 100 || len(f.items) != 0 {
		t.Errorf("%d left, %v; %d told, %d there", left, err, len(told), len(f.items))
	}
	for i, n := range told {
		if n != 1 {
			t.Errorf("%s: %d times", i, n)
		}
	}
}

// TestInterrupted: who is told to stop begins nothing new.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := &fake{items: []xfer.Item{alice, bob, news}}
	o := Options{Targets: []Target{{Server: "b"}}, Pick: func(_ context.Context, servers []string) (string, error) { return servers[0], nil }}
	left, err := Run(ctx, f, o, func(Result) { cancel() })
	if left != 2 || err != nil || len(f.items) != 2 {
		t.Errorf("%d left, %v, %d there", left, err, len(f.items))
	}
}
