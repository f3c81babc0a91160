package xfer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"gocyrus/lib/backend"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/mupdate"
	"gocyrus/lib/mupdate/mupdatetest"
	"gocyrus/lib/servertest"
	"gocyrus/lib/site"
)

// asked is a master that knows what a test tells it, and answers FIND.
type asked map[mboxname.Name]mupdate.Entry

// serve listens until the end of the test, and returns the lines of a backend's imapd.conf.
func (a asked) serve(t *testing.T) []string {
	t.Helper()
	addr := servertest.Listen(t, "tcp", func(c net.Conn) { mupdatetest.Serve(c, a.command) })
	return []string{
		"proxyservers: murder", "mupdate_server: " + addr, "mupdate_authname: mupman", "mupdate_password: mupsecret", "mupdate_retry_delay: 3600",
	}
}

func (a asked) command(tag, name string, args []string) (string, bool) {
	var answer []byte
	if name == "FIND" {
		if e, ok := a[mboxname.Name(args[0])]; ok {
			answer = mupdate.AppendEntry([]byte(tag+" "), &e)
		}
	}
	return fmt.Sprintf("%s%s OK \"done\"\r\n", answer, tag), true
}

func at(server string, state mupdate.State, names ...mboxname.Name) asked {
	a := asked{}
	for _, n := range names {
		a[n] = mupdate.Entry{State: state, Name: n, Location: server + "!default", ACL: "alice\tlr\t"}
	}
	return a
}

// TestUnannounced: what was announced is never announced, or sent, again, even where the
// other server's clients have given it another name since.
func TestUnannounced(t *testing.T) {
	all := []mboxname.Name{"user.alice.b", "user.alice.a", "user.alice"} // as they are announced
	ours := at("be1.example.org", mupdate.Reserved, all...)
	with := func(more asked, less ...mboxname.Name) asked {
		a := maps.Clone(ours)
		maps.Copy(a, more)
		for _, n := range less {
			delete(a, n)
		}
		return a
	}
	for _, tc := range []struct {
		name  string
		has   asked
		there []mboxname.Name // at the other server, of which the master knows nothing
		want  []mboxname.Name
		aside []mboxname.Name
	}{
		{"none, and the master has lost its list", asked{}, all, all, nil},
		{"none, the master has lost its list, and the other server some", asked{}, all[1:], all[1:], all[:1]},
		{"reserved by us", ours, nil, all, nil},
		{"some", with(at("be2.example.org", mupdate.Active, all[0])), nil, all[1:], nil},
		{"some, one renamed", with(at("be2.example.org", mupdate.Active, all[1]), all[0]), nil, all[2:], nil},
		{"some, all of them removed", with(nil, all[:2]...), nil, all[2:], all[:2]},
		{"some, one removed, which is here under another name", with(nil, all[0]), nil, all[1:], all[:1]},
		{"all", at("be2.example.org", mupdate.Active, all...), nil, nil, nil},
		{"all, and what was below the INBOX renamed", at("be2.example.org", mupdate.Active, "user.alice"), nil, nil, nil},
		{"all, and moved on", at("be3.example.org", mupdate.Active, "user.alice"), nil, nil, nil},
		{"all, and the INBOX removed", at("be2.example.org", mupdate.Active, all[:2]...), nil, nil, all[2:]},
		{"all, and all removed", asked{}, nil, nil, all},
	} {
		m := mover(t, tc.has.serve(t)...)
		m.missing = func(_ context.Context, _ journey, unknown []*mboxlist.Entry) (map[mboxname.Name]bool, error) {
			missing := map[mboxname.Name]bool{}
			for _, e := range unknown {
				if !slices.Contains(tc.there, e.Name) {
					missing[e.Name] = true
				}
			}
			return missing, nil
		}
		var entries []*mboxlist.Entry
		for _, n := range all {
			entries = append(entries, &mboxlist.Entry{Name: n})
		}
		aside := map[mboxname.Name]bool{"user.alice.z": true} // found before
		todo, err := m.unannounced(t.Context(), journey{}, entries, aside)
		if err != nil {
			t.Fatal(err)
		}
		var got []mboxname.Name
		for _, e := range todo {
			got = append(got, e.Name)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
		if got := slices.Sorted(maps.Keys(aside)); !slices.Equal(got, append(slices.Sorted(slices.Values(tc.aside)), "user.alice.z")) {
			t.Errorf("%s: aside %q, want %q", tc.name, got, tc.aside)
		}
	}
}

// TestRecoverNothing: the note of a user who is not here any more is dropped once it is known
// that all has arrived, and kept as long as a copy may be left of whoever was removed.
func TestRecoverNothing(t *testing.T) {
	for _, tc := range []struct {
		name string
		has  asked // nil: the master is away
		over bool
	}{
		{"arrived", at("be2.example.org", mupdate.Active, "user.nobody"), true},
		{"removed, and the other server is away", asked{}, false},
		{"at a third server, and the other one is away", at("be3.example.org", mupdate.Active, "user.nobody"), false},
		{"the master is away", nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			lines := murderLines
			if tc.has != nil {
				lines = tc.has.serve(t)
			}
			m := mover(t, lines...)
			m.opt.Proxy.Address = func(*backend.Protocol, string) string { return "127.0.0.1:1" }
			j := journey{mboxops.Cargo{User: "nobody"}, "be2.example.org", ""}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if onward, err := m.end(ctx, j); onward != tc.over || (err == nil) != tc.over {
				t.Errorf("onward %v, %v", onward, err)
			}
			if !tc.over {
				return
			}
			note, err := m.notes.Begin(j.note())
			if err != nil {
				t.Fatal(err)
			}
			m.finish(j, note, 0)
			m.Wait(t.Context())
			if err := errors.Join(m.Recover(), t.Context().Err()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestLookEverywhere: after a crash that may have lost notes, what moved with an INBOX is one
// move, and all else moved by itself, though it be a user's.
func TestLookEverywhere(t *testing.T) {
	m := mover(t, murderLines...)
	create(t, m, "default", "user.alice", "user.alice.Foo", "user.bob", "user.bob.Foo", "user.bob.Bar", "shared", "shared.x")
	err := m.site.List.Update(func(tx *mboxlist.Tx) error {
		for n, typ := range map[mboxname.Name]string{"user.alice": "em", "user.alice.Foo": "em", "user.bob.Foo": "emr", "user.bob.Bar": "em", "shared.x": "emr"} {
			e, err := tx.Lookup(n)
			if err != nil {
				return err
			}
			if e.Type, e.Server = typ, "be2.example.org"; n == "user.bob.Bar" {
				e.Server = "be3.example.org"
			}
			if err := tx.Put(e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	known := journey{mboxops.Cargo{Mailbox: "shared.x"}, "be2.example.org", "p2"} // by its note
	moves := map[mboxops.Cargo]journey{known.Cargo: known}
	if err := m.lookEverywhere(moves); err != nil {
		t.Fatal(err)
	}
	want := map[mboxops.Cargo]journey{known.Cargo: known}
	for c, server := range map[mboxops.Cargo]string{
		{User: "alice"}: "be2.example.org", {Mailbox: "user.bob.Foo"}: "be2.example.org", {Mailbox: "user.bob.Bar"}: "be3.example.org",
	} {
		want[c] = journey{c, server, ""}
	}
	if !maps.Equal(moves, want) {
		t.Errorf("%+v, want %+v", moves, want)
	}
}

// TestWatch: the move of a process that is killed while this one goes on is ended by this one.
func TestWatch(t *testing.T) {
	m := mover(t, at("be2.example.org", mupdate.Active, "user.nobody").serve(t)...)
	m.opt.Look = 10 * time.Millisecond
	killed := New(m.site, m.opt)
	if _, err := killed.notes.Begin(journey{mboxops.Cargo{User: "nobody"}, "be2.example.org", ""}.note()); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(m.opt.Notes)
	if err != nil || len(left) != 1 {
		t.Fatalf("%v, %v", left, err)
	}
	if err := m.Watch(); err != nil { // while that one still lives
		t.Fatal(err)
	}
	file := filepath.Join(m.opt.Notes, left[0].Name())
	if _, err := os.Stat(file); err != nil {
		t.Fatal(err)
	}
	if err := killed.Close(); err != nil {
		t.Fatal(err)
	}
	awaitGone(t, file)
}

// TestWatchDebts: so is what it had yet to tell the master taken over.
func TestWatchDebts(t *testing.T) {
	m := mover(t, asked{}.serve(t)...)
	m.opt.Look = 10 * time.Millisecond
	killed, err := site.Open(m.site.Config)
	if err != nil {
		t.Fatal(err)
	}
	if err := killed.Ops.OweAll(); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(m.site.Config.Dir(), "inflight.mupdate")
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Fatalf("%v, %v", left, err)
	}
	if err := m.Watch(); err != nil {
		t.Fatal(err)
	}
	if err := killed.Close(); err != nil {
		t.Fatal(err)
	}
	awaitGone(t, filepath.Join(dir, left[0].Name()))
	if now, err := os.ReadDir(dir); err != nil || len(now) != 1 {
		t.Errorf("nobody has the note: %v, %v", now, err)
	}
}

// awaitGone waits until a file is not there any more.
func awaitGone(t *testing.T, file string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the note stays")
		}
	}
}

// TestOnwardAside: what was removed at the other server is kept as deleted, also where
// something else that was still to be announced turns out to be there meanwhile.
func TestOnwardAside(t *testing.T) {
	var announced atomic.Bool
	master := servertest.Listen(t, "tcp", func(c net.Conn) {
		mupdatetest.Serve(c, func(tag, name string, args []string) (string, bool) {
			has := at("be1.example.org", mupdate.Reserved, "user.alice")
			if announced.Load() {
				has = at("be2.example.org", mupdate.Active, "user.alice")
			}
			return has.command(tag, name, args)
		})
	})
	m := mover(t, "proxyservers: murder", "mupdate_server: "+master, "mupdate_authname: mupman", "mupdate_password: mupsecret", "mupdate_retry_delay: 3600")
	// Somebody else has it announced just before, and who asks for it then removes it.
	p := &peer{sep: ".", answers: []string{"NO Mailbox does not exist"}, told: func() { announced.Store(true) }}
	other := servertest.Listen(t, "tcp", p.serve)
	m.opt.Proxy.Address = func(*backend.Protocol, string) string { return other }
	m.missing = func(_ context.Context, _ journey, unknown []*mboxlist.Entry) (map[mboxname.Name]bool, error) {
		missing := map[mboxname.Name]bool{}
		for _, e := range unknown {
			missing[e.Name] = true
		}
		return missing, nil
	}
	create(t, m, "", "user.alice", "user.alice.a")
	alice := mboxops.Cargo{User: "alice"}
	all, err := m.site.Ops.OfUser("alice")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		e.Server = "be2.example.org"
		e.Type = mboxlist.With(e.Type, mboxlist.FlagMoving)
	}
	if err := m.site.Ops.Decide(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	if err := m.onward(t.Context(), journey{alice, "be2.example.org", ""}, nil, func(string) {}); err != nil {
		t.Fatal(err)
	}
	left, err := m.site.Ops.OfUser("alice")
	if err != nil || len(left) != 1 || !left[0].Name.IsDeleted() || left[0].UniqueID != all[1].UniqueID {
		t.Errorf("%+v, %v", left, err)
	}
	if want := []string{"user.alice"}; !slices.Equal(p.pushed, want) {
		t.Errorf("pushed %q, want %q", p.pushed, want)
	}
}
