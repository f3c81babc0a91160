package imapproxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"gocyrus/lib/imapwire"
	"gocyrus/lib/prot"
)

const (
	// optimist is up to what size of a literal the client need not wait for the
	// backend: for more it pays to hear first that it is not wanted.
	optimist = 16 << 10
	// maxPiece bounds a line of a command between literals.
	maxPiece = 1 << 20
)

var untilLF = [256]bool{'\n': true}

// Again sends the arguments of a command as the client wrote them, from the space
// behind its name to the line's end.
func (c *Conn) Again(args []byte) error {
	for len(args) > 0 {
		i := bytes.IndexByte(args, '\n')
		if i < 0 {
			i = len(args) - 1
		}
		line := bytes.TrimRight(args[:i+1], "\r\n")
		args = args[i+1:]
		n, sync := literalOf(line)
		if n >= 0 && sync {
			line = append(line[:len(line)-1:len(line)-1], "+}"...)
		}
		c.Write(line)
		if n < 0 {
			return c.End()
		}
		c.w.WriteString("\r\n")
		n = min(n, int64(len(args)))
		c.Write(args[:n])
		args = args[n:]
	}
	return c.End()
}

// Pass reads what is left of a command from the client and sends it as it comes.
// Small literals the client is invited for at once, for large ones the backend is
// asked. refused is the tagged answer of a backend that wants no more. What exceeds
// lim ends the session, as it does where the mailbox is here; with free the literals
// are messages, and only the rest of the command counts.
//
// The parser p, which reads what the client says, is told when the line has been
// read to its end.
func (c *Conn) Pass(tag string, p *imapwire.Parser, relay *Relay, lim imapwire.Limits, free bool) (refused *Reply, err error) {
	in := p.Conn()
	var told int64 // octets that count for lim.Args
	for {
		line, err := in.AppendUntil(c.buf[:0], &untilLF, maxPiece)
		if errors.Is(err, prot.ErrLong) {
			err = imapwire.Fatal(tooBig)
		}
		if err != nil {
			c.fail(err)
			return nil, err
		}
		in.ReadByte()
		line = bytes.TrimSuffix(line, []byte("\r"))
		if cap(line) <= 4096 {
			c.buf = line[:0]
		}
		n, sync := literalOf(line)
		if told += int64(len(line)); n > 0 && !free {
			told += n
		}
		if fatal := exceeds(lim, line, n, sync, told, free); fatal != "" {
			c.fail(fatal)
			return nil, fatal
		}
		if n < 0 {
			p.Taken()
			c.Write(line)
			return nil, c.End()
		}
		c.Write(line[:bytes.LastIndexByte(line, '{')])
		if refused, err := c.announce(tag, n, sync, relay); refused != nil || err != nil {
			if sync {
				p.Taken() // the client was not invited, and waits for the answer
			} else if cerr := in.CopyN(io.Discard, n); cerr != nil {
				err = cerr
			}
			return refused, err
		}
		if err := c.carry(in, n); err != nil {
			return nil, err
		}
	}
}

// exceeds says which limit a line of a command exceeds that announces a literal of n
// octets, -1 for none; told is how many octets the arguments have up to here. What a
// client is asked to wait for, the backend refuses better: there the session goes on.
func exceeds(lim imapwire.Limits, line []byte, n int64, sync bool, told int64, free bool) imapwire.Fatal {
	switch {
	case lim.Args > 0 && told > lim.Args && !free:
		return tooBig
	case lim.Word > 0 && len(line) > lim.Word && hasWord(line, lim.Word):
		return "[TOOBIG] Word too long"
	case n >= 0 && !sync && lim.Minus && n > minusLimit:
		return "[TOOBIG] Non-synchronizing literal size exceeds 4K" // RFC 7888 section 4
	case n >= 0 && !sync && !free && lim.Literal > 0 && n > lim.Literal:
		return "[TOOBIG] Literal size exceeds fixed limit"
	}
	return ""
}

// hasWord says whether a line has a word of more than max octets, outside of quoted
// strings.
func hasWord(line []byte, max int) bool {
	size, quoted := 0, false
	for i := 0; i < len(line); i++ {
		switch b := line[i]; {
		case quoted && b == '\\':
			i++
		case b == '"':
			quoted, size = !quoted, 0
		case quoted:
		case b == ' ' || b == '(' || b == ')':
			size = 0
		default:
			if size++; size > max {
				return true
			}
		}
	}
	return false
}

// carry sends the next n octets of the client. Those of a large literal come and go
// in large pieces. An error of the backend does not stop the reading, for the client
// must stay in step: it is returned at the end.
func (c *Conn) carry(in *prot.Conn, n int64) error {
	if n < bigSize/4 {
		return in.CopyN(c, n)
	}
	buf := bigPool.Get().(*[bigSize]byte)
	defer bigPool.Put(buf)
	var lost error
	for n > 0 {
		m, err := in.Read(buf[:min(n, bigSize)])
		if err != nil {
			return err
		}
		if lost == nil {
			_, lost = c.Write(buf[:m])
		}
		n -= int64(m)
	}
	return lost
}

const tooBig = "[TOOBIG] Command arguments exceed fixed limit"

// announce tells the backend of a literal, and invites the client when it waits for
// that.
func (c *Conn) announce(tag string, n int64, sync bool, relay *Relay) (refused *Reply, err error) {
	if sync && n > optimist {
		fmt.Fprintf(c.w, "{%d}\r\n", n)
		refused, err = c.invited(tag, relay)
	} else {
		refused, err = c.Literal(tag, n, relay)
	}
	if err == nil && refused == nil && sync {
		err = invite(relay.To)
	}
	return refused, err
}

func invite(client *prot.Conn) error {
	_, err := client.WriteString("+ go ahead\r\n")
	return err
}
