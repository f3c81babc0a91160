package lmtpserver

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// idCount numbers the ids that this package makes, so that none is made twice
// within a second.
var idCount atomic.Uint32

// idsAfter makes further ids in the form of a session's first one: name, time,
// pid, count, random.
func idsAfter(first string) func() string {
	base := first
	for range 4 {
		if i := strings.LastIndexByte(base, '-'); i >= 0 {
			base = base[:i]
		}
	}
	return func() string {
		var random [8]byte
		rand.Read(random[:])
		return fmt.Sprintf("%s-%d-%d-%d-%d", base, time.Now().Unix(), os.Getpid(),
			idCount.Add(1), binary.NativeEndian.Uint64(random[:]))
	}
}
