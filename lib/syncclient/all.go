package syncclient

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// All brings every user to the replica, and every shared mailbox, each by itself. An
// error does not keep the rest from it: it returns how many failed. Only names that
// begin with prefix are looked at. Users that somebody else works on are passed over.
func (c *Client) All(ctx context.Context, prefix mboxname.Name) (failed int, err error) {
	items, err := c.everything(prefix)
	if err != nil {
		return 0, err
	}
	var bad atomic.Int64
	_ = each(items, c.opt.Users, c.useless(ctx), func(i allItem) error {
		err := i.do(ctx, c)
		if errors.Is(err, ErrLocked) {
			c.report.Error("Skipping locked " + i.what())
			return nil
		}
		if err != nil {
			bad.Add(1)
			c.report.Error("Error from do_user(" + i.arg() + "): bailing out!")
			log.Err("Error in do_user(%s): bailing out! %v", i.arg(), err)
		}
		return err
	})
	c.cache.flush()
	return int(bad.Load()), nil
}

// useless says of an error that nothing else has to be tried.
func (c *Client) useless(ctx context.Context) func(error) bool {
	return func(err error) bool {
		return ctx.Err() != nil || c.stopping() || errors.Is(err, ErrConnect) || errors.Is(err, ErrCompression)
	}
}

// allItem is a user or a shared mailbox.
type allItem struct {
	user string
	box  mboxname.Name
}

func (i allItem) do(ctx context.Context, c *Client) error {
	if i.user != "" {
		return c.User(ctx, i.user)
	}
	return c.Mailboxes(ctx, []mboxname.Name{i.box}, nil)
}

func (i allItem) what() string {
	if i.user != "" {
		return "user " + i.user
	}
	return "mailbox " + string(i.box)
}

func (i allItem) arg() string { return i.user + string(i.box) }

func (c *Client) everything(prefix mboxname.Name) (items []allItem, err error) {
	seen := make(map[string]bool)
	err = c.site.List.Scan(prefix.DB(), func(v mboxlist.View) error {
		e, err := v.Entry()
		if err != nil || !c.isOurs(e) || e.Is(mboxlist.FlagIntermediate) {
			return err
		}
		owner := e.Name.Owner()
		switch {
		case owner == "":
			items = append(items, allItem{box: e.Name})
		case !e.Name.IsDeleted() && !seen[owner]:
			seen[owner] = true
			items = append(items, allItem{user: owner})
		}
		return nil
	})
	return items, err
}

// Each does one thing for every user, many at a time, and says whether all went well.
// what is the name under which failures are told.
func (c *Client) Each(ctx context.Context, users []string, do func(context.Context, string) error, what string) bool {
	err := each(users, c.opt.Users, c.useless(ctx), func(u string) error {
		err := do(ctx, u)
		if err != nil {
			c.report.Error(fmt.Sprintf("Error from %s(%s): bailing out!", what, u))
			log.Err("Error in %s(%s): bailing out! %v", what, u, err)
		}
		return err
	})
	c.cache.flush()
	return err == nil
}
