package syncserver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gocyrus/lib/csync"
	"gocyrus/lib/lock"
	"gocyrus/lib/log"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// translations say what a peer is told of an error of the stores, first match
// first. One that is not here is logged, and the peer told no more than that.
var translations = []struct{ err, as error }{
	{mboxlist.ErrNotFound, csync.ErrNonexistent},
	{mailbox.ErrNotFound, csync.ErrNonexistent},
	{mailbox.ErrBadFormat, csync.ErrNotSupported},
	{lock.ErrBusy, csync.ErrLocked},
	{context.Canceled, csync.ErrLocked},
	{context.DeadlineExceeded, csync.ErrLocked},
	{mboxname.ErrBad, csync.ErrBadParameters},
}

// checkName refuses names that would lead out of the directory of the locks.
// Whether a mailbox can have a name is asked when it gets it.
func checkName(n mboxname.Name) error {
	if n == "" || strings.ContainsAny(string(n), "/\x00\r\n") {
		return fmt.Errorf("%w: name %.70q", csync.ErrBadParameters, n)
	}
	return nil
}

// known are the errors that the protocol has words for.
var known = []error{
	csync.ErrInvalidUser, csync.ErrNonexistent, csync.ErrLocked, csync.ErrMoved, csync.ErrNotSupported,
	csync.ErrChecksum, csync.ErrChanged, csync.ErrBadSieve, csync.ErrProtocol, csync.ErrBadParameters, csync.ErrDenied, csync.ErrUnknown,
}

// translate gives err, which came of a command, the words of the protocol.
func translate(what string, err error) error {
	if err == nil {
		return nil
	}
	is := func(k error) bool { return errors.Is(err, k) }
	if slices.ContainsFunc(known, is) {
		return err
	}
	for _, t := range translations {
		if errors.Is(err, t.err) {
			return fmt.Errorf("%w: %w", t.as, err)
		}
	}
	log.Err("SYNCERROR: %s: %v", what, err)
	return fmt.Errorf("%w: %w", csync.ErrUnknown, err)
}
