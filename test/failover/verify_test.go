package failover

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"gocyrus/test/internal/rig"
)

// A verifier reads all that a user has through a frontend, compares it with the
// ledger, and enters what became of the commands without an answer. Nobody works
// meanwhile.
type verifier struct {
	*rig.IMAP
	l *ledger
	o *owner
}

// verify verifies every user and the shared mailboxes, by way of the doors in turn.
// Then nothing in the ledger is in doubt.
func (l *ledger) verify(doors []string) {
	var all sync.WaitGroup
	for i, o := range append(slices.Clone(l.users), l.shared) {
		all.Go(func() { l.verifyOwner(o, doors[i%len(doors)]) })
	}
	all.Wait()
	for _, o := range append(slices.Clone(l.users), l.shared) {
		for _, b := range o.boxes {
			for id, h := range b.msgs {
				if h.into != nil && h.is == no && h.into.is == no {
					l.fault("%s %s: message %s lost by MOVE", o.name, b.name, id)
				}
				h.into = nil
			}
		}
	}
	for _, o := range append(slices.Clone(l.users), l.shared) {
		for _, b := range o.boxes {
			maps.DeleteFunc(b.msgs, func(_ string, h *held) bool { return h.is == no })
		}
	}
}

func (l *ledger) verifyOwner(o *owner, door string) {
	user := o.name
	if o == l.shared {
		user = l.users[0].name
	}
	c, err := rig.Login(door, user)
	if err != nil {
		l.fault("%s: at the end: %v", user, err)
		return
	}
	defer c.Close()
	v := &verifier{c, l, o}
	if err := v.names(); err != nil {
		l.fault("%s: %v", o.name, err)
		return
	}
	for _, b := range o.boxes {
		if err := v.content(b); err != nil {
			l.fault("%s: %v", o.name, err)
		}
	}
}

func (v *verifier) add(format string, args ...any) {
	v.l.fault("%s: %s", v.o.name, fmt.Sprintf(format, args...))
}

// do sends a command that has to succeed.
func (v *verifier) do(format string, args ...any) (*rig.Reply, error) {
	cmd := fmt.Sprintf(format, args...)
	r, err := v.Do(cmd)
	if err == nil && !r.OK() {
		err = fmt.Errorf("%s %s", r.Status, r.Text)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cmd, err)
	}
	return r, nil
}

// names compares LIST with the mailboxes.
func (v *verifier) names() error {
	pattern := "INBOX*"
	if v.o == v.l.shared {
		pattern = "shared*"
	}
	r, err := v.do(`LIST "" %s`, pattern)
	if err != nil {
		return err
	}
	there := listed(r)
	for _, b := range v.o.boxes {
		v.settle(b, there)
	}
	for name := range there {
		v.add("mailbox %s is there and should not be", name)
	}
	v.o.drop()
	return nil
}

// listed are the names of LIST replies that can be selected.
func listed(r *rig.Reply) map[string]bool {
	there := map[string]bool{}
	for _, t := range r.Untagged {
		rest, ok := strings.CutPrefix(t.Text, "LIST (")
		if !ok {
			continue
		}
		flags, rest, _ := strings.Cut(rest, ") ")
		if strings.Contains(flags, `\Noselect`) || strings.Contains(flags, `\NonExistent`) {
			continue
		}
		_, name, _ := strings.Cut(rest, " ")
		there[strings.Trim(name, `"`)] = true
	}
	return there
}

// settle finds out what became of a mailbox, and takes it out of there.
func (v *verifier) settle(b *box, there map[string]bool) {
	was, is := there[b.name], there[b.to]
	delete(there, b.name)
	delete(there, b.to)
	if b.name != b.to {
		if was && is {
			v.add("mailbox %s is there, and as %s too", b.name, b.to)
		}
		if is {
			b.name = b.to
		}
		b.to = b.name
		was = was || is
	}
	if !b.is.allows(was) {
		v.add("mailbox %s: it is there: %v: %s", b.name, was, strings.Join(b.story, "; "))
	}
	b.is, b.taken, b.users = known(was), false, 0
}

// content compares the messages of a mailbox, and its access list.
func (v *verifier) content(b *box) error {
	r, err := v.do("EXAMINE %s", b.name)
	if err != nil {
		return err
	}
	args, _ := r.UntaggedCode("UIDVALIDITY")
	if now := number(args); b.uidvalidity != 0 && b.uidvalidity != now {
		v.add("%s: UIDVALIDITY was %d and is %d", b.name, b.uidvalidity, now)
	} else {
		b.uidvalidity = now
	}
	seen := map[string]bool{}
	if r, err = v.do("UID FETCH 1:* (UID FLAGS BODY.PEEK[])"); err != nil {
		return err
	}
	var all []fetched
	for _, t := range r.Untagged {
		if f, ok := parseFetch(t); ok {
			all = append(all, f)
		}
	}
	for _, f := range all {
		if h := b.msgs[f.id]; h != nil && h.uid != 0 && h.uid != f.uid {
			v.add("%s: message %s had UID %d and has %d: %s%s", b.name, f.id, h.uid, f.uid, v.story(f.id), v.instead(all, h.uid))
		}
		v.message(b, f, seen)
	}
	for id, h := range b.msgs {
		if !seen[id] {
			if h.is == yes {
				v.add("%s: message %s (UID %d) is lost: %s", b.name, id, h.uid, v.story(id))
			}
			h.is = no
		}
	}
	if _, err = v.do("UNSELECT"); err != nil || v.o == v.l.shared {
		return err
	}
	return v.rights(b)
}

// message compares one message.
func (v *verifier) message(b *box, f fetched, seen map[string]bool) {
	if sum, ok := v.l.sent[f.id]; !ok || sha256.Sum256(f.body) != sum {
		v.add("%s UID %d (%s): not what was sent, %d octets", b.name, f.uid, f.id, len(f.body))
	}
	if seen[f.id] {
		v.add("%s UID %d: message %s twice: %s", b.name, f.uid, f.id, v.story(f.id))
	}
	seen[f.id] = true
	h := b.msgs[f.id]
	if h == nil {
		v.add("%s UID %d: message %s is there and should not be: %s", b.name, f.uid, f.id, v.story(f.id))
		h = &held{id: f.id, is: maybe, flagged: maybe}
		b.msgs[f.id] = h
	}
	if !h.flagged.allows(f.flagged) && h.is == yes {
		v.add(`%s UID %d (%s): \Flagged is %v: %s`, b.name, f.uid, f.id, f.flagged, v.story(f.id))
	}
	h.uid, h.is, h.busy, h.flagged = f.uid, yes, false, known(f.flagged)
}

// instead tells of the message that has a UID.
func (v *verifier) instead(all []fetched, uid uint32) string {
	for _, f := range all {
		if f.uid == uid {
			return fmt.Sprintf("; it is the UID of %s: %s", f.id, v.story(f.id))
		}
	}
	return ""
}

// story is what was done with a message.
func (v *verifier) story(id string) (text string) {
	v.l.locked(func() { text = strings.Join(v.l.story[id], "; ") })
	return text
}

// rights compares what zoe may do.
func (v *verifier) rights(b *box) error {
	r, err := v.do("GETACL %s", b.name)
	if err != nil {
		return err
	}
	is := ""
	for _, t := range r.Untagged {
		f := strings.Fields(t.Text)
		if at := slices.Index(f, "zoe"); len(f) > 2 && f[0] == "ACL" && at > 1 && at+1 < len(f) {
			is = f[at+1]
		}
	}
	if !b.zoe.allows(is) {
		v.add("%s: zoe's rights are %q, should be %q or %q", b.name, is, b.zoe.is, b.zoe.or)
	}
	b.zoe = choice{is, is}
	return nil
}
