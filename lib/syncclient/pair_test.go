package syncclient

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gocyrus/lib/config"
	"gocyrus/lib/csync"
	"gocyrus/lib/guid"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/site"
	"gocyrus/lib/syncserver"
)

const testConf = `configdirectory: %[1]s/conf
partition-default: %[1]s/spool
partition-second: %[1]s/second
defaultpartition: default
servername: mail.example.com
admins: cyrus repl
allowplaintext: yes
sasl_pwcheck_method: alwaystrue
sasl_mech_list: PLAIN
sievedir: %[1]s/sieve
sync_log: %[2]s
`

var ctx = context.Background()

// host is one server's stores.
type host struct {
	t testing.TB
	*site.Site
	cfg *config.Config
	dir string
}

func newHost(t testing.TB, log string) *host {
	t.Helper()
	dir := t.TempDir()
	cfg, err := config.Parse(strings.NewReader(fmt.Sprintf(testConf, dir, log)), filepath.Join(dir, "imapd.conf"), "test")
	if err != nil {
		t.Fatal(err)
	}
	s, err := site.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &host{t, s, cfg, dir}
}

// pair is a master, a replica with a server, and what the network does between them.
type pair struct {
	t     testing.TB
	a, b  *host
	addr  string
	tamed bool // the replica does not say that it is ours

	mu    sync.Mutex
	conns []net.Conn
	cut   int64 // octets from the client after which a connection breaks; 0 is never
	trace bytes.Buffer
}

func newPair(t testing.TB) *pair {
	t.Helper()
	p := &pair{t: t, a: newHost(t, "yes"), b: newHost(t, "no")}
	srv, err := syncserver.NewServer(p.b.cfg, syncserver.OptionsFrom(p.b.cfg), p.b.Site)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.addr = l.Addr().String()
	serving, cancel := context.WithCancel(ctx)
	var sessions sync.WaitGroup
	sessions.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			sessions.Go(func() {
				defer c.Close()
				srv.Serve(serving, c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		cancel()
		p.breakAll()
		sessions.Wait()
		srv.Shutdown(ctx)
		p.a.Close()
	})
	return p
}

// line is the client's end of a connection, on which things go wrong.
type line struct {
	net.Conn
	p    *pair
	sent int64
}

func (l *line) Write(b []byte) (int, error) {
	l.p.mu.Lock()
	cut := l.p.cut
	l.sent += int64(len(b))
	over := cut > 0 && l.sent > cut
	l.p.mu.Unlock()
	if over {
		keep := max(int64(len(b))-(l.sent-cut), 0)
		n, _ := l.Conn.Write(b[:keep])
		l.Conn.Close()
		return n, net.ErrClosed
	}
	return l.Conn.Write(b)
}

// Read hides, when the replica is to pass for another, what it says of itself.
func (l *line) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	if l.p.tamed {
		for _, word := range []string{csync.CapOurs, "gocyrus"} {
			if i := bytes.Index(b[:n], []byte(word)); i >= 0 {
				copy(b[i:], strings.Repeat("X", len(word)))
			}
		}
	}
	return n, err
}

func (p *pair) dialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	l := &line{Conn: c, p: p}
	p.conns = append(p.conns, l)
	return l, nil
}

func (p *pair) breakAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

// cutAfter breaks every connection after n octets, from now on.
func (p *pair) cutAfter(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = n
}

func (p *pair) options() Options {
	o, err := OptionsFrom(p.a.cfg, "")
	if err != nil {
		p.t.Fatal(err)
	}
	o.Dial.Addr = p.addr
	o.Dial.TryIMAP = false
	o.Dial.Cred.AuthcID, o.Dial.Cred.Password = "repl", "secret"
	o.Dial.DialContext = p.dialContext
	o.Dial.Trace = &tracer{p: p}
	o.Interval = time.Millisecond
	return o
}

type tracer struct{ p *pair }

func (w *tracer) Write(b []byte) (int, error) {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	return w.p.trace.Write(b)
}

// said is the protocol since the last call.
func (p *pair) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.trace.String()
	p.trace.Reset()
	return s
}

// client is one with the options as they are, or changed.
func (p *pair) client(stop <-chan struct{}, change ...func(*Options)) *Client {
	p.t.Helper()
	o := p.options()
	for _, f := range change {
		f(&o)
	}
	c, err := New(p.a.Site, o, nil, stop, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

// with runs fn with a client that is closed after it.
func (p *pair) with(fn func(c *Client) error, change ...func(*Options)) error {
	c := p.client(nil, change...)
	defer c.Close(ctx)
	return fn(c)
}

// sync brings users to the replica; anything that fails ends the test.
func (p *pair) sync(users ...string) {
	p.t.Helper()
	for _, u := range users {
		if err := p.with(func(c *Client) error { return c.User(ctx, u) }); err != nil {
			p.t.Fatalf("user %s: %v", u, err)
		}
	}
}

// roll works the log off until nothing is left.
func (p *pair) roll(change ...func(*Options)) error {
	return p.with(func(c *Client) error {
		if _, err := c.session(ctx); err != nil {
			return err
		}
		for {
			all, err := c.round(ctx, newPatience())
			if err != nil || !all {
				return err
			}
		}
	}, change...)
}

// must ends the test on an error.
func (h *host) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

var admin = mboxops.Root("cyrus")

func (h *host) create(names ...mboxname.Name) {
	h.t.Helper()
	for _, n := range names {
		_, err := h.Ops.Create(ctx, admin, n, mboxops.CreateParams{})
		h.must(err)
	}
}

func (h *host) entry(n mboxname.Name) *mboxlist.Entry {
	h.t.Helper()
	e, err := h.List.Lookup(n)
	h.must(err)
	return e
}

// update changes a mailbox.
func (h *host) update(n mboxname.Name, fn func(tx *mailbox.Tx) error) {
	h.t.Helper()
	h.must(h.Mailboxes.Update(ctx, h.entry(n), fn))
}

// add appends messages of these texts.
func (h *host) add(n mboxname.Name, texts ...string) {
	h.t.Helper()
	h.update(n, func(tx *mailbox.Tx) error {
		for i, text := range texts {
			body := []byte("Subject: " + text + "\r\n\r\n" + text + "\r\n")
			file := filepath.Join(h.dir, "spool", fmt.Sprintf("new-%d", i))
			if err := os.WriteFile(file, body, 0o600); err != nil {
				return err
			}
			defer os.Remove(file)
			modseq, err := tx.TouchModSeq()
			if err != nil {
				return err
			}
			err = tx.AppendExact(mailbox.Exact{
				Append: mailbox.Append{File: file, UID: tx.Header().LastUID + 1, InternalDate: 1700000000, SaveDate: 1700000001, CreatedModSeq: modseq},
				ModSeq: modseq, LastUpdated: tx.Now(), GUID: indexfile.GUID(guid.Of(body)),
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// flag gives a message user flags.
func (h *host) flag(n mboxname.Name, uid uint32, names ...string) {
	h.t.Helper()
	h.each(n, uid, func(tx *mailbox.Tx, recno int, r *indexfile.Record) error {
		for _, name := range names {
			slot, err := tx.UserFlag(name)
			if err != nil {
				return err
			}
			r.UserFlags.Set(slot, true)
		}
		return tx.Rewrite(recno, r)
	})
}

func (h *host) expunge(n mboxname.Name, uid uint32) {
	h.t.Helper()
	h.each(n, uid, func(tx *mailbox.Tx, recno int, r *indexfile.Record) error { return tx.Expunge(recno) })
}

func (h *host) each(n mboxname.Name, uid uint32, fn func(tx *mailbox.Tx, recno int, r *indexfile.Record) error) {
	h.t.Helper()
	h.update(n, func(tx *mailbox.Tx) error {
		recno, ok := tx.Find(uid)
		if !ok {
			return fmt.Errorf("no uid %d", uid)
		}
		var r indexfile.Record
		if err := tx.Record(recno, &r); err != nil {
			return err
		}
		return fn(tx, recno, &r)
	})
}

// dump is a user's mailboxes, or the shared ones, as the protocol sees them, with the
// SHA-1 of every live message's file in place of the recorded one.
func (h *host) dump(owner string) string {
	h.t.Helper()
	c := &Client{site: h.Site, reader: newReader(h.Site)}
	var out []string
	h.must(h.List.Scan("", func(v mboxlist.View) error {
		e, err := v.Entry()
		if err != nil || !c.isOurs(e) || e.Is(mboxlist.FlagIntermediate) || e.Name.Owner() != owner {
			return err
		}
		out = append(out, h.dumpBox(c, e))
		return nil
	}))
	slices.Sort(out)
	return strings.Join(out, "\n")
}

func (h *host) dumpBox(c *Client, e *mboxlist.Entry) string {
	h.t.Helper()
	var b strings.Builder
	m, err := h.Mailboxes.Open(ctx, e)
	h.must(err)
	defer m.Close()
	h.must(m.View(ctx, func(v *mailbox.View) error {
		box, err := c.reader.Mailbox(v, e)
		if err != nil {
			return err
		}
		b.Write(box.Append(nil, client))
		basic, annot, err := sums(v)
		if err != nil {
			return err
		}
		if basic != box.SyncCRC || annot != box.SyncCRCAnnot {
			h.t.Errorf("%s: CRCs %d, %d; the records give %d, %d", e.Name, box.SyncCRC, box.SyncCRCAnnot, basic, annot)
		}
		return c.reader.Records(v, 0, func(recno int, r *csync.Record) error {
			if r.Has(csync.Expunged) {
				return nil
			}
			msg, err := m.OpenMessage(v, v.Raw(recno))
			if err != nil {
				return err
			}
			defer msg.Close()
			r.GUID = guid.Of(msg.Bytes())
			slices.SortFunc(r.Flags, cmp.Compare)
			b.WriteString("\n  ")
			b.Write(r.Append(nil, client))
			return nil
		})
	}))
	return b.String()
}

// equal fails unless both sides have the same of a user.
func (p *pair) equal(owners ...string) {
	p.t.Helper()
	for _, o := range owners {
		if a, b := p.a.dump(o), p.b.dump(o); a != b {
			p.t.Errorf("%q differs; master:\n%s\nreplica:\n%s", o, a, b)
		}
	}
}

// bodies are the texts of the live messages of a mailbox.
func (h *host) texts(n mboxname.Name) []string {
	h.t.Helper()
	var list []string
	e := h.entry(n)
	m, err := h.Mailboxes.Open(ctx, e)
	h.must(err)
	defer m.Close()
	h.must(m.View(ctx, func(v *mailbox.View) error {
		for recno := 1; recno <= v.NumRecords(); recno++ {
			if !v.Raw(recno).Live() {
				continue
			}
			msg, err := m.OpenMessage(v, v.Raw(recno))
			if err != nil {
				return err
			}
			_, body, _ := strings.Cut(string(msg.Bytes()), "\r\n\r\n")
			list = append(list, strings.TrimSpace(body))
			msg.Close()
		}
		return nil
	}))
	slices.Sort(list)
	return list
}

// uids are those of the live messages.
func (h *host) uids(n string) (list []uint32) {
	h.t.Helper()
	h.update(mboxname.Name(n), func(tx *mailbox.Tx) error {
		for recno := 1; recno <= tx.NumRecords(); recno++ {
			if r := tx.Raw(recno); r.Live() {
				list = append(list, r.UID())
			}
		}
		return nil
	})
	return list
}

// text is that of one message.
func (h *host) text(n string, uid uint32) string {
	h.t.Helper()
	m, err := h.Mailboxes.Open(ctx, h.entry(mboxname.Name(n)))
	h.must(err)
	defer m.Close()
	msg, err := m.OpenFile(uid, false)
	h.must(err)
	defer msg.Close()
	_, body, _ := strings.Cut(string(msg.Bytes()), "\r\n\r\n")
	return strings.TrimSpace(body)
}
