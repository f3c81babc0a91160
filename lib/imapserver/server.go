// Package imapserver speaks IMAP4rev1 and IMAP4rev2 (RFC 3501, RFC 9051) with
// mail clients, in the words of Cyrus: what clients, log readers and scripts
// know.
//
// A [Server] is made once for a process and holds what its sessions share: the
// list of mailboxes, the store, quotas, subscriptions, the name space. A
// session is a goroutine that reads one command, finds it in the table
// [commands], runs it and answers. Handlers return errors; what the client is
// told of them stands in the table [replies]. What changed in the selected
// mailbox meanwhile is told behind each command.
//
// The package stores nothing itself and knows no file.
package imapserver

import (
	"context"
	"net"

	"gocyrus/lib/acl"
	"gocyrus/lib/auth"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/prot"
	"gocyrus/lib/quota"
	"gocyrus/lib/saslserver"
	"gocyrus/lib/seen"
	"gocyrus/lib/service"
	"gocyrus/lib/site"
	"gocyrus/lib/subs"
	"gocyrus/lib/syncserver"
	"gocyrus/lib/tlsconf"
	"gocyrus/lib/xfer"
)

// Serve holds one session on c.
func (srv *Server) Serve(ctx context.Context, c net.Conn) {
	s := srv.newSession(ctx, c)
	defer s.cancel()
	defer context.AfterFunc(ctx, s.in.Interrupt)()
	if srv.opts.Implicit && s.startImplicitTLS() != nil {
		s.in.Abort()
		return
	}
	s.serve()
}

func (srv *Server) newSession(ctx context.Context, c net.Conn) *session {
	in := prot.New(c)
	in.SetTimeout(srv.opts.Timeout)
	work, cancel := service.Finish(ctx)
	return &session{
		srv: srv, ctx: work, cancel: cancel, term: ctx, svc: service.FromContext(ctx),
		in: in, p: imapwire.NewParser(in, srv.opts.Limits),
		state: notAuth,
	}
}

// Server is what the sessions of one process share. It is safe for concurrent
// use.
type Server struct {
	opts  Options
	site  *site.Site
	caps  []capability // that this server offers, by what it can and may
	sasl  *saslserver.Server
	rules *auth.Rules
	tls   *tlsconf.Server // nil without
	hub   watcher

	list  *mboxlist.List
	store *mailbox.Store
	quota *quota.DB
	subs  *subs.Store
	seen  *seen.Store // nil keeps no \\Seen of others' mailboxes
	ops   *mboxops.Ops

	annots *annotDefs
	murder *murder     // nil for a server that is alone
	mover  *xfer.Mover // nil for one whose mailboxes go nowhere

	engine  func() *syncserver.Engine // of replication; made when it is first asked for
	closers []func()                  // run by Shutdown

	foreign  foreign
	messages *service.Messages // from the administrator

	ownerRights acl.Rights // that an owner has in any case
}
