package replication

import (
	"strings"
)

// A change is a kind of change that replication has to carry.
type change struct {
	name string
	// logged are the kinds of master that need the log for it: a user who is
	// renamed or gone is not found by looking at those there are.
	logged []kind
	// master is the one kind of server that can make it; empty for both.
	master kind
	// mend is what sync_client is to be told besides when the replica is real.
	mend []string
	make func(a *actor)
}

var both = []kind{ours, real}

// changes are made one after another on the same site: each may use what those
// before it made.
var changes = []change{
	{name: "users", make: makeUsers},
	{name: "create", make: makeMailboxes},
	{name: "append", make: appendMessages},
	{name: "deliver", make: deliverMessages},
	{name: "flags", make: storeFlags},
	{name: "copy and move", make: copyAndMove},
	{name: "expunge", make: expunge},
	{name: "read", make: readMail},
	{name: "rename", make: renameMailboxes},
	// Real Cyrus 3.6 knows no order for two renames that wait for each other.
	{name: "swap", master: ours, make: swapNames},
	{name: "swap in steps", make: swapInSteps},
	{name: "partition", make: movePartition},
	{name: "delete", make: deleteMailboxes},
	{name: "create again", make: createAgain},
	{name: "quota", make: setQuota},
	{name: "quota changed", make: changeQuota},
	{name: "quota removed", make: removeQuota},
	// Only the log tells of quotas of what is no user's.
	{name: "shared quota", logged: both, make: sharedQuota},
	{name: "shared quota removed", logged: both, make: removeSharedQuota},
	{name: "acl", make: setRights},
	{name: "mailbox annotations", make: annotateMailboxes},
	{name: "message annotations", make: annotateMessages},
	{name: "annotations removed", make: removeAnnotations},
	{name: "server annotations", logged: both, make: annotateServer},
	{name: "subscriptions", make: subscribe},
	{name: "seen by others", make: seenByOthers},
	{name: "special use", make: specialUse},
	{name: "pop3", make: popMail},
	{name: "sieve", master: real, make: sieveScripts},
	{name: "sieve removed", master: real, make: sieveRemoved},
	// Real Cyrus 3.6 takes UNUSER of the old name to mean the new one's
	// subscriptions and seen state: both names lead to the same INBOX's id.
	{name: "rename user", logged: both, make: renameUser, mend: []string{"-u", "caroline"}},
	{name: "delete user", logged: both, make: deleteUser},
	{name: "reset user", logged: both, make: resetUser},
}

// names are those that are awkward somewhere.
var names = []string{"INBOX/With Space", "INBOX/a(b)c", "INBOX/Entw&APw-rfe", "INBOX/x.y", "INBOX/pl+us #1", "INBOX/it's", "INBOX/NIL"}

func makeUsers(a *actor) {
	for _, u := range []string{"alice", "bob", "carol", "dave", "john.doe", "anna@example.org"} {
		a.on.AddUser(u)
	}
	a.admin("CREATE shared", "SETACL shared anyone lrswitek", "CREATE shared/sub.folder", "SETACL shared/sub.folder alice lrswipkxtecda")
}

func makeMailboxes(a *actor) {
	a.do("alice", "CREATE INBOX/a/b/c", "CREATE INBOX/Sent", "CREATE INBOX/Trash", "CREATE INBOX/Empty")
	for _, n := range names {
		a.do("alice", "CREATE "+quote(n))
		a.do("john.doe", "CREATE "+quote(n))
		a.do("anna@example.org", "CREATE "+quote(n))
	}
	for _, u := range []string{"bob", "carol", "dave"} {
		a.do(u, "CREATE INBOX/Sent", "CREATE INBOX/Old/2024")
	}
}

func appendMessages(a *actor) {
	a.append("alice", "INBOX", `(\Flagged $Label1) "01-Jan-2024 10:00:00 +0000"`, 3)
	a.append("alice", "INBOX", `(\Seen \Answered \Draft) "29-Feb-2024 23:59:59 -0800"`, 3)
	a.append("alice", "INBOX/Sent", `(\Seen)`, 5)
	a.append("alice", "INBOX/a/b", `(\Deleted)`, 2)
	for _, n := range names {
		a.append("alice", n, "", 1)
		a.append("john.doe", n, `(NonJunk)`, 1)
		a.append("anna@example.org", n, "", 1)
	}
	for _, u := range []string{"bob", "carol", "dave", "john.doe", "anna@example.org"} {
		a.append(u, "INBOX", `(\Seen)`, 2)
	}
	a.append("alice", "shared", "", 4)
	a.append("alice", "shared/sub.folder", "", 2)
	// More than any limit on literals and every buffer.
	a.do("alice", "APPEND INBOX "+literal(a.message(5<<20)))
	// One message twice is two messages of one GUID.
	m := a.message(0)
	a.do("alice", "APPEND INBOX/Sent "+literal(m), "APPEND INBOX/Sent "+literal(m), "APPEND INBOX "+literal(m))
}

func deliverMessages(a *actor) {
	a.deliver("alice")
	a.deliver("alice", "bob", "john.doe", "anna@example.org")
	a.deliver("bob+Sent")
}

func storeFlags(a *actor) {
	a.do("alice", "SELECT INBOX", `STORE 1 +FLAGS (\Answered)`, `STORE 1:3 -FLAGS (\Flagged)`, `STORE 2:4 FLAGS (\Seen MixedCase $Forwarded)`,
		`STORE 3 +FLAGS (mixedcase)`, `STORE 4 -FLAGS (MIXEDCASE)`, `STORE 5 FLAGS ()`, `STORE 1 +FLAGS.SILENT (\Answered)`)
	a.do("bob", "SELECT INBOX", `STORE 1:* FLAGS (\Deleted)`)
}

func copyAndMove(a *actor) {
	a.do("alice", "SELECT INBOX", "COPY 1:2 INBOX/Sent", `MOVE 3 INBOX/Trash`, `UID COPY 4 "INBOX/With Space"`, "COPY 1:* INBOX/a/b/c", "MOVE 2 shared")
}

func expunge(a *actor) {
	a.do("bob", "SELECT INBOX", "EXPUNGE")
	a.do("alice", "SELECT INBOX/Sent", `STORE 1:3 +FLAGS (\Deleted)`, "UID EXPUNGE 2", "CLOSE",
		"SELECT INBOX/a/b", "EXPUNGE", "UNSELECT")
	a.append("bob", "INBOX", "", 1)
}

func readMail(a *actor) {
	a.do("alice", "SELECT INBOX", "FETCH 1:* (BODY[])", "UNSELECT", "SELECT INBOX/Trash")
}

func renameMailboxes(a *actor) {
	a.do("alice", "RENAME INBOX/a INBOX/renamed", "RENAME INBOX/Empty INBOX/renamed/empty", "RENAME INBOX/x.y INBOX/x.z")
	a.do("bob", "RENAME INBOX/Old INBOX/Older", "APPEND INBOX/Older/2024 "+literal(a.message(0)))
	a.do("john.doe", `RENAME "INBOX/With Space" "INBOX/Without"`)
}

func swapNames(a *actor) {
	a.do("carol", "CREATE INBOX/one", "CREATE INBOX/two")
	a.append("carol", "INBOX/one", "", 1)
	a.append("carol", "INBOX/two", "", 2)
	a.leave()
	a.settle()
	a.do("carol", "RENAME INBOX/one INBOX/between", "RENAME INBOX/two INBOX/one", "RENAME INBOX/between INBOX/two")
}

// swapInSteps lets the replica have each rename before the next.
func swapInSteps(a *actor) {
	a.do("bob", "CREATE INBOX/one", "CREATE INBOX/two")
	a.append("bob", "INBOX/one", "", 1)
	for _, cmd := range []string{"RENAME INBOX/one INBOX/between", "RENAME INBOX/two INBOX/one"} {
		a.leave()
		a.settle()
		a.do("bob", cmd)
	}
	a.leave()
	a.settle()
	a.do("bob", "RENAME INBOX/between INBOX/two")
}

func movePartition(a *actor) {
	a.admin("RENAME user/dave/Sent user/dave/Sent second", "CREATE user/dave/there second")
	a.append("dave", "INBOX/Sent", "", 1)
}

func deleteMailboxes(a *actor) {
	a.do("alice", "DELETE INBOX/renamed/b/c", "DELETE INBOX/Trash")
	a.do("john.doe", "DELETE INBOX/Without")
	a.do("bob", "CREATE INBOX/gone", "DELETE INBOX/gone")
}

func createAgain(a *actor) {
	a.do("alice", "CREATE INBOX/Trash")
	a.append("alice", "INBOX/Trash", "", 2)
}

func setQuota(a *actor) {
	a.admin("SETQUOTA user/alice (STORAGE 100000 MESSAGE 5000)", "SETQUOTA user/bob (STORAGE 5000)",
		"SETQUOTA user/carol (STORAGE 0 X-ANNOTATION-STORAGE 1)", "SETQUOTA user/john.doe (STORAGE 1234)")
}

func changeQuota(a *actor) {
	a.admin("SETQUOTA user/alice (STORAGE 200000)", "SETQUOTA user/bob (STORAGE 4000 MESSAGE 7)", "SETQUOTA user/alice/Sent (MESSAGE 100)", "SETQUOTA user/carol (STORAGE 9999)")
}

func removeQuota(a *actor) {
	a.admin("SETQUOTA user/bob ()")
}

func sharedQuota(a *actor) { a.admin("SETQUOTA shared (STORAGE 777 X-NUM-FOLDERS 20)") }

func removeSharedQuota(a *actor) { a.admin("SETQUOTA shared ()") }

func setRights(a *actor) {
	a.do("alice", "SETACL INBOX bob lrs", "SETACL INBOX/Sent anyone lr", "SETACL INBOX/Sent -bob r", `SETACL "INBOX/With Space" john.doe lrswip`,
		"SETACL INBOX/Sent anyone -r", "SETACL INBOX carol lr", "DELETEACL INBOX carol")
	a.admin("SETACL shared bob lrswipkxtecd", "SETACL user/bob alice lrs")
}

// odd are values that are awkward to write.
var odd = map[string]string{
	"/private/comment": "with \"quotes\" and \\ backslash 100%",
	"/shared/comment":  "line1\r\nline2 (caf\xc3\xa9) {3}",
	"/private/sort":    "NIL",
	"/private/check":   "",
	"/private/thread":  strings.Repeat("two thousand octets ", 100),
}

func annotateMailboxes(a *actor) {
	for entry, v := range odd {
		a.do("alice", "SETMETADATA INBOX ("+entry+" "+literal(v)+")")
	}
	a.do("alice", `SETMETADATA INBOX/Sent (/shared/comment "shared" /private/comment "private")`)
	a.admin(`SETMETADATA user/alice/Sent (/shared/vendor/cmu/cyrus-imapd/expire "30")`)
	a.do("bob", `SETMETADATA user/alice (/private/comment "bob's")`)
}

func annotateMessages(a *actor) {
	a.do("alice", "SELECT INBOX", `UID STORE 1 ANNOTATION (/comment (value.priv "msg note" value.shared "shared"))`,
		"UID STORE 4 ANNOTATION (/altsubject (value.priv "+literal("caf\xc3\xa9 \"x\" \\ 100%")+"))",
		"UID STORE 4 ANNOTATION (/comment (value.shared "+literal(strings.Repeat("long ", 400))+"))",
		`UID STORE 5 ANNOTATION (/comment (value.priv "NIL"))`, "COPY 1 INBOX/Sent")
}

func removeAnnotations(a *actor) {
	a.do("alice", "SETMETADATA INBOX (/private/comment NIL)", "SELECT INBOX", "UID STORE 1 ANNOTATION (/comment (value.priv NIL))",
		`UID STORE 4 ANNOTATION (/altsubject (value.priv "changed"))`)
}

func annotateServer(a *actor) {
	a.do("alice", `SETMETADATA "" (/private/comment "alice's own")`)
	a.admin(`SETMETADATA "" (/shared/comment "the server's")`)
}

func subscribe(a *actor) {
	a.do("alice", "SUBSCRIBE INBOX", "SUBSCRIBE INBOX/Sent", `SUBSCRIBE "INBOX/With Space"`, "SUBSCRIBE shared", "SUBSCRIBE INBOX/x.z", "UNSUBSCRIBE INBOX/Sent")
	a.do("john.doe", "SUBSCRIBE INBOX", "SUBSCRIBE INBOX/x.y")
	a.do("bob", "SUBSCRIBE user/alice", "SUBSCRIBE INBOX", "UNSUBSCRIBE INBOX")
}

func seenByOthers(a *actor) {
	a.do("bob", "SELECT user/alice", `STORE 1,3 +FLAGS (\Seen)`, "UNSELECT", "SELECT shared", "FETCH 1:2 BODY[]", "UNSELECT")
	a.do("alice", "SELECT shared", `STORE 2 +FLAGS (\Seen)`, "UNSELECT", "SETMETADATA INBOX/Sent (/shared/vendor/cmu/cyrus-imapd/sharedseen \"true\")")
	a.leave()
	a.do("bob", "SELECT user/alice", `STORE 3 -FLAGS (\Seen)`, "UNSELECT")
	a.do("alice", "SELECT INBOX/Sent", `STORE 1 FLAGS (\Seen)`)
}

func specialUse(a *actor) {
	a.do("alice", `CREATE INBOX/Junk (USE (\Junk))`, `SETMETADATA INBOX/Sent (/private/specialuse "\\Sent")`)
}

func popMail(a *actor) {
	a.append("dave", "INBOX", "", 4)
	a.leave()
	a.pop("dave", "STAT", "RETR 1", "DELE 2", "DELE 3")
}

func renameUser(a *actor) {
	a.do("carol", "SUBSCRIBE INBOX/Sent")
	a.leave()
	a.admin("RENAME user/carol user/caroline")
	a.append("caroline", "INBOX", "", 1)
}

func deleteUser(a *actor) {
	a.admin("SETACL user/dave cyrus lrswipkxtecda", "DELETE user/dave")
}

// resetUser removes a user who has no mailboxes that were deleted with delay: a
// replica keeps those.
func resetUser(a *actor) { a.on.RunTool("", "sync_reset", "-f", "anna@example.org") }
