package xfer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gocyrus/lib/backend"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/mupdate"
	"gocyrus/lib/mupdate/mupdatetest"
	"gocyrus/lib/servertest"
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
	for _, tc := range []struct {
		name string
		has  asked
		want []mboxname.Name
	}{
		{"none", asked{}, all},
		{"reserved by us", at("be1.example.org", mupdate.Reserved, all...), all},
		{"some", at("be2.example.org", mupdate.Active, "user.alice.b"), all[1:]},
		{"some, one renamed", at("be2.example.org", mupdate.Active, "user.alice.a"), all[2:]},
		{"all", at("be2.example.org", mupdate.Active, all...), nil},
		{"all, and what was below the INBOX renamed", at("be2.example.org", mupdate.Active, "user.alice"), nil},
		{"all, and moved on", at("be3.example.org", mupdate.Active, "user.alice"), nil},
	} {
		m := mover(t, tc.has.serve(t)...)
		var entries []*mboxlist.Entry
		for _, n := range all {
			entries = append(entries, &mboxlist.Entry{Name: n})
		}
		todo, err := m.unannounced(t.Context(), entries)
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
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the note stays")
		}
	}
}
