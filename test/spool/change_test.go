package spool_test

import (
	"fmt"
	"strings"
	"testing"
)

// box is the name by which a user knows a mailbox of their own.
func (f *fixture) box(parts ...string) string {
	if f.classic() {
		return strings.ReplaceAll(strings.Join(append([]string{"INBOX"}, parts...), "/"), "/", ".")
	}
	if len(parts) == 0 {
		return "INBOX"
	}
	return strings.Join(parts, "/")
}

// of is the name of a user's mailbox for others and the administrator; prefix is
// what others see in front of it where the name space is the alternative one.
func (f *fixture) of(prefix, user string, parts ...string) string {
	if f.classic() {
		return strings.Join(append([]string{"user", strings.ReplaceAll(user, ".", "^")}, parts...), ".")
	}
	return prefix + strings.Join(append([]string{user}, parts...), "/")
}

// change does with a server of ours all that users and administrators do to
// mailboxes, each kind in mailboxes of every sort that the spools have.
func (f *fixture) change(t testing.TB, addr string) {
	t.Helper()
	alice, bob, admin := dial(t, addr, "alice"), dial(t, addr, "bob"), dial(t, addr, "cyrus")
	f.appendMail(t, alice)
	f.flagMail(t, alice, bob)
	f.moveMail(t, alice, bob)
	f.changeMailboxes(t, alice)
	f.changeRights(t, alice, admin)
	f.changeNotes(t, alice, bob, admin)
	if f.classic() {
		f.changeDomain(t, dial(t, addr, "zoe@example.org"))
	}
	for _, c := range []*client{alice, bob, admin} {
		c.must(t, "LOGOUT")
	}
}

func message(subject string) string {
	return "From: Sender <sender@example.net>\r\nTo: alice@example.com\r\nSubject: " + subject +
		"\r\nDate: Tue, 3 Mar 2026 10:00:00 +0100\r\nMessage-ID: <" + strings.ReplaceAll(subject, " ", ".") + "@example.net>\r\n" +
		"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nText of " + subject +
		"\r\n--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\nAAECAwQ=\r\n--b--\r\n"
}

func (f *fixture) appendMail(t testing.TB, alice *client) {
	t.Helper()
	for i := range 5 {
		alice.append(t, f.box(), `(\Flagged NewWord) "03-Mar-2026 11:22:33 +0100" `, message(fmt.Sprint("ours ", i)))
	}
	alice.append(t, f.box("Corpus"), `(\Seen) `, message("into an old index"))
	alice.append(t, f.box("Expunge"), "", message("after the expunged"))
	alice.append(t, f.box("Corpus"), "", "Subject: bare\r\n\r\n")
}

func (f *fixture) flagMail(t testing.TB, alice, bob *client) {
	t.Helper()
	for _, s := range []struct {
		box, store string
	}{
		{f.box("Corpus"), `1:20 +FLAGS.SILENT (\Answered Sorted)`},
		{f.box("Corpus"), `2 FLAGS (\Draft)`},
		{f.box("Corpus"), `30:* -FLAGS (\Seen)`},
		{f.box("Corpus"), `40,42:44 +FLAGS (\Deleted \Seen)`},
		{f.box("Expunge"), `1 +FLAGS (\Flagged)`},
		{f.box("SharedSeen"), `1 +FLAGS (\Seen $Label1)`},
		{f.box("Shared with bob"), `2 +FLAGS (\Seen)`},
		{f.box(), `1 -FLAGS (MyFlag)`},
	} {
		alice.must(t, "SELECT "+quote(s.box))
		alice.must(t, "STORE "+s.store)
	}
	// Not the owner's: \Seen is in bob's own file.
	bob.must(t, "SELECT "+quote(f.of("Other Users/", "alice", "Shared with bob")))
	bob.must(t, `STORE 1,4 +FLAGS (\Seen)`)
	bob.must(t, `STORE 3 +FLAGS (\Deleted BobFlag)`)
}

func (f *fixture) moveMail(t testing.TB, alice, bob *client) {
	t.Helper()
	alice.must(t, "SELECT "+quote(f.box("Corpus")))
	alice.must(t, "COPY 1:* "+quote(f.box("Archive")))
	alice.must(t, "UID EXPUNGE 42:43")
	alice.must(t, "EXPUNGE")
	alice.must(t, "SELECT "+quote(f.box()))
	alice.must(t, "MOVE 2:3 "+quote(f.box("Archive", "2025")))
	alice.must(t, "COPY * "+quote(f.box("Shared with bob")))
	bob.must(t, "EXPUNGE")
	bob.must(t, "COPY 1:2 INBOX")
	alice.must(t, "UNSELECT")
	bob.must(t, "UNSELECT")
}

func (f *fixture) changeMailboxes(t testing.TB, alice *client) {
	t.Helper()
	for _, command := range []string{
		"CREATE " + quote(f.box("New")),
		"CREATE " + quote(f.box("New", "Sub")),
		"CREATE " + quote(f.box("Old Mail")) + ` (USE (\Archive))`,
		"RENAME " + quote(f.box("Archive")) + " " + quote(f.box("Kept")), // 2025 goes along
		"RENAME " + quote(f.box("Corpus")) + " " + quote(f.box("New", "Body of text")),
		"DELETE " + quote(f.box("ToDelete")),
		"SUBSCRIBE " + quote(f.box("New")),
		"UNSUBSCRIBE " + quote(f.box("Trash")),
	} {
		alice.must(t, command)
	}
	alice.append(t, f.box("New", "Sub"), "", message("into the new"))
}

func (f *fixture) changeRights(t testing.TB, alice, admin *client) {
	t.Helper()
	shared := quote(f.box("Shared with bob"))
	alice.must(t, "SETACL "+shared+" dave.smith lrs")
	alice.must(t, "SETACL "+shared+" carol -s")
	alice.must(t, "DELETEACL "+quote(f.box("SharedSeen"))+" carol")
	alice.must(t, "SETACL "+quote(f.box("New"))+" anyone lrp")
	user := func(u string, parts ...string) string { return quote(f.of("user/", u, parts...)) }
	admin.must(t, "SETQUOTA "+user("alice")+" (STORAGE 30000 MESSAGE 6000)")
	admin.must(t, "SETQUOTA "+user("carol")+" (STORAGE 500)")
	admin.must(t, "SETQUOTA "+user("alice", "New")+" (MESSAGE 70)") // a root below a root
	admin.must(t, "CREATE "+user("newcomer"))
	admin.must(t, "SETACL "+user("newcomer")+" bob lr")
	admin.must(t, "SETACL "+user("bob")+" cyrus lrswipkxtecda")
}

func (f *fixture) changeNotes(t testing.TB, alice, bob, admin *client) {
	t.Helper()
	alice.must(t, "SETMETADATA "+quote(f.box("New"))+` (/shared/comment "for all" /private/comment "for me")`)
	alice.must(t, "SETMETADATA "+quote(f.box())+` (/shared/vendor/cmu/cyrus-imapd/expire "30" /private/comment NIL)`)
	admin.must(t, `SETMETADATA "" (/shared/comment "of the server")`)
	alice.must(t, "SELECT "+quote(f.box()))
	alice.must(t, `STORE 1 ANNOTATION (/comment (value.shared "changed" value.priv NIL))`)
	alice.must(t, `STORE 3:4 ANNOTATION (/altsubject (value.priv "mine"))`)
	alice.must(t, "COPY 1,3 "+quote(f.box("New")))
	alice.must(t, "UNSELECT")
	bob.must(t, "SELECT "+quote(f.of("Other Users/", "alice", "Shared with bob")))
	bob.must(t, `STORE 1 ANNOTATION (/comment (value.priv "bob's"))`)
	bob.must(t, "UNSELECT")
}

func (f *fixture) changeDomain(t testing.TB, zoe *client) {
	t.Helper()
	zoe.append(t, "INBOX", `(Word) `, message("for the other domain"))
	zoe.must(t, "CREATE INBOX.Fresh")
	zoe.must(t, "SELECT INBOX")
	zoe.must(t, "COPY 1:* INBOX.Fresh")
	zoe.must(t, `STORE 1 +FLAGS (\Deleted)`)
	zoe.must(t, "EXPUNGE")
	zoe.must(t, "RENAME INBOX.Sub INBOX.Under")
	zoe.must(t, "LOGOUT")
}
