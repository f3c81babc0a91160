package mupdateserver

import (
	"fmt"
	"runtime"
	"testing"

	"gocyrus/lib/etcdtest"
)

// BenchmarkShared is ACTIVATE and FIND at a master that shares its list with a second
// one, in an etcd of one and of three on this machine; BenchmarkActivate has the same
// without.
func BenchmarkShared(b *testing.B) {
	for _, members := range []int{1, 3} {
		c := etcdtest.Start(b, members)
		found(b, c)
		_, addrs := pair(b, c, nil)
		for _, parallel := range []int{0, 10, 50} {
			writers := max(1, parallel*runtime.GOMAXPROCS(0))
			b.Run(fmt.Sprintf("etcd-%d/ACTIVATE/writers-%d", members, writers), func(b *testing.B) {
				if parallel == 0 {
					c := connect(b, addrs[0])
					for i := 0; b.Loop(); i++ {
						activateOne(b, c, i)
					}
					return
				}
				b.SetParallelism(parallel)
				b.RunParallel(func(pb *testing.PB) {
					c := connect(b, addrs[0])
					for i := 0; pb.Next(); i++ {
						activateOne(b, c, i)
					}
				})
			})
		}
		b.Run(fmt.Sprintf("etcd-%d/FIND", members), func(b *testing.B) {
			c := connect(b, addrs[1])
			if err := c.Activate(b.Context(), "user.there", "be1!p", ""); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := c.Find(b.Context(), "user.there"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
