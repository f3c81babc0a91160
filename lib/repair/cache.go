package repair

import (
	"errors"
	"io/fs"
	"os"

	"gocyrus/lib/cachefile"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mappedfile"
)

// A cacheFile is a cyrus.cache, mapped.
type cacheFile struct {
	f *os.File
	m *mappedfile.Map
}

func (c *cacheFile) close() {
	if c.m != nil {
		// Only read: nothing is lost.
		_ = c.m.Close()
	}
	if c.f != nil {
		c.f.Close()
	}
}

// openCaches maps the caches. One of another generation than the index is what a
// repack left that was killed: no offset fits.
func (j *job) openCaches() error {
	if j.fresh {
		return nil
	}
	for i, path := range j.p.caches {
		if path == "" {
			continue
		}
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		j.caches[i].f = f
		m, err := mappedfile.NewMap(f)
		if err != nil {
			return err
		}
		g, err := cachefile.Generation(m.Bytes())
		if err != nil || g != j.old.Generation {
			j.findQuietly(Cache, 0, "%s: %s is of generation %d, the index of %d", j.e.Name, path, g, j.old.Generation)
			j.dirty = true
			if err := m.Close(); err != nil {
				return err
			}
			continue
		}
		j.caches[i].m = m
	}
	return nil
}

// cached is the cache record of r, nil when there is none that fits.
func (j *job) cached(r *indexfile.Record) []byte {
	c := &j.caches[j.p.place(r.Flags&indexfile.Archived != 0)]
	if c.m == nil || r.CacheOffset < cachefile.HeaderSize || r.CacheVersion == 0 {
		return nil
	}
	var rec []byte
	var err error
	if j.old.Version >= 12 {
		rec, err = cachefile.At(c.m.Bytes(), r.CacheOffset, r.CacheCRC)
	} else {
		rec, err = cachefile.AtUnchecked(c.m.Bytes(), r.CacheOffset)
	}
	if err != nil {
		return nil
	}
	if _, err := cachefile.All(rec); err != nil {
		return nil
	}
	return rec
}
