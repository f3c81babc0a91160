package imapserver

import (
	"bufio"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"

	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// fill adds n records of users' mailboxes to the list, ten a user, without
// files behind them.
func fill(b *testing.B, srv *Server, n int) {
	err := srv.list.Update(func(tx *mboxlist.Tx) error {
		for i := range n {
			user := fmt.Sprintf("user%05d", i/10)
			name := mboxname.Inbox(user)
			if i%10 > 0 {
				name = name.Child(fmt.Sprintf("Folder%d", i%10))
			}
			e := &mboxlist.Entry{Name: name, UniqueID: fmt.Sprintf("%036d", i), Partition: "default",
				UIDValidity: 1, Type: "e", ACL: user + "\tlrswipkxtecdan\t"}
			if err := tx.Put(e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

func BenchmarkList100k(b *testing.B) {
	srv := testServer(b, "")
	fill(b, srv, 100_000)
	dial := dialer(b, srv)
	for _, tc := range []struct{ user, command string }{
		{"cyrus", `LIST "" *`},
		{"cyrus", `LIST "" %`},
		{"cyrus", `LIST "" user/user05000/%`},
		{"alice", `LIST "" *`},
		{"alice", `LIST "" INBOX`},
		{"user05000", `LIST "" %`},
	} {
		b.Run(tc.user+" "+tc.command, func(b *testing.B) {
			c := login(b, dial, tc.user)
			b.ReportAllocs()
			for b.Loop() {
				c.do(tc.command)
			}
		})
	}
}

func BenchmarkNoop(b *testing.B) {
	c := login(b, dialer(b, testServer(b, "")), "alice")
	b.ReportAllocs()
	for b.Loop() {
		c.do("NOOP")
	}
}

// BenchmarkIdleMemory tells what one session costs that is signed in and waits,
// both ends of its socket and the goroutines of the test's server included.
func BenchmarkIdleMemory(b *testing.B) {
	const sessions = 500
	dial := dialer(b, testServer(b, ""))
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		var all []net.Conn
		for range sessions {
			c := dial()
			fmt.Fprintf(c, "a LOGIN alice x\r\n")
			r := bufio.NewReaderSize(c, 4096)
			for line := ""; !strings.HasPrefix(line, "a OK"); {
				var err error
				if line, err = r.ReadString('\n'); err != nil {
					b.Fatal(err)
				}
			}
			all = append(all, c)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		used := after.HeapAlloc + after.StackInuse - before.HeapAlloc - before.StackInuse
		b.ReportMetric(float64(used)/sessions, "B/session")
		for _, c := range all {
			c.Close()
		}
	}
}
