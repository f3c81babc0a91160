package mupdateserver

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"gocyrus/lib/cyrustest"
	"gocyrus/lib/mupdate"
)

// benchMailboxes is how many mailboxes a large Murder has.
const benchMailboxes = 100_000

// BenchmarkSync is how long a frontend without a list takes to be in sync.
func BenchmarkSync(b *testing.B) {
	master := testServer(b, testConfig(b, ""), nil)
	put(b, master.list, manyEntries(benchMailboxes)...)
	addr, _ := listen(b, master)
	b.Run("ours", func(b *testing.B) {
		for b.Loop() {
			slave := testSlave(b, addr, "", nil)
			synced(b, slave)
			b.StopTimer()
			reportMemory(b)
			b.StartTimer()
		}
	})
	b.Run("ours-nothing-new", func(b *testing.B) {
		slave := testSlave(b, addr, "", func(o *Options) { o.Client.Servers = nil })
		put(b, slave.list, manyEntries(benchMailboxes)...)
		o := slave.opts
		o.Client.Servers = []string{addr}
		s := newSlave(slave.table, slave.list, o)
		for b.Loop() {
			c := connect(b, addr)
			remote, _, err := s.scarf(b.Context(), c)
			if err == nil {
				err = s.resync(remote)
			}
			if err != nil {
				b.Fatal(err)
			}
			c.Close()
		}
	})
	b.Run("cyrus", func(b *testing.B) {
		if _, err := os.Stat(realMupdate); err != nil {
			b.Skipf("Cyrus's mupdate is not installed: %v", err)
		}
		for b.Loop() {
			port := cyrustest.FreeAddress(b)
			start := time.Now()
			real := cyrustest.Real(b, cyrustest.Options{
				Imapd: append([]string{"mupdate_admins: mupman", "sasl_mech_list: PLAIN"}, toMaster(addr)...),
				Args:  map[string]string{"imaps": "-", "pop3": "-", "pop3s": "-", "lmtp": "-", "lmtpunix": "-"},
				Entries: map[string][]string{
					"SERVICES": {fmt.Sprintf(`mupdate cmd="$bin/mupdate -C $conf" listen="%s" prefork=1`, port)},
				},
				Unchecked: true,
			})
			kicks := mupdate.Options{Kicks: true, KickSocket: real.Path("conf/socket/mupdate.target")}
			for kicks.Kick(b.Context()) != nil {
				if time.Since(start) > 10*patience {
					b.Fatal("no sync")
				}
				time.Sleep(5 * time.Millisecond)
			}
		}
	})
}

func reportMemory(b *testing.B) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.Sys)/(1<<20), "MB-taken")
}

// BenchmarkList is LIST of everything, read to its end.
func BenchmarkList(b *testing.B) {
	master := testServer(b, testConfig(b, ""), nil)
	put(b, master.list, manyEntries(benchMailboxes)...)
	addr, _ := listen(b, master)
	c := connect(b, addr)
	for b.Loop() {
		n := 0
		if err := c.List(b.Context(), "", func(mupdate.Entry) error { n++; return nil }); err != nil || n != benchMailboxes {
			b.Fatal(n, err)
		}
	}
}

// BenchmarkActivate is one backend that waits for each answer, and many at once.
func BenchmarkActivate(b *testing.B) {
	for _, parallel := range []int{0, 10} {
		writers := max(1, parallel*runtime.GOMAXPROCS(0))
		b.Run(fmt.Sprintf("writers-%d", writers), func(b *testing.B) {
			master := testServer(b, testConfig(b, ""), nil)
			addr, _ := listen(b, master)
			if parallel == 0 {
				c := connect(b, addr)
				for i := 0; b.Loop(); i++ {
					activateOne(b, c, i)
				}
				return
			}
			b.SetParallelism(parallel)
			b.RunParallel(func(pb *testing.PB) {
				c := connect(b, addr)
				for i := 0; pb.Next(); i++ {
					activateOne(b, c, i)
				}
			})
		})
	}
}

func activateOne(b *testing.B, c *mupdate.Client, i int) {
	if err := c.Activate(b.Context(), nameOf(fmt.Sprintf("user.b%p.n%d", c, i)), "be1!default", "a\tlrs\t"); err != nil {
		b.Error(err)
	}
}

// BenchmarkFanout is 200 changes told to a thousand streams.
func BenchmarkFanout(b *testing.B) {
	const streams, changes = 1000, 200
	master := testServer(b, testConfig(b, ""), func(o *Options) { o.Connections, o.FlushEvery = 0, 10*time.Millisecond })
	addr, _ := listen(b, master)
	var told sync.WaitGroup
	for range streams {
		s, _ := openStream(b, addr)
		go func() {
			for {
				if _, err := s.Next(); err != nil {
					return
				}
				told.Done()
			}
		}()
	}
	c := connect(b, addr)
	for round := 0; b.Loop(); round++ {
		var batch []mupdate.Entry
		for i := range changes {
			batch = append(batch, mupdate.Entry{Name: nameOf(fmt.Sprintf("user.n%d", i)), Location: fmt.Sprintf("be%d!p", round), ACL: "a\tlrs\t"})
		}
		told.Add(streams * changes)
		if err := c.ActivateAll(b.Context(), batch, func(_ mupdate.Entry, err error) {
			if err != nil {
				b.Error(err)
			}
		}); err != nil {
			b.Fatal(err)
		}
		told.Wait()
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/round")
}
