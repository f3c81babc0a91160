package mboxops_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/mupdate"
	"gocyrus/lib/site"
)

// backendLines make a site a backend of m's murder.
func backendLines(m *master, more ...string) []string {
	return append([]string{
		"servername: be1.example.org", "proxyservers: murder", "mupdate_server: " + m.addr,
		"mupdate_authname: mupman", "mupdate_password: mupsecret", "mupdate_retry_delay: 3600",
	}, more...)
}

func backend(t *testing.T, m *master, more ...string) *site.Site {
	t.Helper()
	return open(t, backendLines(m, more...)...)
}

// agree checks that the master has of this server what is here, and nothing else.
func agree(t *testing.T, m *master, s *site.Site) {
	t.Helper()
	want := map[string]string{}
	err := s.List.Scan("", func(v mboxlist.View) error {
		e, err := v.Entry()
		if err == nil && !e.Deleted() && !e.Is(mboxlist.FlagIntermediate) && !e.Is(mboxlist.FlagRemote) {
			want[string(e.Name)] = "MAILBOX be1.example.org!" + e.Partition + " " + e.ACL
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for n, e := range m.content() {
		if e.Server() == "be1.example.org" {
			got[n] = e.State.String() + " " + e.Location + " " + mboxlist.NormalACL(e.ACL)
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("the master has\n%v\nand here is\n%v", got, want)
	}
}

const aliceACL = "alice\tlrswipkxtecdan\t"

// TestMurderWords checks what the master hears of each operation.
func TestMurderWords(t *testing.T) {
	for _, tc := range []struct {
		name string
		conf string
		do   func(o *mboxops.Ops) error
		want []string
	}{
		{"create", "", func(o *mboxops.Ops) error {
			_, err := o.Create(ctx, user("alice"), "user.alice.a.b", mboxops.CreateParams{})
			return err
		}, []string{
			"RESERVE user.alice.a be1.example.org!default", "ACTIVATE user.alice.a be1.example.org!default " + aliceACL,
			"RESERVE user.alice.a.b be1.example.org!default", "ACTIVATE user.alice.a.b be1.example.org!default " + aliceACL,
		}},
		{"create for nobody to know", "", func(o *mboxops.Ops) error {
			_, err := o.Local().Create(ctx, user("alice"), "user.alice.a", mboxops.CreateParams{})
			return err
		}, nil},
		{"set an access list", "", func(o *mboxops.Ops) error {
			return o.SetACL(ctx, user("alice"), "user.alice.Foo", "bob", "lr")
		}, []string{"ACTIVATE user.alice.Foo be1.example.org!default " + aliceACL + "bob\tlr\t"}},
		{"set it as it is", "", func(o *mboxops.Ops) error {
			return o.SetACL(ctx, user("alice"), "user.alice.Foo", "alice", "lrswipkxtecdan")
		}, nil},
		{"rename", "", func(o *mboxops.Ops) error {
			return o.Rename(ctx, user("alice"), "user.alice.Foo", "user.alice.Bar", mboxops.RenameParams{})
		}, []string{
			"RESERVE user.alice.Bar be1.example.org!default", "ACTIVATE user.alice.Bar be1.example.org!default " + aliceACL, "DELETE user.alice.Foo",
			"RESERVE user.alice.Bar.Sub be1.example.org!default", "ACTIVATE user.alice.Bar.Sub be1.example.org!default " + aliceACL, "DELETE user.alice.Foo.Sub",
		}},
		{"rename a user", "allowusermoves: yes", func(o *mboxops.Ops) error {
			return o.Rename(ctx, user("cyrus"), "user.bob", "user.rob", mboxops.RenameParams{})
		}, []string{
			"RESERVE user.rob be1.example.org!default", "ACTIVATE user.rob be1.example.org!default rob\tlrswipkxtecdan\t", "DELETE user.bob",
		}},
		{"another partition", "", func(o *mboxops.Ops) error {
			return o.Rename(ctx, user("cyrus"), "user.bob", "user.bob", mboxops.RenameParams{Partition: "other"})
		}, []string{"ACTIVATE user.bob be1.example.org!other bob\tlrswipkxtecdan\t"}},
		{"delete with delay", "", func(o *mboxops.Ops) error {
			return o.Delete(ctx, user("alice"), "user.alice.Foo.Sub", mboxops.DeleteParams{})
		}, []string{
			"RESERVE DELETED.user.alice.Foo.Sub.TIME be1.example.org!default", "ACTIVATE DELETED.user.alice.Foo.Sub.TIME be1.example.org!default " + aliceACL,
			"DELETE user.alice.Foo.Sub",
		}},
		{"delete at once", "delete_mode: immediate", func(o *mboxops.Ops) error {
			return o.Delete(ctx, user("alice"), "user.alice.Foo.Sub", mboxops.DeleteParams{})
		}, []string{"DELETE user.alice.Foo.Sub"}},
		{"delete here alone", "", func(o *mboxops.Ops) error {
			return o.Local().Delete(ctx, user("alice"), "user.alice.Foo.Sub", mboxops.DeleteParams{Now: true})
		}, nil},
		{"delete a user at once", "delete_mode: immediate", func(o *mboxops.Ops) error {
			return o.Delete(ctx, mboxops.Root("cyrus"), "user.alice", mboxops.DeleteParams{})
		}, []string{"DELETE user.alice.Foo", "DELETE user.alice.Foo.Sub", "DELETE user.alice"}},
		{"announce", "", func(o *mboxops.Ops) error { return o.Announce(ctx, user("cyrus"), "user.bob") },
			[]string{"ACTIVATE user.bob be1.example.org!default bob\tlrswipkxtecdan\t"}},
		{"a mailbox from elsewhere", "", func(o *mboxops.Ops) error {
			_, err := o.CreateReplica(ctx, "user.zoe", mboxops.ReplicaParams{UniqueID: "idzoe", Partition: "other", ACL: "zoe\tlrs\t", UIDValidity: 1})
			return err
		}, []string{"RESERVE user.zoe be1.example.org!other", "ACTIVATE user.zoe be1.example.org!other zoe\tlrs\t"}},
		{"a mailbox from elsewhere, on its way", "", func(o *mboxops.Ops) error {
			_, err := o.Local().CreateReplica(ctx, "user.zoe", mboxops.ReplicaParams{UniqueID: "idzoe", Partition: "other", ACL: "zoe\tlrs\t", UIDValidity: 1})
			return err
		}, nil},
		{"renamed elsewhere", "", func(o *mboxops.Ops) error {
			return o.RenameReplica(ctx, "user.alice.Foo", "user.alice.New", "default", 0)
		}, []string{"RESERVE user.alice.New be1.example.org!default", "ACTIVATE user.alice.New be1.example.org!default " + aliceACL, "DELETE user.alice.Foo"}},
		{"deleted elsewhere", "", func(o *mboxops.Ops) error { return o.DeleteReplica(ctx, "user.alice.Foo.Sub") },
			[]string{"DELETE user.alice.Foo.Sub"}},
		{"a user removed", "", func(o *mboxops.Ops) error { return o.DeleteUser(ctx, "alice", mboxops.UserRemoval{}) },
			[]string{"DELETE user.alice.Foo.Sub", "DELETE user.alice.Foo", "DELETE user.alice"}},
		{"autocreate", "autocreate_quota: 0", func(o *mboxops.Ops) error { return o.Autocreate(ctx, user("carol")) }, []string{
			"RESERVE user.carol be1.example.org!default", "ACTIVATE user.carol be1.example.org!default carol\tlrswipkxtecdan\t",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newMaster(t)
			s := backend(t, m, tc.conf)
			create(t, s, "cyrus", "user.alice", "user.bob")
			create(t, s, "alice", "user.alice.Foo", "user.alice.Foo.Sub")
			agree(t, m, s)
			m.heard()
			if err := tc.do(s.Ops); err != nil {
				t.Fatal(err)
			}
			if got := m.heard(); !slices.Equal(got, tc.want) {
				t.Errorf("the master heard\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
			}
			if len(tc.want) > 0 {
				agree(t, m, s)
			}
			if logins, _ := m.asked(); logins != 1 {
				t.Errorf("%d logins, want one for all", logins)
			}
		})
	}
}

// operations are those that the master hears of; a mailbox user.alice.Foo is there.
var operations = []struct {
	name  string
	conf  string
	works bool // without a master
	do    func(o *mboxops.Ops) error
}{
	{"create", "", false, func(o *mboxops.Ops) error {
		_, err := o.Create(ctx, user("alice"), "user.alice.New", mboxops.CreateParams{})
		return err
	}},
	{"setacl", "", false, func(o *mboxops.Ops) error { return o.SetACL(ctx, user("alice"), "user.alice.Foo", "bob", "lr") }},
	{"rename", "", false, func(o *mboxops.Ops) error {
		return o.Rename(ctx, user("alice"), "user.alice.Foo", "user.alice.Bar", mboxops.RenameParams{})
	}},
	{"rename user", "allowusermoves: yes", false, func(o *mboxops.Ops) error {
		return o.Rename(ctx, user("cyrus"), "user.bob", "user.rob", mboxops.RenameParams{})
	}},
	{"rename user with folders", "allowusermoves: yes", false, func(o *mboxops.Ops) error {
		return o.Rename(ctx, user("cyrus"), "user.alice", "user.zoe", mboxops.RenameParams{})
	}},
	{"partition", "", false, func(o *mboxops.Ops) error {
		return o.Rename(ctx, user("cyrus"), "user.alice.Foo", "user.alice.Foo", mboxops.RenameParams{Partition: "other"})
	}},
	{"delete", "", false, func(o *mboxops.Ops) error {
		return o.Delete(ctx, user("alice"), "user.alice.Foo", mboxops.DeleteParams{})
	}},
	{"delete user", "", false, func(o *mboxops.Ops) error {
		return o.Delete(ctx, mboxops.Root("cyrus"), "user.alice", mboxops.DeleteParams{})
	}},
	{"delete at once", "delete_mode: immediate", true, func(o *mboxops.Ops) error {
		return o.Delete(ctx, user("alice"), "user.alice.Foo", mboxops.DeleteParams{})
	}},
}

// records are what there is, as text.
func records(t *testing.T, s *site.Site) string {
	t.Helper()
	var b strings.Builder
	err := s.List.Scan("", func(v mboxlist.View) error {
		e, err := v.Entry()
		if err == nil && !e.Deleted() {
			n := string(e.Name)
			if e.Name.IsDeleted() {
				n = n[:strings.LastIndexByte(n, '.')]
			}
			fmt.Fprintln(&b, n, e.Type, e.Partition, e.UniqueID, e.ACL)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestMurderFaults loses the connection at each command of each operation: before
// and after the master has carried it out, for a moment and for good. Whatever the
// caller was told is true, and once the master is back it agrees with what is here.
func TestMurderFaults(t *testing.T) {
	for _, op := range operations {
		for _, f := range []fault{{before: true}, {after: true}, {before: true, down: true}, {after: true, down: true}} {
			t.Run(fmt.Sprintf("%s, before %v, down %v", op.name, f.before, f.down), func(t *testing.T) {
				for at := 1; ; at++ {
					if at > 20 {
						t.Fatal("an operation of more than 20 commands")
					}
					m := newMaster(t)
					s := backend(t, m, op.conf)
					create(t, s, "cyrus", "user.alice", "user.bob")
					create(t, s, "alice", "user.alice.Foo")
					before := records(t, s)
					hit := false
					m.faults(func(n int) fault {
						if n == at {
							hit = true
							return f
						}
						return fault{}
					})
					err := op.do(s.Ops)
					after := records(t, s)
					switch {
					case err != nil && !errors.Is(err, mboxops.ErrNoMaster):
						t.Errorf("command %d: %v", at, err)
					case err != nil && after != before:
						t.Errorf("command %d: %v, and yet\n%s\nbecame\n%s", at, err, before, after)
					case err == nil && after == before:
						t.Errorf("command %d: done, and yet nothing has changed", at)
					case err != nil && (!f.down || op.works):
						t.Errorf("command %d: %v, though it could have been done", at, err)
					}
					m.faults(nil)
					if f.down && hit {
						m.up()
					}
					if err := s.Ops.PayAll(ctx); err != nil {
						t.Errorf("command %d: telling the master later: %v", at, err)
					}
					agree(t, m, s)
					m.down()
					if !hit {
						return // through all commands
					}
				}
			})
		}
	}
}

// TestMurderDown: with no master nothing that must be told is done, and what need not
// be is told later.
func TestMurderDown(t *testing.T) {
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			m := newMaster(t)
			s := backend(t, m, op.conf)
			create(t, s, "cyrus", "user.alice", "user.bob")
			create(t, s, "alice", "user.alice.Foo")
			before := records(t, s)
			m.down()
			err := op.do(s.Ops)
			if op.works != (err == nil) || err != nil && !errors.Is(err, mboxops.ErrNoMaster) {
				t.Fatalf("without a master: %v", err)
			}
			if !op.works && records(t, s) != before {
				t.Errorf("%s\nbecame\n%s", before, records(t, s))
			}
			m.up()
			if err := s.Ops.PayAll(ctx); err != nil {
				t.Error(err)
			}
			agree(t, m, s)
		})
	}
}

// TestMurderDebtAlone: a debt that waits for a user's lock holds nobody up who needs the
// master.
func TestMurderDebtAlone(t *testing.T) {
	m := newMaster(t)
	s := backend(t, m, "client_timeout: 60s", "delete_mode: immediate")
	create(t, s, "cyrus", "user.alice", "user.bob")
	create(t, s, "alice", "user.alice.Foo")
	m.down()
	if err := s.Ops.Delete(ctx, user("alice"), "user.alice.Foo", mboxops.DeleteParams{}); err != nil {
		t.Fatal(err)
	}
	m.up()
	_, unlock, err := s.Mailboxes.LockUser(ctx, "alice")
	if err != nil {
		t.Fatal(err)
	}
	paid := make(chan error)
	go func() { paid <- s.Ops.PayAll(ctx) }()
	for s.Murder.Owed() > 0 { // it is being paid then
		runtime.Gosched()
	}
	soon, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for _, n := range []mboxname.Name{"user.bob.a", "user.bob.b", "user.bob.c"} {
		if _, err := s.Ops.Create(soon, user("bob"), n, mboxops.CreateParams{}); err != nil {
			t.Errorf("%s, while a debt of alice's is paid: %v", n, err)
		}
	}
	unlock()
	if err := <-paid; err != nil {
		t.Error(err)
	}
	agree(t, m, s)
}

// TestMurderTaken: a name that another server has is not taken from it.
func TestMurderTaken(t *testing.T) {
	m := newMaster(t)
	s := backend(t, m)
	create(t, s, "cyrus", "user.alice")
	create(t, s, "alice", "user.alice.Foo")
	theirs := mupdate.Entry{State: mupdate.Active, Location: "be2.example.org!default", ACL: "x\tlrs\t"}
	for _, n := range []mboxname.Name{"user.alice.New", "user.alice.Bar", "user.alice.Foo"} {
		theirs.Name = n
		m.set(theirs)
	}
	before, had := records(t, s), m.content()
	if _, err := s.Ops.Create(ctx, user("alice"), "user.alice.New", mboxops.CreateParams{}); !errors.Is(err, mboxops.ErrReserved) {
		t.Errorf("create: %v", err)
	}
	if err := s.Ops.Rename(ctx, user("alice"), "user.alice.Foo", "user.alice.Bar", mboxops.RenameParams{}); !errors.Is(err, mboxops.ErrReserved) {
		t.Errorf("rename: %v", err)
	}
	if err := s.Ops.SetACL(ctx, user("alice"), "user.alice.Foo", "bob", "lr"); !errors.Is(err, mboxops.ErrReserved) {
		t.Errorf("setacl: %v", err)
	}
	if after := records(t, s); after != before {
		t.Errorf("%s\nbecame\n%s", before, after)
	}
	if got := m.content(); !maps.Equal(got, had) {
		t.Errorf("the master has %v, had %v", got, had)
	}
	// One may remove one's own copy; the other keeps the name.
	if err := s.Ops.Delete(ctx, user("alice"), "user.alice.Foo", mboxops.DeleteParams{Now: true}); err != nil {
		t.Error(err)
	}
	if got := m.content(); !maps.Equal(got, had) {
		t.Errorf("after a delete the master has %v, had %v", got, had)
	}
	if n := s.Murder.Owed(); n != 0 {
		t.Errorf("%d changes are owed", n)
	}
}

// TestMurderNotHere: what the master agreed to and then fails here is taken back.
func TestMurderNotHere(t *testing.T) {
	m := newMaster(t)
	dir := t.TempDir()
	s := openIn(t, dir, backendLines(m)...)
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	create(t, s, "cyrus", "user.alice")
	create(t, s, "alice", "user.alice.Foo")
	if err := os.RemoveAll(filepath.Join(dir, "spool")); err != nil {
		t.Fatal(err)
	}
	if err := s.Ops.SetACL(ctx, user("alice"), "user.alice.Foo", "bob", "lr"); err == nil {
		t.Error("an access list was set in a mailbox that has no files")
	}
	agree(t, m, s)
	if err := os.WriteFile(filepath.Join(dir, "spool"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Ops.Create(ctx, user("alice"), "user.alice.New", mboxops.CreateParams{}); err == nil {
		t.Error("a mailbox was made where there can be no directory")
	}
	agree(t, m, s)
	if n := s.Murder.Owed(); n != 0 {
		t.Errorf("%d changes are owed", n)
	}
}

// TestMurderSilent: a master that says nothing is waited for as long as client_timeout
// says, and then asked once more on another connection.
func TestMurderSilent(t *testing.T) {
	m := newMaster(t)
	s := backend(t, m, "client_timeout: 1s")
	create(t, s, "cyrus", "user.alice")
	m.faults(func(n int) fault { return fault{silent: n == 1} })
	create(t, s, "alice", "user.alice.Foo")
	if logins, _ := m.asked(); logins != 2 {
		t.Errorf("%d logins", logins)
	}
	m.faults(func(int) fault { return fault{silent: true} })
	if _, err := s.Ops.Create(ctx, user("alice"), "user.alice.Bar", mboxops.CreateParams{}); !errors.Is(err, mboxops.ErrNoMaster) {
		t.Errorf("a master that says nothing at all: %v", err)
	}
	m.faults(nil)
	if err := s.Ops.PayAll(ctx); err != nil {
		t.Error(err)
	}
	agree(t, m, s)
}

// TestMurderIdle: a connection that nobody uses is given up, and the next operation
// makes another.
func TestMurderIdle(t *testing.T) {
	m := newMaster(t)
	s := backend(t, m)
	s.Murder.SetIdle(time.Millisecond)
	for _, n := range []mboxname.Name{"user.alice", "user.bob"} {
		create(t, s, "cyrus", n)
		for m.sessions() > 0 {
			runtime.Gosched()
		}
	}
	if logins, _ := m.asked(); logins < 2 {
		t.Errorf("%d logins", logins)
	}
	agree(t, m, s)
}

// TestMurderKick: where every server is a frontend too, its slave is kicked after what
// others should see.
func TestMurderKick(t *testing.T) {
	m := newMaster(t)
	dir := t.TempDir()
	s := openIn(t, dir, backendLines(m, "mupdate_config: unified")...)
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := os.MkdirAll(filepath.Join(dir, "conf/socket"), 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "conf/socket/mupdate.target"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var kicks atomic.Int32
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			kicks.Add(1)
			fmt.Fprint(c, "ok")
			c.Close()
		}
	}()
	create(t, s, "cyrus", "user.alice")
	create(t, s, "alice", "user.alice.Foo")
	for i, do := range []func() error{
		func() error { return s.Ops.SetACL(ctx, user("alice"), "user.alice.Foo", "bob", "lr") },
		func() error {
			return s.Ops.Rename(ctx, user("alice"), "user.alice.Foo", "user.alice.Bar", mboxops.RenameParams{})
		},
		func() error { return s.Ops.Delete(ctx, user("alice"), "user.alice.Bar", mboxops.DeleteParams{}) },
	} {
		if err := do(); err != nil {
			t.Error(err)
		}
		if n := kicks.Load(); n != int32(i)+1 {
			t.Errorf("%d kicks after %d changes", n, i+1)
		}
	}
}

// TestMurderRoles: who is no backend of a murder connects to nothing.
func TestMurderRoles(t *testing.T) {
	for lines, is := range map[string]bool{
		"mupdate_server: x": false, "proxyservers: x": false, "": false,
		"mupdate_server: x\nproxyservers: y": true, "mupdate_server: x\nmupdate_config: unified": true,
		"mupdate_server: x\nmupdate_config: replicated": true,
	} {
		if s := open(t, lines); (s.Murder != nil) != is {
			t.Errorf("%q: a backend is %v", lines, s.Murder != nil)
		}
	}
}

// TestMurderRecover: what a process that ended could not tell, the next one does.
func TestMurderRecover(t *testing.T) {
	m := newMaster(t)
	dir := t.TempDir()
	s := openIn(t, dir, backendLines(m)...)
	create(t, s, "cyrus", "user.alice")
	create(t, s, "alice", "user.alice.Foo")
	m.down()
	if err := s.Ops.Delete(ctx, user("alice"), "user.alice.Foo", mboxops.DeleteParams{Now: true}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	m.up()
	for again := range 2 {
		s = openIn(t, dir, backendLines(m)...)
		if n := s.Murder.Owed(); n != 1 {
			t.Errorf("process %d owes %d", again, n)
		}
		if again == 0 {
			// It ends before it has come to it.
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Ops.PayAll(ctx); err != nil {
		t.Error(err)
	}
	agree(t, m, s)
	if err := s.Ops.OweAll(); err != nil {
		t.Error(err)
	}
	m.set(mupdate.Entry{Name: "user.alice"})
	m.set(mupdate.Entry{State: mupdate.Active, Name: "user.ghost", Location: "be1.example.org!default"})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openIn(t, dir, backendLines(m)...)
	if err := s.Ops.PayAll(ctx); err != nil {
		t.Error(err)
	}
	agree(t, m, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
