package lmtpserver

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
)

// users of the benchmark: u0, u1 and so on.
const users = 20

// BenchmarkDelivery delivers messages of 4 KiB, each on its own transaction, to
// users in turn. With GOCYRUS_LMTP, the path of another server's socket, that
// one is measured beside: it must have the users u0 to u19.
func BenchmarkDelivery(b *testing.B) {
	b.Run("ours", func(b *testing.B) {
		srv := testServer(b, "")
		for i := range users {
			n := mboxname.Inbox(fmt.Sprintf("u%d", i))
			if _, err := srv.site.Ops.Create(b.Context(), mboxops.Root("cyrus"), n, mboxops.CreateParams{}); err != nil {
				b.Fatal(err)
			}
		}
		benchmark(b, dialer(b, srv, "unix"))
	})
	if other := os.Getenv("GOCYRUS_LMTP"); other != "" {
		b.Run("other", func(b *testing.B) {
			benchmark(b, func() net.Conn {
				c, err := net.Dial("unix", other)
				if err != nil {
					b.Fatal(err)
				}
				return c
			})
		})
	}
}

func benchmark(b *testing.B, dial func() net.Conn) {
	for _, conns := range []int{1, 8} {
		b.Run(fmt.Sprintf("conns=%d", conns), func(b *testing.B) {
			b.ReportAllocs()
			var turn atomic.Int64
			done := make(chan error, conns)
			b.ResetTimer()
			for range conns {
				go func() { done <- deliverLoop(dial(), &turn, int64(b.N)) }()
			}
			for range conns {
				if err := <-done; err != nil {
					b.Error(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
		})
	}
}

var benchText = "From: Alice <alice@example.org>\r\nTo: Bob <bob@example.org>\r\nSubject: a message of usual size\r\n" +
	"Date: Tue, 4 Mar 2025 10:01:00 +0100\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" +
	strings.Repeat(strings.Repeat("lorem ipsum ", 6)+"\r\n", 52)

var benchRun atomic.Int64

// deliverLoop delivers until turn reaches n.
func deliverLoop(c net.Conn, turn *atomic.Int64, n int64) error {
	defer c.Close()
	r := bufio.NewReader(c)
	run := benchRun.Add(1)
	ask := func(text string, replies int) error {
		if _, err := c.Write([]byte(text)); err != nil {
			return err
		}
		for replies > 0 {
			line, err := r.ReadString('\n')
			if err != nil || line[0] != '2' && line[0] != '3' {
				return fmt.Errorf("%.40q: %q, %w", text, line, err)
			}
			if line[3] == ' ' {
				replies--
			}
		}
		return nil
	}
	if err := ask("LHLO bench\r\n", 2); err != nil {
		return err
	}
	for i := turn.Add(1); i <= n; i = turn.Add(1) {
		if err := ask(fmt.Sprintf("MAIL FROM:<a@example.org>\r\nRCPT TO:<u%d>\r\nDATA\r\n", i%users), 3); err != nil {
			return err
		}
		if err := ask(fmt.Sprintf("Message-ID: <%d.%d.%d@bench>\r\n%s.\r\n", os.Getpid(), run, i, benchText), 1); err != nil {
			return err
		}
	}
	return ask("QUIT\r\n", 1)
}
