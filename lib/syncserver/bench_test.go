package syncserver

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"gocyrus/lib/mboxname"
)

// bulk is a mailbox of n messages of about size octets.
func bulk(name mboxname.Name, id string, n, size int) *model {
	m := newModel(name, id)
	body := strings.Repeat("0123456789012345678901234567890123456789012345678901234567890123456789012345\r\n", size/78)
	for i := range n {
		m.append(fmt.Sprintf("From: a@example.org\r\nTo: b@example.org\r\nSubject: %s %d\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n\r\n%s", id, i, body))
	}
	return m
}

// BenchmarkFirst is the first sync of a mailbox of 1,000 messages of 4 KB.
func BenchmarkFirst(b *testing.B) {
	const messages = 1000
	srv := testServer(b, "")
	p := signIn(b, dialer(b, srv, "tcp"))
	i := 0
	for b.Loop() {
		i++
		b.StopTimer()
		m := bulk(mboxname.Name(fmt.Sprintf("user.u%d", i)), fmt.Sprintf("first%d", i), messages, 4<<10)
		up, apply := m.messages(0), m.apply(0)
		b.StartTimer()
		p.want(up, ok)
		p.want(apply, ok)
		p.want("RESTART", "OK Restarting")
	}
	b.ReportMetric(float64(messages*i)/b.Elapsed().Seconds(), "messages/s")
}

// BenchmarkRolling is single deliveries to eight users, as a rolling master sends
// them: waiting for each answer, or not.
func BenchmarkRolling(b *testing.B) {
	const users = 8
	for _, ahead := range []int{1, users} {
		b.Run(fmt.Sprintf("ahead=%d", ahead), func(b *testing.B) {
			srv := testServer(b, "")
			p := signIn(b, dialer(b, srv, "tcp"))
			var boxes []*model
			for i := range users {
				m := newModel(mboxname.Name(fmt.Sprintf("user.u%d", i)), fmt.Sprintf("rolling%d", i))
				m.append("Subject: first\r\n\r\n")
				p.want(m.messages(0), ok)
				p.want(m.apply(0), ok)
				boxes = append(boxes, m)
			}
			n := 0
			for b.Loop() {
				var commands strings.Builder
				for range ahead {
					m := boxes[n%users]
					n++
					since, last := m.HighestModSeq, m.LastUID
					m.append(fmt.Sprintf("Subject: %d\r\n\r\n%s", n, strings.Repeat("x", 2000)))
					commands.WriteString(m.messages(last) + "\r\n" + m.apply(since) + "\r\n")
				}
				io.WriteString(p.Conn, commands.String())
				for range 2 * ahead {
					if got := p.line(); got != ok {
						b.Fatal(got)
					}
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

// BenchmarkFullMailbox is GET FULLMAILBOX of 100,000 records.
func BenchmarkFullMailbox(b *testing.B) {
	srv := testServer(b, "")
	p := signIn(b, dialer(b, srv, "tcp"))
	m := newModel("user.alice", "fullmailbox")
	for range 100_000 {
		m.append("Subject: same\r\n\r\n")
	}
	p.want(upload("default", "Subject: same\r\n\r\n"), ok)
	p.want(m.apply(0), ok)
	b.ReportAllocs()
	for b.Loop() {
		if got := p.do("GET FULLMAILBOX user.alice"); len(got) != 2 {
			b.Fatal(got)
		}
	}
}

// BenchmarkReserve is a RESERVE of one message in a mailbox of 100,000, as a master
// asks for each delivery.
func BenchmarkReserve(b *testing.B) {
	srv := testServer(b, "")
	p := signIn(b, dialer(b, srv, "tcp"))
	m := newModel("user.alice", "reserve")
	for range 100_000 {
		m.append("Subject: same\r\n\r\n")
	}
	p.want(upload("default", "Subject: same\r\n\r\n"), ok)
	p.want(m.apply(0), ok)
	const missing = "0123456789012345678901234567890123456789"
	for b.Loop() {
		p.want("APPLY RESERVE %(PARTITION default MBOXNAME (user.alice) GUID ("+missing+"))", "* MISSING ("+missing+")", ok)
	}
}
