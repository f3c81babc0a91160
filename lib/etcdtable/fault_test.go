package etcdtable

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"gocyrus/lib/etcdtest"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
	"gocyrus/lib/relaytest"
)

// TestCut: the connection to etcd breaks all the time, often between a commit and its
// answer. Each change is made once and has the result of that: else a name that was
// deleted would be said not to have been there.
func TestCut(t *testing.T) {
	c := etcdtest.Start(t, 1)
	o := options(c, "mup1")
	relay := relaytest.New(t, strings.TrimPrefix(c.Members[0].URL, "http://"))
	o.Servers = []string{"http://" + relay.Addr()}
	table := join(t, o)
	stop := make(chan struct{})
	cuts := 0
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			case <-time.After(15 * time.Millisecond):
				relay.Cut()
				cuts++
			}
		}
	}()
	for i := range 150 {
		name := mboxname.Name(fmt.Sprintf("user.n%d", i))
		for _, ch := range []Change{
			{Reserve, mupdate.Entry{Name: name, Location: here}},
			{Activate, mupdate.Entry{Name: name, Location: here, ACL: "a\tl\t"}},
			{Deactivate, mupdate.Entry{Name: name, Location: there}},
			{Delete, mupdate.Entry{Name: name}},
		} {
			results, err := table.Commit(t.Context(), []Change{ch}, always)
			if err != nil || results[0].Err != nil {
				t.Fatalf("%s, change %d: %v, %v", name, ch.Op, results, err)
			}
			if ch.Op == Activate && results[0].Was.State != mupdate.Reserved {
				t.Errorf("%s was %+v", name, results[0].Was)
			}
		}
	}
	close(stop)
	<-ended
	if has := content(t, table); len(has) != 0 {
		t.Errorf("there is %v", has)
	}
	if cuts == 0 {
		t.Error("it was never cut")
	}
}

// TestSecure: an etcd that wants certificates, and one that wants a password.
func TestSecure(t *testing.T) {
	f := etcdtest.Certify(t)
	c := etcdtest.StartSecure(t, f)
	o := options(c, "mup1")
	o.CAFile, o.Cert, o.Key = f.CA, f.Cert, f.Key
	table := join(t, o)
	if _, err := table.Commit(t.Context(), []Change{{Activate, active1(here)}}, always); err != nil {
		t.Fatal(err)
	}
	other := etcdtest.Certify(t)
	for name, change := range map[string]func(o *Options){
		"another authority": func(o *Options) { o.CAFile = other.CA },
		"no certificate":    func(o *Options) { o.Cert, o.Key = "", "" },
		"of another":        func(o *Options) { o.Cert, o.Key = other.Cert, other.Key },
	} {
		bad := o
		bad.Timeout = time.Second
		change(&bad)
		if _, err := open(t, bad).Join(t.Context()); !errors.Is(err, ErrAway) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(o *Options){
		"no file":   func(o *Options) { o.CAFile = f.CA + "x" },
		"no PEM":    func(o *Options) { o.CAFile = f.Key },
		"no key":    func(o *Options) { o.Key = "" },
		"other key": func(o *Options) { o.Key = other.Key },
	} {
		bad := o
		change(&bad)
		if table, err := Open(bad); err == nil {
			table.Close()
			t.Errorf("%s: opened", name)
		}
	}
}

func TestPassword(t *testing.T) {
	c := etcdtest.Start(t, 1)
	o := options(c, "mup1")
	admin := raw(join(t, o))
	ctx := t.Context()
	for _, step := range []func() error{
		func() error { _, err := admin.UserAdd(ctx, "root", "rootpw"); return err },
		func() error { _, err := admin.UserGrantRole(ctx, "root", "root"); return err },
		func() error { _, err := admin.RoleAdd(ctx, "mupdate"); return err },
		func() error {
			_, err := admin.RoleGrantPermission(ctx, "mupdate", o.Prefix, clientv3.GetPrefixRangeEnd(o.Prefix), clientv3.PermissionType(clientv3.PermReadWrite))
			return err
		},
		func() error { _, err := admin.UserAdd(ctx, "mup", "secret"); return err },
		func() error { _, err := admin.UserGrantRole(ctx, "mup", "mupdate"); return err },
		func() error { _, err := admin.AuthEnable(ctx); return err },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	o.User, o.Password = "mup", "secret"
	table := join(t, o)
	if _, err := table.Commit(ctx, []Change{{Activate, active1(here)}}, always); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(o *Options){
		"wrong password": func(o *Options) { o.Password = "wrong" },
		"nobody":         func(o *Options) { o.User, o.Password = "", "" },
		"another prefix": func(o *Options) { o.Prefix = "/other/" },
	} {
		bad := o
		bad.Timeout = time.Second
		change(&bad)
		if table, err := Open(bad); err == nil {
			defer table.Close()
			if _, err := table.Join(ctx); !errors.Is(err, ErrAway) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestLate: a master is cut off etcd and gives up what it was told; who told it does it at
// another one, and undoes it there. What the network has kept, and brings later, does not
// happen any more.
func TestLate(t *testing.T) {
	c := etcdtest.Start(t, 1)
	o := options(c, "mup1")
	relay := relaytest.New(t, strings.TrimPrefix(c.Members[0].URL, "http://"))
	o.Servers, o.Timeout = []string{"http://" + relay.Addr()}, time.Second
	cut := join(t, o)
	other := join(t, options(c, "mup2"))
	commit := func(table *Table, op Op, name mboxname.Name) {
		t.Helper()
		err := ErrAway
		for start := time.Now(); errors.Is(err, ErrAway) && time.Since(start) < patience; {
			// On a busy machine etcd may need longer than the one that is cut off waits.
			_, err = table.Commit(t.Context(), []Change{{op, mupdate.Entry{Name: name, Location: here}}}, always)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 6 {
		commit(cut, Activate, "user.before")
		name := mboxname.Name(fmt.Sprintf("user.n%d", i))
		relay.Hold(true)
		if _, err := cut.Commit(t.Context(), []Change{{Activate, mupdate.Entry{Name: name, Location: here, ACL: "a\tl\t"}}}, always); !errors.Is(err, ErrAway) {
			t.Fatal(err)
		}
		commit(other, Activate, name)
		commit(other, Delete, name)
		relay.Hold(false)
		// Behind what was kept, on the same connection.
		commit(cut, Activate, "user.after")
		if has := content(t, other); len(has) != 2 {
			t.Errorf("there is %v", has)
		}
	}
}
