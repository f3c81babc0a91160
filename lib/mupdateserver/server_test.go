package mupdateserver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gocyrus/lib/config"
	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
	"gocyrus/lib/saslclient"
	"gocyrus/lib/sasldb"
)

// testConf is the configuration of the recorded master. Nobody waits for a failed
// login.
const testConf = `configdirectory: %[1]s/conf
servername: mup.example.org
admins: cyrus
mupdate_admins: mupman
allowplaintext: yes
sasl_mech_list: PLAIN
sasl_pwcheck_method: auxprop
sasl_sasldb_path: %[1]s/sasldb2
failedloginpause: 0
`

// patience is how long something may take that happens at once on a machine that
// is not busy.
const patience = 60 * time.Second

// testConfig is testConf with more lines, which win, in a directory of its own.
func testConfig(t testing.TB, more string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	db, err := sasldb.Open(filepath.Join(dir, "sasldb2"), kv.Create)
	if err != nil {
		t.Fatal(err)
	}
	for user, password := range map[string]string{"mupman": "mupsecret", "alice": "alice", "cyrus": "secret"} {
		if err := db.Set(user, "mup.example.org", password, true); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	for line := range strings.Lines(fmt.Sprintf(testConf, dir)) {
		option, _, _ := strings.Cut(line, ":")
		if !strings.Contains("\n"+more, "\n"+option+":") {
			lines.WriteString(line)
		}
	}
	cfg, err := config.Parse(strings.NewReader(lines.String()+more), filepath.Join(dir, "imapd.conf"), "mupdate")
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// testServer is a master, or with change whatever it makes of the options.
func testServer(t testing.TB, cfg *config.Config, change func(*Options)) *Server {
	t.Helper()
	o := OptionsFrom(cfg)
	o.Master, o.Version = true, "3.6.1-Debian-3.6.1-4+deb12u5"
	if change != nil {
		change(&o)
	}
	srv, err := newServer(cfg, o)
	if err != nil {
		t.Fatal(err)
	}
	shut := sync.OnceFunc(func() { srv.Shutdown(context.Background()) })
	shutdowns.Store(srv, shut)
	t.Cleanup(shut)
	return srv
}

// shutdowns holds how each server is ended, once.
var shutdowns sync.Map

// shutdown ends a server before the end of the test.
func shutdown(srv *Server) {
	shut, _ := shutdowns.Load(srv)
	shut.(func())()
}

// listen has srv serve on a port, until the end of the test or until the function
// it returns is called, which breaks all connections.
func listen(t testing.TB, srv *Server) (addr string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l.Addr().String(), serveOn(t, srv, l)
}

func serveOn(t testing.TB, srv *Server, l net.Listener) (stop func()) {
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	ctx, cancel := context.WithCancel(context.Background())
	var sessions sync.WaitGroup
	sessions.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			sessions.Go(func() {
				srv.Serve(ctx, c)
				c.Close()
				mu.Lock()
				delete(open, c)
				mu.Unlock()
			})
		}
	})
	stop = sync.OnceFunc(func() {
		l.Close()
		cancel()
		mu.Lock()
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		sessions.Wait()
	})
	t.Cleanup(stop)
	return stop
}

// clientOptions are those of a backend or slave of the server at addr.
func clientOptions(addr string) mupdate.Options {
	return mupdate.Options{
		Servers: []string{addr}, Timeout: 10 * time.Second, RetryDelay: 20 * time.Second,
		Cred: saslclient.Credentials{AuthcID: "mupman", Password: "mupsecret"},
	}
}

// connect logs in as a backend does.
func connect(t testing.TB, addr string) *mupdate.Client {
	t.Helper()
	c, err := mupdate.Connect(t.Context(), clientOptions(addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// put stores entries behind the server's back, as they were before it started.
func put(t testing.TB, list *mboxlist.List, entries ...mupdate.Entry) {
	t.Helper()
	err := list.Update(func(tx *mboxlist.Tx) error {
		for _, e := range entries {
			if err := tx.Put(recordOf(&e)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// content is all that a list has.
func content(t testing.TB, list *mboxlist.List) map[mboxname.Name]mupdate.Entry {
	t.Helper()
	all := map[mboxname.Name]mupdate.Entry{}
	if err := each(list, func(e mupdate.Entry) error { all[e.Name] = e; return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

// eventually waits until cond holds.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func nameOf(s string) mboxname.Name { return mboxname.Name(s) }

func isErr(err, want error) bool {
	if want == nil {
		return err == nil
	}
	return errors.Is(err, want)
}

// oddNames are names whose order is not that of their octets.
var oddNames = []mboxname.Name{
	"user.ord", "user.ord.b", "user.ord-b", "user.a b", "user.a", "user.A", "user.a.b.c", "user.a0", "shared", "shared-y", "shared.x", "shared.x.y",
	"user.dave^smith", "user.dave^smith.Sub^folder", "DELETED.user.alice.Bar.6B02721D", "user.alice.#sieve", "user.z&AOk-",
}

// manyEntries are n of them.
func manyEntries(n int) []mupdate.Entry {
	all := make([]mupdate.Entry, 0, n)
	for i := range n {
		e := mupdate.Entry{State: mupdate.Active, Location: "be1.example.org!default", ACL: "anyone\tlrs\tcyrus\tlrswipkxtecdan\t"}
		switch {
		case i < len(oddNames):
			e.Name = oddNames[i]
		default:
			e.Name = mboxname.Name(fmt.Sprintf("user.u%06d.Box", i))
		}
		switch i % 7 {
		case 1:
			e.Location = "be2.example.org!"
		case 2:
			e.State, e.ACL = mupdate.Reserved, ""
		case 3:
			e.ACL = ""
		}
		all = append(all, e)
	}
	return all
}

func sameLists(t testing.TB, what string, got, want map[mboxname.Name]mupdate.Entry) {
	t.Helper()
	if maps.Equal(got, want) {
		return
	}
	for n, e := range want {
		if got[n] != e {
			t.Errorf("%s: %s: has %+v, want %+v", what, n, got[n], e)
		}
	}
	for n, e := range got {
		if _, ok := want[n]; !ok {
			t.Errorf("%s: %s: has %+v, want none", what, n, e)
		}
	}
}

// list asks a server for everything.
func list(t testing.TB, o mupdate.Options) map[mboxname.Name]mupdate.Entry {
	t.Helper()
	all, err := tryList(t, o)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func tryList(t testing.TB, o mupdate.Options) (map[mboxname.Name]mupdate.Entry, error) {
	all := map[mboxname.Name]mupdate.Entry{}
	err := mupdate.Do(t.Context(), o, func(c *mupdate.Client) error {
		clear(all)
		return c.List(t.Context(), "", func(e mupdate.Entry) error { all[e.Name] = e; return nil })
	})
	return all, err
}
