package repair

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gocyrus/lib/log"
	"gocyrus/lib/message"
	"gocyrus/lib/times"
)

// A file is a message file in one of the directories.
type file struct {
	uid      uint32
	archived bool
}

// readDirs finds the message files.
func (j *job) readDirs() error {
	for i, dir := range j.p.dirs {
		if dir == "" {
			continue
		}
		if err := j.readDir(dir, i == 1); err != nil {
			return err
		}
	}
	slices.SortFunc(j.files, func(a, b file) int {
		switch {
		case a.uid != b.uid:
			if a.uid < b.uid {
				return -1
			}
			return 1
		case a.archived == b.archived:
			return 0
		case b.archived:
			return -1
		}
		return 1
	})
	return nil
}

func (j *job) readDir(dir string, archived bool) error {
	list, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, f := range list {
		name := f.Name()
		if name[0] == '.' || strings.HasPrefix(name, "cyrus.") {
			continue
		}
		if uid, ok := messageFile(name); ok {
			j.files = append(j.files, file{uid, archived})
			continue
		}
		if err := j.oddFile(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// messageFile is mailbox.IsMessageFile, and takes 0 too: there never was a
// message of that name, but its content may be one.
func messageFile(name string) (uid uint32, ok bool) {
	digits, ok := strings.CutSuffix(name, ".")
	if !ok || digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	return uint32(n), err == nil && strconv.FormatUint(n, 10) == digits
}

func (j *job) oddFile(path string) error {
	st, err := os.Stat(path)
	if err != nil || st.IsDir() || j.o.IgnoreOdd {
		return nil //nolint:nilerr // gone while we looked, or a link to nothing
	}
	j.find(Odd, 0, "%s odd file %s", j.e.Name, path)
	if !j.o.RemoveOdd {
		j.find(Odd, 0, "run reconstruct with -O to remove odd files")
		return nil
	}
	if j.o.DryRun {
		return nil
	}
	return os.Remove(path)
}

// A content is a message file that was read.
type content struct {
	msg   *message.Message
	mtime uint32
}

// read reads and parses a message file. nil is that there is none, or that it is
// empty: no message has no octets.
func (j *job) read(path string) (*content, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st.Size() == 0 || !st.Mode().IsRegular() {
		return nil, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m, err := message.Parse(b, j.parse)
	if errors.Is(err, message.ErrTooLarge) {
		log.Err("%s: %v", path, err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &content{m, uint32(st.ModTime().Unix())}, nil
}

// internalDate is the date that the message itself brings, 0 if none: the header
// field of those who deliver old mail.
func (c *content) internalDate() uint32 {
	if len(c.msg.InternalDate) == 0 {
		return 0
	}
	t, err := times.Parse(c.msg.InternalDate)
	if err != nil || t <= 0 {
		return 0
	}
	return uint32(t)
}
