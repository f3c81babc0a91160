package backend

import (
	"net"
	"strings"
	"testing"

	"gocyrus/lib/config"
)

func TestBindName(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "",
		"client_bind_name: 127.0.0.9\n": "",
		"client_bind: yes\nservername: mail.example.org\n":                                    "mail.example.org",
		"client_bind: yes\nclient_bind_name: out.example.org\n":                               "out.example.org",
		"client_bind: yes\nclient_bind_name: out.example.org\nservername: mail.example.org\n": "out.example.org",
	} {
		cfg, err := config.Parse(strings.NewReader("configdirectory: /tmp\n"+text), "imapd.conf", "imap")
		if err != nil {
			t.Fatal(err)
		}
		if got := BindName(cfg); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestDialFrom: a server sees the address that was chosen.
func TestDialFrom(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, bind := range []string{"", "127.0.0.1", "127.54.32.10"} {
		c, err := DialFrom(t.Context(), bind, "tcp", l.Addr().String(), 0)
		if err != nil {
			t.Errorf("from %q: %v", bind, err)
			continue
		}
		defer c.Close()
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		host, _, err := net.SplitHostPort(s.RemoteAddr().String())
		if want := bind; err != nil || want != "" && host != want {
			t.Errorf("from %q: seen as %s, %v", bind, host, err)
		}
	}
	// An address that is not ours is an error, and so is a name without one.
	for _, bind := range []string{"192.0.2.1", "no.such.host.invalid", "::1"} {
		if c, err := DialFrom(t.Context(), bind, "tcp", l.Addr().String(), 0); err == nil {
			c.Close()
			t.Errorf("connected from %s", bind)
		}
	}
}
