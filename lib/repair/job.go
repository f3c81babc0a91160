package repair

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/lock"
	"gocyrus/lib/mailbox/headerfile"
	"gocyrus/lib/mappedfile"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/message"
	"gocyrus/lib/site"
)

// A job is one pass over one mailbox.
type job struct {
	site  *site.Site
	e     *mboxlist.Entry
	o     Options
	p     *paths
	parse message.Options
	now   uint32

	// What there is.
	index   *mappedfile.Map
	lock    *os.File         // cyrus.index, locked; nil when there is none
	old     indexfile.Header // as it was read
	table   indexfile.Table
	fresh   bool // there is no index of use: all of it is made anew
	pending bool // the counts of old are known to be unfinished
	unsure  bool // what the quota root has of the mailbox is not what old says
	doubt   bool // the index does not vouch for what cyrus.header says
	moved   bool // the quota root there was another than the mailbox comes under
	oldFile *headerfile.Header
	files   []file // message files, by UID
	annots  map[uint32]*annots
	caches  [2]cacheFile

	// What there should be.
	hdr    indexfile.Header
	file   headerfile.Header // cyrus.header
	crcs   indexfile.FlagCRCs
	valid  indexfile.UserFlags // slots that have a name
	recs   []record
	extra  []file   // message files that get a record, behind the others
	remove []string // files to be removed once the new index is there
	drop   []uint32 // UIDs whose annotations are to be removed

	dirty    bool   // the index has to be written
	newFile  bool   // cyrus.header has to be written
	done     func() // ends the note of what is being written; nil when nothing is
	findings []Finding
}

// newJob is a pass over the mailbox of e, whose locks the caller holds.
func newJob(s *site.Site, e *mboxlist.Entry, o Options) (*job, error) {
	p, err := pathsOf(s.Mailboxes.Options(), e)
	if err != nil {
		return nil, err
	}
	return &job{
		site: s, e: e, o: o, p: p, parse: message.OptionsFrom(s.Config),
		now: uint32(time.Now().Unix()), annots: make(map[uint32]*annots),
	}, nil
}

// inspect reads the mailbox and finds out what there should be.
func (j *job) inspect(ctx context.Context) error {
	if err := j.open(ctx); err != nil {
		return err
	}
	for _, step := range []func() error{
		j.readHeaderFile, j.readIndexHeader, j.checkHeaderFile, j.readAnnotations, j.readDirs,
		j.openCaches, j.checkRecords, j.addFiles, j.count,
	} {
		if err := step(); err != nil {
			return fmt.Errorf("%s: %w", j.e.Name, err)
		}
	}
	return nil
}

// open opens and locks the index. Other programs keep to the name lock, but for
// the ones that only look.
func (j *job) open(ctx context.Context) error {
	f, err := mappedfile.OpenLocked(ctx, j.p.index, os.O_RDWR, lock.Exclusive)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	j.lock = f
	j.index, err = mappedfile.NewMap(f)
	return err
}

// close gives up what is open.
func (j *job) close() {
	for i := range j.caches {
		j.caches[i].close()
	}
	if j.index != nil {
		// Only read: nothing is lost.
		_ = j.index.Close()
	}
	if j.lock != nil {
		j.lock.Close()
	}
}
