package main

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"gocyrus/lib/command/commandtest"
	"gocyrus/lib/drain"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/proxy"
	"gocyrus/lib/repair/repairtest"
	"gocyrus/lib/xfer"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"cyr_drain": main, "mkspool": repairtest.Main})
}

func TestScripts(t *testing.T) { commandtest.Scripts(t) }

func TestManPage(t *testing.T) { commandtest.ManPage(t, app(), "../../man/man8/cyr_drain.8") }

func TestTargets(t *testing.T) {
	opts := &proxy.Options{Servers: []string{"a", "b", "c"}}
	self := func(server string) bool { return server == "a" }
	for _, tc := range []struct {
		named []string
		want  []drain.Target
	}{
		{nil, []drain.Target{{Server: "b"}, {Server: "c"}}},
		{[]string{"c!p2", "a!p2", "d"}, []drain.Target{{Server: "c", Partition: "p2"}, {Server: "d"}}},
		{[]string{"a"}, nil},
	} {
		if got := targets(tc.named, opts, self); !slices.Equal(got, tc.want) {
			t.Errorf("%v: %v", tc.named, got)
		}
	}
}

func TestTell(t *testing.T) {
	item := xfer.Item{User: "alice", Mailbox: mboxname.Inbox("alice")}
	to := drain.Target{Server: "b", Partition: "p"}
	for _, tc := range []struct {
		r    drain.Result
		dry  bool
		want string
	}{
		{drain.Result{Item: item, Target: to}, false, "alice: moved to b!p\n"},
		{drain.Result{Item: item, Target: to}, true, "alice: would move to b!p\n"},
		{drain.Result{Item: item, Target: to, Err: errors.New("why")}, false, "alice: FAILED, to b!p: why\n"},
		{drain.Result{Item: item, Err: errors.New("why")}, false, "alice: FAILED: why\n"},
		{
			drain.Result{Item: item, Target: to, Err: &xfer.Unfinished{Err: errors.New("why")}}, false,
			"alice: at b!p, to be announced: everything is there, and will be announced later: why\n",
		},
	} {
		var b strings.Builder
		if tell(&b, &tc.r, tc.dry); b.String() != tc.want {
			t.Errorf("%q, want %q", b.String(), tc.want)
		}
	}
}
