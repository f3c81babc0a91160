// Package sievedir keeps the Sieve scripts of users as Cyrus 3.6 and later do:
// as messages in a mailbox of each user, user.X.#sieve, of type "f".
//
// A script is the body of a message. The message's Subject is the script's
// name, its Message-ID begins with the SHA-1 of the script, and the file name
// in its Content-Disposition is the script's id, which stays when the script is
// replaced: the new message is appended and the old one expunged. \Flagged marks
// the script that is active (imap/sieve_db.c and imap/mailbox.c; the form was
// read in files of 3.6.1).
//
// Beside the mailbox there is the user's directory below sievedir, with the
// compiled form of each script, NAME.bc, and the link defaultbc to that of the
// active one. Compiled scripts are Cyrus's cache: whoever runs a script makes
// them anew where they are missing. This package keeps the link, and removes
// what is older than its script, so that it never runs in the script's place.
//
// The package neither compiles nor runs a script.
package sievedir

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"gocyrus/lib/config"
	"gocyrus/lib/guid"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
)

var (
	// ErrNotFound is the error of a script that the user does not have.
	ErrNotFound = errors.New("script does not exist")
	// ErrName is the error of a name that no script can have.
	ErrName = errors.New("invalid script name")
	// ErrNoUser is the error of storing a script for a user who has no INBOX.
	ErrNoUser = errors.New("user has no mailbox")
)

// Kind is the letter of the type of a mailbox of scripts.
const Kind = 'f'

// maxName is the length of the longest name, in octets.
const maxName = 1013

// A Script is what is known of a script without its text.
type Script struct {
	Name       string // UTF-8
	ID         string // stays when the script is replaced
	UID        uint32
	LastUpdate uint32    // seconds since 1970: when the text was stored
	GUID       guid.GUID // SHA-1 of the text
	Active     bool

	recno         int
	createdModSeq uint64
	modSeq        uint64
}

// Options are what the package takes from imapd.conf.
type Options struct {
	Folder     string // sieve_folder: below the INBOX
	ServerName string // servername: the host in From and Message-ID; the host's name if not set
}

// OptionsFrom reads the options.
func OptionsFrom(cfg *config.Config) Options {
	o := Options{Folder: cfg.Str("sieve_folder"), ServerName: cfg.Str("servername")}
	if o.ServerName == "" {
		o.ServerName, _ = os.Hostname() // "" is as good as any where there is none
	}
	return o
}

// Dir is the scripts of all users. Its methods may be called from many
// goroutines and processes; those that change scripts hold the user's lock.
type Dir struct {
	opt Options
	ops *mboxops.Ops
}

// New is the scripts that are kept in the mailboxes of ops.
func New(o Options, ops *mboxops.Ops) *Dir { return &Dir{opt: o, ops: ops} }

// Mailbox is the name of the mailbox that has a user's scripts.
func (d *Dir) Mailbox(userid string) mboxname.Name {
	return mboxname.Inbox(userid) + mboxname.Name("."+d.opt.Folder)
}

// CheckName says whether a script can have a name: it is part of the names of
// files. The error is ErrName.
func CheckName(name string) error {
	if name == "" || len(name) > maxName || strings.ContainsAny(name, "/\x00") {
		return fmt.Errorf("%w: %q", ErrName, name)
	}
	return nil
}

// lookup finds the mailbox of a user's scripts; nil when there is none.
func (d *Dir) lookup(userid string) (*mboxlist.Entry, error) {
	if userid == "" {
		return nil, nil
	}
	e, err := d.ops.List.Lookup(d.Mailbox(userid))
	if errors.Is(err, mboxlist.ErrNotFound) {
		return nil, nil
	}
	if err != nil || e.Deleted() || e.Is(mboxlist.FlagIntermediate) {
		return nil, err
	}
	return e, nil
}

// List is a user's scripts in the order in which they were first stored; nil when
// there are none.
func (d *Dir) List(ctx context.Context, userid string) (all []Script, err error) {
	e, err := d.lookup(userid)
	if e == nil || err != nil {
		return nil, err
	}
	err = d.ops.Mailboxes.View(ctx, e, func(v *mailbox.View) error {
		all, err = scripts(v)
		return err
	})
	return all, err
}

// Get is a script with its text. The error is ErrNotFound, or that of reading.
func (d *Dir) Get(ctx context.Context, userid, name string) (s Script, text []byte, err error) {
	e, err := d.lookup(userid)
	if e == nil || err != nil {
		return s, nil, firstOf(err, missing(name))
	}
	err = d.ops.Mailboxes.View(ctx, e, func(v *mailbox.View) error {
		if s, err = find(v, name); err != nil {
			return err
		}
		text, err = body(v, s.recno)
		return err
	})
	return s, text, err
}

func missing(name string) error { return fmt.Errorf("%w: %q", ErrNotFound, name) }

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
