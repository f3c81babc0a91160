package csync

import (
	"errors"
	"fmt"
	"strings"
)

// What a server says no with. A client's errors wrap these, with the line.
var (
	ErrInvalidUser  = errors.New("no such user")
	ErrNonexistent  = errors.New("mailbox does not exist")
	ErrLocked       = errors.New("mailbox is locked")
	ErrMoved        = errors.New("mailbox exists with another name or unique id")
	ErrNotSupported = errors.New("operation is not supported on mailbox")
	ErrChecksum     = errors.New("sync checksum failure")
	ErrChanged      = errors.New("changed since last sync")
	ErrBadSieve     = errors.New("sieve script does not compile")
	ErrProtocol     = errors.New("sync protocol error")
	// ErrBadParameters is also the error of every Parse function.
	ErrBadParameters = errors.New("bad sync parameters")
	ErrUnknown       = errors.New("the replica failed")
	// ErrDenied is a NO whose reason is not known; for a server, a peer that is
	// no administrator.
	ErrDenied = errors.New("denied by the replica")
	// ErrBye is a server that goes away.
	ErrBye = errors.New("the replica says goodbye")
	// ErrLost is a connection that ended or broke.
	ErrLost = errors.New("connection to the replica lost")
)

// words are what real servers write; a client looks at the first word after NO.
// The order decides for an error that is several of them.
var words = []struct {
	err        error
	word, text string
}{
	{ErrInvalidUser, "IMAP_INVALID_USER", " No Such User"},
	{ErrNonexistent, "IMAP_MAILBOX_NONEXISTENT", " No Such Mailbox"},
	{ErrLocked, "IMAP_MAILBOX_LOCKED", " Mailbox locked"},
	{ErrMoved, "IMAP_MAILBOX_MOVED", " Mailbox exists with another name or uniqueid"},
	{ErrNotSupported, "IMAP_MAILBOX_NOTSUPPORTED", " Operation is not supported on mailbox"},
	{ErrChecksum, "IMAP_SYNC_CHECKSUM", " Checksum Failure"},
	{ErrChanged, "IMAP_SYNC_CHANGED", " Changed since last sync"},
	{ErrBadSieve, "IMAP_SYNC_BADSIEVE", " Sieve script compilation failure"},
	// QUIRK: nothing after the word. Real clients look for the word with a blank
	// behind and so do not know it.
	{ErrBadParameters, "IMAP_PROTOCOL_BAD_PARAMETERS", ""},
	{ErrProtocol, "IMAP_PROTOCOL_ERROR", " Protocol error"},
	{ErrDenied, "Permission", " denied"},
}

// Words is the line, without its end, that tells a client of an error; nil is
// "OK success". What has no word of its own is "NO Unknown error".
func Words(err error) string {
	if err == nil {
		return "OK success"
	}
	for _, w := range words {
		if errors.Is(err, w.err) {
			return "NO " + w.word + w.text
		}
	}
	return "NO Unknown error"
}

// fromLine is the error of a final line, without a tag: nil for OK.
func fromLine(line string) error {
	status, rest, _ := strings.Cut(line, " ")
	switch strings.ToUpper(status) {
	case "OK":
		return nil
	case "BYE":
		return fmt.Errorf("%w: %s", ErrBye, rest)
	case "FATAL": // "* Fatal error: text" of a real server before it dies
		return fmt.Errorf("%w: fatal %s", ErrLost, rest)
	case "NO":
		return fmt.Errorf("%w: %s", fromReason(rest), rest)
	}
	return fmt.Errorf("%w: %q", ErrProtocol, line)
}

func fromReason(rest string) error {
	word, _, _ := strings.Cut(rest, " ")
	for _, w := range words {
		if strings.EqualFold(word, w.word) {
			return w.err
		}
	}
	if strings.HasPrefix(rest, "Unknown error") {
		return ErrUnknown
	}
	return ErrDenied
}

// bad makes any error of scanning, within a line that was well formed, one of
// parameters.
func bad(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrBadParameters, err)
}
