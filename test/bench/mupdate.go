package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// mupdateConn is a session with a mupdate server. It knows only what rows take,
// and none of the programs' own code.
type mupdateConn struct {
	*wire
	tags int
	text []byte
}

// dialMUPDATE connects and logs in.
func dialMUPDATE(addr string) (*mupdateConn, error) {
	w, err := dial(addr, false)
	if err != nil {
		return nil, err
	}
	c := &mupdateConn{wire: w}
	if err = c.login(); err != nil {
		c.Close()
		return nil, fmt.Errorf("mupdate: %w", err)
	}
	return c, nil
}

func (c *mupdateConn) login() error {
	for {
		line, err := c.readLine()
		if err != nil {
			return err
		}
		if bytes.HasPrefix(line, []byte("* OK")) {
			break
		}
	}
	return c.do(`AUTHENTICATE "PLAIN" "`+base64.StdEncoding.EncodeToString([]byte("\x00mupman\x00secret"))+`"`, nil)
}

// lit is a string as the protocol's literal.
func lit(s string) string { return fmt.Sprintf("{%d+}\r\n%s", len(s), s) }

// do sends a command and hands the untagged lines of its answer to on, without the
// tag, their literals in them.
func (c *mupdateConn) do(cmd string, on func(line []byte)) error {
	tag, err := c.start(cmd)
	if err != nil {
		return err
	}
	return c.await(tag, on)
}

// start sends a command.
func (c *mupdateConn) start(cmd string) (tag string, err error) {
	if err := c.patient(); err != nil {
		return "", err
	}
	c.tags++
	tag = "m" + strconv.Itoa(c.tags)
	return tag, c.send(tag + " " + cmd + "\r\n")
}

// await reads up to the answer to a command.
func (c *mupdateConn) await(tag string, on func(line []byte)) error {
	for {
		line, err := c.entry()
		if err != nil {
			return err
		}
		text, ok := bytes.CutPrefix(line, []byte(tag+" "))
		switch {
		case !ok:
			return fmt.Errorf("%q while waiting for %s: %w", line, tag, errAnswer)
		case bytes.HasPrefix(text, []byte("OK")):
			return nil
		case bytes.HasPrefix(text, []byte("MAILBOX ")), bytes.HasPrefix(text, []byte("RESERVE ")), bytes.HasPrefix(text, []byte("DELETE ")):
			if on != nil {
				on(text)
			}
		default:
			return fmt.Errorf("%s: %w", text, errAnswer)
		}
	}
}

// entry reads a line with its literals, good until the next one.
func (c *mupdateConn) entry() ([]byte, error) {
	c.text = c.text[:0]
	for {
		line, err := c.readLine()
		if err != nil {
			return nil, err
		}
		c.text = append(c.text, line...)
		n := literal(line)
		if head, ok := bytes.CutSuffix(line, []byte("+}")); ok {
			n = literal(append(head, '}'))
		}
		if n < 0 {
			return c.text, nil
		}
		c.text = append(c.text, '\n')
		had := len(c.text)
		c.text = append(c.text, make([]byte, n)...)
		if _, err := io.ReadFull(c.r, c.text[had:]); err != nil {
			return nil, err
		}
	}
}

// list counts the mailboxes of which a server begins with prefix, and sums them up in
// whatever order they come.
func (c *mupdateConn) list(prefix string) (n int, crc uint32, err error) {
	err = c.do(strings.TrimSpace("LIST "+argument(prefix)), func(line []byte) {
		n++
		crc += sum(0, line)
	})
	return n, crc, err
}

func argument(s string) string {
	if s == "" {
		return ""
	}
	return lit(s)
}
