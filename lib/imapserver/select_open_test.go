package imapserver

import (
	"fmt"
	"strings"
	"testing"

	"gocyrus/lib/cyrustest"
	"gocyrus/lib/mboxlist"
)

// TestSeenFollowsInbox: what a user has seen of a shared mailbox is put down where it is
// looked for, though the INBOX, by which that goes, has left this server since the mailbox
// was selected.
func TestSeenFollowsInbox(t *testing.T) {
	srv := testServer(t, "")
	dial := dialer(t, srv)
	message := cyrustest.Message("one")
	login(t, dial, "cyrus").do("SETACL shared/news anyone lrswi")
	c := login(t, dial, "alice")
	c.do(fmt.Sprintf("APPEND \"Shared Folders/shared/news\" {%d+}\r\n%s", len(message), message))
	c.do("SELECT \"Shared Folders/shared/news\"")
	shared, err := srv.list.Lookup("shared.news")
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.list.Update(func(tx *mboxlist.Tx) error { return tx.Delete("user.alice", 100) }); err != nil {
		t.Fatal(err)
	}
	c.do("STORE 1 +FLAGS (\\Seen)")
	r, err := srv.site.Seen.For("alice", srv.ops.InboxID("alice")).Get(shared.UniqueID)
	if err != nil || !strings.HasPrefix(r.UIDs, "1") {
		t.Errorf("%+v, %v", r, err)
	}
}
