package mailbox

import (
	"context"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"time"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/lock"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/message"
	"gocyrus/lib/quota"
)

// Repack writes the index and the caches anew, without the records of messages
// that are expunged for good. It waits until nobody else is in the mailbox.
func (m *Mailbox) Repack(ctx context.Context) error {
	return m.exclusive(ctx, func(ctx context.Context) error { return m.repack(ctx, 0) })
}

// SetVersion repacks into another version of the index, 12 to 19. Fields that
// the new one lacks become annotations of the messages, and the other way round,
// as Cyrus does it.
func (m *Mailbox) SetVersion(ctx context.Context, version uint32) error {
	if !indexfile.Writable(version) {
		return fmt.Errorf("version %d: %w", version, ErrBadFormat)
	}
	return m.exclusive(ctx, func(ctx context.Context) error { return m.repack(ctx, version) })
}

// A packer writes the new files of one mailbox.
type packer struct {
	m      *Mailbox
	v      *View
	hdr    indexfile.Header
	index  *packFile
	caches [2]*packFile // spool, archive; nil when not used
	names  [2]string
	gone   []uint32 // UIDs of dropped records
	fold   folder
}

// repack is Repack under the exclusive name lock; version 0 keeps the version.
func (m *Mailbox) repack(ctx context.Context, version uint32) error {
	return m.guard(func() error {
		in, err := m.enter(ctx, lock.Exclusive)
		if err != nil {
			return err
		}
		defer in.leave()
		if version == 0 {
			version = m.hdr.Version
		}
		if !indexfile.Writable(version) {
			return fmt.Errorf("%s: version %d: %w", m.Name(), version, ErrBadFormat)
		}
		p := &packer{m: m, v: &View{m: m}, names: [2]string{m.paths.cache, m.paths.archCch}}
		defer p.close()
		if err := p.pack(version); err != nil {
			return fmt.Errorf("%s: repack: %w", m.Name(), err)
		}
		// What is open is the old file. The name lock keeps all others out
		// until this one has let go.
		m.stale = true
		m.snapMu.Lock()
		m.snap, m.gone, m.hist = nil, nil, history{}
		m.snapMu.Unlock()
		m.wants.Store(uint32(p.hdr.Options))
		return nil
	})
}

func (p *packer) pack(version uint32) (err error) {
	p.hdr = p.v.m.hdr
	fresh, err := indexfile.NewHeader(version)
	if err != nil {
		return err
	}
	old := p.hdr
	p.hdr.Version, p.hdr.StartOffset, p.hdr.RecordSize = version, fresh.StartOffset, fresh.RecordSize
	p.hdr.Generation++
	p.hdr.NumRecords, p.hdr.LeakedCache, p.hdr.FirstExpunged = 0, 0, 0
	p.hdr.LastRepack = uint32(time.Now().Unix())
	p.hdr.Options &^= indexfile.OptNeedsRepack | indexfile.OptNeedsUnlink
	if old.Version < 17 && old.LastRepack == 0 {
		p.hdr.ChangesEpoch = p.hdr.LastRepack
	}
	p.hdr.ResetCounts()
	p.hdr.HeaderFileCRC = p.m.hfCRC
	// Annotations stay what they are but for the ones that are folded.
	p.hdr.SyncCRCAnnot = old.SyncCRCAnnot
	if p.index, err = newPackFile(p.m.paths.index); err != nil {
		return err
	}
	if _, err := p.index.Write(make([]byte, p.hdr.StartOffset)); err != nil {
		return err
	}
	if err := p.fold.open(p.m, old.Version, version); err != nil {
		return err
	}
	if err := p.records(old.Version); err != nil {
		return err
	}
	return p.finish(&old)
}

// charge puts on the quota root by how much more the mailbox takes now: fields
// that became annotations, less messages that turned out to have no file. done
// is called when the new index is in place.
func (p *packer) charge(old *indexfile.Header) (done func(), err error) {
	delta, was := usage(&p.hdr), usage(old)
	for r := range delta {
		delta[r] -= was[r]
	}
	if old.Version < 13 {
		// It does not say what annotations take.
		delta[quota.AnnotationStorage] = 0
	}
	s, root := p.m.store, mboxname.Name(p.m.hf.QuotaRoot)
	if s.quota == nil || root == "" || delta.IsZero() {
		return func() {}, nil
	}
	if done, err = s.Begin(p.m.entry.Load(), root); err != nil {
		return nil, err
	}
	return done, s.quota.Charge(root, delta)
}

// records copies the records that stay.
func (p *packer) records(from uint32) error {
	var r indexfile.Record
	for recno := 1; recno <= p.v.NumRecords(); recno++ {
		if err := p.v.Record(recno, &r); err != nil {
			return err
		}
		virtual := indexfile.Virtual(&r, from)
		if r.UID == 0 {
			continue
		}
		if r.Flags&indexfile.Unlinked != 0 {
			if err := p.drop(&r); err != nil {
				return err
			}
			continue
		}
		if err := p.complete(&r, from); err != nil {
			return err
		}
		crc, err := p.fold.message(&r)
		if err != nil {
			return err
		}
		if err := p.cache(p.v.Raw(recno), &r); err != nil {
			return err
		}
		b, err := r.AppendTo(nil, p.hdr.Version)
		if err != nil {
			return err
		}
		if _, err := p.index.Write(b); err != nil {
			return err
		}
		p.hdr.NumRecords++
		p.hdr.Count(&r, true)
		p.hdr.SyncCRC ^= p.m.crcs.Basic(&r)
		p.hdr.SyncCRCAnnot ^= virtual ^ indexfile.Virtual(&r, p.hdr.Version) ^ crc
		if r.Flags&indexfile.Expunged != 0 && (p.hdr.FirstExpunged == 0 || p.hdr.FirstExpunged > r.LastUpdated) {
			p.hdr.FirstExpunged = r.LastUpdated
		}
	}
	return nil
}

// drop forgets a record whose message is gone, and makes sure that it is.
func (p *packer) drop(r *indexfile.Record) error {
	p.hdr.DeletedModSeq = max(p.hdr.DeletedModSeq, r.ModSeq)
	p.hdr.ChangesEpoch = max(p.hdr.ChangesEpoch, r.LastUpdated)
	p.gone = append(p.gone, r.UID)
	return p.m.removeFiles(r.UID, r.Flags)
}

// complete fills in what an index before version 12 did not have.
func (p *packer) complete(r *indexfile.Record, from uint32) error {
	if r.Flags&indexfile.NeedsCleanup != 0 {
		if err := p.m.removeFiles(r.UID, r.Flags); err != nil {
			return err
		}
		r.Flags &^= indexfile.NeedsCleanup
	}
	if r.ModSeq == 0 {
		r.ModSeq = 1
	}
	if from >= 10 && r.GUID != (indexfile.GUID{}) {
		return nil
	}
	return p.m.digest(r)
}

// cache copies a message's cache record. One that does not fit is made anew from
// the file; without a file there is none.
func (p *packer) cache(raw indexfile.Raw, r *indexfile.Record) error {
	rec, err := p.v.Cache(raw)
	switch {
	case errors.Is(err, ErrNoCache):
		if rec, err = p.parse(r); rec == nil || err != nil {
			return err
		}
	case err != nil:
		return err
	case raw.Version() < 12:
		r.CacheCRC = crc32.ChecksumIEEE(rec)
	}
	which := 0
	if r.Flags&indexfile.Archived != 0 && p.m.paths.archive != "" {
		which = 1
	}
	c := p.caches[which]
	if c == nil {
		if c, err = newPackFile(p.names[which]); err != nil {
			return err
		}
		p.caches[which] = c
		if _, err := c.Write(binary.BigEndian.AppendUint32(nil, p.hdr.Generation)); err != nil {
			return err
		}
	}
	r.CacheOffset = uint64(c.n)
	_, err = c.Write(rec)
	return err
}

// parse makes the cache record of a message from its file; nil is no file.
func (p *packer) parse(r *indexfile.Record) ([]byte, error) {
	r.CacheOffset, r.CacheCRC, r.CacheVersion = 0, 0, 0
	f, err := p.m.OpenFile(r.UID, r.Flags&indexfile.Archived != 0)
	if errors.Is(err, ErrGone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	o := p.m.store.opt.Parse
	o.GUID = &r.GUID // known: no need to compute it
	msg, err := message.Parse(f.Bytes(), o)
	if err != nil {
		return nil, err
	}
	r.CacheCRC, r.CacheVersion = msg.CacheCRC, message.CacheVersion
	return msg.Cache, nil
}

// finish makes the new files the mailbox's. The index goes first: until the
// caches follow, their generation says that they are not its.
func (p *packer) finish(old *indexfile.Header) error {
	if err := p.fold.finish(&p.hdr); err != nil {
		return err
	}
	if err := p.index.w.Flush(); err != nil {
		return err
	}
	head, err := p.hdr.AppendTo(nil)
	if err != nil {
		return err
	}
	if _, err := p.index.f.WriteAt(head, 0); err != nil {
		return err
	}
	tasks := []func() error{p.index.sync}
	for _, c := range p.caches {
		if c != nil {
			tasks = append(tasks, c.sync)
		}
	}
	if err := together(tasks); err != nil {
		return err
	}
	done, err := p.charge(old)
	if err != nil {
		return err
	}
	if err := p.index.rename(); err != nil {
		return err // the note stays
	}
	done()
	dirs := map[string]bool{filepath.Dir(p.index.path): true}
	for i, c := range p.caches {
		if p.names[i] == "" {
			continue
		}
		if c != nil {
			err = c.rename()
		} else {
			err = remove(p.names[i])
		}
		if err != nil {
			return err
		}
		if c != nil || i == 0 {
			dirs[filepath.Dir(p.names[i])] = true
		}
	}
	for d := range dirs {
		if err := syncDir(d); err != nil {
			return err
		}
	}
	if s := p.m.store; s.opt.Conversations && len(p.gone) > 0 {
		if err := newClock(s, p.m.entry.Load()).dropped(p.hdr.DeletedModSeq); err != nil {
			return err
		}
	}
	return p.m.dropAnnots(p.gone)
}

func (p *packer) close() {
	files := append([]*packFile{p.index}, p.caches[:]...)
	for _, f := range files {
		if f != nil {
			f.f.Close()
			// Gone already if it was renamed.
			_ = os.Remove(f.path + ".NEW")
		}
	}
}

// digest computes a message's GUID from its file; a message without one is
// expunged and unlinked, as reconstruct would.
func (m *Mailbox) digest(r *indexfile.Record) error {
	f, err := os.Open(m.paths.message(r.UID, r.Flags&indexfile.Archived != 0))
	if os.IsNotExist(err) {
		r.Flags |= indexfile.Expunged | indexfile.Unlinked
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha1.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	copy(r.GUID[:], h.Sum(nil))
	return nil
}
