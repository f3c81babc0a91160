package syncserver

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"gocyrus/lib/csync"
	"gocyrus/lib/guid"
	"gocyrus/lib/log"
	"gocyrus/lib/message"
)

// errContent is a message whose octets do not have the GUID that they came with.
var errContent = errors.New("octets do not match the GUID")

// stage is the messages of one session that wait for their mailbox. A file in it
// never changes, for mailboxes hold links of it.
type stage struct {
	areas *areas
	name  string

	came   int // messages that came in; take's alone
	writes sync.WaitGroup

	mu     sync.Mutex
	files  map[stageKey]*staged
	dirs   map[string]string // by partition
	parsed int               // octets of caches in files
}

// stageKey is where a message waits: like Cyrus's, a master sends it once for each
// partition, so that it can be linked.
type stageKey struct {
	partition string
	guid      guid.GUID
}

// staged is a message that waits.
type staged struct {
	path    string
	durable bool             // a link of one that was on disk before
	ready   chan struct{}    // nil when it is there
	err     error            // why it is not, when ready is closed
	msg     *message.Message // as it was parsed when it came in; the stage's lock
}

// wait says whether the message is there, once that is known.
func (f *staged) wait() bool {
	if f.ready != nil {
		<-f.ready
	}
	return f.err == nil
}

func (a *areas) stage(n uint64) *stage {
	return &stage{areas: a, name: strconv.FormatUint(n, 10), files: map[stageKey]*staged{}, dirs: map[string]string{}}
}

// find is where a message waits, best on the partition where it is wanted.
func (st *stage) find(partition string, g guid.GUID) (*staged, bool) {
	k := stageKey{partition, g}
	if f := st.get(k); f != nil {
		return f, true
	}
	for _, k.partition = range st.partitions() {
		if f := st.get(k); f != nil {
			return f, true
		}
	}
	return nil, false
}

// get is what waits under a key, nil when nothing does.
func (st *stage) get(k stageKey) *staged {
	st.mu.Lock()
	f := st.files[k]
	st.mu.Unlock()
	if f == nil || !f.wait() {
		return nil
	}
	return f
}

func (st *stage) has(k stageKey) bool { return st.get(k) != nil }

// partitions are those on which something waits.
func (st *stage) partitions() []string {
	st.mu.Lock()
	defer st.mu.Unlock()
	return slices.Collect(maps.Keys(st.dirs))
}

// dir is the session's directory on a partition.
func (st *stage) dir(partition string) (string, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if d := st.dirs[partition]; d != "" {
		return d, nil
	}
	top, err := st.areas.dir(partition)
	if err != nil {
		return "", err
	}
	d := filepath.Join(top, st.name)
	if err := os.Mkdir(d, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	st.dirs[partition] = d
	return d, nil
}

// take stores a message that comes in. Its GUID is checked on the way: one that
// does not fit is not there. A small one is still being parsed and written when
// take returns, so that several are at once: most of the time goes into making
// files. What becomes of it get tells.
func (st *stage) take(f csync.FileLiteral, r io.Reader) error {
	k := stageKey{f.Partition, f.GUID}
	st.mu.Lock()
	old := st.files[k]
	st.mu.Unlock()
	if old != nil && (old.ready == nil || old.wait()) {
		return nil
	}
	dir, err := st.dir(f.Partition)
	if err != nil {
		return err
	}
	// A name of its own: that of the GUID may just now become a link of a message
	// in a mailbox, which must not be written to.
	st.came++
	w := &staged{path: filepath.Join(dir, f.GUID.String()+"."+strconv.Itoa(st.came))}
	if f.Size > small {
		if err := write(w.path, f, r); err != nil {
			return errors.Join(err, ifThere(os.Remove(w.path)))
		}
		st.add(k, w)
		return nil
	}
	text := make([]byte, f.Size)
	if _, err := io.ReadFull(r, text); err != nil {
		return err
	}
	w.ready = make(chan struct{})
	st.add(k, w)
	st.areas.writers <- struct{}{}
	st.writes.Go(func() {
		if w.err = st.store(w, f, text); w.err != nil {
			log.Err("SYNCERROR: staging %s: %v", w.path, w.err)
		}
		<-st.areas.writers
		close(w.ready)
	})
	return nil
}

// store writes a small message. How it was parsed is kept for the mailbox, as far
// as there is room for that: it need not be read again then.
func (st *stage) store(w *staged, f csync.FileLiteral, text []byte) error {
	msg, err := message.Parse(text, st.areas.parse)
	if err != nil {
		return err
	}
	if guid.GUID(msg.GUID) != f.GUID {
		return fmt.Errorf("%s: %w", f.GUID, errContent)
	}
	if err := writeSmall(w.path, text); err != nil {
		return errors.Join(err, ifThere(os.Remove(w.path)))
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.parsed+len(msg.Cache) <= maxParsed {
		st.parsed += len(msg.Cache)
		// The rest of it holds on to the text.
		w.msg = &message.Message{Size: msg.Size, HeaderSize: msg.HeaderSize, GUID: msg.GUID,
			SentDate: msg.SentDate, GMTime: msg.GMTime, Cache: msg.Cache, CacheCRC: msg.CacheCRC}
	}
	return nil
}

// message is how a message was parsed, once: nil when that is not known any more.
func (st *stage) message(w *staged) *message.Message {
	st.mu.Lock()
	defer st.mu.Unlock()
	msg := w.msg
	if msg != nil {
		st.parsed -= len(msg.Cache)
		w.msg = nil
	}
	return msg
}

// ifThere is err unless it says that there was no such file.
func ifThere(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// small is the size of messages that are read whole before they are written.
const small = 64 << 10

// maxParsed bounds what a session keeps of parsed messages, in octets of their
// records of cyrus.cache.
const maxParsed = 32 << 20

// maxWriters is how many messages a process writes at once.
const maxWriters = 8

// writeSmall writes a new file, without what os.File does for files that are
// waited for: there are many.
func writeSmall(path string, text []byte) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	for len(text) > 0 && err == nil {
		var n int
		if n, err = unix.Write(fd, text); err == nil {
			text = text[n:]
		}
	}
	if cerr := unix.Close(fd); err == nil {
		err = cerr
	}
	if err != nil {
		return &os.PathError{Op: "write", Path: path, Err: err}
	}
	return nil
}

// write stores the octets of f in a new file.
func write(path string, f csync.FileLiteral, r io.Reader) error {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	h := sha1.New()
	buf := make([]byte, min(int(f.Size), small))
	n, err := io.CopyBuffer(onlyWriter{out}, io.TeeReader(r, h), buf)
	if err == nil && n != int64(f.Size) {
		err = io.ErrUnexpectedEOF
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err == nil && guid.GUID(h.Sum(nil)) != f.GUID {
		err = fmt.Errorf("%s: %w", f.GUID, errContent)
	}
	return err
}

func (st *stage) add(k stageKey, f *staged) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.files[k] = f
}

// link stages a message that some mailbox has, whose octets have been checked.
func (st *stage) link(k stageKey, from string) error {
	if st.has(k) {
		return nil
	}
	dir, err := st.dir(k.partition)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, k.guid.String())
	err = os.Link(from, path)
	switch {
	case err == nil:
		st.add(k, &staged{path: path, durable: true})
		return nil
	case errors.Is(err, os.ErrExist):
		// Another command has linked it meanwhile.
		st.add(k, &staged{path: path})
		return nil
	}
	// Another partition is another file system.
	if err := copyFile(from, path); err != nil {
		return errors.Join(err, ifThere(os.Remove(path)))
	}
	st.add(k, &staged{path: path})
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// clear removes all. Nothing is taken meanwhile.
func (st *stage) clear() {
	st.writes.Wait()
	st.mu.Lock()
	defer st.mu.Unlock()
	for p, d := range st.dirs {
		os.RemoveAll(d)
		delete(st.dirs, p)
	}
	clear(st.files)
	st.parsed = 0
}
