package crash_test

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gocyrus/test/internal/rig"
)

// A verifier reads all that a user has, compares it with the ledger, and enters
// what became of the commands that were in flight. No client works meanwhile.
type verifier struct {
	*rig.IMAP
	u *user
	s *store
	f *faults
}

func (v *verifier) add(format string, args ...any) {
	v.f.add("%s: %s", v.u.name, fmt.Sprintf(format, args...))
}

// verify is the whole of it.
func (v *verifier) verify(addr string) {
	conn, err := rig.Login(addr, v.u.name)
	if err != nil {
		v.add("after the restart: %v", err)
		return
	}
	defer conn.Close()
	v.IMAP = conn
	for _, step := range []func() error{v.enable, v.names, v.boxes, v.subscriptions, v.quota} {
		if err := step(); err != nil {
			v.add("%v", err)
			return
		}
	}
}

// do sends a command that has to succeed.
func (v *verifier) do(cmd string) (*rig.Reply, error) {
	r, err := v.Do(cmd)
	if err == nil && !r.OK() {
		err = fmt.Errorf("%s %s", r.Status, r.Text)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cmd, err)
	}
	return r, nil
}

func (v *verifier) enable() error {
	_, err := v.do("ENABLE CONDSTORE")
	return err
}

// names compares LIST with the mailboxes.
func (v *verifier) names() error {
	r, err := v.do(`LIST "" *`)
	if err != nil {
		return err
	}
	there := listed(r, "LIST")
	for _, b := range v.u.boxes {
		v.settle(b, there)
	}
	for name := range there {
		v.add("mailbox %s is there and should not be", name)
	}
	v.u.drop()
	return nil
}

// listed are the names of LIST or LSUB replies that can be selected.
func listed(r *rig.Reply, word string) map[string]bool {
	there := map[string]bool{}
	for _, t := range r.Untagged {
		rest, ok := strings.CutPrefix(t.Text, word+" (")
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
	b.taken, b.users = false, 0
	was, is := there[b.name], there[b.to]
	delete(there, b.name)
	delete(there, b.to)
	switch {
	case b.name != b.to && was && is:
		v.add("mailbox %s is there, and as %s too", b.name, b.to)
	case b.name != b.to:
		v.u.renamed(b, is)
		b.to = b.name
		was = was || is
	}
	if !b.is.allows(was) {
		v.add("mailbox %s: lost", b.name)
	}
	b.is = known(was)
}

func (v *verifier) boxes() error {
	for _, b := range v.u.boxes {
		if err := v.content(b); err != nil {
			return err
		}
		if err := v.rights(b); err != nil {
			return err
		}
	}
	for _, b := range v.u.boxes {
		v.moves(b)
	}
	return nil
}

// content compares the messages of a mailbox.
func (v *verifier) content(b *box) error {
	r, err := v.do("SELECT " + b.name)
	if err != nil {
		return err
	}
	if err := b.opened(r, b.uidnext, b.modseq); err != nil {
		v.add("%s: %v", b.name, err)
	}
	exists := -1
	for _, t := range r.Untagged {
		if strings.HasSuffix(t.Text, " EXISTS") {
			fmt.Sscan(t.Text, &exists)
		}
	}
	seen := map[string]bool{}
	if exists > 0 {
		if r, err = v.do("FETCH 1:* (UID FLAGS MODSEQ RFC822.SIZE BODY.PEEK[])"); err != nil {
			return err
		}
		for _, t := range r.Untagged {
			if f, ok := parseFetch(t); ok {
				v.message(b, f, seen)
				exists--
			}
		}
	}
	if exists != 0 {
		v.add("%s: %d more messages said to exist than there are", b.name, exists)
	}
	for id, h := range b.msgs {
		if !seen[id] {
			if h.is == yes {
				v.add("%s: message %s (UID %d) lost", b.name, id, h.uid)
			}
			h.is = no
		}
	}
	_, err = v.do("UNSELECT")
	return err
}

// message compares one message.
func (v *verifier) message(b *box, f fetched, seen map[string]bool) {
	if f.size != f.raw {
		v.add("%s UID %d: RFC822.SIZE %d, the message has %d", b.name, f.uid, f.size, f.raw)
	}
	if m, ok := v.s.sent[f.id]; !ok || sha256.Sum256(f.body) != m.sum {
		v.add("%s UID %d (%s): not what was sent, %d octets", b.name, f.uid, f.id, f.raw)
	}
	if f.modseq > b.modseq || f.modseq == 0 {
		v.add("%s UID %d: MODSEQ %d, highest of all is %d", b.name, f.uid, f.modseq, b.modseq)
	}
	if err := v.u.see(b, f.uid, f.id); err != nil {
		v.f.add("%v", err)
	}
	if seen[f.id] {
		v.add("%s UID %d: message %s twice", b.name, f.uid, f.id)
	}
	seen[f.id] = true
	h := b.msgs[f.id]
	if h == nil {
		v.add("%s UID %d: message %s is there and should not be", b.name, f.uid, f.id)
		h = &held{id: f.id, is: maybe, flags: map[string]state{}}
		b.msgs[f.id] = h
	}
	if h.uid != 0 && h.uid != f.uid {
		v.add("%s: message %s had UID %d and has %d", b.name, f.id, h.uid, f.uid)
	}
	for _, flag := range append([]string{`\Deleted`}, flagNames...) {
		// A message of unknown origin has the flags it has.
		if !h.flags[flag].allows(f.flags[flag]) && h.is != maybe {
			v.add("%s UID %d (%s): flag %s is %v", b.name, f.uid, f.id, flag, f.flags[flag])
		}
		h.flags[flag] = known(f.flags[flag])
	}
	h.uid, h.is, h.busy = f.uid, yes, false
}

// moves looks after the messages whose MOVE was interrupted.
func (v *verifier) moves(b *box) {
	for id, h := range b.msgs {
		if h.into != nil && h.is == no && h.into.is == no {
			v.add("%s: message %s lost by MOVE", b.name, id)
		}
		h.into = nil
	}
	maps.DeleteFunc(b.msgs, func(_ string, h *held) bool { return h.is == no && h.into == nil })
}

// rights compares the ACL of a mailbox as far as clients changed it.
func (v *verifier) rights(b *box) error {
	if len(b.acl) == 0 {
		return nil
	}
	r, err := v.do("GETACL " + b.name)
	if err != nil {
		return err
	}
	is := map[string]string{}
	for _, t := range r.Untagged {
		if f := strings.Fields(t.Text); len(f) > 2 && f[0] == "ACL" {
			for pair := range slices.Chunk(f[2:], 2) {
				is[pair[0]] = pair[len(pair)-1]
			}
		}
	}
	for who, c := range b.acl {
		if !c.allows(is[who]) {
			v.add("%s: rights of %s are %q, should be %q or %q", b.name, who, is[who], c.is, c.or)
		}
		b.acl[who] = choice{is[who], is[who]}
	}
	return nil
}

func (v *verifier) subscriptions() error {
	r, err := v.do(`LSUB "" *`)
	if err != nil {
		return err
	}
	is := listed(r, "LSUB")
	clear(v.u.inSub)
	for _, name := range staying {
		if !v.u.subs[name].allows(is[name]) {
			v.add("subscription of %s is %v", name, is[name])
		}
		v.u.subs[name] = known(is[name])
	}
	return nil
}

// quota compares the limit. What is used is for the check of the files.
func (v *verifier) quota() error {
	r, err := v.do("GETQUOTAROOT INBOX")
	if err != nil {
		return err
	}
	is := ""
	for _, t := range r.Untagged {
		if _, rest, ok := strings.Cut(t.Text, "(STORAGE "); ok {
			is = strings.TrimSuffix(strings.Fields(rest)[1], ")")
		}
	}
	if !v.u.limit.allows(is) {
		v.add("the limit is %q, should be %q or %q", is, v.u.limit.is, v.u.limit.or)
	}
	v.u.limit = choice{is, is}
	return nil
}
