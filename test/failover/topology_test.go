package failover

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"gocyrus/lib/cyrustest"
	"gocyrus/lib/etcdtable"
	"gocyrus/lib/etcdtest"
	"gocyrus/test/internal/murder"
)

// A topology is what servers a Murder has, and where its list is.
type topology struct {
	unified bool              // three nodes; else two backends and two frontends
	etcd    *etcdtest.Cluster // where two masters have their list; nil for one, which has it alone
	lists   atomic.Int64      // so far, in that etcd
}

// atATime is how many scripts that wait more than they work run at a time, at least.
const atATime = 8

func TestMain(m *testing.M) {
	flag.Parse()
	if now := flag.Lookup("test.parallel"); now.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		if err := now.Value.Set(strconv.Itoa(max(atATime, runtime.GOMAXPROCS(0)))); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// TestScripted kills, stops and cuts off one thing after the other, in a discrete Murder
// and in a unified one whose two masters have their list in an etcd of three.
func TestScripted(t *testing.T) {
	for _, where := range []struct {
		name string
		run  func(t *testing.T) *topology
	}{
		{"discrete", func(*testing.T) *topology { return &topology{} }},
		{"unified", func(t *testing.T) *topology { return &topology{unified: true, etcd: etcdtest.Start(t, 3)} }},
	} {
		t.Run(where.name, func(t *testing.T) {
			t.Parallel()
			p := where.run(t)
			for _, s := range scripts {
				if s.shared && p.etcd == nil {
					continue
				}
				t.Run(s.name, func(t *testing.T) {
					if s.idle {
						t.Parallel()
					}
					s.run(t, p)
				})
			}
		})
	}
}

// scripts are the failures.
var scripts = []struct {
	name   string
	run    func(t *testing.T, p *topology)
	shared bool // takes masters that share their list
	idle   bool // waits more than it works
}{
	{"moves", moves, false, false},
	{"masters killed", mastersKilled, false, false},
	{"masters killed while a user moves", mastersKilledWhileMoving, false, false},
	{"backend killed", backendKilled, false, false},
	{"backend killed at a word", backendKilledAt, false, false},
	{"frontend killed", frontendKilled, false, false},
	{"members killed", membersKilled, true, false},
	{"master killed at a word", masterKilledAt, true, true},
	{"master killed before its answer", masterKilledBefore, true, true},
	{"claims", claims, false, true},
	{"slave cut off", slaveCutOff, false, true},
	{"slave silenced", slaveSilenced, false, true},
	{"master stopped at all words", masterStopped, true, true},
	{"master stopped briefly", masterStoppedBriefly, true, true},
	{"first master refuses", firstMasterRefuses, true, true},
	{"first master silent", firstMasterSilent, true, true},
	{"most members killed", mostMembersKilled, true, true},
}

// options are those of a Murder of the topology, where debts to the master are paid soon.
func (p *topology) options(t *testing.T) murder.Options {
	t.Helper()
	o := options(2, 2)
	if p.unified {
		o = unified()
	}
	if p.etcd != nil {
		o = onEtcd(t, o, p.etcd, fmt.Sprintf("/list%d/", p.lists.Add(1)))
	}
	return o
}

// onEtcd gives a Murder two masters that have their list below a prefix in etcd. What a
// busy machine holds up is waited for: that is no failure.
func onEtcd(t *testing.T, o murder.Options, c *etcdtest.Cluster, prefix string) murder.Options {
	t.Helper()
	store, err := etcdtable.Open(etcdtable.Options{Servers: c.URLs(), Prefix: prefix, Timeout: cyrustest.Patience, Master: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := store.Found(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	o.Masters = make([]murder.Kind, 2)
	o.Imapd["master"] = append(o.Imapd["master"], "mupdate_etcd_servers: "+strings.Join(c.URLs(), " "), "mupdate_etcd_prefix: "+prefix, "mupdate_etcd_timeout: 30s")
	o.Imapd[""] = append(o.Imapd[""], "client_timeout: 60s")
	return o
}

// A scene is a Murder by the parts that its servers play.
type scene struct {
	*murder.Murder
	homes []*murder.Seat // alice's mailboxes are at the first, bob's at the second
	outer []*murder.Seat // clients come by these; they have no mailbox of theirs
	doors []*murder.Seat // outer, and those that have none of alice's
	links map[string]links
}

// scene runs a Murder with alice, bob and a shared mailbox at each one's home.
func (p *topology) scene(t *testing.T, relayed ...string) *scene {
	t.Helper()
	return p.sceneOf(t, p.options(t), relayed...)
}

// sceneOf is scene with options. Of the seats that are relayed, "home1" or "door1", each
// link to a master is a relay.
func (p *topology) sceneOf(t *testing.T, o murder.Options, relayed ...string) *scene {
	t.Helper()
	s := p.empty(t, o, relayed...)
	s.users("alice", "bob")
	return s
}

// users makes users, at one home after the other, and a shared mailbox at each.
func (s *scene) users(names ...string) {
	admin := s.doors[0].Session(cyrustest.Admin)
	for i, user := range names {
		admin.Must(fmt.Sprintf("CREATE user.%s %s!default", user, s.homes[i%2].IP), fmt.Sprintf("CREATE user.%s.Keep", user))
	}
	for i, home := range s.homes {
		admin.Must(fmt.Sprintf("CREATE shared%d %s!default", i+1, home.IP), fmt.Sprintf("SETACL shared%d anyone lrswipte", i+1))
	}
	s.Settled()
}

// empty is a scene without mailboxes.
func (p *topology) empty(t *testing.T, o murder.Options, relayed ...string) *scene {
	t.Helper()
	s := &scene{links: map[string]links{}}
	parts := map[string]string{"home1": "be1", "home2": "be2", "door1": "fe1"}
	if p.unified {
		parts = map[string]string{"home1": "node1", "home2": "node2", "door1": "node3"}
	}
	o.Through = func(seat, master string) string {
		for _, part := range relayed {
			if parts[part] == seat {
				return s.relay(t, part, master)
			}
		}
		return master
	}
	s.Murder = murder.New(t, o)
	if s.homes, s.outer = s.Backends, s.Frontends; p.unified {
		s.homes, s.outer = s.Nodes[:2], s.Nodes[2:]
	}
	if s.doors = s.outer; p.unified {
		s.doors = []*murder.Seat{s.Nodes[2], s.Nodes[1]}
	}
	return s
}

// followed waits until servers follow a master.
func (s *scene) followed(servers ...*murder.Seat) {
	s.Eventually("servers to follow the master", func() bool {
		for _, one := range servers {
			if one.Kick() != nil {
				return false
			}
		}
		return true
	})
}

// only is one topology's or the other's.
func only[T any](p *topology, discrete, unified T) T {
	if p.unified {
		return unified
	}
	return discrete
}
