// Package cyradm is the administrator's side of an IMAP server: mailboxes,
// rights, quotas and metadata by command, and the shell around them that
// scripts have fed for decades.
//
// An Admin is a session with one server and has a method for each thing an
// administrator does. A Shell reads commands, from a person or a script, and
// prints what Cyrus's cyradm prints, to the blank. Mailbox names are octets:
// they are sent as typed, which for other than ASCII should be modified UTF-7.
package cyradm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"gocyrus/lib/backend"
)

// Admin is a session. It serves one goroutine.
type Admin struct {
	// Notice hears the text of untagged NOs, by which a server tells of a
	// long command's progress. It may be nil.
	Notice func(text string)

	conn  *backend.Conn
	name  string
	login *Login // of the last Authenticate, for referrals
	tag   int
}

// connectTimeout bounds the way to a server, not its commands: to move a
// mailbox may take hours.
const connectTimeout = time.Minute

// Dial connects to the IMAP server at host and port.
func Dial(ctx context.Context, host, port string) (*Admin, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := backend.Dial(ctx, backend.IMAP, net.JoinHostPort(host, port), backend.Options{})
	if err != nil {
		return nil, err
	}
	return &Admin{conn: conn, name: canonical(ctx, host)}, nil
}

// canonical is the name that the prompt shows: that of the machine, where a
// service's name is but an alias of it.
func canonical(ctx context.Context, host string) string {
	if net.ParseIP(host) != nil || !strings.Contains(host, ".") {
		return host
	}
	if name, err := net.DefaultResolver.LookupCNAME(ctx, host); err == nil {
		return strings.TrimSuffix(name, ".")
	}
	return host
}

// Name returns the server's name.
func (a *Admin) Name() string { return a.name }

// Close ends the session.
func (a *Admin) Close() error { return a.conn.Close() }

// has says whether the server can do something.
func (a *Admin) has(capability string) bool { return a.conn.Caps.Has(capability) }

// referred does something, and does it again at another server when this one
// refers us there (RFC 2193). away tells fn that it is elsewhere.
func (a *Admin) referred(fn func(b *Admin, away bool) error) error {
	err := fn(a, false)
	var no *Refused
	if !errors.As(err, &no) || a.login == nil || !a.has("MAILBOX-REFERRALS") {
		return err
	}
	host, port, ok := referral(no.Text)
	if !ok {
		return err
	}
	ctx := context.Background()
	b, err := Dial(ctx, host, port)
	if err != nil {
		return fmt.Errorf("cannot connect to %s: %w", host, err)
	}
	defer b.Close()
	b.Notice = a.Notice
	if err := b.Authenticate(ctx, *a.login); err != nil {
		return fmt.Errorf("cannot authenticate to %s: %w", host, err)
	}
	return fn(b, true)
}

// referral finds the server in
//
//	[REFERRAL imap://user;AUTH=*@host:port/mailbox]
//
// Of a rename's two places the first is taken when both are on one server.
func referral(text string) (host, port string, ok bool) {
	code, _, ok1 := strings.Cut(strings.TrimPrefix(text, "["), "]")
	urls, ok2 := strings.CutPrefix(code, "REFERRAL ")
	if !ok1 || !ok2 {
		return "", "", false
	}
	for i, url := range strings.Fields(urls) {
		authority, isIMAP := strings.CutPrefix(url, "imap://")
		authority, _, _ = strings.Cut(authority, "/")
		if at := strings.LastIndexByte(authority, '@'); at >= 0 {
			authority = authority[at+1:]
		}
		h, p, err := net.SplitHostPort(authority)
		if err != nil {
			h, p = authority, backend.IMAP.Port
		}
		if !isIMAP || h == "" || i > 0 && (h != host || p != port) {
			return "", "", false
		}
		host, port = h, p
	}
	return host, port, host != ""
}
