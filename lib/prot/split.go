package prot

// Writer is the writing half of c, for a session that reads in one goroutine and
// answers in another. From then on c only reads, and flushes nothing before it
// waits, while what is returned only writes. Both halves live as long as the
// layers under them do: after StartTLS or StartDeflate of c there is to be a new
// one, and Close of either closes both.
func (c *Conn) Writer() *Conn {
	return &Conn{sock: c.sock, layer: c.layer, tls: c.tls, z: c.z, timeout: c.timeout, copy: c.copy}
}
