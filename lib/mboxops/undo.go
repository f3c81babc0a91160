package mboxops

import (
	"context"
	"slices"

	"gocyrus/lib/mboxlist"
)

// A step is a mailbox that an operation on several has moved: as it is now, and the
// record that it had.
type step struct {
	now *mboxlist.Entry
	was mboxlist.Entry
}

// undo moves mailboxes back after an operation on several that failed at a later
// one, so that what is refused leaves everything as it was. A master of a murder,
// which may be why it failed, is told when it can be.
//
// QUIRK: Cyrus leaves half of a tree under the new name.
func (o *Ops) undo(ctx context.Context, steps []step) {
	ctx = context.WithoutCancel(ctx)
	here := o.Local()
	for _, s := range slices.Backward(steps) {
		name, list := s.now.Name, s.now.ACL
		err := o.following(ctx, s.now, func() error {
			if err := here.moveBack(ctx, s.now, &s.was); err != nil || list == s.was.ACL {
				return err
			}
			return o.Mailboxes.SetACL(ctx, s.now, s.was.ACL)
		}, name, s.was.Name)
		logged("moving back", name, err)
	}
}
