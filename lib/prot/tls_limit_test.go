package prot

import (
	"context"
	"crypto/tls"
	"net"
	"testing"
	"time"
)

// TestStartTLSLimit checks that a peer who sends a handshake octet by octet, and never
// comes to the end, is given up on.
func TestStartTLSLimit(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		// A record of 16 KiB that never gets full.
		for _, err := theirs.Write([]byte{22, 3, 1, 0x40, 0}); err == nil; _, err = theirs.Write([]byte{1}) {
			time.Sleep(time.Millisecond)
		}
	}()
	c := New(ours)
	if err := c.StartTLS(context.Background(), &tls.Config{}, 50*time.Millisecond); err == nil {
		t.Error("a handshake that has no end succeeded")
	}
	ours.Close()
	<-stop
}
