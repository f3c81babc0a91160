package sievedir

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/message"
	"gocyrus/lib/stage"
)

// flagActive marks the script that runs.
const flagActive = indexfile.Flagged

// Put stores a script, in the place of one of that name, which stays active if it
// was. The same text again changes nothing. What the user has no mailbox for is
// made; quota is not asked. The errors are ErrName, ErrNoUser, and those of
// mailboxes and the file system. With any but ErrName and ErrNoUser the script may
// be stored and the directory not yet follow: the same call again does the rest.
func (d *Dir) Put(ctx context.Context, userid, name string, text []byte) error {
	if err := CheckName(name); err != nil {
		return err
	}
	return d.change(ctx, userid, name, func(ctx context.Context, e *mboxlist.Entry) error {
		return d.store(ctx, e, userid, incoming{name: name, text: text})
	})
}

// Delete removes a script. The error is ErrNotFound.
func (d *Dir) Delete(ctx context.Context, userid, name string) error {
	return d.change(ctx, userid, name, func(ctx context.Context, e *mboxlist.Entry) error {
		return d.ops.Mailboxes.Update(ctx, e, func(tx *mailbox.Tx) error {
			s, err := find(&tx.View, name)
			if err != nil {
				return err
			}
			if err := setActive(tx, s, false); err != nil {
				return err
			}
			return tx.Expunge(s.recno)
		})
	})
}

// Activate makes a script the one that runs. The error is ErrNotFound.
func (d *Dir) Activate(ctx context.Context, userid, name string) error {
	return d.change(ctx, userid, "", func(ctx context.Context, e *mboxlist.Entry) error {
		return d.ops.Mailboxes.Update(ctx, e, func(tx *mailbox.Tx) error {
			s, err := find(&tx.View, name)
			if err != nil {
				return err
			}
			return activate(tx, s.ID)
		})
	})
}

// Deactivate lets no script run.
func (d *Dir) Deactivate(ctx context.Context, userid string) error {
	if e, err := d.lookup(userid); e == nil || err != nil {
		return err
	}
	return d.change(ctx, userid, "", func(ctx context.Context, e *mboxlist.Entry) error {
		return d.ops.Mailboxes.Update(ctx, e, func(tx *mailbox.Tx) error { return activate(tx, "") })
	})
}

// change runs fn on the mailbox of a user's scripts under the user's lock, and
// then lets the directory follow. name is the script whose compiled form is of
// no use afterwards.
func (d *Dir) change(ctx context.Context, userid, name string, fn func(context.Context, *mboxlist.Entry) error) error {
	ctx, unlock, err := d.ops.Mailboxes.LockUser(ctx, userid)
	if err != nil {
		return err
	}
	defer unlock()
	e, err := d.ensure(ctx, userid)
	if err != nil {
		return err
	}
	if err := fn(ctx, e); err != nil {
		return err
	}
	return d.follow(ctx, userid, name)
}

// ensure is the mailbox of a user's scripts, which is made if it is missing, with
// the scripts that a Cyrus before 3.6 has left as files.
func (d *Dir) ensure(ctx context.Context, userid string) (*mboxlist.Entry, error) {
	e, err := d.lookup(userid)
	if e != nil || err != nil {
		return e, err
	}
	e, err = d.ops.Create(ctx, mboxops.Root("cyrus"), d.Mailbox(userid), mboxops.CreateParams{Kind: Kind})
	if errors.Is(err, mboxops.ErrPermission) { // nothing to be below
		return nil, fmt.Errorf("%s: %w", userid, ErrNoUser)
	}
	if err != nil {
		return nil, err
	}
	return e, d.migrate(ctx, e, userid)
}

// activate makes the script of an id the only one that is active, none with "".
func activate(tx *mailbox.Tx, id string) error {
	all, err := scripts(&tx.View)
	if err != nil {
		return err
	}
	for _, s := range all {
		if err := setActive(tx, s, s.ID == id); err != nil {
			return err
		}
	}
	return nil
}

func setActive(tx *mailbox.Tx, s Script, on bool) error {
	if s.Active == on {
		return nil
	}
	var r indexfile.Record
	if err := tx.Record(s.recno, &r); err != nil {
		return err
	}
	r.Flags ^= flagActive
	return tx.Rewrite(s.recno, &r)
}

// incoming is a script to be stored.
type incoming struct {
	name   string
	id     string // "" is a new one
	text   []byte
	active bool
}

// store appends a script, and expunges the one of its name, in one commit.
func (d *Dir) store(ctx context.Context, e *mboxlist.Entry, userid string, in incoming) error {
	var file string
	defer func() {
		if file != "" {
			// What cannot be removed now goes as other leftovers do.
			_ = os.Remove(file)
		}
	}()
	return d.ops.Mailboxes.Update(ctx, e, func(tx *mailbox.Tx) (err error) {
		var old Script
		switch old, err = find(&tx.View, in.name); {
		case err == nil:
			if same, err := body(&tx.View, old.recno); err != nil || string(same) == string(in.text) {
				return err
			}
			in.id, in.active = old.ID, old.Active
		case !errors.Is(err, ErrNotFound):
			return err
		}
		if in.id == "" {
			in.id = d.ops.Mailboxes.NewUniqueID()
		}
		a := mailbox.Append{CreatedModSeq: old.createdModSeq}
		if in.active {
			a.Flags = flagActive
		}
		msg := d.build(userid, in.name, in.id, in.text, time.Now())
		if a.Message, err = message.Parse(msg, d.ops.Mailboxes.Options().Parse); err != nil {
			return err
		}
		if a.File, err = d.spool(e.Partition, msg); err != nil {
			return err
		}
		file = a.File
		a.Sync = mailbox.SyncPath(a.File)
		if _, _, err := tx.Append(a); err != nil || old.UID == 0 {
			return err
		}
		return tx.Expunge(old.recno)
	})
}

// spool writes a message into the stage directory of a partition.
func (d *Dir) spool(partition string, msg []byte) (string, error) {
	p, ok := d.ops.Mailboxes.Options().Partitions[partition]
	if !ok {
		return "", fmt.Errorf("partition %q: %w", partition, mailbox.ErrNotFound)
	}
	dir := filepath.Join(p.Data, stage.Dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(dir, "sieve-*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(msg)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}
