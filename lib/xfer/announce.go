package xfer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gocyrus/lib/backend"
	"gocyrus/lib/log"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/mupdate"
	"gocyrus/lib/proxy"
)

// onward finishes a move that is decided: the other server announces what it has, and it
// goes from here. p is the session in which it is told to; without one there was an
// attempt before this, and it is looked first what has been announced already.
func (m *Mover) onward(ctx context.Context, j journey, p *pusher, report func(step string)) error {
	todo, stage, err := m.site.Ops.Underway(j.Cargo)
	if err != nil || stage != mboxops.Decided {
		return err
	}
	// Those below others first, INBOX last: a user who is found is whole.
	todo = slices.DeleteFunc(todo, func(e *mboxlist.Entry) bool { return !mboxops.IsDecided(e) })
	slices.Reverse(todo)
	aside := map[mboxname.Name]bool{}
	if p == nil {
		if todo, err = m.unannounced(ctx, j, todo, aside); err != nil {
			return err
		}
	}
	if err = m.announce(ctx, p, todo); errors.Is(err, errLost) {
		log.Err("XFER: %s: %v", j.Cargo, err)
		err = m.again(ctx, j, todo, aside)
	}
	if err != nil {
		return err
	}
	report("announced")
	log.Info("XFER: deleting mailboxes on source")
	if err := m.site.Ops.Leave(ctx, j.Cargo, aside); err != nil {
		return err
	}
	report("removed here")
	return nil
}

// unannounced are those of some mailboxes, in the order in which they are announced, that
// the murder does not have at another server yet. What stands before one that it has was
// announced too: the other server's clients may have given it another name since, or have
// removed it. So they have with those that are put to aside, of which neither the murder, where
// the name was reserved until then, nor the other server knows anything.
func (m *Mover) unannounced(ctx context.Context, j journey, all []*mboxlist.Entry, aside map[mboxname.Name]bool) (todo []*mboxlist.Entry, err error) {
	var unknown []*mboxlist.Entry
	for _, e := range slices.Backward(all) {
		has, here, err := m.site.Ops.InMurder(ctx, e.Name)
		if err != nil {
			return nil, err
		}
		if has.State == mupdate.Active && !here {
			break
		}
		if todo = append(todo, e); has.State == mupdate.Absent {
			unknown = append(unknown, e)
		}
	}
	slices.Reverse(todo)
	if len(unknown) == 0 {
		return todo, nil
	}
	// The master may have lost its list, too.
	missing, err := m.missing(ctx, j, unknown)
	if err != nil {
		return nil, err
	}
	maps.Copy(aside, missing)
	return slices.DeleteFunc(todo, func(e *mboxlist.Entry) bool { return missing[e.Name] }), nil
}

// missingAt asks the other server which of some mailboxes it has not.
func (m *Mover) missingAt(ctx context.Context, j journey, all []*mboxlist.Entry) (map[mboxname.Name]bool, error) {
	v := &move{Mover: m, Item: Item{User: j.User, Mailbox: j.Mailbox}, server: j.server}
	if err := v.open(ctx); err != nil {
		return nil, err
	}
	defer v.client.Close(context.WithoutCancel(ctx))
	missing := map[mboxname.Name]bool{}
	ids, names := map[mboxname.Name]string{}, make([]mboxname.Name, len(all))
	for i, e := range all {
		missing[e.Name], ids[e.Name], names[i] = true, e.UniqueID, e.Name
	}
	there, err := v.client.Named(ctx, names...)
	for _, r := range there {
		if r.UniqueID == ids[r.Name] {
			delete(missing, r.Name)
		}
	}
	return missing, v.why(err)
}

// again sends once more what the other server has lost before it was announced, and has
// it announced. That is what ctl_mboxlist -m of Cyrus does to it, which is run when a
// server starts. aside is as for unannounced.
func (m *Mover) again(ctx context.Context, j journey, all []*mboxlist.Entry, aside map[mboxname.Name]bool) error {
	todo, err := m.unannounced(ctx, j, all, aside)
	if err != nil || len(todo) == 0 {
		return err
	}
	names := map[mboxname.Name]bool{}
	for _, e := range todo {
		names[e.Name] = true
	}
	v := &move{Mover: m, Item: Item{User: j.User, Mailbox: j.Mailbox}, server: j.server, partition: j.partition, only: names}
	if err := v.open(ctx); err != nil {
		return err
	}
	defer v.client.Close(context.WithoutCancel(ctx))
	log.Notice("XFER: sending %d mailboxes of %s once more", len(todo), j.Cargo)
	ctx = mailbox.InFrozen(ctx)
	if err := v.pass(ctx); err != nil {
		return v.why(err)
	}
	if err := v.compare(ctx, todo); err != nil {
		return err
	}
	return m.announce(ctx, nil, todo)
}

// announce has the other server announce mailboxes, in order. The error is errLost when
// it does not have one, else proxy.ErrUnavailable or its refusal.
func (m *Mover) announce(ctx context.Context, p *pusher, all []*mboxlist.Entry) error {
	if len(all) == 0 {
		return nil
	}
	log.Info("XFER: reactivating mailboxes")
	server := all[0].Server
	if p == nil {
		var err error
		if p, err = m.connect(ctx, server); err != nil {
			return err
		}
		defer p.close()
	}
	for _, e := range all {
		err := p.push(e.Name)
		if err == nil {
			continue
		}
		log.Err("MUPDATE: can't activate mailbox entry '%s': %v", e.Name, err)
		if errors.Is(err, errRefused) && strings.Contains(err.Error(), "does not exist") {
			return fmt.Errorf("%s: %s: %w", server, e.Name, errLost)
		}
		return fmt.Errorf("%s: %s: %w", server, e.Name, err)
	}
	return nil
}

// connect makes a session in which the other server is told to announce mailboxes. The
// error is proxy.ErrUnavailable.
func (m *Mover) connect(ctx context.Context, server string) (*pusher, error) {
	c, err := m.opt.Proxy.Dial(ctx, backend.IMAP, server, "")
	if err != nil {
		return nil, err
	}
	p := &pusher{c: c, server: server}
	if err := p.askSeparator(m.site.Namespace); err != nil {
		c.Close()
		return nil, err
	}
	return p, nil
}

// errLost is the error of a copy that is not there any more when it is to be announced.
var errLost = errors.New("the copy is gone")

// errRefused is the error of a mailbox that the other server does not announce.
var errRefused = errors.New("it refuses to announce it")

// pusher says MUPDATEPUSH.
type pusher struct {
	c      *backend.Conn
	server string
	view   *mboxname.View // how the other server spells names for administrators
	tags   int
}

// close takes leave.
func (p *pusher) close() {
	_ = p.c.SayLogout() // all is done
	p.c.Close()
}

// askSeparator learns what separates the levels of names there.
func (p *pusher) askSeparator(ours *mboxname.Namespace) error {
	unix := ours.UnixSep
	err := p.command("NAMESPACE", func(line string) {
		if rest, ok := strings.CutPrefix(line, `* NAMESPACE ((`); ok {
			if f := strings.SplitN(rest, `"`, 5); len(f) == 5 {
				unix = f[3] == "/"
			}
		}
	})
	if err != nil {
		return err
	}
	there := *ours
	there.UnixSep = unix
	p.view = there.View("", true)
	return nil
}

// push announces one mailbox.
func (p *pusher) push(n mboxname.Name) error {
	name, ok := p.view.External(n)
	if !ok {
		return fmt.Errorf("%s: %w: it has no name there", n, errRefused)
	}
	return p.command(fmt.Sprintf("MUPDATEPUSH {%d+}\r\n%s", len(name), name), func(string) {})
}

// command says one and reads the answer; untagged hears the rest. The error is errRefused
// for an answer that is not OK, and proxy.ErrUnavailable.
func (p *pusher) command(line string, untagged func(line string)) error {
	p.tags++
	tag := fmt.Sprintf("MP%d", p.tags)
	rest, err := p.say(tag, line, untagged)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", p.server, proxy.ErrUnavailable, err)
	}
	if status, text, _ := strings.Cut(rest, " "); !strings.EqualFold(status, "OK") {
		return fmt.Errorf("%w: %s", errRefused, text)
	}
	return nil
}

// say is command that leaves the answer, without its tag, to the caller.
func (p *pusher) say(tag, line string, untagged func(line string)) (string, error) {
	if err := p.c.WriteLine(tag + " " + line); err != nil {
		return "", err
	}
	for {
		answer, err := p.c.ReadLine()
		if err != nil {
			return "", err
		}
		if rest, ok := strings.CutPrefix(answer, tag+" "); ok {
			return rest, nil
		}
		untagged(answer)
	}
}
