package sievedir

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
)

const (
	compiled = ".bc"       // suffix of a compiled script
	link     = "defaultbc" // to the compiled form of the active script
)

// path is the directory of a user's compiled scripts; "" when the site has none.
func (d *Dir) path(userid string) string {
	if d.ops.Layout.SieveDir == "" || userid == "" {
		return ""
	}
	return d.ops.Layout.SieveUserDir(userid, d.ops.InboxID(userid))
}

// Refresh lets the directory of compiled scripts follow the mailbox, after the
// mailbox was changed by another way than this package's: by replication.
func (d *Dir) Refresh(ctx context.Context, userid string) error {
	ctx, unlock, err := d.ops.Mailboxes.LockUser(ctx, userid)
	if err != nil {
		return err
	}
	defer unlock()
	return d.follow(ctx, userid, "")
}

// follow does Refresh under the user's lock. The compiled form of the script gone
// is removed in any case.
func (d *Dir) follow(ctx context.Context, userid, gone string) error {
	dir := d.path(userid)
	if dir == "" {
		return nil
	}
	stored, active, err := d.stored(ctx, userid)
	if err != nil {
		return err
	}
	if len(stored) > 0 {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), compiled)
		if !ok || !f.Type().IsRegular() {
			continue
		}
		since, known := stored[name]
		if info, err := f.Info(); known && name != gone && err == nil && info.ModTime().After(since) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, f.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return setLink(dir, active)
}

// stored are the names of a user's scripts, and since when each is there as it is
// now, by this machine's clock: its message was linked then. active is the one
// that runs; of several, the one that was marked last.
func (d *Dir) stored(ctx context.Context, userid string) (since map[string]time.Time, active string, err error) {
	e, err := d.lookup(userid)
	if e == nil || err != nil {
		return nil, "", err
	}
	m, err := d.ops.Mailboxes.Open(ctx, e)
	if err != nil {
		return nil, "", err
	}
	defer m.Close()
	since = map[string]time.Time{}
	return since, active, m.View(mailbox.As(ctx, e), func(v *mailbox.View) error {
		all, err := scripts(v)
		var last uint64
		for _, s := range all {
			if CheckName(s.Name) != nil {
				continue // has no file
			}
			since[s.Name] = linked(m, v.Raw(s.recno))
			if s.Active && s.modSeq > last {
				active, last = s.Name, s.modSeq
			}
		}
		return err
	})
}

// linked is when a script's message was put in place, by its inode; now, when that
// cannot be had.
func linked(m *mailbox.Mailbox, r indexfile.Raw) time.Time {
	dir := m.Path("data")
	if r.Flags()&indexfile.Archived != 0 {
		dir = m.Path("archive")
	}
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(dir, strconv.FormatUint(uint64(r.UID()), 10)+"."), &st); err != nil {
		return time.Now()
	}
	return time.Unix(st.Ctim.Unix())
}

// setLink makes the link point to the compiled form of a script, or removes it.
func setLink(dir, active string) error {
	at := filepath.Join(dir, link)
	old, err := os.Readlink(at)
	switch {
	case active == "" && errors.Is(err, fs.ErrNotExist), active != "" && old == active+compiled:
		return nil
	case active == "":
		return os.Remove(at)
	}
	if err := os.Remove(at + ".NEW"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(active+compiled, at+".NEW"); err != nil {
		return err
	}
	return os.Rename(at+".NEW", at)
}
