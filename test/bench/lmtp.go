package main

import (
	"bytes"
	"fmt"
)

// lmtpConn is an LMTP session (RFC 2033).
type lmtpConn struct{ *wire }

// dialLMTP connects and says LHLO.
func dialLMTP(addr string) (*lmtpConn, error) {
	w, err := dial(addr, false)
	if err != nil {
		return nil, err
	}
	c := &lmtpConn{w}
	err = c.expect("220")
	if err == nil {
		err = c.send("LHLO bench.example.com\r\n")
	}
	if err == nil {
		err = c.expect("250")
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// expect reads one reply, of however many lines, and checks its code.
func (c *lmtpConn) expect(code string) error {
	for {
		line, err := c.readLine()
		if err != nil {
			return err
		}
		if len(line) < 3 || string(line[:3]) != code {
			return fmt.Errorf("%q, not %s: %w", line, code, errAnswer)
		}
		if len(line) == 3 || line[3] != '-' {
			return nil
		}
	}
}

// deliver hands over one message for all of to, pipelined as Postfix does:
// envelope and DATA in one write, then the message, then a reply a recipient.
// No line of the corpus starts with a dot.
func (c *lmtpConn) deliver(to []string, msg []byte) error {
	if err := c.patient(); err != nil {
		return err
	}
	c.w.WriteString("MAIL FROM:<sender@example.net>\r\n")
	for _, rcpt := range to {
		c.w.WriteString("RCPT TO:<" + rcpt + ">\r\n")
	}
	if err := c.send("DATA\r\n"); err != nil {
		return err
	}
	for range len(to) + 1 {
		if err := c.expect("250"); err != nil {
			return err
		}
	}
	if err := c.expect("354"); err != nil {
		return err
	}
	c.w.Write(msg)
	if !bytes.HasSuffix(msg, []byte("\r\n")) {
		c.w.WriteString("\r\n")
	}
	if err := c.send(".\r\n"); err != nil {
		return err
	}
	for range to {
		if err := c.expect("250"); err != nil {
			return err
		}
	}
	return nil
}
