// Package delivery brings a message into the mailboxes of its recipients: whose
// an address is, whether he may get mail, which folder it goes to, whether he
// has it already.
//
// A recipient is found and checked by [Deliverer.Resolve] when his address
// comes, and gets the message by [Deliverer.Deliver], each with a result of his
// own.
//
// The package knows no protocol: its errors are sentinels, of its own and of
// the stores. Sieve scripts are not run.
package delivery

import (
	"context"
	"errors"
	"strings"

	"gocyrus/lib/auth"
	"gocyrus/lib/duplicate"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/site"
	"gocyrus/lib/stage"
)

// The errors that a recipient may have beside those of mailbox and quota.
var (
	// ErrNotFound is an address without a mailbox, or one that the sender must
	// not know of.
	ErrNotFound = mboxlist.ErrNotFound
	// ErrPermission is a shared folder that the sender may not post to.
	ErrPermission = mboxops.ErrPermission
	// ErrDenied is a user whom user_deny.db keeps from this service.
	ErrDenied = errors.New("access to this service has been blocked")
	// ErrRemote is a mailbox on another server.
	ErrRemote = errors.New("mailbox is on another server")
	// ErrMoving is a mailbox that is being moved or made.
	ErrMoving = mboxops.ErrMoving
)

// Deliverer delivers for one process. It is safe for concurrent use.
type Deliverer struct {
	opts  Options
	site  *site.Site
	stage *stage.Stager
	rules *auth.Rules
	dups  *duplicate.DB // nil without duplicate suppression
	deny  func(user, service string) bool
	front bool
	far   bool
	kick  func(ctx context.Context) error // may be nil
}

// Parts are what a Deliverer works on beside a site's stores. Duplicates may be
// nil, for none are looked for then, and so may Deny.
type Parts struct {
	Rules      *auth.Rules
	Duplicates *duplicate.DB
	Deny       func(user, service string) bool

	Frontend bool                            // all recipients are other servers', and nothing is made here
	Far      bool                            // recipients may be other servers' ([Recipient.Server])
	Kick     func(ctx context.Context) error // has the list catch up with the murder's; nil without
}

// New is a Deliverer for a site. The parts are closed by whoever made them.
func New(o Options, st *site.Site, p Parts) *Deliverer {
	d := &Deliverer{opts: o, site: st, stage: stage.New(st.Mailboxes), rules: p.Rules, dups: p.Duplicates, deny: p.Deny, front: p.Frontend, far: p.Far || p.Frontend, kick: p.Kick}
	if d.deny == nil {
		d.deny = func(string, string) bool { return false }
	}
	return d
}

// Sender is who posts: rights on shared folders and on folders of users are
// his. A nil Sender is nobody, who has what "anyone" has.
type Sender = auth.State

// Recipient is an address that was found good.
type Recipient struct {
	Address
	entry       *mboxlist.Entry // of Top
	IgnoreQuota bool
}

// Server is the server that has the recipient's mailbox; empty for this one.
func (rc *Recipient) Server() string {
	if rc.entry.Is(mboxlist.FlagRemote) {
		return rc.entry.Server
	}
	return ""
}

// Elsewhere is the recipient's address for the server that has the mailbox. A user
// without a domain gets the default one, as between servers of Cyrus.
func (d *Deliverer) Elsewhere(rc *Recipient) string {
	user, domain, _ := strings.Cut(rc.User, "@")
	if rc.User == "" {
		domain = rc.Domain
	}
	if domain == "" {
		domain = d.site.Namespace.DefaultDomain
	}
	if domain == "" {
		domain = "internal"
	}
	if len(rc.Folder) > 0 {
		user += "+" + strings.Join(rc.Folder, string(d.site.Namespace.Sep()))
	}
	return user + "@" + domain
}

// Envelope is what is said of a recipient before his address.
type Envelope struct {
	// Relayed: another server of the murder sends it, for the mailbox is here. What is
	// not is not sent on, and none is made.
	Relayed     bool
	Sender      *Sender
	Size        int64 // announced, in octets; 0 is not known
	IgnoreQuota bool
}

// Resolve finds the recipient of an address, given without angle brackets. One
// that is not found is lmtp_catchall_mailbox's, if there is that. An INBOX that
// the site makes on delivery is made.
func (d *Deliverer) Resolve(ctx context.Context, addr string, e Envelope) (*Recipient, error) {
	rc := &Recipient{Address: d.address(addr), IgnoreQuota: e.IgnoreQuota}
	err := d.verify(ctx, rc, e)
	// Mail of a user who is moving is that user's, a moment later. Cyrus gives it away.
	if err != nil && d.opts.CatchAll != "" && !errors.Is(err, ErrMoving) && !errors.Is(err, ErrRemote) {
		rc.Address = Address{User: d.opts.CatchAll}
		err = d.verify(ctx, rc, e)
	}
	if err != nil {
		return nil, err
	}
	return rc, nil
}

// Stage is the directory in which a message to the recipient is best spooled.
func (d *Deliverer) Stage(rc *Recipient) (string, error) {
	return d.stage.DirOf(rc.entry.Partition)
}
