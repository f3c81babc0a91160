package popserver

import (
	"bufio"
	"fmt"
	"io"
	"testing"
	"time"
)

// BenchmarkRetrieve fetches a message of 375 kB with dots to be stuffed, and a
// small one.
func BenchmarkRetrieve(b *testing.B) {
	dial := dialer(b, testServer(b, "allowplaintext: yes\n"))
	for _, bc := range []struct {
		name   string
		number int
	}{{"small", 1}, {"large", 4}} {
		b.Run(bc.name, func(b *testing.B) {
			c := login(b, dial, "alice")
			c.SetDeadline(time.Time{})
			c.ok(fmt.Sprintf("RETR %d", bc.number))
			size := len("+OK Message follows\r\n.\r\n") + stuffedSize(texts[bc.number-1])
			c.text()
			r := bufio.NewReader(c)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				fmt.Fprintf(c, "RETR %d\r\n", bc.number)
				if _, err := io.CopyN(io.Discard, r, int64(size)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// stuffedSize is the size of a text on the wire.
func stuffedSize(text string) int {
	n := len(text)
	for i := range len(text) {
		if text[i] == '.' && (i == 0 || text[i-1] == '\n') {
			n++
		}
	}
	return n
}
