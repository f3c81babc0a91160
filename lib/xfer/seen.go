package xfer

import (
	"context"
	"os"

	"gocyrus/lib/acl"
	"gocyrus/lib/mboxlist"
)

// seen brings what others have seen of the mailboxes, which this server keeps by user:
// of those whom the access lists name. Cyrus leaves it behind, and has all messages
// unseen.
func (v *move) seen(ctx context.Context, all []*mboxlist.Entry) error {
	known := map[string]bool{}
	for _, e := range all {
		for id := range acl.Entries(e.ACL) {
			if id == e.Name.Owner() || id == "" || id[0] == '-' {
				continue
			}
			if _, ok := known[id]; !ok {
				known[id] = v.hasSeen(id)
			}
			if !known[id] {
				continue
			}
			if err := v.client.SeenBy(ctx, id, e.UniqueID); err != nil {
				return err
			}
		}
	}
	return nil
}

// hasSeen says whether there is a file of what a user has seen.
func (v *move) hasSeen(userid string) bool {
	_, err := os.Stat(v.site.Layout.UserFile(userid, "seen", v.site.Ops.InboxID(userid)))
	return err == nil
}
