package repair

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox/headerfile"
	"gocyrus/lib/mappedfile"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/quota"
)

// write makes the mailbox what inspect found that it should be. See the package
// comment for the order; what fails leaves the old mailbox.
func (j *job) write() error {
	for _, step := range []func() error{
		j.makeDirs, j.number, j.link, j.writeHeaderFile, j.writeIndex, j.removeFiles, j.removeAnnotations,
	} {
		if err := step(); err != nil {
			return fmt.Errorf("%s: %w", j.e.Name, err)
		}
	}
	return nil
}

func (j *job) makeDirs() error {
	for _, d := range j.p.all() {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// number gives each record that changes a modseq of its own.
func (j *job) number() error {
	n := uint64(0)
	for i := range j.recs {
		if j.recs[i].changed {
			n++
		}
	}
	if n == 0 && !j.fresh {
		return nil
	}
	// The clock may belong to all mailboxes of the owner: the first step finds
	// where it stands, the second takes as many as are needed.
	next, err := j.site.Mailboxes.NextFolderModSeq(j.e, j.hdr.HighestModSeq)
	if err != nil {
		return err
	}
	if n > 1 {
		if _, err := j.site.Mailboxes.NextFolderModSeq(j.e, next+n-2); err != nil {
			return err
		}
	}
	for i := range j.recs {
		r := &j.recs[i]
		if !r.changed {
			continue
		}
		r.ModSeq, r.LastUpdated = next, j.now
		if r.was == nil {
			r.CreatedModSeq = next
		}
		j.hdr.HighestModSeq = next
		next++
	}
	return nil
}

// link gives the messages that get another UID their second name.
func (j *job) link() error {
	dirs := make(map[string]bool)
	for i := range j.recs {
		r := &j.recs[i]
		if r.from == nil {
			continue
		}
		from, to := j.p.message(r.from.uid, r.from.archived), j.p.message(r.UID, r.from.archived)
		err := os.Link(from, to)
		if errors.Is(err, fs.ErrExist) {
			// Left by an append, or a pass, that was killed: it is beyond the
			// last UID.
			if err = os.Remove(to); err == nil {
				err = os.Link(from, to)
			}
		}
		if err != nil {
			return err
		}
		dirs[filepath.Dir(to)] = true
	}
	for d := range dirs {
		if err := mappedfile.SyncDir(d); err != nil {
			return err
		}
	}
	return nil
}

func (j *job) writeHeaderFile() error {
	if !j.newFile {
		return nil
	}
	b := j.file.Append(nil)
	j.hdr.HeaderFileCRC = headerfile.CRC(b)
	return replace(j.p.header, b)
}

// replace makes b the content of a file, durably, in one step.
func replace(path string, b []byte) error {
	w, err := create(path)
	if err != nil {
		return err
	}
	defer w.discard()
	if _, err := w.Write(b); err != nil {
		return err
	}
	if err := w.sync(); err != nil {
		return err
	}
	return w.rename()
}

// A newFile is a file being written as NAME.NEW.
type newFile struct {
	path string
	f    *os.File
	w    *bufio.Writer
	n    uint64
	done bool
}

func create(path string) (*newFile, error) {
	f, err := os.OpenFile(path+".NEW", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return nil, err
	}
	return &newFile{path: path, f: f, w: bufio.NewWriterSize(f, 1<<16)}, nil
}

func (w *newFile) Write(b []byte) (int, error) {
	n, err := w.w.Write(b)
	w.n += uint64(n)
	return n, err
}

func (w *newFile) sync() error {
	if err := w.w.Flush(); err != nil {
		return err
	}
	return w.f.Sync()
}

func (w *newFile) rename() error {
	w.done = true
	return mappedfile.Rename(w.path+".NEW", w.path)
}

// discard ends the writing; a file that was not renamed goes.
func (w *newFile) discard() {
	w.f.Close()
	if !w.done {
		_ = os.Remove(w.path + ".NEW")
	}
}

// writeIndex writes the index and the caches anew and charges the quota root for
// the difference. The index is renamed first: until the caches follow, their
// generation says that they are not its.
func (j *job) writeIndex() error {
	own := j.hdr.AnnotUsed
	for i := range j.recs {
		if r := &j.recs[i]; r.Flags&indexfile.Expunged == 0 {
			own -= min(own, r.annots.used)
		}
	}
	j.hdr.Generation++
	j.hdr.LeakedCache, j.hdr.LastRepack = 0, j.now
	index, err := create(j.p.index)
	if err != nil {
		return err
	}
	defer index.discard()
	if _, err := index.Write(make([]byte, j.hdr.StartOffset)); err != nil {
		return err
	}
	caches, err := j.writeRecords(index)
	defer func() {
		for _, c := range caches {
			if c != nil {
				c.discard()
			}
		}
	}()
	if err != nil {
		return err
	}
	j.recount(own)
	head, err := j.hdr.AppendTo(nil)
	if err != nil {
		return err
	}
	if err := index.w.Flush(); err != nil {
		return err
	}
	if _, err := index.f.WriteAt(head, 0); err != nil {
		return err
	}
	for _, f := range []*newFile{caches[0], caches[1], index} {
		if f == nil {
			continue
		}
		if err := f.sync(); err != nil {
			return err
		}
	}
	// Until all agree again: a pass that is killed leaves a note of it, and one
	// that fails from here on does.
	if j.done, err = j.site.Mailboxes.Begin(j.e, mboxname.Name(j.file.QuotaRoot)); err != nil {
		return err
	}
	if err := j.charge(); err != nil {
		return err
	}
	for _, f := range []*newFile{index, caches[0], caches[1]} {
		if f == nil {
			continue
		}
		if err := f.rename(); err != nil {
			return err
		}
	}
	return nil
}

// writeRecords writes the records and, for those whose message is there, their
// caches.
func (j *job) writeRecords(index *newFile) (caches [2]*newFile, err error) {
	var b []byte
	for i := range j.recs {
		r := &j.recs[i]
		rec, err := j.cacheOf(r)
		if err != nil {
			return caches, err
		}
		if rec == nil {
			r.CacheOffset, r.CacheCRC, r.CacheVersion = 0, 0, 0
		} else {
			c := &caches[j.p.place(r.Flags&indexfile.Archived != 0)]
			if *c == nil {
				if *c, err = j.createCache(j.p.place(r.Flags&indexfile.Archived != 0)); err != nil {
					return caches, err
				}
			}
			r.CacheOffset = (*c).n
			if _, err := (*c).Write(rec); err != nil {
				return caches, err
			}
		}
		if b, err = r.AppendTo(b[:0], j.hdr.Version); err != nil {
			return caches, err
		}
		if _, err := index.Write(b); err != nil {
			return caches, err
		}
	}
	return caches, nil
}

func (j *job) createCache(i int) (*newFile, error) {
	if err := os.MkdirAll(filepath.Dir(j.p.caches[i]), 0o755); err != nil {
		return nil, err
	}
	c, err := create(j.p.caches[i])
	if err != nil {
		return nil, err
	}
	_, err = c.Write(binary.BigEndian.AppendUint32(nil, j.hdr.Generation))
	return c, err
}

// cacheOf is the cache record of a message: the one it has, or one made from the
// file. nil is none.
func (j *job) cacheOf(r *record) ([]byte, error) {
	if !r.parse {
		return j.cached(&r.Record), nil
	}
	c, err := j.read(j.p.message(r.UID, r.Flags&indexfile.Archived != 0))
	if err != nil || c == nil {
		return nil, err
	}
	return c.msg.Cache, nil
}

// charge puts the difference on the mailbox's quota root. What a mailbox whose
// header was wrong had there nobody knows: Reconstruct adds the root up
// afterwards.
func (j *job) charge() error {
	if j.unsure || j.file.QuotaRoot == "" {
		return nil
	}
	delta := usage(&j.hdr)
	for r, n := range usage(&j.old) {
		delta[r] -= n
	}
	return j.site.Quota.Charge(mboxname.Name(j.file.QuotaRoot), delta)
}

// usage is what a mailbox takes of its quota root, but for itself.
func usage(h *indexfile.Header) (u quota.Usage) {
	u[quota.Storage] = int64(h.QuotaUsed)
	u[quota.Message] = int64(h.Exists)
	u[quota.AnnotationStorage] = int64(h.AnnotUsed)
	return u
}

// removeFiles removes what no record needs any more.
func (j *job) removeFiles() error {
	for _, f := range j.remove {
		if err := unix.Unlink(f); err != nil && err != unix.ENOENT {
			return &os.PathError{Op: "remove", Path: f, Err: err}
		}
	}
	return nil
}
