package imtest

import (
	"bufio"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/emersion/go-sasl"
)

// withoutIR keeps the first words of a mechanism until the server asks for
// them with an empty challenge.
type withoutIR struct {
	sasl.Client
	held []byte
}

func (w *withoutIR) Start() (string, []byte, error) {
	mech, ir, err := w.Client.Start()
	w.held = ir
	return mech, nil, err
}

func (w *withoutIR) Next(challenge []byte) ([]byte, error) {
	if w.held != nil {
		first := w.held
		w.held = nil
		return first, nil
	}
	return w.Client.Next(challenge)
}

// interactive joins input and connection until the server closes or ctx ends.
func (c *client) interactive(ctx context.Context) error {
	in := c.In
	if c.File != "" {
		f, err := os.Open(c.File)
		if err != nil {
			return &Failure{"Unable to open file", err}
		}
		defer f.Close()
		in = io.TeeReader(f, c.Out)
	}
	stop := context.AfterFunc(ctx, func() {
		c.sayLogout()
		c.conn.Close()
	})
	defer stop()
	go c.send(in, c.File == "")
	_, err := io.Copy(c.Out, c.conn.Reader())
	if err != nil && !isClosed(err) {
		fmt.Fprintf(c.Out, "Protection error: %v\n", err)
	}
	fmt.Fprint(c.Out, "Connection closed.\n")
	return nil
}

// isClosed says whether a read ended as connections end.
func isClosed(err error) bool {
	return strings.Contains(err.Error(), "connection reset") || strings.Contains(err.Error(), "closed") ||
		strings.Contains(err.Error(), "EOF")
}

// send copies input to the server, line ends made CRLF for a terminal, and says
// goodbye at its end. Errors of the connection show in the reading half.
func (c *client) send(in io.Reader, lines bool) {
	if lines {
		r := bufio.NewReader(in)
		for {
			line, err := r.ReadString('\n')
			if strings.HasSuffix(line, "\n") && !strings.HasSuffix(line, "\r\n") {
				line = line[:len(line)-1] + "\r\n"
			}
			c.conn.Writer().WriteString(line)
			c.conn.Flush()
			if err != nil {
				break
			}
		}
	} else if _, err := io.Copy(c.conn.Writer(), in); err != nil {
		return
	}
	c.conn.Flush()
	c.sayLogout()
}

// sayLogout sends the goodbye and waits for nothing.
func (c *client) sayLogout() { c.conn.SayLogout() }

// serveSocket serves the logged-in session on a unix socket, one peer after the
// other.
func (c *client) serveSocket(ctx context.Context) error {
	os.Remove(c.Socket)
	l, err := net.Listen("unix", c.Socket)
	if err != nil {
		return &Failure{"could not bind output socket", err}
	}
	defer l.Close()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	lost := make(chan struct{})
	out := newSwitch()
	go func() {
		io.Copy(out, c.conn.Reader())
		close(lost)
		l.Close()
	}()
	for {
		peer, err := l.Accept()
		if err != nil {
			break
		}
		out.to(peer)
		io.Copy(flusher{c}, peer)
		out.to(io.Discard)
		peer.Close()
	}
	select {
	case <-lost:
	default:
		c.sayLogout()
	}
	fmt.Fprint(c.Out, "Connection closed.\n")
	return nil
}

// flusher writes through to the server.
type flusher struct{ c *client }

func (f flusher) Write(p []byte) (int, error) {
	n, err := f.c.conn.Writer().Write(p)
	if err == nil {
		err = f.c.conn.Flush()
	}
	return n, err
}

// verifyText is OpenSSL's complaint about a certificate chain, empty for a good
// one.
func verifyText(chain []*x509.Certificate) string {
	if len(chain) == 0 {
		return ""
	}
	leaf := chain[0]
	pool := x509.NewCertPool()
	for _, c := range chain[1:] {
		pool.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Intermediates: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	switch e := err.(type) {
	case nil:
		return ""
	case x509.CertificateInvalidError:
		if e.Reason == x509.Expired {
			return "num=10:certificate has expired"
		}
	}
	if string(leaf.RawIssuer) == string(leaf.RawSubject) {
		return "num=18:self-signed certificate"
	}
	return "num=20:unable to get local issuer certificate"
}
