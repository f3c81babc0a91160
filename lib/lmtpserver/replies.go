package lmtpserver

import (
	"errors"
	"strings"
	"syscall"

	"gocyrus/lib/delivery"
	"gocyrus/lib/lock"
	"gocyrus/lib/log"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/quota"
	"gocyrus/lib/spool"
)

// replies says what a client is told of an error, first match first. The texts
// are Cyrus's: MTAs and log readers know them. An error not listed is logged
// with its context, and is a temporary one.
var replies = []struct {
	err   error
	lines string
	log   bool
}{
	{delivery.ErrNotFound, "550-Mailbox unknown.  Either there is no mailbox associated with this\r\n" +
		"550-name or you do not have authorization to see it.\r\n" +
		"550 5.1.1 User unknown", false},
	{delivery.ErrDenied, "451 4.2.1 Mailbox has been disabled", false},
	{delivery.ErrMoving, "451 4.2.1 Mailbox has been moved to another server", false},
	{delivery.ErrRemote, "451 4.4.3 Server(s) unavailable to complete operation", true},
	{mailbox.ErrTooManyMessages, "451 4.2.0 Operation is not supported on mailbox", true},
	{mailbox.ErrBadFormat, "451 4.2.0 Mailbox has an invalid format", true},
	{mailbox.ErrNotFound, "451 4.2.0 Mailbox does not exist", true}, // its files, that is
	{lock.ErrBusy, "451 4.3.0 Mailbox is locked", true},
	{syscall.ENOSPC, "451 4.3.1 No space left on device", true},
	{syscall.EDQUOT, "451 4.3.1 Disk quota exceeded", true},
	{spool.ErrNUL, "554 5.6.0 Message contains NUL characters", false},
	{spool.ErrBadHeader, "554 5.6.0 Message contains invalid header", false},
	{spool.ErrBareLF, "554 5.6.0 Message contains bare newlines", false},
	{spool.Err8Bit, "554 5.6.0 Message contains non-ASCII characters in headers", false},
}

// refuse answers a recipient with an error.
func (s *session) refuse(err error) {
	var other relayed
	switch {
	case errors.As(err, &other) && strings.HasPrefix(string(other), "452 4.2.2") && s.srv.opts.QuotaPerm:
		s.reply("552 5.2.2 Over quota SESSIONID=<", s.id, ">")
		return
	case errors.As(err, &other):
		s.reply(string(other))
		return
	case errors.Is(err, quota.ErrOver) && s.srv.opts.QuotaPerm:
		s.reply("552 5.2.2 Over quota SESSIONID=<", s.id, ">")
		return
	case errors.Is(err, quota.ErrOver):
		s.reply("452 4.2.2 Over quota SESSIONID=<", s.id, ">")
		return
	case errors.Is(err, delivery.ErrPermission):
		s.reply("550-You do not have permission to post a message to this mailbox.")
		s.reply("550-Please contact the owner of this mailbox in order to submit")
		s.reply("550-your message, or ", s.srv.opts.PostMaster, " if you believe you")
		s.reply("550-received this message in error.")
		s.reply("550 5.7.1 Permission denied")
		return
	}
	for _, r := range replies {
		if errors.Is(err, r.err) {
			if r.log {
				log.Err("IOERROR: delivery: %v", err)
			}
			s.reply(r.lines)
			return
		}
	}
	log.Err("IOERROR: delivery: %v", err)
	s.reply("451 4.3.0 System I/O error")
}
