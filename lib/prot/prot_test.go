package prot

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/servertest"
)

// pair is a Conn and the peer's end of its socket.
func pair(t testing.TB) (*Conn, net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	sock, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sock.Close(); peer.Close() })
	return New(sock), peer
}

// stop holds all but letters and digits.
var stop = func() *[256]bool {
	var s [256]bool
	for i := range s {
		s[i] = !(i >= 'a' && i <= 'z' || i >= '0' && i <= '9')
	}
	return &s
}()

func word(t *testing.T, c *Conn) string {
	t.Helper()
	b, err := c.AppendUntil(nil, stop, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestReadAcrossBuffers(t *testing.T) {
	c, peer := pair(t)
	long := strings.Repeat("x", 3*readSize)
	go io.WriteString(peer, long+" abc")
	if got := word(t, c); got != long {
		t.Errorf("got %d octets, want %d", len(got), len(long))
	}
	if b, err := c.ReadByte(); b != ' ' || err != nil {
		t.Fatalf("%q, %v", b, err)
	}
	if err := c.UnreadByte(); err != nil {
		t.Fatal(err)
	}
	var lit bytes.Buffer
	if err := c.CopyN(&lit, 4); err != nil || lit.String() != " abc" {
		t.Errorf("%q, %v", &lit, err)
	}
	if in, _ := c.Counters(); in != int64(len(long))+4 {
		t.Errorf("counted %d", in)
	}
}

func TestAppendUntilBound(t *testing.T) {
	c, peer := pair(t)
	go io.WriteString(peer, "abcdef ")
	if _, err := c.AppendUntil(nil, stop, 5); !errors.Is(err, ErrLong) {
		t.Errorf("got %v", err)
	}
}

// TestCopyNInStep checks that a sink that fails does not put the stream out of
// step.
func TestCopyNInStep(t *testing.T) {
	c, peer := pair(t)
	go io.WriteString(peer, "literalnext")
	broken := errors.New("disk full")
	if err := c.CopyN(failing{broken}, 7); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	var rest [4]byte
	if _, err := io.ReadFull(c, rest[:]); err != nil || string(rest[:]) != "next" {
		t.Errorf("%q, %v", rest, err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestTimeout(t *testing.T) {
	c, _ := pair(t)
	c.SetTimeout(time.Millisecond)
	if _, err := c.ReadByte(); !errors.Is(err, ErrTimeout) {
		t.Errorf("read: %v", err)
	}
	if err := c.Wait(time.Millisecond); !errors.Is(err, ErrTimeout) {
		t.Errorf("wait: %v", err)
	}
}

// TestInterrupt checks that Interrupt ends a Wait, before or while it runs, and
// never a read.
func TestInterrupt(t *testing.T) {
	c, peer := pair(t)
	c.Interrupt()
	if err := c.Wait(0); !errors.Is(err, ErrInterrupted) {
		t.Fatalf("before: %v", err)
	}
	go c.Interrupt()
	if err := c.Wait(0); !errors.Is(err, ErrInterrupted) {
		t.Fatalf("while: %v", err)
	}
	c.Interrupt()
	go io.WriteString(peer, "ab ")
	if got := word(t, c); got != "ab" {
		t.Errorf("read %q", got)
	}
	c.DropInput()
	if err := c.Wait(0); !errors.Is(err, ErrInterrupted) {
		t.Errorf("kept for the next: %v", err)
	}
}

// TestIdleHoldsNothing checks that a connection that waits has no buffers.
func TestIdleHoldsNothing(t *testing.T) {
	c, peer := pair(t)
	c.WriteString("* OK\r\n")
	c.Interrupt()
	c.Wait(0)
	if c.rbuf != nil || c.wbuf != nil {
		t.Errorf("holds %d and %d octets", cap(c.rbuf), cap(c.wbuf))
	}
	var got [6]byte
	if _, err := io.ReadFull(peer, got[:]); err != nil || string(got[:]) != "* OK\r\n" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestWriteLarge(t *testing.T) {
	c, peer := pair(t)
	big := bytes.Repeat([]byte("0123456789abcdef"), 64<<10)
	go func() {
		c.WriteString("{head}")
		c.WriteLarge(big)
		c.WriteString("{tail}")
		c.Close()
	}()
	got, err := io.ReadAll(peer)
	if want := "{head}" + string(big) + "{tail}"; err != nil || string(got) != want {
		t.Errorf("got %d octets of %d, %v", len(got), len(want), err)
	}
}

func TestWriteErrorStays(t *testing.T) {
	c, _ := pair(t)
	c.Socket().Close()
	c.WriteString("x")
	if err := c.Flush(); err == nil {
		t.Fatal("no error")
	}
	if _, err := c.Write([]byte("y")); err == nil {
		t.Error("forgot the error")
	}
}

// TestDeflate speaks with the standard library's implementation, through
// interruptions, in both directions.
func TestDeflate(t *testing.T) {
	c, peer := pair(t)
	if err := c.StartDeflate(); err != nil {
		t.Fatal(err)
	}
	w, _ := flate.NewWriter(peer, flate.BestCompression)
	r := flate.NewReader(peer)
	for i, text := range []string{"first", strings.Repeat("abcdefgh", 20000), "last"} {
		c.Interrupt()
		if err := c.Wait(0); !errors.Is(err, ErrInterrupted) {
			t.Fatalf("%d: %v", i, err)
		}
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			io.WriteString(w, text+" ")
			w.Flush()
		}()
		if err := c.Wait(time.Minute); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		if got := word(t, c); got != text {
			t.Fatalf("%d: got %d octets", i, len(got))
		}
		c.ReadByte()
		<-sent
		answer := strings.ToUpper(text)
		done := make(chan error, 1)
		go func() {
			c.WriteString(answer)
			done <- c.Flush()
		}()
		got := make([]byte, len(answer))
		if _, err := io.ReadFull(r, got); err != nil || string(got) != answer {
			t.Fatalf("%d: answer of %d octets, %v", i, len(got), err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

// TestDeflatePipelined checks that octets sent right behind the command that
// starts compression are the first compressed ones.
func TestDeflatePipelined(t *testing.T) {
	c, peer := pair(t)
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, 6)
	io.WriteString(w, "squeezed ")
	w.Flush()
	peer.Write(append([]byte("plain "), b.Bytes()...))
	if got := word(t, c); got != "plain" {
		t.Fatal(got)
	}
	c.ReadByte()
	if err := c.StartDeflate(); err != nil {
		t.Fatal(err)
	}
	if got := word(t, c); got != "squeezed" {
		t.Error(got)
	}
}

func testCert(t *testing.T) *tls.Config {
	cert, _ := servertest.Certificate(t, "localhost")
	return &tls.Config{Certificates: []tls.Certificate{cert}}
}

// TestStartTLS goes through TLS, with an interruption of a Wait in it.
func TestStartTLS(t *testing.T) {
	c, peer := pair(t)
	conf := testCert(t)
	done := make(chan error, 1)
	go func() { done <- c.StartTLS(context.Background(), conf, time.Minute) }()
	client := tls.Client(peer, &tls.Config{InsecureSkipVerify: true})
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for range 3 {
		c.Interrupt()
		if err := c.Wait(0); !errors.Is(err, ErrInterrupted) {
			t.Fatal(err)
		}
		go io.WriteString(client, "abc ")
		if got := word(t, c); got != "abc" {
			t.Fatal(got)
		}
		c.ReadByte()
		c.WriteString("def")
		if err := c.Flush(); err != nil {
			t.Fatal(err)
		}
		var got [3]byte
		if _, err := io.ReadFull(client, got[:]); err != nil || string(got[:]) != "def" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if c.TLS() == nil {
		t.Error("no TLS state")
	}
}

// TestPlaintextAhead is CVE-2011-0411: a command sent in the same packet as
// STARTTLS must not survive the handshake.
func TestPlaintextAhead(t *testing.T) {
	c, peer := pair(t)
	io.WriteString(peer, "starttls evil")
	word(t, c)
	if err := c.StartTLS(context.Background(), testCert(t), time.Minute); !errors.Is(err, ErrPlaintext) {
		t.Fatalf("got %v", err)
	}
}

type closer struct{ bytes.Buffer }

func (closer) Close() error { return nil }

func TestTelemetry(t *testing.T) {
	c, peer := pair(t)
	var log closer
	c.StartTelemetry(&log)
	io.WriteString(peer, "ab ")
	word(t, c)
	c.WriteString("answer")
	c.Flush()
	got := log.String()
	if !strings.HasPrefix(got, "<") || !strings.Contains(got, "<ab >") || !strings.HasSuffix(got, ">answer") {
		t.Errorf("%q", got)
	}
}
