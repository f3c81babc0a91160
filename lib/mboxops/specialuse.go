package mboxops

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gocyrus/lib/annotate"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// CanonicalUse is how a special use that a client named is stored: its case is
// not kept, and the backslash may be missing. The error is ErrBadUse.
func (o *Ops) CanonicalUse(name string) (string, error) {
	if !strings.HasPrefix(name, `\`) {
		name = `\` + name
	}
	for _, list := range [][]string{uses, o.opt.UseExtra} {
		for _, use := range list {
			if strings.EqualFold(use, name) {
				return use, nil
			}
		}
	}
	return "", fmt.Errorf("%s: %w", name, ErrBadUse)
}

// checkUses says whether n may have the uses, and rewrites them canonically:
// only mailboxes of users have any, at their top level unless the site allows
// more, and no two mailboxes of a user the same.
func (o *Ops) checkUses(n mboxname.Name, uses []string) error {
	if len(uses) == 0 {
		return nil
	}
	if !o.placeForUse(n) {
		return fmt.Errorf("%s: %w", n, ErrUseConflict)
	}
	for i, name := range uses {
		use, err := o.CanonicalUse(name)
		if err != nil {
			return err
		}
		uses[i] = use
	}
	return o.unusedBut(n, uses)
}

// A PlacedUseError is a conflict that CREATE reports with the code USEATTR.
type PlacedUseError struct{ Name mboxname.Name }

func (e *PlacedUseError) Error() string { return fmt.Sprintf("%s: %v", e.Name, ErrUseConflict) }
func (e *PlacedUseError) Unwrap() error { return ErrUseConflict }

func (o *Ops) placeForUse(n mboxname.Name) bool {
	if !n.IsUserTree() || n.IsInbox() {
		return false
	}
	up, _ := n.Parent()
	return o.opt.UseBelow || up.IsInbox()
}

// unusedBut checks that no other mailbox of n's owner has one of the uses.
func (o *Ops) unusedBut(n mboxname.Name, uses []string) error {
	return o.List.ScanUser(n.Owner(), func(v mboxlist.View) error {
		if v.Is(mboxlist.FlagDeleted) || v.Name() == n {
			return nil
		}
		for _, use := range o.usesOf(string(v.UniqueID())) {
			if slices.Contains(uses, use) {
				return &PlacedUseError{v.Name()}
			}
		}
		return nil
	})
}

// usesOf are the uses that a mailbox has for its owner.
func (o *Ops) usesOf(uniqueID string) []string {
	v, ok, err := o.Annotations.Get(useKey(uniqueID))
	if err != nil || !ok {
		return nil
	}
	return strings.Fields(string(v.Data))
}

func useKey(uniqueID string) annotate.Key {
	return annotate.Key{Scope: uniqueID, Entry: annotate.SpecialUse, User: annotate.Owner}
}

// SpecialUse are the uses that a mailbox has for userid.
func (o *Ops) SpecialUse(userid string, name mboxname.Name, uniqueID string) []string {
	owner := name.Owner()
	if userid == owner && owner != "" {
		return o.usesOf(uniqueID)
	}
	v, ok, err := o.Annotations.Get(annotate.Key{Scope: uniqueID, Entry: annotate.SpecialUse, User: userid})
	if err != nil || !ok {
		return nil
	}
	return strings.Fields(string(v.Data))
}

// SpecialUses are the mailboxes of userid that have a use, with their uses as
// they are stored: names separated by blanks.
func (o *Ops) SpecialUses(_ context.Context, userid string) (map[mboxname.Name]string, error) {
	var names []mboxname.Name
	var keys []annotate.Key
	err := o.List.ScanUser(userid, func(v mboxlist.View) error {
		if !v.Is(mboxlist.FlagDeleted) {
			names = append(names, v.Name())
			keys = append(keys, useKey(string(v.UniqueID())))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	all := map[mboxname.Name]string{}
	err = o.Annotations.GetEach(keys, func(i int, v annotate.Value) error {
		if uses := strings.Fields(string(v.Data)); len(uses) > 0 {
			all[names[i]] = strings.Join(uses, " ")
		}
		return nil
	})
	if err != nil {
		// Mailboxes are listed all the same.
		log.Err("DBERROR: special uses of %s: %v", userid, err)
	}
	return all, nil
}

// hasUse reports whether the owner gave e one of the uses.
func (o *Ops) hasUse(e *mboxlist.Entry, among []string) bool {
	return slices.ContainsFunc(o.usesOf(e.UniqueID), func(use string) bool {
		return slices.ContainsFunc(among, func(a string) bool { return strings.EqualFold(a, use) })
	})
}
