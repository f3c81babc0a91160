package imtest

import (
	"fmt"
	"strings"
	"time"
)

// timing creates and fills a mailbox ten times over.
func (c *client) timing() error {
	start := time.Now()
	const box = "inbox.imtest"
	for range 10 {
		if err := c.tagged("C01", "CREATE "+box); err != nil {
			return err
		}
		for _, size := range []int{200, 2000, 20000, 200000, 2000000} {
			if err := c.appendMessage(box, size); err != nil {
				return err
			}
		}
		if err := c.tagged("D01", "DELETE "+box); err != nil {
			return err
		}
	}
	fmt.Fprintf(c.Out, "took %d seconds\n", int(time.Since(start).Seconds()))
	return nil
}

func (c *client) tagged(tag, cmd string) error {
	if err := c.conn.WriteLine(tag + " " + cmd); err != nil {
		return err
	}
	for {
		line, err := c.conn.Hear()
		if err != nil {
			return err
		}
		if strings.HasPrefix(line, tag) {
			return nil
		}
	}
}

func (c *client) appendMessage(box string, size int) error {
	const head = "Return-Path: <imtest>\r\nFrom: <imtest>\r\nSubject: timing\r\n\r\n"
	body := strings.Repeat(strings.Repeat("x", 78)+"\r\n", size/80+1)[:size]
	text := head + body + "\r\n"
	return c.tagged("A003", fmt.Sprintf("APPEND %s (\\Seen) {%d+}\r\n%s", box, len(text), text))
}
