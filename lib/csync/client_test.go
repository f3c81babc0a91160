package csync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"gocyrus/lib/guid"
	"gocyrus/lib/prot"
	"gocyrus/lib/saslclient"
)

const greeting = "* SASL PLAIN LOGIN\r\n* STARTTLS\r\n* SIEVE-MAILBOX\r\n* OK B.test Cyrus sync server 3.6.1\r\n"

// replica is a server for one connection, on a pipe without any buffer: whoever
// writes waits for the other side to read.
type replica struct {
	t      testing.TB
	conn   *prot.Conn
	r      *Reader
	banner string
	// do answers a command; false ends the connection.
	do func(r *replica, cmd *Command) bool
}

func (r *replica) say(format string, args ...any) bool {
	fmt.Fprintf(r.conn, format+"\r\n", args...)
	return r.conn.Flush() == nil
}

func (r *replica) serve() {
	defer r.conn.Abort()
	r.r = NewReader(r.conn, Limits{})
	io.WriteString(r.conn, r.banner)
	for {
		cmd, err := r.r.ReadCommand(true, nil)
		var bad BadLine
		switch {
		case errors.As(err, &bad):
			r.say("%s", bad)
		case err != nil:
			if err != io.EOF && !errors.Is(err, io.ErrClosedPipe) && !errors.Is(err, io.ErrUnexpectedEOF) {
				r.t.Errorf("server: %v", err)
			}
			return
		case !r.answer(cmd):
			return
		}
	}
}

func (r *replica) answer(cmd *Command) bool {
	switch {
	case cmd.Verb == "AUTHENTICATE":
		return r.say("OK Success (no protection)")
	case cmd.Verb == "COMPRESS":
		return r.say("OK DEFLATE active") && r.conn.StartDeflate() == nil
	case cmd.Name == "CAPABILITIES":
		return r.say("* ENABLED %s", cmd.Value) && r.say("OK success")
	case cmd.Verb == Exit:
		r.say("OK Finished")
		return false
	}
	return r.do(r, cmd)
}

// dial connects to a replica that answers with do.
func dial(t testing.TB, do func(r *replica, cmd *Command) bool) *Client {
	t.Helper()
	return dialWith(t, greeting, Options{}, do)
}

func dialWith(t testing.TB, banner string, o Options, do func(r *replica, cmd *Command) bool) *Client {
	t.Helper()
	c, err := Dial(t.Context(), onPipe(t, o, func(p *prot.Conn) {
		(&replica{t: t, conn: p, banner: banner, do: do}).serve()
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// onPipe makes options that connect to serve.
func onPipe(t testing.TB, o Options, serve func(*prot.Conn)) Options {
	var done sync.WaitGroup
	if o.Addr == "" {
		o.Addr = "replica"
	}
	o.Cred = saslclient.Credentials{AuthcID: "repl", Password: "secret"}
	o.DialContext = func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		done.Go(func() { serve(prot.New(there)) })
		return here, nil
	}
	t.Cleanup(done.Wait)
	return o
}

func TestDial(t *testing.T) {
	c := dial(t, nil)
	if !c.SieveMailbox() || c.Archive() || c.Ours() || c.IMAP() || c.Compressed() {
		t.Errorf("sieve %v, archive %v, ours %v, imap %v, compressed %v", c.SieveMailbox(), c.Archive(), c.Ours(), c.IMAP(), c.Compressed())
	}
	if err := c.Logout(t.Context()); err != nil {
		t.Errorf("logout: %v", err)
	}
	if err := c.Err(); !errors.Is(err, ErrLost) && !errors.Is(err, ErrBye) {
		t.Errorf("after logout: %v", err)
	}
	if _, err := c.Do(t.Context(), NewNoop()); !errors.Is(err, ErrLost) {
		t.Errorf("request after logout: %v", err)
	}
}

func TestDialOurs(t *testing.T) {
	for name, banner := range map[string]string{
		"line":    "* SASL PLAIN\r\n* " + CapOurs + "\r\n* REPLICATION-ARCHIVE\r\n* SIEVE-MAILBOX\r\n* OK B.test Cyrus sync server 3.10.3\r\n",
		"version": "* SASL PLAIN\r\n* REPLICATION-ARCHIVE\r\n* OK B.test Cyrus sync server 3.10.3-gocyrus-1.0\r\n",
	} {
		c := dialWith(t, banner, Options{Archive: true}, nil)
		if !c.Ours() || !c.Archive() || c.SieveMailbox() != (name == "line") {
			t.Errorf("%s: ours %v, archive %v, sieve %v", name, c.Ours(), c.Archive(), c.SieveMailbox())
		}
	}
}

// echo answers GET USER x with an item of much text, more than any buffer takes,
// and every tenth with an error.
func echo(r *replica, cmd *Command) bool {
	user, err := ParseText(cmd.Value)
	if err != nil {
		return r.say("%s", Words(err))
	}
	if strings.HasSuffix(user, "7") {
		return r.say("* LSUB (%s)", user) && r.say("NO IMAP_MAILBOX_LOCKED Mailbox locked")
	}
	return r.say("* LSUB (%s %s)", user, strings.Repeat("x", len(user)*200)) && r.say("OK success")
}

// TestPipeline: ten thousand requests from many goroutines, each larger than what
// fits between the two sides, and each gets its own answer.
func TestPipeline(t *testing.T) {
	c := dial(t, echo)
	var all sync.WaitGroup
	for g := range 8 {
		all.Add(1)
		go func() {
			defer all.Done()
			var names []string
			var pending []*Pending
			for i := range 1250 {
				names = append(names, fmt.Sprintf("u%d-%d", g, i))
				pending = append(pending, c.Start(NewGet("USER", FromClient.Text(names[i]))))
			}
			for i, p := range pending {
				checkEcho(t, names[i], p)
			}
		}()
	}
	all.Wait()
	if err := c.Err(); err != nil {
		t.Errorf("session ended: %v", err)
	}
}

func checkEcho(t *testing.T, name string, p *Pending) {
	a, err := p.Wait(t.Context())
	if locked := strings.HasSuffix(name, "7"); errors.Is(err, ErrLocked) != locked || err != nil && !locked {
		t.Errorf("%s: %v", name, err)
		return
	}
	if len(a.Items) != 1 || a.Items[0].Name != "LSUB" {
		t.Errorf("%s: items %+v", name, a.Items)
		return
	}
	if list, err := ParseList(a.Items[0].Value); err != nil || list[0] != name {
		t.Errorf("%s: answer for %q, %v", name, list[0], err)
	}
}

// TestCut: whatever way the session ends, every request does, and with a reason.
func TestCut(t *testing.T) {
	after := func(n int, end func(r *replica) bool) func(r *replica, cmd *Command) bool {
		return func(r *replica, cmd *Command) bool {
			if n--; n < 0 {
				return end(r)
			}
			return echo(r, cmd)
		}
	}
	for _, tc := range []struct {
		name string
		end  func(r *replica) bool
		want error
	}{
		{"closed", func(r *replica) bool { return false }, ErrLost},
		{"bye", func(r *replica) bool { return r.say("BYE shutting down") }, ErrBye},
		{"untagged bye", func(r *replica) bool { return r.say("* BYE shutting down") }, ErrBye},
		{"fatal", func(r *replica) bool { r.say("* Fatal error: disk"); return false }, ErrLost},
		{"half a line", func(r *replica) bool { io.WriteString(r.conn, "* LSUB (a"); r.conn.Flush(); return false }, ErrLost},
		{"half a file", func(r *replica) bool {
			io.WriteString(r.conn, "* MESSAGE %{default "+strings.Repeat("0", 40)+" 100}\r\nabc")
			r.conn.Flush()
			return false
		}, ErrLost},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := dial(t, after(50, tc.end))
			var pending []*Pending
			for i := range 200 {
				pending = append(pending, c.Start(NewGet("USER", FromClient.Text(fmt.Sprint("u", i*10)))))
			}
			for i, p := range pending {
				if _, err := p.Wait(t.Context()); i < 50 && err != nil || i >= 50 && !errors.Is(err, tc.want) {
					t.Errorf("request %d: %v", i, err)
				}
			}
			if err := c.Err(); !errors.Is(err, tc.want) {
				t.Errorf("session: %v", err)
			}
		})
	}
}

// TestUnasked: what answers nothing ends the session.
func TestUnasked(t *testing.T) {
	for line, want := range map[string]error{"OK again": ErrProtocol, "* LSUB (a)": ErrProtocol, "BYE now": ErrBye} {
		c := dial(t, func(r *replica, cmd *Command) bool { return r.say("OK success") && r.say("%s", line) })
		if _, err := c.Do(t.Context(), NewNoop()); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		p := c.Start(NewNoop()) // may be taken for answered by the line, but must end
		<-p.Done()
		c.ended.Wait()
		if err := c.Err(); !errors.Is(err, want) && !errors.Is(err, ErrLost) {
			t.Errorf("%s: session ended with %v", line, err)
		}
	}
}

func TestWaitGivesUp(t *testing.T) {
	release := make(chan struct{})
	c := dial(t, func(r *replica, cmd *Command) bool { <-release; return r.say("OK success") })
	ctx, cancel := context.WithCancel(t.Context())
	p := c.Start(NewNoop())
	cancel()
	if _, err := p.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	close(release)
	if _, err := p.Wait(t.Context()); err != nil {
		t.Errorf("then: %v", err)
	}
}

func upload(body string, err error) Upload {
	return Upload{FileLiteral{"default", guid.Of([]byte(body)), uint32(len(body))},
		func() ([]byte, func(), error) { return []byte(body), func() {}, err }}
}

func TestUpload(t *testing.T) {
	var got []FileLiteral
	c := dial(t, func(r *replica, cmd *Command) bool {
		var err error
		got, err = Files(cmd.Value)
		return r.say("%s", Words(err))
	})
	other := upload("three", nil)
	other.GUID = guid.Of([]byte("four"))
	a, err := c.Do(t.Context(), NewUpload([]Upload{upload("one)\r\n", nil), upload("two", io.ErrUnexpectedEOF), other, upload("", nil)}))
	if err != nil || len(a.NotSent) != 2 || a.NotSent[0] != guid.Of([]byte("two")) || a.NotSent[1] != other.GUID {
		t.Errorf("%+v, %v", a, err)
	}
	if len(got) != 2 || got[0].GUID != guid.Of([]byte("one)\r\n")) || got[1].Size != 0 {
		t.Errorf("arrived: %+v", got)
	}
	if _, err := c.Do(t.Context(), NewUpload(nil)); err != nil || len(got) != 0 {
		t.Errorf("no files: %v, %v", got, err)
	}
}

func TestFetchFile(t *testing.T) {
	const body = "Subject: x\r\n\r\nOK success\r\n* BYE\r\n"
	c := dial(t, func(r *replica, cmd *Command) bool {
		f := FileLiteral{"default", guid.Of([]byte(body)), uint32(len(body))}
		return r.say("* MESSAGE %s%s", f.AppendHead(nil, FromServer), body) && r.say("OK success")
	})
	var got bytes.Buffer
	fail := errors.New("disk full")
	for _, want := range []error{nil, fail} {
		got.Reset()
		_, err := c.Do(t.Context(), &Request{Verb: Get, Name: "FETCH", Value: Empty(), Files: func(f FileLiteral, r io.Reader) error {
			if want == nil {
				io.Copy(&got, r)
			}
			return want
		}})
		if !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
		if want == nil && got.String() != body {
			t.Errorf("got %q", got.String())
		}
	}
}

// TestTooMuch: an answer without end costs the request, not the session.
func TestTooMuch(t *testing.T) {
	c := dialWith(t, greeting, Options{Limits: Limits{Total: 1000}}, func(r *replica, cmd *Command) bool {
		for range 30 {
			r.say("* LSUB (%s)", strings.Repeat("x", 50))
		}
		return r.say("OK success")
	})
	for range 2 {
		if a, err := c.Do(t.Context(), NewGet("META", FromClient.Text("a"))); !errors.Is(err, ErrProtocol) || a == nil || len(a.Items) > 0 {
			t.Errorf("%+v, %v", a, err)
		}
	}
	n := 0
	_, err := c.Do(t.Context(), &Request{Verb: Get, Name: "META", Value: FromClient.Text("a"), Each: func(Item) error { n++; return nil }})
	if err != nil || n != 30 {
		t.Errorf("one by one: %d, %v", n, err)
	}
}

// TestBodyFails: half a command ends the session.
func TestBodyFails(t *testing.T) {
	c := dial(t, echo)
	p := c.Start(&Request{Verb: Apply, Name: "MAILBOX", Body: func(w io.Writer) error { io.WriteString(w, "%(A "); return io.ErrNoProgress }})
	if _, err := p.Wait(t.Context()); !errors.Is(err, ErrLost) || !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("%v", err)
	}
}
