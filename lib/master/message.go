package master

import (
	"encoding/binary"
	"errors"

	"golang.org/x/sys/unix"

	"gocyrus/lib/service"
)

var errMessageSize = errors.New("got incorrectly sized response")

// readMessage reads one message of a status pipe; not ok means none is there.
// Messages are shorter than PIPE_BUF, so the kernel keeps each in one piece.
func readMessage(fd int) (msg message, ok bool, err error) {
	var b [service.StatusSize]byte
	n, err := unix.Read(fd, b[:])
	for errors.Is(err, unix.EINTR) {
		n, err = unix.Read(fd, b[:])
	}
	switch {
	case errors.Is(err, unix.EAGAIN):
		return message{}, false, nil
	case err != nil:
		return message{}, false, err
	case n == 0:
		return message{}, false, nil
	case n != len(b):
		return message{}, false, errMessageSize
	}
	return decodeMessage(b), true, nil
}

func decodeMessage(b [service.StatusSize]byte) message {
	return message{
		what: int(binary.NativeEndian.Uint32(b[:4])),
		pid:  int(int32(binary.NativeEndian.Uint32(b[4:]))),
	}
}
