package prot

// record is what is kept of input that has been read, to be read once more.
type record struct {
	on   bool
	from int    // where it goes on in rbuf
	kept []byte // what rbuf held before
}

// Record keeps what is read from here on: a proxy passes on what it had to
// read to find out where it should go. Forget ends that.
func (c *Conn) Record() { c.rec = record{on: true, from: c.rpos, kept: c.rec.kept[:0]} }

// Recorded is what has been read since Record. It is good until the next read.
func (c *Conn) Recorded() []byte {
	if !c.rec.on {
		return nil
	}
	c.keep()
	return c.rec.kept
}

// Forget ends what Record began, and lets go of a large record.
func (c *Conn) Forget() {
	if cap(c.rec.kept) > readSize {
		c.rec.kept = nil
	}
	c.rec = record{kept: c.rec.kept[:0]}
}

// keep takes what was read of the buffer into the record; the buffer may be
// used for something else then. What was taken back since is not in the record.
func (c *Conn) keep() {
	if !c.rec.on {
		return
	}
	if back := c.rec.from - c.rpos; back > 0 {
		c.rec.kept = c.rec.kept[:max(len(c.rec.kept)-back, 0)]
	} else if c.rbuf != nil {
		c.rec.kept = append(c.rec.kept, c.rbuf[c.rec.from:c.rpos]...)
	}
	c.rec.from = c.rpos
}
