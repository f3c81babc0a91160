package lmtpserver

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"gocyrus/lib/backend"
	"gocyrus/lib/delivery"
	"gocyrus/lib/lmtpclient"
	"gocyrus/lib/log"
	"gocyrus/lib/proxy"
	"gocyrus/lib/saslserver"
)

// relayed is the answer of another server, in the words in which ours go on.
type relayed string

func (r relayed) Error() string { return string(r) }

// fanOut brings a message to recipients of other servers: one transaction for each
// server, side by side, so that one that is slow or away costs its own recipients
// only. The results are in the order of to; those of this server's recipients are
// not touched.
func (s *session) fanOut(msg []byte, to []*delivery.Recipient, results []error) {
	groups := map[string][]int{}
	for i, rc := range to {
		if server := rc.Server(); server != "" {
			groups[server] = append(groups[server], i)
		}
	}
	var all sync.WaitGroup
	for server, places := range groups {
		all.Go(func() { s.sendTo(server, places, msg, to, results) })
	}
	all.Wait()
}

// sendTo is fanOut for one server, whose recipients are the given places in to.
func (s *session) sendTo(server string, places []int, msg []byte, to []*delivery.Recipient, results []error) {
	tx := &lmtpclient.Transaction{From: s.tx.from, Auth: s.tx.auth}
	for _, i := range places {
		tx.To = append(tx.To, lmtpclient.Recipient{Addr: s.srv.deliver.Elsewhere(to[i]), IgnoreQuota: to[i].IgnoreQuota})
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.srv.opts.TxnTimeout)
	defer cancel()
	got, err := s.srv.far.send(ctx, server, tx, msg)
	if err != nil {
		log.Err("%s: %v", server, err)
	}
	for k, i := range places {
		switch {
		case got == nil:
			results[i] = fmt.Errorf("%s: %w", server, delivery.ErrRemote)
		default:
			results[i] = resultOf(got[k])
		}
	}
}

// resultOf is what our client is told of another server's answer. What that one
// refuses at RCPT this one had accepted, from a list that may be old: the client is
// to try again.
func resultOf(r lmtpclient.Result) error {
	code, _, _ := strings.Cut(r.Text, " ")
	switch {
	case r.Good():
		return nil
	case r.Code == 550 && strings.HasPrefix(code, "5.7."):
		return delivery.ErrPermission
	case r.Code == 550 && r.Early:
		return relayed("451 4.3.0 Retry operation")
	case r.Code == 550, r.Code == 552, r.Code == 554:
		return relayed(fmt.Sprintf("%d %s", r.Code, r.Text))
	case r.Code == 452:
		return relayed("452 " + orText(r.Text, "4.2.2 Over quota"))
	case r.Code == 451 && (code == "4.3.1" || code == "4.2.1"):
		return relayed("451 " + r.Text)
	case r.Code == 451 && strings.HasPrefix(code, "4.2."):
		return relayed("451 4.2.0 " + strings.TrimSpace(strings.TrimPrefix(r.Text, code)))
	case r.Code == 451 && strings.HasPrefix(code, "4.4."), r.Code == 400:
		return delivery.ErrRemote
	}
	return relayed("451 4.3.0 System I/O error")
}

func orText(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// isPeer says whether a client is another server of the murder, by the account that they
// log in with at each other. What it sends is not sent on: two servers that each believe
// the other to have a mailbox would pass a message to and fro without end.
func (srv *Server) isPeer(id *saslserver.Identity) bool {
	if srv.far == nil || !srv.far.opts.Unified {
		return false
	}
	account, err := srv.rules.Canon(srv.far.opts.AuthName)
	return err == nil && id.AuthcID == account || srv.rules.State(id.AuthcID).IsProxy
}

// far is the connections to other servers. They are kept for the process, and used
// by one transaction at a time.
type far struct {
	opts *proxy.Options

	mu    sync.Mutex
	spare map[string][]*spareConn
	shut  bool
}

type spareConn struct {
	c    *backend.Conn
	idle *time.Timer
}

const (
	// keepSpare is how long a connection is kept that nobody uses.
	keepSpare = 2 * time.Minute
	// maxSpare is how many of them to one server are kept.
	maxSpare = 16
)

func newFar(o *proxy.Options) *far { return &far{opts: o, spare: map[string][]*spareConn{}} }

// send carries a transaction out. The results are nil when the server cannot be had.
func (f *far) send(ctx context.Context, server string, tx *lmtpclient.Transaction, msg []byte) ([]lmtpclient.Result, error) {
	c, err := f.get(ctx, server)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { c.Close() })
	results, err := lmtpclient.Send(c, tx, bytes.NewReader(msg))
	if !stop() || err != nil {
		c.Close()
		return results, err
	}
	f.put(server, c)
	return results, nil
}

// get returns a connection on which RSET was answered: one that is spare, or a new
// one.
func (f *far) get(ctx context.Context, server string) (*backend.Conn, error) {
	for c := f.take(server); c != nil; c = f.take(server) {
		if reset(ctx, c) {
			return c, nil
		}
		c.Close()
	}
	c, err := f.opts.Dial(ctx, backend.LMTP, server, "")
	if err != nil {
		return nil, err
	}
	c.SetTimeout(f.limit(ctx))
	return c, nil
}

// limit is how long each wait may take: the transaction as a whole has its own.
func (f *far) limit(ctx context.Context) time.Duration {
	if end, ok := ctx.Deadline(); ok {
		return time.Until(end)
	}
	return idleLimit
}

// reset begins anew on a connection, which may have been closed meanwhile.
func reset(ctx context.Context, c *backend.Conn) bool {
	c.SetTimeout(resetLimit)
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	if c.WriteLine("RSET") != nil {
		return false
	}
	line, err := c.ReadLine()
	if end, ok := ctx.Deadline(); ok {
		c.SetTimeout(time.Until(end))
	}
	return err == nil && strings.HasPrefix(line, "250")
}

// resetLimit is how long a spare connection may take to prove that it is alive.
const resetLimit = 10 * time.Second

func (f *far) take(server string) *backend.Conn {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := f.spare[server]
	if len(list) == 0 {
		return nil
	}
	last := list[len(list)-1]
	f.spare[server] = list[:len(list)-1]
	last.idle.Stop()
	return last.c
}

func (f *far) put(server string, c *backend.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.shut || len(f.spare[server]) >= maxSpare {
		go leave(c)
		return
	}
	s := &spareConn{c: c}
	s.idle = time.AfterFunc(keepSpare, func() { f.expire(server, s) })
	f.spare[server] = append(f.spare[server], s)
}

func (f *far) expire(server string, s *spareConn) {
	f.mu.Lock()
	for i, o := range f.spare[server] {
		if o == s {
			f.spare[server] = append(f.spare[server][:i:i], f.spare[server][i+1:]...)
			f.mu.Unlock()
			leave(s.c)
			return
		}
	}
	f.mu.Unlock()
}

// leave says goodbye and does not wait long for the answer.
func leave(c *backend.Conn) {
	c.SetTimeout(2 * time.Second)
	c.Logout()
}

// close leaves all servers.
func (f *far) close() {
	f.mu.Lock()
	spare := f.spare
	f.spare, f.shut = nil, true
	f.mu.Unlock()
	for _, list := range spare {
		for _, s := range list {
			s.idle.Stop()
			s.c.SayLogout()
			s.c.Close()
		}
	}
}
