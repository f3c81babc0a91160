package sievedir

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
)

// source is the suffix of a script as it was kept before 3.6.
const source = ".script"

// A script for vacations that JMAP made has another name as a message than it had
// as a file.
const (
	jmapFile = "jmap_vacation"
	jmapName = "urn:ietf:params:jmap:vacationresponse"
)

// migrate stores the scripts that a user has as files, and removes the files. One
// that cannot be stored stays, for an administrator to look at.
func (d *Dir) migrate(ctx context.Context, e *mboxlist.Entry, userid string) error {
	dir := d.path(userid)
	if dir == "" {
		return nil
	}
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	target, err := os.Readlink(filepath.Join(dir, link))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	active := strings.TrimSuffix(target, compiled)
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), source)
		if !ok || !f.Type().IsRegular() || name == "" {
			continue
		}
		if err := d.migrateFile(ctx, e, userid, dir, name, name == active); err != nil {
			log.Err("IOERROR: sieve script %s of %s stays a file: %v", name, userid, err)
		}
	}
	return nil
}

func (d *Dir) migrateFile(ctx context.Context, e *mboxlist.Entry, userid, dir, name string, active bool) error {
	path := filepath.Join(dir, name+source)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	in := incoming{name: name, text: text, active: active}
	if name == jmapFile {
		in.name, in.id = jmapName, jmapName
	}
	if err := d.store(ctx, e, userid, in); err != nil {
		return err
	}
	return os.Remove(path)
}
