package mupdateserver

import (
	"errors"
	"testing"
	"time"

	"gocyrus/lib/etcdtest"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
)

// TestPulseLimits: what came after a pause that is no standstill yet, and waited as long as it
// may, is carried out before its client gives up.
func TestPulseLimits(t *testing.T) {
	for _, tc := range []struct{ client, limit, patience time.Duration }{
		{0, 5 * time.Second, 5 * time.Second}, // ours wait 10 s
		{leastClientTimeout, time.Second, time.Second},
		{3 * time.Second, 1500 * time.Millisecond, 1500 * time.Millisecond},
		{10 * time.Second, 5 * time.Second, 5 * time.Second},
		{time.Minute, longestStandstill, 55 * time.Second},
	} {
		var got pulse
		got.setFor(tc.client)
		if got.limit != tc.limit || got.patience != tc.patience || tc.client > 0 && got.limit+got.patience > tc.client {
			t.Errorf("%v: %v and %v, want %v and %v", tc.client, got.limit, got.patience, tc.limit, tc.patience)
		}
	}
}

// TestClientTimeout: a master that shares its list does not start where its clients give up
// before it could tell.
func TestClientTimeout(t *testing.T) {
	for _, tc := range []struct {
		lines   string
		refused bool
	}{
		{"client_timeout: 1s\nmupdate_etcd_servers: http://127.0.0.1:1\n", true},
		{"client_timeout: 2s\nmupdate_etcd_servers: http://127.0.0.1:1\n", false},
		{"client_timeout: 0\nmupdate_etcd_servers: http://127.0.0.1:1\n", false},
		{"client_timeout: 1s\n", false},
	} {
		o := OptionsFrom(testConfig(t, tc.lines))
		o.Master = true
		if err := o.check(); (err != nil) != tc.refused {
			t.Errorf("%q: %v", tc.lines, err)
		}
	}
}

// TestPulse: a life ends with a standstill, and no sooner.
func TestPulse(t *testing.T) {
	p := pulse{limit: time.Minute}
	first := p.beat()
	p.last -= int64(50 * time.Second)
	if p.beat() != first {
		t.Error("a pause is a standstill")
	}
	p.last -= int64(70 * time.Second)
	if p.beat() == first || p.beat() != first+1 {
		t.Error("a standstill is none, or two")
	}
}

// TestLate: a change that waited for longer than its client does is not carried out, and what
// came with it is.
func TestLate(t *testing.T) {
	c := etcdtest.Start(t, 1)
	found(t, c)
	tr := sharing(t, testConfig(t, ""), c, nil).truth
	made := func(name string, age time.Duration) *request {
		return &request{
			op: activate, entry: mupdate.Entry{Name: mboxname.Name(name), Location: "be1!p", ACL: "a\tl\t"},
			life: tr.pulse.beat(), came: time.Now().Add(-age).UnixNano(),
		}
	}
	late, fresh := made("user.late", 2*tr.pulse.patience), made("user.fresh", 0)
	tr.commit([]*request{late, fresh})
	if !errors.Is(late.err, mupdate.ErrAway) || fresh.err != nil {
		t.Errorf("late: %v, fresh: %v", late.err, fresh.err)
	}
	if tr.awake([]*request{fresh, late}) {
		t.Error("tried again, it would be carried out")
	}
	if err := tr.fresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[mboxname.Name]bool{"user.late": false, "user.fresh": true} {
		if _, err := tr.mirror.table.list.Lookup(name); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
