package cyradm

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"gocyrus/lib/servertest"
)

// fake is a server that answers by the command's first words and keeps what
// it heard.
type fake struct {
	caps    string
	tls     *tls.Config       // for STARTTLS; before it there is no login
	answers map[string]string // beginning of a command, to lines; "bye" hangs up

	addr  string
	mu    sync.Mutex
	heard []string
}

func (f *fake) start(t *testing.T) *fake {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.addr = l.Addr().String()
	var wg sync.WaitGroup
	t.Cleanup(func() { l.Close(); wg.Wait() })
	wg.Add(1)
	go func() {
		defer wg.Done()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Add(1)
			go func() {
				defer wg.Done()
				defer c.Close()
				f.serve(c)
			}()
		}
	}()
	return f
}

func (f *fake) serve(c net.Conn) {
	if f.tls != nil {
		fmt.Fprintf(c, "* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] fake\r\n")
	} else {
		fmt.Fprintf(c, "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] fake\r\n")
	}
	r := bufio.NewReader(c)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		// A literal that waits for nobody is part of the command.
		for strings.HasSuffix(line, "+}\r\n") {
			more, err := r.ReadString('\n')
			if err != nil {
				return
			}
			line += more
		}
		if strings.HasSuffix(line, "}\r\n") {
			fmt.Fprintf(c, "+ go ahead\r\n")
			more, err := r.ReadString('\n')
			if err != nil {
				return
			}
			line += more
		}
		tag, cmd, _ := strings.Cut(strings.TrimSuffix(line, "\r\n"), " ")
		answer := f.answer(cmd)
		if cmd == "STARTTLS" && f.tls != nil {
			fmt.Fprintf(c, "%s OK Begin TLS\r\n", tag)
			c = tls.Server(c, f.tls)
			r.Reset(c)
			continue
		}
		if answer == "bye" {
			return
		}
		fmt.Fprint(c, strings.ReplaceAll(answer, "TAG", tag))
	}
}

func (f *fake) answer(cmd string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.heard = append(f.heard, cmd)
	best := ""
	for begin := range f.answers {
		if strings.HasPrefix(cmd, begin) && len(begin) > len(best) {
			best = begin
		}
	}
	switch {
	case best != "":
		text := f.answers[best]
		if text != "bye" && !strings.Contains(text, "TAG") {
			text += "TAG OK Completed\r\n"
		}
		return text
	case cmd == "CAPABILITY":
		return "* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR " + f.caps + "\r\nTAG OK Completed\r\n"
	}
	return "TAG OK Completed\r\n"
}

// commands are those heard since the login.
func (f *fake) commands() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, c := range f.heard {
		word, _, _ := strings.Cut(c, " ")
		if word != "CAPABILITY" && word != "AUTHENTICATE" && c != `RLIST "" ""` {
			out = append(out, c)
		}
	}
	return out
}

// shell is a session with f whose output is kept.
type testShell struct {
	*Shell
	out, err bytes.Buffer
}

func newShell(t *testing.T, f *fake) *testShell {
	t.Helper()
	s := &testShell{}
	s.Shell = &Shell{Out: &s.out, Err: &s.err, Env: func(string) string { return "" }, Port: "143",
		Login: Login{User: "cyrus", Password: func() (string, error) { return "secret", nil }}}
	t.Cleanup(s.Close)
	if f == nil {
		return s
	}
	host, port, _ := net.SplitHostPort(f.addr)
	if err := s.Connect(context.Background(), host, port); err != nil {
		t.Fatal(err)
	}
	if err := s.Authenticate(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s
}

// certificate makes one that signs itself, and a file of it.
func certificate(t *testing.T) (conf *tls.Config, file string) {
	t.Helper()
	cert, file := servertest.Certificate(t, "127.0.0.1")
	return &tls.Config{Certificates: []tls.Certificate{cert}}, file
}
