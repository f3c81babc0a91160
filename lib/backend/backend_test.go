package backend

import (
	"bufio"
	"compress/flate"
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/saslclient"
)

// script plays a server: lines with "S: " are sent, those with "C: " must come.
// It reports what came instead, or "" when all was well.
func script(lines string) (net.Conn, chan string) {
	server, client := net.Pipe()
	result := make(chan string, 1)
	go func() {
		defer server.Close()
		r := bufio.NewReader(server)
		for _, l := range strings.Split(strings.TrimSpace(lines), "\n") {
			if text, ok := strings.CutPrefix(l, "S: "); ok || l == "S:" {
				server.Write([]byte(text + "\r\n"))
				continue
			}
			got, err := r.ReadString('\n')
			if got = strings.TrimRight(got, "\r\n"); err != nil || "C: "+got != l {
				result <- "got " + got + ", want " + l
				return
			}
		}
		result <- ""
	}()
	return client, result
}

// TestDialogues are log-ins as Cyrus 3.6.1 carried them out with its own
// imtest, pop3test, lmtptest and sivtest.
func TestDialogues(t *testing.T) {
	alice := saslclient.Credentials{AuthcID: "alice", Password: "pwalice"}
	plain := func(mech string) func(*Conn) error {
		return func(c *Conn) error { return c.Authenticate([]string{mech}, alice, false, true) }
	}
	login := func(c *Conn) error { return c.Login("alice", "pwalice") }
	for _, tc := range []struct {
		name  string
		proto *Protocol
		do    func(*Conn) error
		err   error
		file  string
	}{
		{"imap PLAIN", IMAP, plain("PLAIN"), nil, "imap-plain"},
		{"imap PLAIN refused", IMAP, plain("PLAIN"), ErrAuth, "imap-plain-no"},
		{"imap without SASL-IR", IMAP, plain("PLAIN"), nil, "imap-noir"},
		{"imap LOGIN", IMAP, login, nil, "imap-login"},
		{"imap LOGIN refused", IMAP, login, ErrAuth, "imap-login-no"},
		{"imap refuses a mechanism it offered", IMAP, plain("LOGIN"), ErrAuth, "imap-mech-bad"},
		{"pop3 PLAIN", POP3, plain("PLAIN"), nil, "pop3-plain"},
		{"pop3 USER", POP3, login, nil, "pop3-user"},
		{"lmtp LOGIN refused", LMTP, plain("LOGIN"), ErrAuth, "lmtp-login-no"},
		{"sieve PLAIN", Sieve, plain("PLAIN"), nil, "sieve-plain"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			lines, err := os.ReadFile("testdata/" + tc.file + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			nc, result := script(string(lines))
			defer nc.Close()
			var traced []string
			c, err := New(context.Background(), tc.proto, nc, Options{Trace: func(who byte, l string) {
				traced = append(traced, string(who)+": "+l)
			}})
			if err != nil {
				t.Fatal(err)
			}
			if err := tc.do(c); !errors.Is(err, tc.err) {
				t.Errorf("error %v; want %v", err, tc.err)
			}
			if bad := <-result; bad != "" {
				t.Error(bad)
			}
			if tr := strings.Join(traced, "\n"); strings.Contains(tr, "pwalice") {
				t.Errorf("the password is shown:\n%s", tr)
			}
		})
	}
}

func TestCaps(t *testing.T) {
	for _, tc := range []struct {
		proto  *Protocol
		script string
		words  []string
		mechs  []string
	}{
		{IMAP, "S: * OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN AUTH=LOGIN SASL-IR] x ready",
			[]string{"STARTTLS", "SASL-IR"}, []string{"PLAIN", "LOGIN"}},
		{IMAP, "S: * OK x ready\nC: C01 CAPABILITY\nS: * CAPABILITY IMAP4rev1 IDLE\nS: C01 OK Completed", []string{"IDLE"}, nil},
		{POP3, "S: +OK x\nC: CAPA\nS: +OK List follows\nS: SASL PLAIN LOGIN\nS: STLS\nS: EXPIRE NEVER\nS: .",
			[]string{"STLS", "EXPIRE"}, []string{"PLAIN", "LOGIN"}},
		{LMTP, "S: 220 x\nC: LHLO lmtptest\nS: 250-x\nS: 250-SIZE 10\nS: 250-AUTH PLAIN\nS: 250 Ok", []string{"SIZE"}, []string{"PLAIN"}},
		{Sieve, "S: \"IMPLEMENTATION\" \"x\"\nS: \"SASL\" \"PLAIN LOGIN\"\nS: \"STARTTLS\"\nS: OK", []string{"STARTTLS"}, []string{"PLAIN", "LOGIN"}},
		{MUPDATE, "S: * AUTH \"PLAIN\" \"LOGIN\"\nS: * STARTTLS\nS: * PARTIAL-UPDATE\nS: * OK MUPDATE \"x\"", []string{"STARTTLS", "PARTIAL-UPDATE"}, []string{"PLAIN", "LOGIN"}},
		{Csync, "S: * SASL PLAIN\nS: * STARTTLS\nS: * COMPRESS DEFLATE\nS: * OK x Cyrus sync server", []string{"STARTTLS", "COMPRESS"}, []string{"PLAIN"}},
	} {
		t.Run(tc.proto.Name, func(t *testing.T) {
			nc, result := script(tc.script)
			defer nc.Close()
			c, err := New(context.Background(), tc.proto, nc, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if bad := <-result; bad != "" {
				t.Error(bad)
			}
			for _, w := range tc.words {
				if !c.Caps.Has(w) {
					t.Errorf("no %s in %q", w, c.Caps.Words)
				}
			}
			if (tc.proto == IMAP || tc.proto == Csync) && !strings.HasPrefix(c.Greeting, "* OK ") {
				t.Errorf("greeting %q", c.Greeting)
			}
			if !slices.Equal(c.Caps.Mechs, tc.mechs) {
				t.Errorf("mechanisms %q; want %q", c.Caps.Mechs, tc.mechs)
			}
		})
	}
	if v := (Caps{Words: []string{"SIZE 10", "COMPRESS=DEFLATE"}}).Value("SIZE"); v != "10" {
		t.Errorf("value of SIZE: %q", v)
	}
}

func TestHello(t *testing.T) {
	nc, result := script("S: 220 x\nC: LHLO mx.example.com\nS: 250 Ok")
	defer nc.Close()
	if _, err := New(context.Background(), LMTP, nc, Options{Hello: "mx.example.com"}); err != nil {
		t.Fatal(err)
	}
	if bad := <-result; bad != "" {
		t.Error(bad)
	}
}

func TestRefusals(t *testing.T) {
	for name, tc := range map[string]struct {
		proto *Protocol
		line  string
	}{
		"imap": {IMAP, "S: * BYE too many"},
		"pop3": {POP3, "S: -ERR too many"},
		"lmtp": {LMTP, "S: 421 4.3.2 shutdown"},
		"sync": {Csync, "S: * BYE shutdown"},
		// A sync server that greets like IMAP and does not know the question.
		"imap meets csync": {IMAP, "S: * OK x Cyrus sync server\nC: C01 CAPABILITY\nS: BAD IMAP_PROTOCOL_ERROR Unrecognized command"},
	} {
		nc, _ := script(tc.line)
		if _, err := New(context.Background(), tc.proto, nc, Options{}); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
		nc.Close()
	}
}

// TestBeforeTLS checks that what somebody slipped in before TLS is not taken.
func TestBeforeTLS(t *testing.T) {
	server, nc := net.Pipe()
	defer nc.Close()
	go func() {
		server.Write([]byte("* OK [CAPABILITY IMAP4rev1 STARTTLS] x\r\n"))
		bufio.NewReader(server).ReadString('\n')
		server.Write([]byte("S01 OK begin\r\n* OK injected\r\n"))
	}()
	c, err := New(context.Background(), IMAP, nc, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.StartTLS(context.Background(), nil); !errors.Is(err, ErrProtocol) {
		t.Errorf("StartTLS: %v", err)
	}
}

func TestCompress(t *testing.T) {
	server, client := net.Pipe()
	defer client.Close()
	go func() {
		r := bufio.NewReader(server)
		server.Write([]byte("* OK [CAPABILITY COMPRESS=DEFLATE] x\r\n"))
		r.ReadString('\n')
		server.Write([]byte("Z01 OK active\r\n"))
		fr := bufio.NewReader(flate.NewReader(r))
		fw, _ := flate.NewWriter(server, flate.BestSpeed)
		for {
			line, err := fr.ReadString('\n')
			if err != nil {
				return
			}
			fw.Write([]byte("echo " + line))
			fw.Flush()
		}
	}()
	c, err := New(context.Background(), IMAP, client, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if c.Compressed() {
		t.Error("compressed too soon")
	}
	if err := c.Compress(); err != nil {
		t.Fatal(err)
	}
	if !c.Compressed() {
		t.Error("not compressed")
	}
	for _, text := range []string{"one", "two"} {
		if err := c.WriteLine(text); err != nil {
			t.Fatal(err)
		}
		if line, err := c.ReadLine(); err != nil || line != "echo "+text {
			t.Errorf("%q, %v", line, err)
		}
	}
}

// FuzzServer lets a hostile server say anything: the client must give up.
func FuzzServer(f *testing.F) {
	f.Add(0, []byte("* OK [CAPABILITY AUTH=PLAIN SASL-IR] x\r\nA01 OK\r\n"))
	f.Add(1, []byte("+OK\r\n+OK\r\nSASL LOGIN\r\n.\r\n+ \r\n+ !\r\n"))
	f.Add(4, []byte("\"SASL\" \"SCRAM-SHA-1\"\r\nOK\r\n{9999}\r\n"))
	f.Fuzz(func(t *testing.T, which int, says []byte) {
		protos := Protocols()
		server, client := net.Pipe()
		go func() {
			go func() {
				buf := make([]byte, 4096)
				for {
					if _, err := server.Read(buf); err != nil {
						return
					}
				}
			}()
			server.Write(says)
			server.Close()
		}()
		c, err := New(context.Background(), protos[uint(which)%uint(len(protos))], client, Options{})
		if err == nil {
			c.Authenticate(nil, saslclient.Credentials{AuthcID: "alice", Password: "x"}, false, true)
		}
		client.Close()
	})
}
