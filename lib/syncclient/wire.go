package syncclient

import (
	"context"
	"errors"
	"fmt"

	"gocyrus/lib/csync"
	"gocyrus/lib/guid"
	"gocyrus/lib/mboxname"
)

// This file is what is said to the replica, one function a command.

const client = csync.FromClient

// get asks and reads the answer item by item. A replica that does not know what it
// was asked for has an empty answer.
func (s *session) get(ctx context.Context, name string, value []byte, item func(csync.Item) error) error {
	a, err := s.c.Do(ctx, csync.NewGet(name, value))
	if errors.Is(err, csync.ErrNonexistent) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("GET %s: %w", name, err)
	}
	for _, i := range a.Items {
		if err := item(i); err != nil {
			return fmt.Errorf("GET %s: %s: %w", name, i.Name, err)
		}
	}
	return nil
}

// apply says what is to be done.
func (s *session) apply(ctx context.Context, name string, value []byte) error {
	_, err := s.c.Do(ctx, csync.NewApply(name, value))
	if err != nil {
		err = fmt.Errorf("APPLY %s: %w", name, err)
	}
	return err
}

// start is apply without waiting; wait does that.
func (s *session) start(name string, value []byte) *pending {
	return &pending{name, s.c.Start(csync.NewApply(name, value))}
}

type pending struct {
	name string
	p    *csync.Pending
}

func (p *pending) wait(ctx context.Context) error {
	_, err := p.p.Wait(ctx)
	if err != nil {
		err = fmt.Errorf("APPLY %s: %w", p.name, err)
	}
	return err
}

// remoteUser is what GET USER or GET META say of a user.
type remoteUser struct {
	Mailboxes []*csync.Mailbox
	Quotas    []*csync.Quota
	Seen      []*csync.Seen
	Subs      []mboxname.Name
	Scripts   []*csync.Script
}

func (u *remoteUser) add(i csync.Item) error {
	switch i.Name {
	case "MAILBOX":
		return into(&u.Mailboxes)(csync.ParseMailbox(i.Value))
	case "QUOTA":
		return into(&u.Quotas)(csync.ParseQuota(i.Value))
	case "SEEN":
		return into(&u.Seen)(csync.ParseSeen(i.Value))
	case "SIEVE":
		return into(&u.Scripts)(csync.ParseScript(i.Value))
	case "LSUB":
		names, err := csync.ParseList(i.Value)
		for _, n := range names {
			u.Subs = append(u.Subs, mboxname.Name(n))
		}
		return err
	}
	return nil
}

func into[T any](list *[]T) func(T, error) error {
	return func(v T, err error) error {
		if err == nil {
			*list = append(*list, v)
		}
		return err
	}
}

func (s *session) getUser(ctx context.Context, userid string) (*remoteUser, error) {
	u := &remoteUser{}
	err := s.get(ctx, "USER", client.Text(userid), u.add)
	return u, err
}

func (s *session) getMeta(ctx context.Context, userid string) (*remoteUser, error) {
	u := &remoteUser{}
	err := s.get(ctx, "META", client.Text(userid), u.add)
	return u, err
}

// getMailboxes asks for mailboxes by name; those the replica does not have are
// missing from the answer.
func (s *session) getMailboxes(ctx context.Context, names []mboxname.Name) ([]*csync.Mailbox, error) {
	u := &remoteUser{}
	if len(names) == 0 {
		return nil, nil
	}
	err := s.get(ctx, "MAILBOXES", client.List(texts(names)), u.add)
	return u.Mailboxes, err
}

// getFull asks for a mailbox with its records, nil when the replica has none.
func (s *session) getFull(ctx context.Context, name mboxname.Name) (*csync.Mailbox, error) {
	u := &remoteUser{}
	if err := s.get(ctx, "FULLMAILBOX", client.Text(string(name)), u.add); err != nil || len(u.Mailboxes) == 0 {
		return nil, err
	}
	return u.Mailboxes[0], nil
}

func (s *session) getQuota(ctx context.Context, root string) (*csync.Quota, error) {
	u := &remoteUser{}
	if err := s.get(ctx, "QUOTA", client.Text(root), u.add); err != nil || len(u.Quotas) == 0 {
		return nil, err
	}
	return u.Quotas[0], nil
}

func (s *session) getAnnotations(ctx context.Context, name mboxname.Name) (all []*csync.MailboxAnnotation, err error) {
	err = s.get(ctx, "ANNOTATION", client.Text(string(name)), func(i csync.Item) error {
		if i.Name != "ANNOTATION" {
			return nil
		}
		return into(&all)(csync.ParseMailboxAnnotation(i.Value))
	})
	return all, err
}

// reserve asks which of some messages the replica has, in any of its mailboxes; it
// keeps those at hand, and answers which it lacks.
func (s *session) reserve(ctx context.Context, r *csync.Reserve) (missing []guid.GUID, err error) {
	a, err := s.c.Do(ctx, csync.NewApply("RESERVE", r.Append(nil, client)))
	if err != nil {
		return nil, fmt.Errorf("APPLY RESERVE: %w", err)
	}
	for _, i := range a.Items {
		if i.Name != "MISSING" {
			continue
		}
		list, err := csync.ParseGUIDs(i.Value)
		if err != nil {
			return nil, fmt.Errorf("APPLY RESERVE: %w", err)
		}
		missing = append(missing, list...)
	}
	return missing, nil
}

func texts(names []mboxname.Name) []string {
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = string(n)
	}
	return list
}

// isLost says whether an error is that of the connection and not of what was asked.
func isLost(err error) bool {
	return errors.Is(err, csync.ErrLost) || errors.Is(err, csync.ErrBye)
}
