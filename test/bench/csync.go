package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// csyncConn is a session of the protocol of replication, to ask a server what
// it has. It knows only what that takes, and none of the programs' own code.
type csyncConn struct{ *wire }

// dialCsync connects and logs in as the administrator.
func dialCsync(addr string) (*csyncConn, error) {
	w, err := dial(addr, false)
	if err != nil {
		return nil, err
	}
	c := &csyncConn{w}
	if err = c.login(); err != nil {
		c.Close()
		return nil, fmt.Errorf("csync: %w", err)
	}
	return c, nil
}

func (c *csyncConn) login() error {
	for {
		line, err := c.readLine()
		if err != nil {
			return err
		}
		if bytes.HasPrefix(line, []byte("* OK")) {
			break
		}
	}
	return c.do("AUTHENTICATE PLAIN "+base64.StdEncoding.EncodeToString([]byte("\x00cyrus\x00secret")), nil)
}

// do sends a command and hands the lines of its answer to on.
func (c *csyncConn) do(cmd string, on func(line []byte)) error {
	if err := c.patient(); err != nil {
		return err
	}
	if err := c.send(cmd + "\r\n"); err != nil {
		return err
	}
	for {
		line, err := c.readLine()
		if err != nil {
			return err
		}
		if len(line) > 0 && line[0] == '*' {
			if on != nil {
				on(line)
			}
			continue
		}
		if !bytes.HasPrefix(line, []byte("OK")) {
			return fmt.Errorf("%.60s: %q: %w", cmd, line, errAnswer)
		}
		return nil
	}
}

// stateKeys are what master and replica must say alike of a mailbox. SYNC_CRC
// is a sum over all messages: UID, MODSEQ, dates, flags, and the SHA-1 of each.
var stateKeys = []string{"UNIQUEID", "MBOXNAME", "SYNC_CRC", "SYNC_CRC_ANNOT", "LAST_UID", "HIGHESTMODSEQ", "UIDVALIDITY"}

// user is the state of all mailboxes of a user, a line a mailbox.
func (c *csyncConn) user(name string) ([]string, error) {
	var lines []string
	err := c.do("GET USER "+name, func(line []byte) {
		if !bytes.HasPrefix(line, []byte("* MAILBOX ")) {
			return
		}
		var b strings.Builder
		for _, key := range stateKeys {
			_, rest, _ := strings.Cut(string(line), key+" ")
			value, _, _ := strings.Cut(rest, " ")
			fmt.Fprintf(&b, "%s %s ", key, value)
		}
		lines = append(lines, b.String())
	})
	slices.Sort(lines)
	return lines, err
}
