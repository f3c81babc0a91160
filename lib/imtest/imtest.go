// Package imtest is the interactive client behind imtest, pop3test, lmtptest
// and their kin: it logs in to a server, shows the dialogue, and then joins the
// terminal to the connection. Monitoring scripts look for "Authenticated.".
package imtest

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"gocyrus/lib/backend"
	"gocyrus/lib/tlsconf"
)

// Options are what the command line says.
type Options struct {
	Proto    *backend.Protocol
	Host     string
	Port     string // name or number; empty for the protocol's
	AuthName string // empty for the user who runs us
	UserName string
	Realm    string
	Password func() (string, error) // asked once it is needed
	Mech     string                 // "login", "user" and "apop" are not SASL
	MinSSF   int
	Wrapped  bool   // TLS from the first octet
	StartTLS bool   // STARTTLS
	KeyFile  string // certificate and key to show; empty for none
	Compress bool
	Attempts int
	Verbose  bool
	Timing   bool
	NoIR     bool // never an initial response

	File   string // sent after authentication in place of In
	Socket string // serves the session on a unix socket
	In     io.Reader
	Out    io.Writer // written by two goroutines at once
	Err    io.Writer
}

// Failure is the end of a session that cannot go on, in the words that Cyrus's
// program prints after "failure: ".
type Failure struct {
	Text string
	Err  error // what was behind it; may be nil
}

func (f *Failure) Error() string {
	if f.Err == nil {
		return f.Text
	}
	return f.Text + ": " + f.Err.Error()
}

func (f *Failure) Unwrap() error { return f.Err }

func lost(err error) error { return &Failure{"prot layer failure", err} }

// client is one run.
type client struct {
	Options
	conn     *backend.Conn
	greeting string
}

// Run does what o says. A login that the server refuses is no error: the
// session goes on, as it always has.
func Run(ctx context.Context, o Options) error {
	c := &client{Options: o}
	for n := max(o.Attempts, 1); n > 0; n-- {
		if c.conn != nil {
			c.logout()
			fmt.Fprint(c.Out, "Connection closed.\n\n")
		}
		if err := c.begin(ctx); err != nil {
			return err
		}
	}
	defer c.conn.Close()
	if c.Compress && c.conn.Caps.Has("COMPRESS=DEFLATE") {
		if err := c.conn.Compress(); err != nil && !errors.Is(err, backend.ErrRefused) {
			return lost(err)
		}
	}
	switch {
	case o.Timing:
		return c.timing()
	case o.Socket != "":
		return c.serveSocket(ctx)
	}
	return c.interactive(ctx)
}

// begin connects, starts TLS and logs in.
func (c *client) begin(ctx context.Context) error {
	if err := c.connect(ctx); err != nil {
		return err
	}
	if c.StartTLS && !c.Wrapped {
		if !c.conn.Caps.Has("STARTTLS") && !c.conn.Caps.Has("STLS") {
			return &Failure{Text: "STARTTLS not supported by the server!"}
		}
		if err := c.conn.StartTLS(ctx, c.tlsConfig()); err != nil && !errors.Is(err, backend.ErrRefused) {
			return &Failure{"TLS negotiation failed!", err}
		}
	}
	if err := c.authenticate(); err != nil {
		if isLost(err) {
			return lost(err)
		}
		fmt.Fprint(c.Out, "Authentication failed. generic failure\n")
	} else {
		fmt.Fprint(c.Out, "Authenticated.\n")
	}
	fmt.Fprintf(c.Out, "Security strength factor: %d\n", c.ssf())
	return nil
}

// isLost says whether the connection is of no more use.
func isLost(err error) bool {
	var ne net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &ne)
}

func (c *client) connect(ctx context.Context) error {
	port := c.Port
	if port == "" {
		port = c.servicePort()
	}
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(c.Host, port))
	if err != nil {
		var errno syscall.Errno
		if errors.As(err, &errno) {
			fmt.Fprintf(c.Err, "connect: %s\n", capital(errno.Error()))
		} else {
			fmt.Fprintf(c.Err, "getaddrinfo: %v\n", err)
		}
		return &Failure{Text: fmt.Sprintf("Network initialization - cannot connect to %s:%s", c.Host, cmp.Or(c.Port, c.portName()))}
	}
	o := backend.Options{TLS: c.tlsConfig(), Wrapped: c.Wrapped, Trace: c.trace}
	if c.conn, err = backend.New(ctx, c.Proto, nc, o); err != nil {
		nc.Close()
		return lost(err)
	}
	return nil
}

// capital makes Go's text of an error number the C library's.
func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func (c *client) portName() string {
	if c.Wrapped {
		return c.Proto.TLSName
	}
	return c.Proto.Name
}

// servicePort asks the system for the port and falls back on the registered
// one.
func (c *client) servicePort() string {
	if n, err := net.LookupPort("tcp", c.portName()); err == nil {
		return fmt.Sprint(n)
	}
	if c.Wrapped {
		return c.Proto.TLSPort
	}
	return c.Proto.Port
}

// trace shows a line of the dialogue.
func (c *client) trace(who byte, line string) {
	if c.greeting == "" && who == 'S' {
		c.greeting = line
	}
	fmt.Fprintf(c.Out, "%c: %s\r\n", who, line)
}

func (c *client) ssf() int {
	if cs := c.conn.TLS(); cs != nil {
		return tlsconf.Bits(cs.CipherSuite)
	}
	return 0
}

// tlsConfig believes any certificate, as this tool looks for other faults, but
// says what is wrong with it.
func (c *client) tlsConfig() *tls.Config {
	conf := &tls.Config{ServerName: c.Host, InsecureSkipVerify: true, MinVersion: tls.VersionTLS10}
	conf.VerifyConnection = func(cs tls.ConnectionState) error {
		if msg := verifyText(cs.PeerCertificates); msg != "" {
			fmt.Fprintf(c.Out, "verify error:%s\n", msg)
		}
		bits := tlsconf.Bits(cs.CipherSuite)
		fmt.Fprintf(c.Out, "TLS connection established: %s with cipher %s (%d/%d bits)\n",
			tlsconf.VersionName(cs.Version), tlsconf.CipherName(cs.CipherSuite), bits, bits)
		return nil
	}
	if c.KeyFile != "" {
		cert, err := tls.LoadX509KeyPair(c.KeyFile, c.KeyFile)
		if err != nil {
			fmt.Fprintf(c.Out, "unable to get certificate from '%s'\n", c.KeyFile)
			return conf
		}
		conf.Certificates = []tls.Certificate{cert}
	}
	return conf
}

// logout says goodbye and shows the answer.
func (c *client) logout() {
	if err := c.conn.Logout(); err != nil {
		fmt.Fprintf(c.Err, "logout: %v\n", err)
	}
	c.greeting = ""
}

// WritePID writes the process id to a file.
func WritePID(path string) error {
	return os.WriteFile(path, []byte(fmt.Sprint(os.Getpid())), 0o644)
}
