package prot

import "sync"

const (
	// readSize is the size of a read buffer: a few pipelined commands.
	readSize = 8 << 10
	// writeSize is what a write buffer starts with.
	writeSize = 8 << 10
	// flushSize is how much is gathered before it is written though the answer
	// is not complete.
	flushSize = 64 << 10
	// keepSize is the largest write buffer that goes back to the pool.
	keepSize = 2 * flushSize
)

var (
	readPool  = sync.Pool{New: func() any { return new([readSize]byte) }}
	writePool = sync.Pool{New: func() any { b := make([]byte, 0, writeSize); return &b }}
)

func getRead() []byte { return readPool.Get().(*[readSize]byte)[:] }

func putRead(b []byte) {
	if cap(b) == readSize {
		readPool.Put((*[readSize]byte)(b[:readSize]))
	}
}

func getWrite() []byte { return (*writePool.Get().(*[]byte))[:0] }

func putWrite(b []byte) {
	if cap(b) >= writeSize && cap(b) <= keepSize {
		b = b[:0]
		writePool.Put(&b)
	}
}
