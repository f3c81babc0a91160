package popserver

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"

	"gocyrus/lib/servertest"
)

var anyCert = &tls.Config{InsecureSkipVerify: true}

func TestSTLS(t *testing.T) {
	c := newClient(t, dialer(t, testServer(t, servertest.WithTLS(t, "mail.example.com")+"tls_required: yes\n")))
	c.ok("CAPA")
	if caps := c.text(); !strings.Contains(caps, "STLS\r\n") || strings.Contains(caps, "SASL") || strings.Contains(caps, "USER") {
		t.Errorf("before TLS: %q", caps)
	}
	fmt.Fprint(c, "USER alice\r\n")
	if got, want := c.line(), "-ERR [AUTH] USER command only available under a layer"; got != want {
		t.Errorf("USER: %s, want %s", got, want)
	}
	// What is sent ahead of the handshake is not heard.
	fmt.Fprint(c, "STLS\r\nUSER bob\r\n")
	if got, want := c.line(), "+OK Begin TLS negotiation now"; got != want {
		t.Fatalf("STLS: %s, want %s", got, want)
	}
	c.Conn = tls.Client(c.Conn, anyCert)
	c.r = bufio.NewReader(c)
	c.ok("CAPA")
	if caps := c.text(); strings.Contains(caps, "STLS\r\n") || !strings.Contains(caps, "USER\r\n") {
		t.Errorf("below TLS: %q", caps)
	}
	fmt.Fprint(c, "STLS\r\n")
	if got, want := c.line(), "-ERR Already successfully executed STLS"; got != want {
		t.Errorf("second STLS: %s, want %s", got, want)
	}
	c.ok("USER alice")
	c.ok("PASS x")
	for i, want := range texts {
		c.ok(fmt.Sprintf("RETR %d", i+1))
		if got := c.text(); got != want {
			t.Errorf("message %d: %d octets, want %d", i+1, len(got), len(want))
		}
	}
}

// pop3d -s speaks TLS from the first octet.
func TestImplicitTLS(t *testing.T) {
	srv := testServer(t, servertest.WithTLS(t, "mail.example.com"))
	srv.opts.Implicit = true
	dial := dialer(t, srv)
	c := newClient(t, func() net.Conn { return tls.Client(dial(), anyCert) })
	c.ok("USER alice")
	c.ok("PASS x")
}
