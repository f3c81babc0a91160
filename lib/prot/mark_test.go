package prot

import (
	"io"
	"strings"
	"testing"
)

// TestRecord: the record is what was read, however it was read and wherever the
// buffers ended.
func TestRecord(t *testing.T) {
	c, peer := pair(t)
	text := strings.Repeat("select inbox {5}\r\nabcde (x)\r\n", 2000)
	go func() {
		io.WriteString(peer, "before "+text)
		peer.Close()
	}()
	if _, err := io.ReadFull(c, make([]byte, 7)); err != nil {
		t.Fatal(err)
	}
	c.Record()
	n := 0
	for i := 0; n < len(text); i++ {
		left := len(text) - n
		switch i % 4 {
		case 0:
			b, err := c.AppendUntil(nil, stop, 1000)
			if err != nil {
				t.Fatal(err)
			}
			n += len(b)
		case 1:
			if _, err := c.ReadByte(); err != nil {
				t.Fatal(err)
			}
			if left > 1 {
				if _, err := c.PeekAfter(); err != nil {
					t.Fatal(err)
				}
			}
			c.UnreadByte()
			if i%16 == 1 {
				if got := string(c.Recorded()); got != text[:n] {
					t.Fatalf("after %d octets, one of them taken back: %d", n, len(got))
				}
			}
			c.ReadByte()
			n++
		case 2:
			want := min(left, 3000)
			if err := c.CopyN(io.Discard, int64(want)); err != nil {
				t.Fatal(err)
			}
			n += want
		case 3:
			m, err := c.Read(make([]byte, min(left, 2*readSize)))
			if err != nil && err != io.EOF {
				t.Fatal(err)
			}
			n += m
		}
	}
	if got := string(c.Recorded()); got != text {
		t.Errorf("%d octets of %d", len(got), len(text))
	}
	c.Forget()
	if c.Recorded() != nil {
		t.Error("not forgotten")
	}
}
