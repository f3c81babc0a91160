package cyradm

import (
	"errors"
	"fmt"
	"strings"
)

// What a server cannot do, in the words of old.
var (
	errNoSpecialUse   = errors.New("Remote does not support SPECIAL-USE.")        //lint:ignore ST1005 see above
	errNoListExtended = errors.New("Remote does not support LIST-EXTENDED.")      //lint:ignore ST1005 see above
	errNoCreateUse    = errors.New("Remote does not support CREATE-SPECIAL-USE.") //lint:ignore ST1005 see above
)

// Mailbox is a line of a list.
type Mailbox struct {
	Name  string
	Attrs string // the attributes with blanks between: `\HasChildren \Sent`
	Extra string // what else the server says, as `CHILDINFO ("SUBSCRIBED")`; mostly empty
}

// selectable says whether there is a mailbox, not only a name.
func (m Mailbox) selectable() bool {
	for _, attr := range strings.Fields(m.Attrs) {
		switch strings.ToLower(attr) {
		case `\noselect`, `\nonexistent`, `\placeholder`:
			return false
		}
	}
	return true
}

// ListOptions narrow a list. Any of them needs LIST-EXTENDED (RFC 5258).
type ListOptions struct {
	Subscribed, SpecialUse, Recursive bool
}

// List lists the mailboxes that match pattern under base, with those of other
// servers where there are any.
func (a *Admin) List(pattern, base string, o ListOptions) ([]Mailbox, error) {
	extended := a.has("LIST-EXTENDED")
	switch {
	case o.SpecialUse && !a.has("SPECIAL-USE"):
		return nil, errNoSpecialUse
	case o != ListOptions{} && !extended:
		return nil, errNoListExtended
	case !extended && a.has("MAILBOX-REFERRALS"):
		return a.list("LIST", raw("RLIST"), base, pattern)
	case !extended:
		return a.list("LIST", raw("LIST"), base, pattern)
	}
	words := []any{raw("LIST")}
	if sel := o.selection(a); sel != "" {
		words = append(words, raw("("+sel+")"))
	}
	ret := "RETURN (SUBSCRIBED)"
	if a.has("SPECIAL-USE") {
		ret = "RETURN (SUBSCRIBED SPECIAL-USE)"
	}
	return a.list("LIST", append(words, base, pattern, raw(ret))...)
}

func (o ListOptions) selection(a *Admin) string {
	var sel []string
	for _, opt := range []struct {
		name string
		on   bool
	}{
		{"REMOTE", a.has("MAILBOX-REFERRALS")}, {"RECURSIVEMATCH", o.Recursive},
		{"SUBSCRIBED", o.Subscribed}, {"SPECIAL-USE", o.SpecialUse},
	} {
		if opt.on {
			sel = append(sel, opt.name)
		}
	}
	return strings.Join(sel, " ")
}

// Subscribed lists the subscriptions that match pattern under base.
func (a *Admin) Subscribed(pattern, base string) ([]Mailbox, error) {
	if a.has("MAILBOX-REFERRALS") {
		return a.list("LSUB", raw("RLSUB"), base, pattern)
	}
	return a.list("LSUB", raw("LSUB"), base, pattern)
}

func (a *Admin) list(answer string, words ...any) ([]Mailbox, error) {
	var boxes []Mailbox
	err := a.parsed(answer, func(vs []value) {
		if len(vs) < 3 || !vs[0].isList {
			return
		}
		box := Mailbox{Name: vs[2].text, Attrs: join(vs[0].items)}
		if len(vs) > 3 {
			box.Extra = strings.TrimSuffix(strings.TrimPrefix(vs[3].raw, "("), ")")
		}
		boxes = append(boxes, box)
	}, words...)
	return boxes, err
}

// parsed sends a command and hands the values of the answers of one name to fn.
func (a *Admin) parsed(name string, fn func(vs []value), words ...any) error {
	var wrong error
	err := a.command(func(n, rest string) {
		if n != name {
			return
		}
		vs, err := parseValues(rest)
		if err != nil {
			wrong = err
			return
		}
		fn(vs)
	}, words...)
	return errors.Join(err, wrong)
}

// Create makes a mailbox. partition and use (`\Sent`) may be empty; a partition
// may stand after a server's name and "!".
func (a *Admin) Create(mailbox, partition, use string) error {
	if use != "" && !a.has("CREATE-SPECIAL-USE") {
		return errNoCreateUse
	}
	return a.referred(func(b *Admin, away bool) error {
		words := []any{raw("CREATE"), mailbox}
		part := onServer(partition, away)
		switch {
		case use != "" && !isAtom(strings.TrimPrefix(use, `\`)):
			return fmt.Errorf("%s: not a special use", use)
		case use != "" && part != "" && !isAtom(part):
			return fmt.Errorf("%s: not a partition", part)
		case use != "" && part != "":
			words = append(words, raw("(PARTITION "+part+" USE ("+use+"))"))
		case use != "":
			words = append(words, raw("(USE ("+use+"))"))
		case part != "":
			words = append(words, part)
		}
		return b.command(nil, words...)
	})
}

// onServer takes the server's name from a partition once we are there.
func onServer(partition string, away bool) string {
	if _, part, ok := strings.Cut(partition, "!"); ok && away {
		return part
	}
	return partition
}

// Delete deletes a mailbox.
func (a *Admin) Delete(mailbox string) error {
	return a.referred(func(b *Admin, _ bool) error {
		return b.command(nil, raw("DELETE"), mailbox)
	})
}

// Rename renames a mailbox, and moves it when a partition is named.
func (a *Admin) Rename(from, to, partition string) error {
	return a.referred(func(b *Admin, away bool) error {
		words := []any{raw("RENAME"), from, to}
		if part := onServer(partition, away); part != "" {
			words = append(words, part)
		}
		return b.command(nil, words...)
	})
}

// Xfer moves a mailbox to another server.
func (a *Admin) Xfer(mailbox, server, partition string) error {
	words := []any{raw("XFER"), mailbox, server}
	if partition != "" {
		words = append(words, partition)
	}
	return a.command(nil, words...)
}

// Reconstruct has a mailbox repaired, and those below it.
func (a *Admin) Reconstruct(mailbox string, recurse bool) error {
	return a.referred(func(b *Admin, _ bool) error {
		words := []any{raw("RECONSTRUCT"), mailbox}
		if recurse {
			words = append(words, raw("RECURSIVE"))
		}
		return b.command(nil, words...)
	})
}

// Subscribe subscribes the user to a mailbox.
func (a *Admin) Subscribe(mailbox string) error {
	return a.referred(func(b *Admin, _ bool) error {
		return b.command(nil, raw("SUBSCRIBE"), mailbox)
	})
}

// Unsubscribe takes a subscription away.
func (a *Admin) Unsubscribe(mailbox string) error {
	return a.referred(func(b *Admin, _ bool) error {
		return b.command(nil, raw("UNSUBSCRIBE"), mailbox)
	})
}
