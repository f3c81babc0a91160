package rig

import (
	"fmt"
	"strings"
)

// An LMTP is an LMTP session.
type LMTP struct{ *Conn }

// DialLMTP connects and says LHLO.
func DialLMTP(addr string) (*LMTP, error) {
	conn, err := Dial(addr)
	if err != nil {
		return nil, err
	}
	c := &LMTP{conn}
	if _, err = c.Expect("220"); err == nil {
		err = c.Send("LHLO localhost\r\n")
	}
	if err == nil {
		_, err = c.Expect("250")
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Reply reads a reply, of one line or several, and returns the last.
func (c *LMTP) Reply() (string, error) {
	for {
		line, err := c.Line()
		if err != nil || len(line) < 4 || line[3] != '-' {
			return line, err
		}
	}
}

// Expect reads a reply that must begin with code.
func (c *LMTP) Expect(code string) (string, error) {
	line, err := c.Reply()
	if err == nil && !strings.HasPrefix(line, code) {
		err = fmt.Errorf("%q instead of %s", line, code)
	}
	return line, err
}

// Deliver sends one message, of CRLF lines, and calls on with each recipient's
// reply as it comes. A refused RCPT is an error.
func (c *LMTP) Deliver(message string, to []string, on func(rcpt, reply string)) error {
	lines := "MAIL FROM:<sender@example.org>\r\n"
	for _, r := range to {
		lines += "RCPT TO:<" + r + ">\r\n"
	}
	if err := c.Send(lines + "DATA\r\n"); err != nil {
		return err
	}
	for range len(to) + 1 {
		if _, err := c.Expect("250"); err != nil {
			return err
		}
	}
	if _, err := c.Expect("354"); err != nil {
		return err
	}
	if strings.HasPrefix(message, ".") {
		message = "." + message
	}
	if err := c.Send(strings.ReplaceAll(message, "\r\n.", "\r\n..") + ".\r\n"); err != nil {
		return err
	}
	for _, r := range to {
		reply, err := c.Reply()
		if err != nil {
			return err
		}
		on(r, reply)
	}
	return nil
}
