package imapwire

// Taken says that something else has read the line to its end: a command whose
// arguments are not IMAP's.
func (p *Parser) Taken() { p.line = true }
