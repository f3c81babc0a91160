package xfer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/acl"
	"gocyrus/lib/backend"
	"gocyrus/lib/config"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/proxy"
	"gocyrus/lib/site"
)

// mover is one of a site that is a backend of a murder whose master is away. more are
// lines of imapd.conf.
func mover(t testing.TB, more ...string) *Mover {
	t.Helper()
	dir := t.TempDir()
	text := strings.Join(append([]string{
		"configdirectory: " + dir + "/conf", "partition-default: " + dir + "/spool", "partition-p2: " + dir + "/p2",
		"defaultpartition: default", "admins: cyrus", "servername: be1.example.org", "proxy_authname: xferadm", "proxy_password: secret",
	}, more...), "\n") + "\n"
	cfg, err := config.Parse(strings.NewReader(text), "imapd.conf", "test")
	if err != nil {
		t.Fatal(err)
	}
	s, err := site.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	m := New(s, OptionsFrom(cfg))
	t.Cleanup(func() {
		if err := errors.Join(m.Close(), s.Close()); err != nil {
			t.Error(err)
		}
	})
	return m
}

// murderLines make a site a backend.
var murderLines = []string{"proxyservers: murder", "mupdate_server: 127.0.0.1:1", "mupdate_retry_delay: 3600"}

func create(t *testing.T, m *Mover, partition string, names ...mboxname.Name) {
	t.Helper()
	for _, n := range names {
		if _, err := m.site.Ops.Local().Create(t.Context(), mboxops.Root("cyrus"), n, mboxops.CreateParams{Partition: partition}); err != nil {
			t.Fatalf("%s: %v", n, err)
		}
	}
}

// TestItems: everything that is here is in one item, and in no more than one.
func TestItems(t *testing.T) {
	m := mover(t)
	create(t, m, "default", "user.alice", "user.alice.Foo", "shared", "user.carol", "user.carol.Foo", "user.dan", "user.dan.Foo")
	create(t, m, "p2", "user.alice.Other", "user.bob", "shared.x")
	rights := &mboxops.Who{UserID: "cyrus", Admin: true, Rights: func(mboxname.Name, string) acl.Rights { return acl.Full }}
	for _, n := range []mboxname.Name{"user.alice.Foo", "user.dan"} {
		if err := m.site.Ops.Delete(t.Context(), rights, n, mboxops.DeleteParams{Force: true}); err != nil {
			t.Fatal(err)
		}
	}
	// The INBOX of one is elsewhere; another mailbox is under way.
	err := m.site.List.Update(func(tx *mboxlist.Tx) error {
		for n, typ := range map[mboxname.Name]string{"user.carol": "er", "shared": "em"} {
			e, err := tx.Lookup(n)
			if err != nil {
				return err
			}
			if e.Type = typ; typ == "er" {
				e.UniqueID = ""
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
	for partition, want := range map[string][]string{
		"":        {"DELETED.user.dan.Foo@default", "DELETED.user.dan@default", "alice@default", "bob@p2", "shared.x@p2", "user.carol.Foo@default"},
		"default": {"DELETED.user.dan.Foo@default", "DELETED.user.dan@default", "alice@default", "user.carol.Foo@default"},
		"p2":      {"bob@p2", "shared.x@p2"},
	} {
		items, err := m.Items(partition)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, i := range items {
			name := i.String()
			if i.Mailbox.IsDeleted() {
				name = name[:strings.LastIndexByte(name, '.')]
			}
			got = append(got, name+"@"+i.Partition)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("partition %q: %q, want %q", partition, got, want)
		}
	}
}

// TestRefused: what cannot be moved is known before anything is said to anybody.
func TestRefused(t *testing.T) {
	alone := mover(t)
	create(t, alone, "", "user.alice")
	m := mover(t, murderLines...)
	create(t, m, "", "user.alice")
	held, err := m.alone(t.Context(), mboxops.Cargo{User: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Move(t.Context(), Item{User: "alice", Mailbox: "user.alice"}, "be2.example.org", "", nil); !errors.Is(err, mboxops.ErrMoving) {
		t.Errorf("two at once: %v", err)
	}
	held()
	for _, tc := range []struct {
		name   string
		m      *Mover
		item   Item
		server string
		want   error
	}{
		{"no murder", alone, Item{User: "alice", Mailbox: "user.alice"}, "be2.example.org", mboxops.ErrNoMurder},
		{"this server", m, Item{User: "alice", Mailbox: "user.alice"}, "BE1.example.org", ErrSame},
		{"nobody", m, Item{User: "bob", Mailbox: "user.bob"}, "be2.example.org", mboxops.ErrNotFound},
		{"no mailbox", m, Item{Mailbox: "shared"}, "be2.example.org", mboxops.ErrNotFound},
		{"no master", m, Item{User: "alice", Mailbox: "user.alice"}, "be2.example.org", mboxops.ErrNoMaster},
		{"a name too long for a file", m, Item{Mailbox: mboxname.Name(strings.Repeat("x", 400))}, "be2.example.org", mboxops.ErrNotFound},
	} {
		if err := tc.m.Move(t.Context(), tc.item, tc.server, "", nil); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
}

// TestNote: what a note says is read again, and nothing else is one.
func TestNote(t *testing.T) {
	for _, c := range []mboxops.Cargo{{User: "alice"}, {User: "a.b@example.org"}, {Mailbox: "shared.x"}, {Mailbox: "user.alice.Foo"}} {
		j := journey{c, "be2.example.org:143", "p2"}
		if got := readNote(j.note()); got != j {
			t.Errorf("%+v: read %+v", j, got)
		}
	}
	for _, text := range []string{"", "user", "user\x00alice", "other\x00alice\x00be2\x00", "user\x00\x00be2\x00", "user\x00a\x00b\x00c\x00d"} {
		if j := readNote(text); j.Cargo != (mboxops.Cargo{}) {
			t.Errorf("%q: read %+v", text, j)
		}
	}
}

// peer is an IMAP server that answers from a script: separator of names, and the answer
// to each MUPDATEPUSH; none ends the connection.
type peer struct {
	sep     string
	answers []string
	pushed  []string // names
	told    func()   // is called before each answer, unless nil
}

func (p *peer) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	fmt.Fprint(c, "* OK [CAPABILITY IMAP4rev1 LITERAL+ AUTH=PLAIN SASL-IR] be2 Cyrus IMAP 3.6.1 server ready\r\n")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		tag, rest, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		switch word, arg, _ := strings.Cut(rest, " "); word {
		case "AUTHENTICATE":
			fmt.Fprintf(c, "%s OK [CAPABILITY IMAP4rev1 LITERAL+] Success\r\n", tag)
		case "NAMESPACE":
			fmt.Fprintf(c, "* NAMESPACE ((\"\" %q)) NIL NIL\r\n%s OK Completed\r\n", p.sep, tag)
		case "MUPDATEPUSH":
			var n int
			if _, err := fmt.Sscanf(arg, "{%d+}", &n); err != nil {
				return
			}
			name := make([]byte, n+2)
			if _, err := io.ReadFull(r, name); err != nil {
				return
			}
			p.pushed = append(p.pushed, string(name[:n]))
			if p.told != nil {
				p.told()
			}
			if len(p.answers) == 0 {
				return
			}
			fmt.Fprintf(c, "* OK still here\r\n%s %s\r\n", tag, p.answers[0])
			p.answers = p.answers[1:]
		default:
			return
		}
	}
}

// TestAnnounce: names are spelt as the other server spells them, one after the other up to
// the first that it does not announce.
func TestAnnounce(t *testing.T) {
	names := []mboxname.Name{"user.a^b.Foo", "user.a^b"}
	for _, tc := range []struct {
		name, sep string
		answers   []string
		pushed    []string
		want      error
	}{
		{"dots", ".", []string{"OK Completed", "OK Completed"}, []string{"user.a^b.Foo", "user.a^b"}, nil},
		{"slashes", "/", []string{"OK Completed", "OK Completed"}, []string{"user/a.b/Foo", "user/a.b"}, nil},
		{"it has nothing", "/", []string{"NO Mailbox does not exist"}, []string{"user/a.b/Foo"}, errLost},
		{"it lacks the rest", "/", []string{"OK Completed", "NO Mailbox does not exist"}, []string{"user/a.b/Foo", "user/a.b"}, errLost},
		{"its master is away", "/", []string{"NO no connection to server"}, []string{"user/a.b/Foo"}, errRefused},
		{"it goes away", "/", []string{"OK Completed"}, []string{"user/a.b/Foo", "user/a.b"}, proxy.ErrUnavailable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := &peer{sep: tc.sep, answers: tc.answers}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			over := make(chan struct{})
			go func() {
				defer close(over)
				if c, err := l.Accept(); err == nil {
					p.serve(c)
				}
			}()
			m := mover(t, murderLines...)
			m.opt.Proxy.Address = func(*backend.Protocol, string) string { return l.Addr().String() }
			var all []*mboxlist.Entry
			for _, n := range names {
				all = append(all, &mboxlist.Entry{Name: n, Server: "be2.example.org"})
			}
			err = m.announce(context.WithoutCancel(t.Context()), nil, all)
			l.Close()
			<-over
			if !errors.Is(err, tc.want) || tc.want == nil && err != nil {
				t.Errorf("%v, want %v", err, tc.want)
			}
			if !slices.Equal(p.pushed, tc.pushed) {
				t.Errorf("pushed %q, want %q", p.pushed, tc.pushed)
			}
		})
	}
}

// FuzzNote: a note that was garbled names no cargo that is not in it.
func FuzzNote(f *testing.F) {
	for _, s := range []string{"", "user\x00alice\x00be2\x00", "mailbox\x00shared\x00be2\x00p2", "user\x00\x00\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if j := readNote(text); j.Cargo != (mboxops.Cargo{}) && j.note() != text {
			t.Errorf("%q: read %+v", text, j)
		}
	})
}
