package mupdate

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"gocyrus/lib/backend"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/saslclient"
	"gocyrus/lib/tlsconf"
)

// clientLimits bound a server's answers.
var clientLimits = Limits{Word: 4096, Quoted: 1 << 20, Literal: 16 << 20}

// Client is a session with a mupdate server. It may be used by many goroutines,
// one command after the other. An error that is none of the master's answers
// leaves it unusable.
type Client struct {
	conn *backend.Conn
	r    *Reader
	w    *bufio.Writer

	server string // which of them it is
	opts   Options

	mu   sync.Mutex
	tags int
	buf  []byte
	err  error // why it is unusable
}

// connect connects to a server and logs in. One that is not ready yet is asked
// again, as long as the time for it lasts.
func connect(ctx context.Context, o Options, server string) (*Client, error) {
	until := time.Now().Add(o.Timeout)
	for pause := firstPause; ; pause = min(2*pause, time.Second) {
		c, err := connectOnce(ctx, o, server)
		if !errors.Is(err, errNotReady) || time.Now().Add(pause).After(until) {
			return c, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// firstPause is how long to wait for a server that is not ready; then twice that,
// and so on.
const firstPause = 50 * time.Millisecond

// errNotReady is the error of a server that offers no way to log in.
//
// QUIRK: a Cyrus master that has just started has been seen to say "* AUTH" and
// no mechanism, and a moment later all of them.
var errNotReady = errors.New("not ready")

func connectOnce(ctx context.Context, o Options, server string) (*Client, error) {
	addr, wrapped := o.address(server)
	conf, err := tlsconf.Client(o.TLS, host(addr))
	if err != nil {
		return nil, err
	}
	c := &Client{server: server, opts: o}
	c.conn, err = backend.Dial(ctx, backend.MUPDATE, addr, backend.Options{
		Timeout: o.Timeout, TLS: conf, Wrapped: wrapped, Bind: o.Bind,
	})
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { c.conn.Close() })
	defer stop()
	if err := c.login(ctx, o, conf); err != nil {
		c.conn.Close()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	}
	c.conn.NetConn().SetDeadline(time.Time{})
	c.r, c.w = NewReader(c.conn.Reader(), clientLimits, nil), c.conn.Writer()
	return c, nil
}

// Server is which of the servers of Options it is.
func (c *Client) Server() string { return c.server }

// Blame has the next who connects try another server first. A client whose
// connection breaks does so by itself.
func (c *Client) Blame() { c.opts.memory.blame(c.server, c.opts.Servers) }

// Banner is the line by which the server introduced itself.
func (c *Client) Banner() string { return c.conn.Greeting }

func (c *Client) login(ctx context.Context, o Options, conf *tls.Config) error {
	if err := c.lateCaps(min(o.Timeout, lateCaps)); err != nil {
		return err
	}
	// As Cyrus does: TLS only where nothing else would do.
	if len(saslclient.Choose(c.mechs(o.Mechs), o.Cred, c.saslConn(conf))) == 0 && c.conn.Caps.Has("STARTTLS") && c.conn.TLS() == nil {
		if err := c.conn.StartTLS(ctx, conf); err != nil {
			return err
		}
	}
	client, err := saslclient.New(c.mechs(o.Mechs), o.Cred, c.saslConn(conf))
	if err != nil && len(c.conn.Caps.Mechs) == 0 {
		return fmt.Errorf("%w: %w", errNotReady, err)
	}
	if err != nil {
		return err
	}
	return c.conn.AuthenticateWith(client)
}

func (c *Client) saslConn(conf *tls.Config) saslclient.Conn {
	return saslclient.Conn{
		TLS: c.conn.TLS(), Binding: c.conn.Bindings(), HasCert: len(conf.Certificates) > 0, Clear: true,
	}
}

// mechs are those that are wanted and offered, in the order of the wish.
func (c *Client) mechs(wanted []string) []string {
	if wanted == nil {
		return c.conn.Caps.Mechs
	}
	var both []string
	for _, w := range wanted {
		for _, m := range c.conn.Caps.Mechs {
			if strings.EqualFold(w, m) {
				both = append(both, m)
			}
		}
	}
	return both
}

// lateCaps is how long a server may take for what it says after its OK.
const lateCaps = 2 * time.Second

// lateCaps reads the capabilities of a server that greets first and tells them
// then, as RFC 3656 section 4.3 has it. Cyrus tells them before.
func (c *Client) lateCaps(limit time.Duration) error {
	for !c.conn.Caps.Has("AUTH") && len(c.conn.Caps.Mechs) == 0 {
		if err := c.conn.NetConn().SetReadDeadline(time.Now().Add(limit)); err != nil {
			return err
		}
		b, err := c.conn.Reader().ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("%w: greeting without AUTH: %w", errNotReady, err)
		}
		word, rest, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(string(b), "* ")), " ")
		word = strings.ToUpper(word)
		if word == "AUTH" {
			c.conn.Caps.Mechs = strings.Fields(strings.ToUpper(strings.ReplaceAll(rest, `"`, "")))
		}
		c.conn.Caps.Words = append(c.conn.Caps.Words, word)
	}
	return nil
}

// Close ends the connection without a word.
func (c *Client) Close() error { return c.conn.Close() }

// Logout takes leave and closes.
func (c *Client) Logout(ctx context.Context) error {
	err := c.command(ctx, nil, "LOGOUT")
	return errors.Join(err, c.Close())
}

// command sends a command and reads up to its answer, which is an error unless
// it is OK. each is given the entries before that; one that comes where none is
// expected is an error.
func (c *Client) command(ctx context.Context, each func(Entry), name string, args ...string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.guard(ctx, func() error {
		tag := c.tag()
		if err := c.send(AppendCommand(c.buf[:0], tag, name, args...)); err != nil {
			return err
		}
		return c.answer(tag, each)
	})
}

// tag is the next one.
func (c *Client) tag() string {
	c.tags++
	return tagged(c.tags - 1)
}

func (c *Client) send(b []byte) error {
	c.buf = b[:0]
	if _, err := c.w.Write(b); err != nil {
		return err
	}
	return c.w.Flush()
}

// guard runs a dialogue, which ctx can break off. Only an answer of the master
// leaves the stream in step.
func (c *Client) guard(ctx context.Context, dialogue func() error) error {
	if c.err != nil {
		return c.err
	}
	stop := context.AfterFunc(ctx, func() { c.conn.NetConn().SetDeadline(time.Unix(1, 0)) })
	err := dialogue()
	if !stop() {
		// The connection has been given up, though perhaps too late to matter.
		if err == nil {
			c.err = &ConnError{context.Cause(ctx)}
			return nil
		}
		err = context.Cause(ctx)
	}
	var refused *Refusal
	if err != nil && !errors.As(err, &refused) {
		c.err = &ConnError{err}
		// Who has given up knows nothing of the server; a limit of time does.
		if !errors.Is(err, context.Canceled) {
			c.Blame()
		}
		return c.err
	}
	return err
}

// answer reads up to the answer to tag.
func (c *Client) answer(tag string, each func(Entry)) error {
	var a Answer
	for {
		if err := c.r.Answer(&a); err != nil {
			return err
		}
		switch {
		case a.Kind == BYE:
			return fmt.Errorf("%w: %s", ErrBye, a.Text)
		case a.Kind == About && each == nil:
			return fmt.Errorf("%w: unasked for %s", ErrProtocol, a.Entry.State)
		case a.Kind == About:
			each(a.Entry)
		case a.Kind == Other:
		case a.Tag != tag:
			return fmt.Errorf("%w: answer %q to %q: %s", ErrProtocol, a.Tag, tag, a.Text)
		case a.Kind == NO && a.Text == ErrAway.Error():
			return ErrAway
		case a.Kind != OK:
			return &Refusal{a.Kind, a.Text}
		default:
			return nil
		}
	}
}

// Find asks where a mailbox is. The error is ErrNotFound where the master has
// none of that name.
func (c *Client) Find(ctx context.Context, name mboxname.Name) (Entry, error) {
	var found Entry
	err := c.command(ctx, func(e Entry) { found = e }, "FIND", string(name))
	if err == nil && found.State == Absent {
		err = fmt.Errorf("%s: %w", name, ErrNotFound)
	}
	return found, err
}

// List calls fn for all mailboxes whose location begins with prefix, in the
// master's order, which need not be that of names. An error of fn ends the
// calls and is returned.
func (c *Client) List(ctx context.Context, prefix string, fn func(Entry) error) error {
	var args []string
	if prefix != "" {
		args = []string{prefix}
	}
	var failed error
	err := c.command(ctx, func(e Entry) {
		if failed == nil {
			failed = fn(e)
		}
	}, "LIST", args...)
	return errors.Join(err, failed)
}

// Noop waits until the server has done what was asked before.
func (c *Client) Noop(ctx context.Context) error { return c.command(ctx, nil, "NOOP") }
