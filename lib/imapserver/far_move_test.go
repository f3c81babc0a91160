package imapserver

import (
	"fmt"
	"io/fs"
	"net"
	"syscall"
	"testing"
)

// TestMoveRefusal: the reason in an untagged line of Cyrus's.
func TestMoveRefusal(t *testing.T) {
	for line, want := range map[string]string{
		"* NO USER carol (Mailbox has been moved to another server)\r\n": "Mailbox has been moved to another server",
		"* NO MAILBOX \"a (b)\" (Server(s) unavailable)\r\n":             "Server(s) unavailable",
		"* NO USER carol\r\n":                          "carol",
		"* OK USER carol\r\n":                          "",
		"* NO Mailbox is at 90% of quota\r\n":          "",
		"* OK MAILBOX \"NO USER x (y)\"\r\n":           "",
		"* 3 EXISTS\r\n":                               "",
		"* NO USER x (half a reason that is cut off\n": "x (half a reason that is cut off",
	} {
		if got := moveRefusal([]byte(line)); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

// TestIsNetError: a file that is not there is no lost client.
func TestIsNetError(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want bool
	}{
		{&fs.PathError{Op: "open", Path: "cyrus.index", Err: syscall.ENOENT}, false},
		{fmt.Errorf("user.a: %w", syscall.ENOSPC), false},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, true},
		{fmt.Errorf("reading: %w", net.ErrClosed), true},
		{nil, false},
	} {
		if got := isNetError(tc.err); got != tc.want {
			t.Errorf("%v: %v", tc.err, got)
		}
	}
}
