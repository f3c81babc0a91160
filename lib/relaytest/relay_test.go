package relaytest

import (
	"bytes"
	"gocyrus/lib/servertest"
	"io"
	"net"
	"testing"
	"time"
)

// patience bounds what a test waits for.
const patience = 20 * time.Second

// echo is a server that greets with lines and then sends back what it gets.
func echo(t *testing.T, lines string) string {
	t.Helper()
	return servertest.Listen(t, "tcp", func(c net.Conn) {
		io.WriteString(c, lines)
		io.Copy(c, c)
	})
}

func dial(t *testing.T, r *Relay) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c
}

// talk sends text and reads as much back.
func talk(t *testing.T, c net.Conn, text []byte) []byte {
	t.Helper()
	go c.Write(text)
	back := make([]byte, len(text))
	if _, err := io.ReadFull(c, back); err != nil {
		t.Fatal(err)
	}
	return back
}

func TestThrough(t *testing.T) {
	r := New(t, echo(t, ""))
	text := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	if got := talk(t, dial(t, r), text); !bytes.Equal(got, text) {
		t.Error("what comes back is not what was sent")
	}
}

// The way is as long as it is said to be, and does not become longer by the
// number of octets.
func TestDelay(t *testing.T) {
	r := New(t, echo(t, ""))
	r.Delay(25 * time.Millisecond)
	c := dial(t, r)
	began := time.Now()
	talk(t, c, []byte("x"))
	if took := time.Since(began); took < 50*time.Millisecond {
		t.Errorf("there and back in %v, want 50 ms at least", took)
	}
	talk(t, c, make([]byte, 4<<20))
}

func TestCutAfter(t *testing.T) {
	r := New(t, echo(t, ""))
	c := dial(t, r)
	talk(t, c, []byte("0123456789"))
	r.CutAfter(5)
	c.Write([]byte("abcdefghij"))
	if got, err := io.ReadAll(c); err == nil || len(got) > 5 {
		t.Errorf("%q, %v after the cut", got, err)
	}
	if r.Cuts() != 1 {
		t.Errorf("%d cuts", r.Cuts())
	}
	// The network is back.
	talk(t, dial(t, r), []byte("0123456789"))
}

func TestAway(t *testing.T) {
	r := New(t, echo(t, "* OK\r\n"))
	r.Away(true)
	// The reset may come before the client knows that it is connected.
	if c, err := net.Dial("tcp", r.Addr()); err == nil {
		if got, err := io.ReadAll(c); len(got) > 0 || err == nil {
			t.Errorf("%q, %v from a server that is away", got, err)
		}
		c.Close()
	}
	r.Away(false)
	back := make([]byte, 6)
	if _, err := io.ReadFull(dial(t, r), back); err != nil {
		t.Error(err)
	}
	if r.Connections() != 2 {
		t.Errorf("%d connections", r.Connections())
	}
}

// What is recorded is both directions, and compression is not offered.
func TestRecord(t *testing.T) {
	r := New(t, echo(t, "* SASL PLAIN\r\n* COMPRESS DEFLATE\r\n* OK host\r\n"))
	r.Record()
	c := dial(t, r)
	want := "* SASL PLAIN\r\n* OK host\r\n"
	back := make([]byte, len(want))
	if _, err := io.ReadFull(c, back); err != nil || string(back) != want {
		t.Fatalf("%q, %v", back, err)
	}
	talk(t, c, []byte("NOOP\r\n"))
	if got := string(r.Sent()); got != "NOOP\r\n" {
		t.Errorf("sent %q", got)
	}
	if got := string(r.Received()); got != want+"NOOP\r\n" {
		t.Errorf("received %q", got)
	}
}

// What is held arrives afterwards, and nothing before.
func TestHold(t *testing.T) {
	r := New(t, echo(t, ""))
	c := dial(t, r)
	talk(t, c, []byte("before"))
	r.Hold(true)
	late := dial(t, r)
	for _, c := range []net.Conn{c, late} {
		if _, err := c.Write([]byte("held")); err != nil {
			t.Fatal(err)
		}
		c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if n, err := c.Read(make([]byte, 4)); err == nil {
			t.Errorf("%d octets came back", n)
		}
		c.SetReadDeadline(time.Now().Add(patience))
	}
	r.Hold(false)
	for _, c := range []net.Conn{c, late} {
		back := make([]byte, 4)
		if _, err := io.ReadFull(c, back); err != nil || string(back) != "held" {
			t.Errorf("%q, %v", back, err)
		}
	}
}

// HoldAt holds the text, or what comes back after it.
func TestHoldAt(t *testing.T) {
	r := New(t, echo(t, ""))
	for _, answers := range []bool{false, true} {
		c := dial(t, r)
		came := r.HoldAt("word", answers)
		talk(t, c, []byte("before"))
		if _, err := c.Write([]byte("a word")); err != nil {
			t.Fatal(err)
		}
		<-came
		c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if n, err := c.Read(make([]byte, 6)); err == nil {
			t.Errorf("%d octets came back", n)
		}
		c.SetReadDeadline(time.Now().Add(patience))
		r.Hold(false)
		back := make([]byte, 6)
		if _, err := io.ReadFull(c, back); err != nil || string(back) != "a word" {
			t.Errorf("%q, %v", back, err)
		}
		talk(t, c, []byte("word"))
	}
}

// HoldOne holds the one connection on which its texts come, and no other.
func TestHoldOne(t *testing.T) {
	r := New(t, echo(t, ""))
	for _, answers := range []bool{false, true} {
		h := r.HoldOne(answers, "one", "word")
		other, c := dial(t, r), dial(t, r)
		talk(t, other, []byte("another word"))
		if _, err := c.Write([]byte("one word")); err != nil {
			t.Fatal(err)
		}
		<-h.Came()
		talk(t, other, []byte("one word"))
		c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if n, err := c.Read(make([]byte, 8)); err == nil {
			t.Errorf("%d octets came back", n)
		}
		c.SetReadDeadline(time.Now().Add(patience))
		h.Release()
		back := make([]byte, 8)
		if _, err := io.ReadFull(c, back); err != nil || string(back) != "one word" {
			t.Errorf("%q, %v", back, err)
		}
		talk(t, c, []byte("one word"))
	}
}
