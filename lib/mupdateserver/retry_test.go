package mupdateserver

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/etcdtest"
	"gocyrus/lib/mupdate"
)

func TestRetry(t *testing.T) {
	lost := errors.New("lost")
	none := fmt.Errorf("%w: all of them", errNoMaster)
	type step struct {
		lasted time.Duration
		err    error
		want   time.Duration // and up to half more
	}
	for _, tc := range []struct {
		name    string
		masters int
		steps   []step
	}{
		{"one", 1, []step{{time.Hour, lost, 20 * time.Second}, {0, none, 20 * time.Second}, {0, none, 20 * time.Second}}},
		{"two, one dies", 2, []step{{time.Hour, lost, 0}, {time.Hour, lost, 0}}},
		{"two, both refuse", 2, []step{{0, lost, 0}, {0, lost, time.Second}, {0, lost, 0}, {0, lost, 2 * time.Second}, {time.Hour, lost, 0}}},
		{"two, both end at once", 2, []step{{time.Second, lost, 0}, {time.Second, lost, time.Second}}},
		{"two, none there", 2, []step{{time.Hour, lost, 0}, {0, none, time.Second}, {0, none, 2 * time.Second}, {0, none, 4 * time.Second},
			{0, none, 8 * time.Second}, {0, none, 16 * time.Second}, {0, none, 20 * time.Second}, {time.Hour, none, time.Second}}},
		{"three, two refuse", 3, []step{{0, lost, 0}, {0, lost, 0}, {time.Hour, lost, 0}, {0, lost, 0}, {0, lost, time.Second}}},
	} {
		r := retry{masters: tc.masters, delay: 20 * time.Second}
		for i, s := range tc.steps {
			if got := r.after(s.lasted, s.err); got < s.want || got > s.want*3/2 {
				t.Errorf("%s, %d: %v, want %v", tc.name, i, got, s.want)
			}
		}
	}
}

// TestSlaveChanges: a slave whose master is gone follows the other one, and has lost
// nothing that either has said OK to; a minute's delay is not waited for.
func TestSlaveChanges(t *testing.T) {
	c := etcdtest.Start(t, 1)
	found(t, c, manyEntries(100)...)
	var srvs [2]*Server
	var addrs [2]string
	var stops [2]func()
	for i := range srvs {
		srvs[i] = sharing(t, testConfig(t, ""), c, nil)
		addrs[i], stops[i] = listen(t, srvs[i])
	}
	slave := testSlave(t, strings.Join(addrs[:], " "), "", func(o *Options) { o.Client.RetryDelay = time.Minute })
	synced(t, slave)
	slaveAddr, _ := listen(t, slave)
	writer := clientOptions(addrs[0])
	writer.Servers = []string{addrs[1], addrs[0]}
	for round := range 2 {
		gone := round // which master stops
		at := slave.slave.master()
		if at != addrs[gone] {
			t.Fatalf("the slave follows %s, not %s", at, addrs[gone])
		}
		if c := connect(t, slaveAddr); !strings.HasSuffix(c.Banner(), `"mupdate://`+at+`"`) {
			t.Errorf("greets with %s", c.Banner())
		}
		done := make(chan error, 1)
		go func() {
			var err error
			for i := 0; i < 300 && err == nil; i++ {
				if i == 100 {
					stops[gone]()
				}
				err = mupdate.Do(t.Context(), writer, func(c *mupdate.Client) error {
					return c.Activate(t.Context(), nameOf(fmt.Sprintf("user.r%d.n%d", round, i)), "be1!p", "a\tl\t")
				})
			}
			done <- err
		}()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		eventually(t, "the slave to follow the other", func() bool {
			f := slave.slave.cur.Load()
			return f != nil && slave.slave.master() == addrs[1-gone]
		})
		kick(t, slave)
		sameContent(t, slave, srvs[1-gone])
		if n := len(content(t, slave.list)); n != 100+300*(round+1) {
			t.Errorf("%d mailboxes", n)
		}
		// It comes back for the next round, at the address it had.
		l, err := net.Listen("tcp", addrs[gone])
		if err != nil {
			t.Fatal(err)
		}
		stops[gone] = serveOn(t, srvs[gone], l)
	}
}
