package replication

import (
	"fmt"
	"strings"
	"testing"
)

// trios are the kinds of three servers.
var trios = [][3]kind{{real, real, real}, {ours, ours, ours}, {ours, real, ours}, {real, ours, real}}

func eachTrio(t *testing.T, test func(t *testing.T, k [3]kind)) {
	for _, k := range trios {
		t.Run(fmt.Sprintf("%s-%s-%s", k[0], k[1], k[2]), func(t *testing.T) {
			t.Parallel()
			test(t, k)
		})
	}
}

// day is what happens on a site between two looks at its replicas.
var day = [][]func(a *actor){
	{makeUsers, makeMailboxes, appendMessages},
	{deliverMessages, storeFlags, copyAndMove, expunge},
	{renameMailboxes, deleteMailboxes, createAgain, setQuota, setRights},
	{annotateMailboxes, annotateMessages, subscribe, seenByOthers, popMail},
}

// TestTwoChannels has one master with two replicas, each with a log of its own:
// one is away while the other follows.
func TestTwoChannels(t *testing.T) {
	eachTrio(t, func(t *testing.T, k [3]kind) {
		master := newSite(t, k[0], "master", "sync_log_channels: east west")
		east, west := newLink(master, newSite(t, k[1], "east")), newLink(master, newSite(t, k[2], "west"))
		east.channel, west.channel = "east", "west"
		for i, part := range day {
			a := newActor(t, master)
			for _, change := range part {
				change(a)
				a.leave()
			}
			if i%2 == 0 {
				east, west = west, east
			}
			east.drain()
			east.same(fmt.Sprintf("part %d", i))
			if !west.dirty() {
				t.Errorf("part %d: %s has nothing to do: one channel's log went with the other's", i, west)
			}
		}
		west.drain()
		west.same("at the end")
		east.drain()
		east.same("at the end")
	})
}

// TestChain has a replica that is the master of another.
func TestChain(t *testing.T) {
	eachTrio(t, func(t *testing.T, k [3]kind) {
		first, middle, last := newSite(t, k[0], "first"), newSite(t, k[1], "middle", "sync_log_chain: yes"), newSite(t, k[2], "last")
		in, out := newLink(first, middle), newLink(middle, last)
		for i, part := range day {
			a := newActor(t, first)
			for _, change := range part {
				change(a)
				a.leave()
			}
			in.drain()
			out.drain()
			when := fmt.Sprintf("part %d", i)
			in.same(when)
			out.same(when)
		}
	})
}

// Without sync_log_chain a replica logs nothing of what comes from its master.
func TestNoChain(t *testing.T) {
	for _, k := range []kind{real, ours} {
		t.Run(string(k), func(t *testing.T) {
			l := newLink(newSite(t, k, "master"), newSite(t, k, "replica"))
			a := newActor(t, l.from)
			makeUsers(a)
			makeMailboxes(a)
			a.leave()
			l.drain()
			if back := newLink(l.to, l.from); back.dirty() {
				t.Error("the replica logged")
			}
		})
	}
}

// TestOverIMAP replicates by the commands that imapd has for it.
func TestOverIMAP(t *testing.T) {
	for _, p := range kindPairs {
		t.Run(fmt.Sprintf("%s-%s", p[0], p[1]), func(t *testing.T) {
			t.Parallel()
			to := newSite(t, p[1], "replica")
			l := newLinkTo(newSite(t, p[0], "master", "sync_try_imap: 1"), to, to.IMAP)
			l.Record()
			for i, part := range day {
				a := newActor(t, l.from)
				for _, change := range part {
					change(a)
					a.leave()
				}
				l.drain()
				l.same(fmt.Sprintf("part %d", i))
			}
			if sent := string(l.Sent()); !strings.Contains(sent, " SYNCAPPLY MAILBOX ") {
				t.Errorf("not over IMAP: %.1000s", sent)
			}
		})
	}
}
