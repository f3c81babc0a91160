// Package repairtest makes a small spool for the scripts of the programs that
// examine and mend spools. A script calls it as the program mkspool:
//
//	mkspool imapd.conf
//
// makes user.alice with three messages, user.alice.Sub with one, user.bob and
// shared.news, and a quota root at user.alice.
package repairtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"gocyrus/lib/config"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/message"
	"gocyrus/lib/quota"
	"gocyrus/lib/site"
)

// Main is the program mkspool.
func Main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: mkspool imapd.conf")
		os.Exit(64)
	}
	if err := Make(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// boxes are the mailboxes and how many messages each gets.
var boxes = []struct {
	name     mboxname.Name
	messages int
}{
	{"user.alice", 3}, {"user.alice.Sub", 1}, {"user.bob", 0}, {"shared.news", 0},
}

// Make makes the spool that a configuration names.
func Make(conf string) error {
	cfg, err := config.Load(conf, "mkspool")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(cfg.Dir(), 0o755); err != nil {
		return err
	}
	s, err := site.Open(cfg)
	if err != nil {
		return err
	}
	return errors.Join(fill(context.Background(), s, filepath.Join(cfg.Dir(), "message")), s.Close())
}

func fill(ctx context.Context, s *site.Site, tmp string) error {
	err := s.Quota.Set("user.alice", func(q *quota.Root) error {
		q.Limit[quota.Storage], q.Limit[quota.Message] = 100, 5
		return nil
	})
	if err != nil {
		return err
	}
	for _, b := range boxes {
		e, err := s.Ops.Create(ctx, mboxops.Root("cyrus"), b.name, mboxops.CreateParams{})
		if err != nil {
			return err
		}
		for n := range b.messages {
			if err := add(ctx, s, e, n+1, tmp); err != nil {
				return err
			}
		}
	}
	return nil
}

// add appends one message of a fixed content and date.
func add(ctx context.Context, s *site.Site, e *mboxlist.Entry, n int, tmp string) error {
	text := fmt.Appendf(nil, "From: Sender <sender%d@example.com>\r\nTo: <alice@example.com>\r\nSubject: message %d\r\n"+
		"Date: Mon, 3 Mar 2025 10:00:00 +0000\r\nMessage-ID: <%d@example.com>\r\n\r\ntext of message %d\r\n", n, n, n, n)
	if err := os.WriteFile(tmp, text, 0o600); err != nil {
		return err
	}
	defer os.Remove(tmp)
	msg, err := message.Parse(text, message.DefaultOptions())
	if err != nil {
		return err
	}
	m, err := s.Mailboxes.Open(ctx, e)
	if err != nil {
		return err
	}
	defer m.Close()
	return m.Update(ctx, func(tx *mailbox.Tx) error {
		_, _, err := tx.Append(mailbox.Append{File: tmp, Message: msg, InternalDate: 1741000000 + uint32(n)})
		return err
	})
}
