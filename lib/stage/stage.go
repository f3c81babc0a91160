// Package stage appends a message that has come in to one mailbox or to many:
// it is stored once a partition, linked into each mailbox, and synced once. The
// quota of each is checked before, and each has a result of its own: one that is
// full does not keep the others from theirs.
//
// The package knows no protocol, and neither Sieve nor duplicates: who gets the
// message is decided by its callers.
package stage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/message"
	"gocyrus/lib/quota"
)

// Dir is the directory below a partition's root in which messages are staged.
const Dir = "stage."

// A File is a message that is complete and in a file: a *spool.File.
type File interface {
	// Name is the path of the file, in the stage directory of some partition.
	Name() string
	// Sync makes its content durable.
	Sync() error
}

// A Target is a mailbox to get the message, and what is particular to it there.
type Target struct {
	Entry *mboxlist.Entry
	// Mailbox is Entry's when the caller has it open; nil lets the stager
	// open and close it.
	Mailbox *mailbox.Mailbox

	InternalDate uint32 // 0 is now
	SaveDate     uint32 // 0 is now
	Flags        indexfile.Flags
	UserFlags    []string
	Annots       []mailbox.Annot
	// CID is the conversation; 0 is none.
	CID uint64
	// IgnoreQuota lets the message in however full the mailbox is.
	IgnoreQuota bool
}

// A Result is what became of one Target.
type Result struct {
	UID         uint32
	UIDValidity uint32
	ModSeq      uint64
	// Err is nil, quota.ErrOver, an error of mailbox, or of the file system.
	Err error
}

// A Stager appends messages. Its methods may be called from many goroutines.
type Stager struct {
	store *mailbox.Store
}

// New is a stager for the mailboxes of store.
func New(store *mailbox.Store) *Stager { return &Stager{store: store} }

// DirOf is the stage directory of a partition, where a message bound for it is
// best spooled: it is then linked, not copied.
func (s *Stager) DirOf(partition string) (string, error) {
	p, ok := s.store.Options().Partitions[partition]
	if !ok {
		return "", fmt.Errorf("partition %q: %w", partition, mailbox.ErrNotFound)
	}
	return filepath.Join(p.Data, Dir), nil
}

// workers bounds how many mailboxes of one message are written at the same time.
const workers = 8

// Append appends f, which msg is the parsed form of, to all targets. When it
// returns, the message is on disk in every mailbox whose Result has no error;
// the Results are in the order of the targets. f is left to the caller.
func (s *Stager) Append(ctx context.Context, targets []Target, f File, msg *message.Message) []Result {
	results := make([]Result, len(targets))
	c := copies{s: s, f: f}
	defer c.close()
	each(len(targets), func(i int) {
		results[i] = s.one(ctx, &targets[i], &c, msg)
	})
	return results
}

// each calls fn for 0 to n-1, several at a time.
func each(n int, fn func(i int)) {
	if n == 1 {
		fn(0)
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, workers) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				fn(i)
			}
		})
	}
	wg.Wait()
}

func (s *Stager) one(ctx context.Context, t *Target, of *copies, msg *message.Message) (r Result) {
	c, err := of.on(t.Entry.Partition)
	if err != nil {
		return Result{Err: err}
	}
	update := func(fn func(tx *mailbox.Tx) error) error { return s.store.Update(ctx, t.Entry, fn) }
	if t.Mailbox != nil {
		update = func(fn func(tx *mailbox.Tx) error) error { return t.Mailbox.Update(ctx, fn) }
	}
	r.Err = update(func(tx *mailbox.Tx) (err error) {
		if !t.IgnoreQuota {
			if err := tx.CheckQuota(quota.Usage{quota.Storage: int64(msg.Size), quota.Message: 1}); err != nil {
				return err
			}
		}
		r.UIDValidity = tx.UIDValidity()
		r.UID, r.ModSeq, err = tx.Append(mailbox.Append{
			File: c.path, Sync: c.sync, Message: msg,
			InternalDate: t.InternalDate, SaveDate: t.SaveDate, Flags: t.Flags,
			UserFlags: t.UserFlags, Annots: t.Annots, CID: t.CID,
		})
		return err
	})
	if r.Err != nil {
		return Result{Err: r.Err}
	}
	return r
}

// copies are the files of one message, one a partition, each synced once.
type copies struct {
	s  *Stager
	f  File
	mu sync.Mutex
	by map[string]*staged // by partition
}

type staged struct {
	once sync.Once
	path string
	own  bool         // made here
	sync func() error // makes it durable, once; nil when it is already
	err  error
}

// on is the message's file on a partition.
func (c *copies) on(partition string) (*staged, error) {
	c.mu.Lock()
	st := c.by[partition]
	if st == nil {
		if c.by == nil {
			c.by = make(map[string]*staged)
		}
		st = new(staged)
		c.by[partition] = st
	}
	c.mu.Unlock()
	st.once.Do(func() { st.err = c.make(st, partition) })
	return st, st.err
}

func (c *copies) make(st *staged, partition string) error {
	dir, err := c.s.DirOf(partition)
	if err != nil {
		return err
	}
	if filepath.Dir(c.f.Name()) == dir {
		st.path, st.sync = c.f.Name(), sync.OnceValue(c.f.Sync)
		return nil
	}
	st.path, err = copyTo(dir, c.f.Name())
	st.own = st.path != ""
	return err
}

func (c *copies) close() {
	for _, st := range c.by {
		if st.own {
			// A leftover is removed when the server starts.
			_ = os.Remove(st.path)
		}
	}
}

var sequence atomic.Uint64

// copyTo copies a message into a stage directory, and syncs it.
func copyTo(dir, from string) (path string, err error) {
	in, err := os.Open(from)
	if err != nil {
		return "", err
	}
	defer in.Close()
	out, err := create(dir)
	if err != nil {
		return "", err
	}
	if _, err = io.Copy(out, in); err == nil {
		err = out.Sync()
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	return out.Name(), err
}

// create makes a file in a stage directory, named as Cyrus names them, the
// number marked as this package's.
func create(dir string) (*os.File, error) {
	name := strconv.Itoa(os.Getpid()) + "-" + strconv.FormatInt(time.Now().Unix(), 10) + "-c"
	for made := false; ; {
		f, err := os.OpenFile(filepath.Join(dir, name+strconv.FormatUint(sequence.Add(1), 10)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		switch {
		case errors.Is(err, os.ErrExist):
			// Left by a process of the same number: take the next.
		case errors.Is(err, os.ErrNotExist) && !made:
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return nil, err
			}
			made = true
		default:
			return f, err
		}
	}
}
