package murder

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
)

// ports are those that a seat may listen on: POP3, IMAP, LMTP, MUPDATE, ManageSieve.
var ports = []string{"110", "143", "2003", "3905", "4190"}

// claims hold the addresses that were given out, as cyrustest holds its ports.
var claims struct {
	sync.Mutex
	held []net.Listener
}

// Machine is an address in 127/8 that no other test was given, where none of the
// ports is taken. Without root the test is skipped: the ports are low ones.
func Machine(t testing.TB) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: the ports of IMAP and POP3 are low ones")
	}
	claims.Lock()
	defer claims.Unlock()
	for range 1000 {
		ip := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
		claim, err := net.Listen("unix", "@gocyrus-test-machine-"+ip)
		if err != nil {
			continue
		}
		if !vacant(ip) {
			claim.Close()
			continue
		}
		claims.held = append(claims.held, claim)
		return ip
	}
	t.Skip("needs the mail ports, and others listen there on all addresses")
	return ""
}

func vacant(ip string) bool {
	for _, port := range ports {
		l, err := net.Listen("tcp", net.JoinHostPort(ip, port))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}
