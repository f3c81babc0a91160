package syncserver

import (
	"bufio"
	"crypto/tls"
	"testing"

	"gocyrus/lib/servertest"
)

// TestStartTLS is a site where passwords may not cross the connection in clear.
func TestStartTLS(t *testing.T) {
	srv := testServer(t, servertest.WithTLS(t, "mail.example.com")+"allowplaintext: no\n")
	c := dialer(t, srv, "tcp")()
	const ok = "* OK mail.example.com Cyrus sync server VERSION\r\n"
	if got := greeting(t, c); got != "* STARTTLS\r\n* COMPRESS DEFLATE\r\n* SIEVE-MAILBOX\r\n* X-GOCYRUS-SYNC\r\n"+ok {
		t.Errorf("before TLS: %q", got)
	}
	p := &peer{t: t, Conn: c, r: bufio.NewReader(c)}
	// What is sent ahead of the handshake is not heard.
	p.send("STARTTLS\r\nEXIT\r\n")
	if got := p.line(); got != "OK Begin TLS negotiation now" {
		t.Fatalf("STARTTLS: %q", got)
	}
	p.Conn = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	if got := greeting(t, p.Conn); got != "* SASL PLAIN LOGIN\r\n* SIEVE-MAILBOX\r\n* X-GOCYRUS-SYNC\r\n"+ok {
		t.Errorf("below TLS: %q", got)
	}
	p.r = bufio.NewReader(p.Conn)
	p.want("STARTTLS", "BAD Already did a successful Starttls")
	p.want("AUTHENTICATE PLAIN "+plainResponse("repl"), "OK Success (tls protection)")
	p.want("STARTTLS", "BAD Can't Starttls after authentication")
	p.want(upload("default", messageOne), "OK success")
	p.want("GET USER nobody", "OK success")
	p.want("EXIT", "OK Finished")
}
