package csync

import "strings"

// write sends requests as they come, and flushes when there is none left. When it can
// not, the reader ends the session: a replica that has gone may have answered before,
// or said why.
func (c *Client) write() {
	defer c.ended.Done()
	for {
		p := c.take()
		if p == nil {
			return
		}
		err := c.send(p)
		if err == nil && c.idle() {
			err = c.out.Flush()
			if err == nil {
				err = c.conn.Flush()
			}
		}
		if err != nil {
			c.unsendable(err)
			return
		}
	}
}

// unsendable notes why nothing can be sent any more, and bounds what is still read.
func (c *Client) unsendable(err error) {
	c.mu.Lock()
	c.sendErr = lost(err)
	c.mu.Unlock()
	c.net.hurry()
}

// take waits for a request to send; nil at the end of the session.
func (c *Client) take() *Pending {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.unsent) == 0 {
		if c.err != nil {
			return nil
		}
		c.more.Wait()
	}
	p := c.unsent[0]
	c.unsent[0] = nil
	c.unsent = c.unsent[1:]
	p.begun = true
	if c.imap {
		if p.tag = p.req.tag; p.tag == "" {
			p.tag = c.opt.Tags.next()
		}
	}
	return p
}

// idle says whether nothing waits to be sent.
func (c *Client) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.unsent) == 0
}

// send writes one request: "APPLY NAME value", in IMAP "S7 SYNCAPPLY NAME value".
func (c *Client) send(p *Pending) error {
	var line strings.Builder
	if c.imap {
		line.WriteString(p.tag + " ")
		switch p.req.Verb {
		case Get, Apply, Restore, Restart:
			line.WriteString("SYNC")
		}
	}
	line.WriteString(p.req.Verb)
	if p.req.Name != "" {
		line.WriteString(" " + p.req.Name + " ")
	}
	c.out.WriteString(line.String())
	if p.req.Body != nil {
		if err := p.req.Body(c.out); err != nil {
			return err
		}
	} else {
		c.out.Write(p.req.Value)
	}
	_, err := c.out.WriteString("\r\n")
	return err
}
