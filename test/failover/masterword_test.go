package failover

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"gocyrus/lib/relaytest"
	"gocyrus/test/internal/murder"
	"gocyrus/test/internal/rig"
)

// masterKilledAt kills one of two masters at each word that a backend says to it: the word
// does not arrive, or its answer does not. masterKilledBefore has it arrive, and not come to
// etcd, or when the other master has done it and all that follows, or etcd's answer not
// come. The other does all that the client asked for.
func masterKilledAt(t *testing.T, p *topology) { killMasters(t, p, "lost", "answered") }
func masterKilledBefore(t *testing.T, p *topology) {
	killMasters(t, p, "uncommitted", "committed", "committed late")
}

func killMasters(t *testing.T, p *topology, moments ...string) {
	o := p.options(t)
	m := &wordKill{store: p.relayEtcd(t, &o)}
	m.scene = p.sceneOf(t, o, "home1")
	all := words(moments...)
	for n := range all {
		all[n] = all[n].number(n)
		m.kill(t, all[n])
		all[n].after(t, m.doors[0], "alice")
	}
	agreed(t, m.Murder)
	for _, w := range all {
		w.after(t, m.doors[1], "alice")
	}
}

// A wordKill is a scene whose masters are killed.
type wordKill struct {
	*scene
	store links // of all masters to etcd, in turn
}

// kill is one word.
func (m *wordKill) kill(t *testing.T, w word) {
	t.Helper()
	link, alice := m.links["home1"], w.prepare(m.doors[0], "alice")
	at := link.holdAt(" "+w.word+" ", w.how == "answered")
	tag, err := alice.Start(w.do)
	if err != nil {
		t.Fatal(err)
	}
	at0 := at(t, w.String())
	lost := link[at0 : at0+1]
	if strings.Contains(w.how, "committed") {
		at := m.store.holdAt("/master/", w.how == "committed")
		link.hold(false)
		each := len(m.store) / len(m.Masters)
		at0 = at(t, w.String()) / each
		lost = m.store[at0*each : (at0+1)*each]
	}
	dead := m.Masters[at0]
	dead.Kill()
	if w.how != "committed late" {
		lost.cut()
		lost.hold(false)
	}
	r, err := alice.Await(tag)
	if err != nil {
		t.Fatalf("%v: %v", w, err)
	}
	m.followed(m.doors...)
	w.wantOK(t, m.doors, "alice", r)
	lost.hold(false)
	dead.Resume()
}

// wantOK wants what was done to be so by way of every door, at once.
func (w word) wantOK(t *testing.T, doors []*murder.Seat, user string, r *rig.Reply) {
	t.Helper()
	if !r.OK() {
		t.Errorf("%v: %s %s", w, r.Status, r.Text)
		return
	}
	for _, fe := range doors {
		w.done(t, fe, user)
	}
}

// relayEtcd puts a relay between each master and each member of etcd.
func (p *topology) relayEtcd(t *testing.T, o *murder.Options) (all links) {
	t.Helper()
	for i := range o.Masters {
		var urls []string
		for _, url := range p.etcd.URLs() {
			r := relaytest.New(t, strings.TrimPrefix(url, "http://"))
			all, urls = append(all, r), append(urls, "http://"+r.Addr())
		}
		name := fmt.Sprintf("master%d", i+1)
		o.Imapd[name] = append(o.Imapd[name], "mupdate_etcd_servers: "+strings.Join(urls, " "))
	}
	return all
}

// masterStopped has one of two masters stand still at all words at once, until the other
// has done them: longer than anybody waits for it. What it was told before, it does not
// do any more when it goes on.
func masterStopped(t *testing.T, p *topology) { standstill(t, p, 10*time.Second, true) }

// masterStoppedBriefly is a standstill that ends while everybody still waits.
func masterStoppedBriefly(t *testing.T, p *topology) { standstill(t, p, 6*time.Second, false) }

func standstill(t *testing.T, p *topology, lasts time.Duration, outwaited bool) {
	o := p.options(t)
	o.Imapd[""] = append(o.Imapd[""], "client_timeout: 10s")
	// Each session has a process and a connection to the master of its own.
	o.Imapd["node"] = append(o.Imapd["node"], "imap_sessions_per_process: 1")
	m := p.empty(t, o, "home1")
	link, fe := m.links["home1"], m.doors[0]
	all := words("late", "answered")
	users := make([]string, len(all))
	for n := range all {
		users[n] = fmt.Sprintf("u%d-", n)
		m.AddUser(users[n], m.homes[0])
	}
	m.Settled()

	var held []*relaytest.Held
	sessions, tags := make([]*murder.Session, len(all)), make([]string, len(all))
	for n := range all {
		all[n] = all[n].number(n)
		w := all[n]
		sessions[n] = w.prepare(fe, users[n])
		h := link[0].HoldOne(w.how == "answered", " "+w.word+" ", "user."+users[n]+".")
		tag, err := sessions[n].Start(w.do)
		if err != nil {
			t.Fatal(err)
		}
		tags[n], held = tag, append(held, h)
	}
	for n, h := range held {
		select {
		case <-h.Came():
		case <-time.After(rig.Patience):
			t.Fatalf("%v: it never came to that", all[n])
		}
	}
	stopped := time.Now()
	m.Master.Hold()
	defer m.Master.Release()
	for _, h := range held {
		h.Release()
	}
	replies := make([]*rig.Reply, len(all))
	var answered sync.WaitGroup
	for n := range all {
		answered.Go(func() {
			r, err := sessions[n].Await(tags[n])
			if replies[n] = r; err != nil {
				t.Errorf("%v: %v", all[n], err)
			}
		})
	}
	if outwaited {
		answered.Wait()
	}
	// It is the length of the standstill that is tested.
	time.Sleep(time.Until(stopped.Add(lasts)))
	m.Master.Release()
	answered.Wait()
	m.followed(m.doors...)
	agreed(t, m.Murder)
	for n, w := range all {
		if replies[n] != nil {
			w.wantOK(t, m.doors, users[n], replies[n])
		}
	}
}
