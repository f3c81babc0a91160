package csync

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/backend"
	"gocyrus/lib/prot"
	"gocyrus/lib/saslclient"
	"gocyrus/lib/servertest"
)

func TestParseAddress(t *testing.T) {
	for in, want := range map[string]Address{
		"replica":              {Host: "replica"},
		"replica:2005":         {Host: "replica", Port: "2005"},
		"replica:csync/tls":    {Host: "replica", Port: "csync", TLS: true},
		"replica/noauth":       {Host: "replica", NoAuth: true},
		"replica:1/tls/noauth": {Host: "replica", Port: "1", TLS: true, NoAuth: true},
		"[::1]:2005":           {Host: "::1", Port: "2005"},
		"[::1]":                {Host: "::1"},
		"::1":                  {Host: "::1"},
		"/run/cyrus/sync":      {Host: "/run/cyrus/sync", Unix: true},
		"":                     {},
		"replica/ssl":          {},
		":2005":                {},
	} {
		got, err := ParseAddress(in)
		if bad := want == (Address{}); bad != errors.Is(err, ErrAddress) || !bad && got != want {
			t.Errorf("%q: %+v, %v", in, got, err)
		}
	}
}

// heard keeps what a client said, as a copy of the stream at its end.
func heard(t testing.TB, o Options, banner string, do func(r *replica, cmd *Command) bool) (*Client, *bytes.Buffer) {
	var b bytes.Buffer
	o.Trace = &b
	return dialWith(t, banner, o, do), &b
}

func TestCompress(t *testing.T) {
	c := dialWith(t, "* SASL PLAIN\r\n* COMPRESS DEFLATE\r\n* OK B.test Cyrus sync server 3.6.1\r\n", Options{}, echo)
	if !c.Compressed() || c.CompressErr() != nil {
		t.Errorf("compressed %v, %v", c.Compressed(), c.CompressErr())
	}
	var pending []*Pending
	for i := range 500 {
		pending = append(pending, c.Start(NewGet("USER", FromClient.Text(fmt.Sprint("user", i)))))
	}
	for i, p := range pending {
		checkEcho(t, fmt.Sprint("user", i), p)
	}
}

func TestTrace(t *testing.T) {
	c, said := heard(t, Options{}, greeting, echo)
	c.Do(t.Context(), NewGet("USER", FromClient.Text("alice")))
	c.Close()
	want := "APPLY CAPABILITIES (SIEVE-MAILBOX)\r\n* ENABLED (SIEVE-MAILBOX)\r\nOK success\r\nGET USER alice\r\n* LSUB (alice "
	if !strings.HasPrefix(said.String(), want) {
		t.Errorf("heard %.200q", said)
	}
}

// serverTLS is a certificate that nobody trusts.
func serverTLS(t testing.TB) *tls.Config {
	cert, _ := servertest.Certificate(t, "replica")
	return &tls.Config{Certificates: []tls.Certificate{cert}}
}

// TestStartTLS: only where no mechanism is to be had without.
func TestStartTLS(t *testing.T) {
	conf := serverTLS(t)
	for _, offered := range []string{"", "* SASL PLAIN\r\n"} {
		did := false
		o := onPipe(t, Options{TLS: &tls.Config{InsecureSkipVerify: true}}, func(p *prot.Conn) {
			r := &replica{t: t, conn: p, banner: offered + "* STARTTLS\r\n* OK B.test Cyrus sync server 3.6.1\r\n"}
			r.do = func(r *replica, cmd *Command) bool {
				if cmd.Verb != "STARTTLS" {
					return r.say("OK success")
				}
				r.say("OK Begin TLS negotiation now")
				did = true
				if err := p.StartTLS(t.Context(), conf, time.Minute); err != nil {
					t.Errorf("server: %v", err)
					return false
				}
				return r.say("* SASL PLAIN\r\n* SIEVE-MAILBOX\r\n* OK B.test Cyrus sync server 3.6.1")
			}
			r.serve()
		})
		c, err := Dial(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Do(t.Context(), NewNoop()); err != nil || did != (offered == "") || c.SieveMailbox() != did {
			t.Errorf("offered %q: TLS %v, sieve %v, %v", offered, did, c.SieveMailbox(), err)
		}
		c.Close()
	}
}

// TestTLSFirst: with /tls nothing is said before the handshake.
func TestTLSFirst(t *testing.T) {
	conf := serverTLS(t)
	o := onPipe(t, Options{Addr: "replica/tls", TLS: &tls.Config{InsecureSkipVerify: true}}, func(p *prot.Conn) {
		if err := p.StartTLS(t.Context(), conf, time.Minute); err != nil {
			t.Errorf("server: %v", err)
			p.Abort()
			return
		}
		(&replica{t: t, conn: p, banner: greeting}).serve()
	})
	c, err := Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if !c.SieveMailbox() {
		t.Error("no sieve mailbox")
	}
	c.Close()
}

func TestDialRefused(t *testing.T) {
	for _, tc := range []struct {
		name, banner string
		o            Options
		want         error
	}{
		{"no mechanism", "* OK B.test Cyrus sync server\r\n", Options{}, saslclient.ErrNoMechanism},
		{"not that one", greeting, Options{Mechs: []string{"SCRAM-SHA-256"}}, saslclient.ErrNoMechanism},
		{"going down", "BYE shutting down\r\n", Options{}, backend.ErrRefused},
		{"not allowed", greeting, Options{}, ErrDenied},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Dial(t.Context(), onPipe(t, tc.o, func(p *prot.Conn) {
				io.WriteString(p, tc.banner)
				for r := NewReader(p, Limits{}); ; {
					cmd, err := r.ReadCommand(false, nil)
					if err != nil {
						p.Abort()
						return
					}
					if cmd.Verb == "AUTHENTICATE" {
						io.WriteString(p, "OK Success (no protection)\r\n")
					} else {
						io.WriteString(p, "NO Permission denied\r\n")
					}
				}
			}))
			if !errors.Is(err, tc.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestUnixSocket: there is no login there, and silence about capabilities is
// answered with a question.
func TestUnixSocket(t *testing.T) {
	c := dialWith(t, "* OK B.test Cyrus sync server 3.6.1\r\n", Options{Addr: "/run/sync"}, nil)
	if !c.SieveMailbox() {
		t.Error("no sieve mailbox")
	}
	old, err := Dial(t.Context(), onPipe(t, Options{Addr: "/run/sync"}, quietCsync))
	if err != nil || old.SieveMailbox() {
		t.Fatalf("a server that does not know the question: %v", err)
	}
	old.Close()
}

const imapGreeting = "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] B.test Cyrus IMAP 3.6.1 server ready\r\n"

// imapReplica answers as an IMAP server does, with these capabilities after login.
func imapReplica(t testing.TB, p *prot.Conn, caps string) {
	defer p.Abort()
	io.WriteString(p, imapGreeting)
	for {
		head, err := p.AppendUntil(nil, atomStop, 100)
		if err != nil {
			return
		}
		tag := string(head)
		p.ReadByte()
		verb, _ := p.AppendUntil(nil, atomStop, 100)
		sync, isSync := strings.CutPrefix(string(verb), "SYNC")
		if isSync && sync != "RESTART" {
			p.ReadByte()
			cmd, err := NewReader(p, Limits{}).ReadItem(sync, nil)
			if err != nil {
				t.Errorf("server: %v", err)
				return
			}
			fmt.Fprintf(p, "* OK [ALERT] ignore me\r\n* %s %s\r\n%s OK success\r\n", cmd.Name, cmd.Value, tag)
			continue
		}
		p.AppendUntil(nil, lineStop, 1000)
		p.ReadByte()
		switch string(verb) {
		case "AUTHENTICATE":
			fmt.Fprintf(p, "%s OK [CAPABILITY IMAP4rev1%s] Success\r\n", tag, caps)
		case "CAPABILITY":
			fmt.Fprintf(p, "* CAPABILITY IMAP4rev1%s\r\n%s OK done\r\n", caps, tag)
		case "LOGOUT":
			fmt.Fprintf(p, "* BYE LOGOUT received\r\n%s OK Completed\r\n", tag)
		default:
			fmt.Fprintf(p, "%s OK Restarting\r\n", tag)
		}
	}
}

func TestIMAP(t *testing.T) {
	var trace bytes.Buffer
	var tags Tags
	o := onPipe(t, Options{TryIMAP: true, Trace: &trace, Tags: &tags}, func(p *prot.Conn) {
		imapReplica(t, p, " X-REPLICATION X-SIEVE-MAILBOX "+CapOurs)
	})
	for range 2 {
		c, err := Dial(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if !c.IMAP() || !c.Ours() {
			t.Errorf("imap %v, ours %v", c.IMAP(), c.Ours())
		}
		a, err := c.Do(t.Context(), NewGet("USER", FromClient.Text("alice")))
		if err != nil || len(a.Items) != 1 || a.Text != "OK success" {
			t.Errorf("%+v, %v", a, err)
		}
		if a, err := c.Do(t.Context(), NewRestart()); err != nil || a.Text != "OK Restarting" {
			t.Errorf("%+v, %v", a, err)
		}
		if err := c.Logout(t.Context()); err != nil {
			t.Error(err)
		}
	}
	// The tags go on from one session to the next.
	for _, line := range []string{"S0 SYNCAPPLY CAPABILITIES (SIEVE-MAILBOX)", "S2 SYNCRESTART", "Q01 LOGOUT", "S3 SYNCAPPLY", "S5 SYNCRESTART"} {
		if !strings.Contains(trace.String(), line) {
			t.Errorf("%s was not said in %q", line, &trace)
		}
	}
}

// TestIMAPFallsBack: where IMAP is no way, csync is.
func TestIMAPFallsBack(t *testing.T) {
	for name, first := range map[string]func(p *prot.Conn){
		"csync at once":       func(p *prot.Conn) { (&replica{t: t, conn: p, banner: greeting}).serve() },
		"csync that is quiet": func(p *prot.Conn) { quietCsync(p) },
		"no replication":      func(p *prot.Conn) { imapReplica(t, p, " IDLE") },
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			c, err := Dial(t.Context(), onPipe(t, Options{TryIMAP: true}, func(p *prot.Conn) {
				if n++; n == 1 {
					first(p)
					return
				}
				(&replica{t: t, conn: p, banner: greeting}).serve()
			}))
			if err != nil {
				t.Fatal(err)
			}
			if c.IMAP() || n != 2 {
				t.Errorf("imap %v after %d connections", c.IMAP(), n)
			}
			c.Close()
		})
	}
}

// quietCsync greets without capabilities and knows no IMAP.
func quietCsync(p *prot.Conn) {
	defer p.Abort()
	io.WriteString(p, "* OK B.test Cyrus sync server 3.6.1\r\n")
	for r := NewReader(p, Limits{}); ; {
		if _, err := r.ReadCommand(true, nil); err != nil {
			return
		}
		io.WriteString(p, "BAD IMAP_PROTOCOL_ERROR Unrecognized command\r\n")
	}
}
