package syncclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"gocyrus/lib/csync"
	"gocyrus/lib/guid"
	"gocyrus/lib/log"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
)

// bodies are messages fetched from the replica, in files beside the mailbox's.
type bodies struct {
	p      *pass
	remote *csync.Mailbox
	root   string // of the partition
	dir    string // empty until there is one
	got    map[guid.GUID]bool
}

func newBodies(p *pass, e *mboxlist.Entry, remote *csync.Mailbox) *bodies {
	root := p.c.site.Mailboxes.Options().Partitions[e.Partition].Data
	return &bodies{p: p, remote: remote, root: root, got: make(map[guid.GUID]bool)}
}

// errBody is a message that the replica names and does not give.
var errBody = errors.New("the replica does not give a message")

// fetch fetches messages, all at once.
func (b *bodies) fetch(ctx context.Context, list []*csync.Record) error {
	var jobs []*csync.Pending
	var wanted []*csync.Record
	for _, r := range list {
		if b.got[r.GUID] {
			continue
		}
		if err := b.makeDir(); err != nil {
			return err
		}
		f := csync.Fetch{Name: b.remote.Name, Partition: b.remote.Partition, UniqueID: b.remote.UniqueID, GUID: r.GUID, UID: r.UID}
		req := csync.NewGet("FETCH", f.Append(nil, client))
		req.Files = b.keep
		wanted = append(wanted, r)
		jobs = append(jobs, b.p.s.c.Start(req))
	}
	var failed error
	for i, j := range jobs {
		_, err := j.Wait(ctx)
		if err == nil {
			err = b.check(wanted[i])
		}
		if err != nil && failed == nil {
			failed = fmt.Errorf("GET FETCH uid %d: %w", wanted[i].UID, err)
		}
	}
	return failed
}

// keep writes a file that comes from the replica.
func (b *bodies) keep(f csync.FileLiteral, r io.Reader) error {
	out, err := os.OpenFile(b.path(f.GUID), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, r)
	return errors.Join(err, out.Close())
}

// check sees whether a file is the message that was asked for.
func (b *bodies) check(r *csync.Record) error {
	data, err := os.ReadFile(b.path(r.GUID))
	if err != nil {
		return fmt.Errorf("%w: %w", errBody, err)
	}
	if guid.Of(data) != r.GUID {
		return fmt.Errorf("%w: its content is another", errBody)
	}
	b.got[r.GUID] = true
	return nil
}

// makeDir makes a directory that is known for one of a process which may be gone.
func (b *bodies) makeDir() (err error) {
	if b.dir != "" {
		return nil
	}
	parent := filepath.Join(b.root, "sync.", strconv.Itoa(os.Getpid()))
	if err = os.MkdirAll(parent, 0o755); err == nil {
		b.dir, err = os.MkdirTemp(parent, "fetched-")
	}
	return err
}

func (b *bodies) path(g guid.GUID) string { return filepath.Join(b.dir, g.String()) }

// file is where a message is, and how to make it durable.
func (b *bodies) file(g guid.GUID) (string, func() error) {
	return b.path(g), mailbox.SyncPath(b.path(g))
}

func (b *bodies) have(list []*csync.Record) bool {
	for _, r := range list {
		if !b.got[r.GUID] {
			return false
		}
	}
	return true
}

func (b *bodies) remove() {
	if b.dir == "" {
		return
	}
	if err := os.RemoveAll(b.dir); err != nil {
		log.Err("IOERROR: %s: %v", b.dir, err)
	}
	// The process's own goes with the last one in it.
	_ = os.Remove(filepath.Dir(b.dir))
}
