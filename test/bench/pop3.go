package main

import (
	"bytes"
	"fmt"
)

// popConn is a POP3 session (RFC 1939).
type popConn struct{ *wire }

// dialPOP3 connects and signs in.
func dialPOP3(addr, user string) (*popConn, error) {
	w, err := dial(addr, false)
	if err != nil {
		return nil, err
	}
	c := &popConn{w}
	_, err = c.reply()
	for _, cmd := range []string{"USER " + user, "PASS secret"} {
		if err == nil {
			_, err = c.do(cmd)
		}
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// do sends a command and returns its +OK line.
func (c *popConn) do(cmd string) (string, error) {
	if err := c.send(cmd + "\r\n"); err != nil {
		return "", err
	}
	return c.reply()
}

// reply reads a status line.
func (c *popConn) reply() (string, error) {
	line, err := c.readLine()
	if err != nil {
		return "", err
	}
	if !bytes.HasPrefix(line, []byte("+OK")) {
		return "", fmt.Errorf("%q: %w", line, errAnswer)
	}
	return string(line), nil
}

// retr retrieves message n and returns its octets and checksum, dot-stuffing
// undone.
func (c *popConn) retr(n int) (octets int, crc uint32, err error) {
	if err := c.patient(); err != nil {
		return 0, 0, err
	}
	if _, err := c.do(fmt.Sprint("RETR ", n)); err != nil {
		return 0, 0, err
	}
	crlf := []byte("\r\n")
	for {
		line, err := c.readLine()
		if err != nil {
			return 0, 0, err
		}
		if len(line) > 0 && line[0] == '.' {
			if len(line) == 1 {
				return octets, crc, nil
			}
			line = line[1:]
		}
		octets += len(line) + 2
		crc = sum(sum(crc, line), crlf)
	}
}
