package relaytest

import (
	"bytes"
	"io"
	"net"
	"time"
)

// A conn is a client and its connection to the server.
type conn struct {
	client, server *net.TCPConn
	held           [2]chan struct{} // as a relay's, of HoldOne
}

// reset ends both without a word: what is on the way is lost.
func (c *conn) reset() {
	for _, one := range []*net.TCPConn{c.client, c.server} {
		one.SetLinger(0)
		one.Close()
	}
}

// A parcel is octets and when they are to arrive.
type parcel struct {
	at   time.Time
	text []byte
}

// pump carries one direction until its end.
func (r *Relay) pump(c *conn, from, to *net.TCPConn, up, plain bool) {
	way := make(chan parcel, onTheWay)
	done := make(chan struct{})
	torn := false // no end of the connection, such as a server would see, but a reset
	go func() {
		defer close(done)
		for p := range way {
			time.Sleep(time.Until(p.at))
			r.wait(c, up)
			if _, err := to.Write(p.text); err != nil {
				c.reset()
			}
		}
		if !torn {
			to.CloseWrite()
		}
	}()
	var in io.Reader = from
	if plain {
		in = &greeting{r: from}
	}
	for {
		buf := make([]byte, chunk)
		n, err := in.Read(buf)
		if n > 0 {
			text, cut := r.pass(c, buf[:n], up)
			way <- parcel{time.Now().Add(r.oneWay()), text}
			if cut {
				torn = true
				close(way)
				<-done // what came before the cut arrives
				r.Cut()
				return
			}
		}
		if err != nil {
			close(way)
			<-done
			return
		}
	}
}

func (r *Relay) oneWay() (d time.Duration) {
	r.set(func() { d = r.delay })
	return d
}

// pass accounts for octets and returns those that go on; cut says that they are
// the last.
func (r *Relay) pass(c *conn, text []byte, up bool) (on []byte, cut bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if up && r.left >= 0 {
		if cut = int64(len(text)) >= r.left; cut {
			text = text[:r.left]
			r.left = -1
			r.cuts++
		} else {
			r.left -= int64(len(text))
		}
	}
	if up {
		r.reached(text)
		r.reachedOne(c, text)
	}
	if r.record {
		if up {
			r.sent = append(r.sent, text...)
		} else {
			r.got = append(r.got, text...)
		}
	}
	return text, cut
}

// offer is the line by which a server says that it can compress.
var offer = []byte("* COMPRESS DEFLATE\r\n")

// greeting reads a connection and leaves the offer of compression out of the
// greeting, which ends with the line that begins with "* OK".
type greeting struct {
	r    io.Reader
	held []byte
	past bool
}

func (g *greeting) Read(p []byte) (int, error) {
	for !g.past {
		buf := make([]byte, 4096)
		n, err := g.r.Read(buf)
		g.held = append(g.held, buf[:n]...)
		ok := bytes.Index(g.held, []byte("* OK"))
		g.past = err != nil || ok >= 0 && bytes.IndexByte(g.held[ok:], '\n') >= 0
		if g.past {
			g.held = bytes.Replace(g.held, offer, nil, 1)
		}
		if err != nil && len(g.held) == 0 {
			return 0, err
		}
	}
	if len(g.held) > 0 {
		n := copy(p, g.held)
		g.held = g.held[n:]
		return n, nil
	}
	return g.r.Read(p)
}
