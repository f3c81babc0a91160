package main

import (
	"bufio"
	"fmt"
)

// dateTime is the date-time of RFC 3501 section 9 in Go's terms.
const dateTime = "02-Jan-2006 15:04:05 -0700"

// A batch of APPEND is at most this large: servers stage what one command
// brings before they store it.
const (
	batchMessages = 100
	batchOctets   = 8 << 20
)

// fill appends messages 0 to n-1 as msg makes them, with their flags and dates,
// many in one command where the server takes that and otherwise many commands
// in one go. UIDs follow the order.
func (c *imapConn) fill(mailbox string, n int, msg func(i int) []byte) error {
	multi, err := c.has("MULTIAPPEND")
	if err != nil {
		return err
	}
	for i := 0; i < n; {
		j, err := c.batch(mailbox, i, n, msg, multi)
		if err != nil {
			return fmt.Errorf("append %d of %s: %w", i, mailbox, err)
		}
		i = j
	}
	return nil
}

// batch sends messages from i on and returns the first one not sent.
func (c *imapConn) batch(mailbox string, i, n int, msg func(int) []byte, multi bool) (int, error) {
	if err := c.patient(); err != nil {
		return 0, err
	}
	var tags []string
	begin := func() {
		c.tags++
		tags = append(tags, fmt.Sprint("t", c.tags))
		fmt.Fprintf(c.w, "%s APPEND %s", tags[len(tags)-1], mailbox)
	}
	octets, first := 0, i
	for ; i < n && i-first < batchMessages && octets < batchOctets; i++ {
		if i == first || !multi {
			begin()
		}
		m := msg(i)
		octets += len(m)
		writeMessage(c.w, flagsOf(i), i, m)
		if !multi {
			c.w.WriteString("\r\n")
		}
	}
	if multi {
		c.w.WriteString("\r\n")
	}
	if err := c.w.Flush(); err != nil {
		return 0, err
	}
	for _, tag := range tags {
		if _, err := c.await(tag, nil); err != nil {
			return 0, err
		}
	}
	return i, nil
}

// writeMessage writes the arguments of APPEND for one message, as a literal
// that waits for no continuation. Errors are kept by w for its Flush.
func writeMessage(w *bufio.Writer, flags string, i int, m []byte) {
	fmt.Fprintf(w, ` (%s) "%s" {%d+}`+"\r\n", flags, internalDate(i).Format(dateTime), len(m))
	w.Write(m)
}

// appendOne appends one message and waits for the answer.
func (c *imapConn) appendOne(mailbox, flags string, i int, m []byte) error {
	if err := c.patient(); err != nil {
		return err
	}
	c.tags++
	tag := fmt.Sprint("t", c.tags)
	fmt.Fprintf(c.w, "%s APPEND %s", tag, mailbox)
	writeMessage(c.w, flags, i, m)
	if err := c.send("\r\n"); err != nil {
		return err
	}
	_, err := c.await(tag, nil)
	return err
}
