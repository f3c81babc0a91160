package main

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
)

func TestLiteral(t *testing.T) {
	for _, tc := range []struct {
		line string
		want int
	}{
		{"* 1 FETCH (BODY[] {12}", 12},
		{"* 1 FETCH (BODY[] {0}", 0},
		{"* 1 FETCH (FLAGS ())", -1},
		{"* OK look at {that}", -1},
		{"* OK {-4}", -1},
		{"}", -1},
		{"", -1},
	} {
		if got := literal([]byte(tc.line)); got != tc.want {
			t.Errorf("literal(%q) = %d, want %d", tc.line, got, tc.want)
		}
	}
}

// serve plays a server that says script to whoever connects.
func serve(t *testing.T, script string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		conn.Write([]byte(script))
		// What the client says is not looked at, but taken until it leaves.
		io.Copy(io.Discard, conn)
		conn.Close()
	}()
	return l.Addr().String()
}

func TestDo(t *testing.T) {
	long := strings.Repeat("x", 200<<10)
	for _, tc := range []struct {
		name, script string
		texts        string // of the untagged responses, joined by |
		lits         string
		err          error
	}{
		{"no untagged", "t1 OK done\r\n", "", "", nil},
		{"two lines", "* 1 EXISTS\r\n* 0 RECENT\r\nt1 OK done\r\n", "* 1 EXISTS|* 0 RECENT", "", nil},
		{"literals", "* 1 FETCH (A {3}\r\nabc B {2}\r\nde)\r\nt1 OK done\r\n", "* 1 FETCH (A {3} B {2})", "abcde", nil},
		{"line longer than the buffer", "* SEARCH " + long + "\r\nt1 OK done\r\n", "* SEARCH " + long, "", nil},
		{"refused", "t1 NO never\r\n", "", "", errAnswer},
		{"another's tag", "t9 OK done\r\n", "", "", errAnswer},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := dialIMAP(serve(t, "* OK hello\r\n"+tc.script), false)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			var texts []string
			lits := ""
			_, err = c.do("X", func(r response) {
				texts = append(texts, string(r.text))
				lits += string(r.lit)
			})
			if !errors.Is(err, tc.err) {
				t.Fatalf("error %v, want %v", err, tc.err)
			}
			if got := strings.Join(texts, "|"); got != tc.texts || lits != tc.lits {
				t.Errorf("texts %.80q, literals %q; want %.80q, %q", got, lits, tc.texts, tc.lits)
			}
		})
	}
}

func TestGreetingRefused(t *testing.T) {
	if _, err := dialIMAP(serve(t, "* BYE too many\r\n"), false); !errors.Is(err, errAnswer) {
		t.Errorf("error %v, want %v", err, errAnswer)
	}
}

func TestRetrieve(t *testing.T) {
	const msg = "Subject: x\r\n\r\n.dot\r\nend\r\n"
	c, err := dialPOP3(serve(t, "+OK\r\n+OK\r\n+OK\r\n+OK follows\r\nSubject: x\r\n\r\n..dot\r\nend\r\n.\r\n"), "u")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	n, crc, err := c.retr(1)
	if err != nil || n != len(msg) || crc != sum(0, []byte(msg)) {
		t.Errorf("%d octets, sum %x, %v; want %d, %x", n, crc, err, len(msg), sum(0, []byte(msg)))
	}
}

func TestDeliver(t *testing.T) {
	for _, tc := range []struct {
		name, script string
		err          error
	}{
		{"taken", "250-ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 one\r\n250 two\r\n", nil},
		{"one recipient refused", "250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n250 one\r\n", errAnswer},
		{"second copy failed", "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 one\r\n452 full\r\n", errAnswer},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := dialLMTP(serve(t, "220 hi\r\n250 hello\r\n"+tc.script))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := c.deliver([]string{"a", "b"}, []byte("x\r\n")); !errors.Is(err, tc.err) {
				t.Errorf("error %v, want %v", err, tc.err)
			}
		})
	}
}
