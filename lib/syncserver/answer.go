package syncserver

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"gocyrus/lib/csync"
	"gocyrus/lib/mailbox"
)

// maxHeld is how much of an answer is held in memory, in octets; what is longer
// goes to a file without a name. A mailbox of a hundred thousand messages is
// thirty times that, and many masters may ask at once.
const maxHeld = 1 << 20

// Answer is what a command gives: lines for the peer, and whether it was done. It
// is used by one goroutine at a time and has to be closed.
type Answer struct {
	// Err is why the command was not done, nil when it was: csync.Words has the
	// last line for either.
	Err error

	dir     string
	mem     []byte
	spilled *os.File
	msg     *mailbox.Message // after all else, and CRLF
}

// item appends a line: "* NAME value".
func (a *Answer) item(name string, value func(dst []byte) []byte) error {
	a.mem = append(append(append(a.mem, "* "...), name...), ' ')
	a.mem = append(value(a.mem), "\r\n"...)
	return a.grown()
}

// grown moves what is in memory to the file when it is much.
func (a *Answer) grown() error {
	if len(a.mem) < maxHeld {
		return nil
	}
	if a.spilled == nil {
		fd, err := unix.Open(a.dir, unix.O_RDWR|unix.O_TMPFILE|unix.O_CLOEXEC, 0o600)
		if err != nil {
			return fmt.Errorf("%s: a file for a long answer: %w", a.dir, err)
		}
		a.spilled = os.NewFile(uintptr(fd), a.dir)
	}
	_, err := a.spilled.Write(a.mem)
	a.mem = a.mem[:0]
	return err
}

// Out is where an answer goes: a *prot.Conn.
type Out interface {
	io.Writer
	WriteLarge(p []byte) error
}

// WriteTo writes the lines of the answer, all but the last.
func (a *Answer) WriteTo(out Out) error {
	if a.spilled != nil {
		size, err := a.spilled.Seek(0, io.SeekEnd)
		if err != nil {
			return err
		}
		// Not the file itself: what it sends must go through the layers of out.
		if _, err := io.Copy(onlyWriter{out}, io.NewSectionReader(a.spilled, 0, size)); err != nil {
			return err
		}
	}
	if _, err := out.Write(a.mem); err != nil || a.msg == nil {
		return err
	}
	if err := out.WriteLarge(a.msg.Bytes()); err != nil {
		return err
	}
	_, err := out.Write([]byte("\r\n"))
	return err
}

type onlyWriter struct{ io.Writer }

// Words is the last line, without its end.
func (a *Answer) Words() string { return csync.Words(a.Err) }

// Close gives up what the answer holds.
func (a *Answer) Close() {
	if a.spilled != nil {
		a.spilled.Close()
	}
	if a.msg != nil {
		a.msg.Close()
	}
	a.mem, a.spilled, a.msg = nil, nil, nil
}
