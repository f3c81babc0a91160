package imapserver

import (
	"context"
	"errors"

	"gocyrus/lib/acl"
	"gocyrus/lib/annotate"
	"gocyrus/lib/auth"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/index"
	"gocyrus/lib/log"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/quota"
)

// Errors of the engine itself.
var (
	errReadOnly   = errors.New("server is read-only")
	errPermission = errors.New("permission denied")
)

// replies says what a client is told of an error, first match first. The texts
// are Cyrus's: scripts read them. An error not listed is logged with its
// context, and the client told only that the server failed.
var replies = []struct {
	err  error
	line string
}{
	{mboxlist.ErrNotFound, "NO Mailbox does not exist"},
	{mailbox.ErrNotFound, "NO Mailbox does not exist"},
	{mailbox.ErrBadFormat, "NO Mailbox has an invalid format"},
	{mailbox.ErrTooManyFlags, "NO Too many user flags in mailbox"},
	{mailbox.ErrBusy, "NO Mailbox is locked"},
	{mboxname.ErrBad, "NO Invalid mailbox name"},
	{mboxops.ErrExists, "NO Mailbox already exists"},
	{mailbox.ErrExists, "NO Mailbox already exists"},
	{mboxops.ErrPermission, "NO Permission denied"},
	{mboxops.ErrPartition, "NO Unknown/invalid partition"},
	{mboxops.ErrUnsupported, "NO Operation is not supported on mailbox"},
	{mboxops.ErrHasChildren, "NO [HASCHILDREN] Mailbox has inferior hierarchical names"},
	{mboxops.ErrUseConflict, "NO SPECIAL-USE flag conflict"},
	{mboxops.ErrBadUse, "NO Invalid annotation entry"},
	{annotate.ErrValue, "NO Invalid annotation value"},
	{mboxops.ErrCrossMove, "NO Cross-server or cross-partition move w/rename not supported"},
	{mboxops.ErrNoMaster, "NO no connection to server"}, // Cyrus's mupdate_err.et
	{mboxops.ErrReserved, "NO unable to reserve mailbox on mupdate server"},
	{mboxops.ErrMasterFailed, "NO the mupdate operation failed"},
	{mboxops.ErrMoving, "NO Mailbox has been moved to another server"},
	{errAround, "NO Mailbox has been moved to another server"},
	{errRemote, "NO Server(s) unavailable to complete operation"},
	{errPermission, "NO Permission denied"},
	{index.ErrRights, "NO Permission denied"},
	{index.ErrReadOnly, "NO Permission denied"},
	{errReadOnly, "NO [CANNOT] Connection is read-only"},
	{quota.ErrOver, "NO [OVERQUOTA] Over quota"}, // RFC 9208 section 4.3.1
	{quota.ErrNotFound, "NO Quota root does not exist"},
	{acl.ErrIdentifier, "NO Invalid identifier"},
	{auth.ErrUser, "NO Invalid identifier"},
	{context.Canceled, "NO Server is shutting down"},
	{context.DeadlineExceeded, "NO Mailbox is locked"},
}

// replyTo is the answer to an error, without the tag.
func (s *session) replyTo(err error) string {
	var no imapwire.No
	if errors.As(err, &no) {
		return "NO " + string(no)
	}
	for _, r := range replies {
		if errors.Is(err, r.err) {
			return r.line
		}
	}
	log.Err("IOERROR: %s %s: %v", s.user, s.name, err)
	return "NO System I/O error"
}
