package mailbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"gocyrus/lib/change"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox/headerfile"
	"gocyrus/lib/mappedfile"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/quota"
)

// commit writes the batch and makes it durable. After an error before the index
// was touched nothing has changed; after a later one the next lock counts anew,
// and the sinks are told in case it has.
func (b *batch) commit() (o outcome, err error) {
	defer b.cache.close()
	defer b.annots.close()
	if b.hdr == b.base && len(b.changed) == 0 && len(b.added) == 0 && b.hf == nil && len(b.annots.changes) == 0 {
		b.writeXConv()
		return o, nil
	}
	b.consistent()
	var roots map[string]quota.Usage
	if b.m.store.quota != nil {
		roots = b.quotas()
	}
	if o.note, err = b.m.store.noteChange(b.m.id, roots); err == nil {
		if err = b.prepare(roots); err == nil {
			b.begun = true
			err = b.writeIndex()
		}
	}
	if err != nil {
		undone := b.abandon()
		if undone != nil {
			o.note = nil // stays
		}
		if b.begun {
			o.commit = &change.Commit{Name: b.m.Name(), UniqueID: b.m.id, Header: true}
		}
		return o, fmt.Errorf("%s: commit: %w", b.m.Name(), errors.Join(err, undone))
	}
	b.writeXConv()
	b.m.committed(b)
	o.commit = b.report()
	return o, nil
}

// abandon undoes what was prepared for an index that was not written.
func (b *batch) abandon() error {
	b.m.stale = true
	// A change without a modseq of its own looks written before it is.
	if b.begun && b.m.written(&b.hdr) {
		return nil
	}
	var errs []error
	for _, f := range b.links {
		errs = append(errs, remove(f))
	}
	return errors.Join(append(errs, b.uncharge())...)
}

// written says whether the header in the file may be h: then the change has
// happened, though perhaps not durably.
func (m *Mailbox) written(h *indexfile.Header) bool {
	var now indexfile.Header
	head := make([]byte, indexfile.MaxHeader)
	n, _ := m.index.ReadAt(head, 0)
	return now.Parse(head[:n]) != nil || now.HighestModSeq >= h.HighestModSeq && now.Format == h.Format
}

// prepare does all that has to be done before the index says so. What is slow,
// the syncs, goes on while this goroutine does the rest.
//
// The cache is not synced: after a crash of the machine a record of it may not
// fit its CRC, and the message is parsed again.
func (b *batch) prepare(roots map[string]quota.Usage) error {
	var tasks []func() error
	if b.cache.wrote {
		if err := b.cache.write(); err != nil {
			return err
		}
	}
	if len(b.links) > 0 {
		tasks = append(tasks, b.syncLinks)
	}
	if len(b.annots.changes) > 0 {
		tasks = append(tasks, b.annots.apply)
	}
	var header *newFile
	if b.hf != nil {
		file := b.hf.Append(nil)
		b.hdr.HeaderFileCRC = headerfile.CRC(file)
		var err error
		if header, err = writeFile(b.m.paths.header, file); err != nil {
			return err
		}
		tasks = append(tasks, header.sync)
	}
	if b.with != nil {
		tasks = append(tasks, b.with)
	}
	// The clock comes first: a quota root takes its modseq from there.
	tasks = append(tasks, func() error { return errors.Join(b.clock.write(), b.charge(roots)) })
	if err := together(tasks); err != nil {
		return errors.Join(err, header.drop())
	}
	return b.replaceHeader(header)
}

// replaceHeader puts a new cyrus.header in place, durably if there are records
// that may refer to its flags. Otherwise that can wait for the sync of the index:
// whoever finds only one of the two after a crash mends it.
func (b *batch) replaceHeader(header *newFile) error {
	if header == nil {
		return nil
	}
	if err := header.rename(); err != nil {
		return err
	}
	if len(b.added) > 0 || len(b.changed) > 0 {
		return syncDir(filepath.Dir(b.m.paths.header))
	}
	return nil
}

// charge brings the quota roots up to date.
func (b *batch) charge(roots map[string]quota.Usage) error {
	if b.m.store.quota == nil {
		return nil
	}
	charge := b.m.store.quota.Charge
	if b.exact > 0 || b.quiet {
		charge = b.m.store.quota.ChargeExact
	}
	for root, delta := range roots {
		if err := charge(mboxname.Name(root), delta); err != nil {
			return err
		}
		if b.charged == nil {
			b.charged = make(map[string]quota.Usage)
		}
		b.charged[root] = delta
	}
	return nil
}

// uncharge takes back what charge did.
func (b *batch) uncharge() error {
	var errs []error
	for root, delta := range b.charged {
		for r := range delta {
			delta[r] = -delta[r]
		}
		errs = append(errs, b.m.store.quota.Charge(mboxname.Name(root), delta))
	}
	return errors.Join(errs...)
}

// together runs tasks at the same time, the last one in this goroutine, and
// returns the first error.
func together(tasks []func() error) error {
	switch len(tasks) {
	case 0:
		return nil
	case 1:
		return tasks[0]()
	}
	errs := make([]error, len(tasks))
	last := len(tasks) - 1
	var wg sync.WaitGroup
	for i, t := range tasks[:last] {
		wg.Go(func() { errs[i] = t() })
	}
	errs[last] = tasks[last]()
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// quotas are the changes of usage, by quota root.
func (b *batch) quotas() map[string]quota.Usage {
	was, is := usage(&b.base), usage(&b.hdr)
	oldRoot, root := b.m.hf.QuotaRoot, b.m.hf.QuotaRoot
	if b.hf != nil {
		root = b.hf.QuotaRoot
	}
	was[quota.Mailbox], is[quota.Mailbox] = 1, 1
	for r := range was {
		was[r] = -was[r]
	}
	d := make(map[string]quota.Usage, 1)
	d[oldRoot] = was
	d[root] = d[root].Add(is)
	delete(d, "")
	for r, u := range d {
		if u.IsZero() {
			delete(d, r)
		}
	}
	return d
}

// usage is what a mailbox takes of its quota root, but for itself.
func usage(h *indexfile.Header) (u quota.Usage) {
	u[quota.Storage] = int64(h.QuotaUsed)
	u[quota.Message] = int64(h.Exists)
	u[quota.AnnotationStorage] = int64(h.AnnotUsed)
	return u
}

// writeIndex writes records and header, and syncs them. New records mean nothing
// before the header counts them. Records that are changed in place do: a mark in
// the header says meanwhile that the counts are not to be trusted.
func (b *batch) writeIndex() error {
	f := b.m.index
	if len(b.added) > 0 {
		if err := b.writeAdded(); err != nil {
			return err
		}
	}
	if len(b.changed) > 0 {
		mark := b.base
		mark.Format |= indexfile.FormatDirty
		if err := b.writeHeader(&mark); err != nil {
			return err
		}
		if err := b.writeChanged(); err != nil {
			return err
		}
	}
	if err := b.writeHeader(&b.hdr); err != nil {
		return err
	}
	var tasks []func() error
	if b.hf != nil && len(b.added) == 0 && len(b.changed) == 0 {
		tasks = append(tasks, func() error { return syncDir(filepath.Dir(b.m.paths.header)) })
	}
	if b.hard || len(b.added) > 0 {
		tasks = append(tasks, func() error {
			if err := unix.Fdatasync(int(f.Fd())); err != nil {
				return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
			}
			return nil
		})
	}
	if err := together(tasks); err != nil {
		return err
	}
	return b.adopt()
}

// block is what the file grows by, in octets. To overwrite what is there needs no
// commit of the file system's journal, as to grow does: most syncs of an index
// that is padded to whole blocks are faster, and it takes no more room on disk.
const block = 4096

// writeAdded writes the new records, and zeros to the end of the block if they
// make the file longer.
func (b *batch) writeAdded() error {
	off := b.base.Offset(int(b.base.NumRecords) + 1)
	buf, end := b.added, off+int64(len(b.added))
	if end > b.m.size {
		end = (end + block - 1) / block * block
		buf = make([]byte, end-off)
		copy(buf, b.added)
	}
	if _, err := b.m.index.WriteAt(buf, off); err != nil {
		return err
	}
	b.m.size = max(b.m.size, end)
	return nil
}

func (b *batch) writeHeader(h *indexfile.Header) error {
	var buf [indexfile.MaxHeader]byte
	head, err := h.AppendTo(buf[:0])
	if err != nil {
		return err
	}
	_, err = b.m.index.WriteAt(head, 0)
	return err
}

// writeChanged writes the changed records, neighbours in one go.
func (b *batch) writeChanged() error {
	recnos := b.recnos()
	var buf []byte
	for i := 0; i < len(recnos); {
		first := recnos[i]
		buf = append(buf[:0], b.changed[first]...)
		for i++; i < len(recnos) && recnos[i] == recnos[i-1]+1; i++ {
			buf = append(buf, b.changed[recnos[i]]...)
		}
		if _, err := b.m.index.WriteAt(buf, b.base.Offset(first)); err != nil {
			return err
		}
	}
	return nil
}

// adopt makes what was written what is known.
func (b *batch) adopt() error {
	m := b.m
	if size := b.hdr.FileSize(); size > int64(len(m.imap.b)) {
		if err := m.remap(size); err != nil {
			return err
		}
	}
	if b.hf != nil {
		ino, err := inodeOf(m.paths.header)
		if err != nil {
			return err
		}
		m.setHeaderFile(b.hf, ino, b.hdr.HeaderFileCRC)
	}
	// As it is read: an older version does not have all fields.
	var h indexfile.Header
	if err := h.Parse(m.imap.b[:b.hdr.StartOffset]); err != nil {
		return err
	}
	return m.adopt(&h)
}

// report is what the sinks are told.
func (b *batch) report() *change.Commit {
	c := &change.Commit{
		Name: b.m.Name(), UniqueID: b.m.id,
		UIDValidity: b.hdr.UIDValidity, LastUID: b.hdr.LastUID,
		Exists: b.hdr.Exists, Unseen: b.hdr.Unseen, HighestModSeq: b.hdr.HighestModSeq,
		Header: len(b.touched) == 0 || b.hf != nil,
		Bytes:  int64(b.hdr.QuotaUsed) - int64(b.base.QuotaUsed),
	}
	for list, uids := range map[*[]uint32][]uint32{
		&c.Appended: b.news.appended, &c.Expunged: b.news.expunged, &c.Flagged: b.news.flagged,
	} {
		for _, uid := range uids {
			c.AddUID(list, uid)
		}
	}
	return c
}

// replaceFile makes b the content of a file, durably, in one step.
func replaceFile(path string, b []byte) error {
	f, err := writeFile(path, b)
	if err != nil {
		return err
	}
	if err := f.sync(); err != nil {
		return errors.Join(err, f.drop())
	}
	if err := f.rename(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// A newFile is the next content of a file, beside it under the name with .NEW.
type newFile struct {
	path string
	f    *os.File
}

// writeFile writes a newFile: sync is next, which closes it, then rename or drop.
func writeFile(path string, b []byte) (*newFile, error) {
	f, err := mappedfile.OpenFile(path+".NEW", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return nil, err
	}
	if _, err := f.Write(b); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	startWriting(f)
	return &newFile{path, f}, nil
}

func (n *newFile) sync() error { return errors.Join(n.f.Sync(), n.f.Close()) }

func (n *newFile) rename() error { return os.Rename(n.path+".NEW", n.path) }

// drop removes a file that is not wanted after all.
func (n *newFile) drop() error {
	if n == nil {
		return nil
	}
	return os.Remove(n.path + ".NEW")
}

// syncDir makes what was done to the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
