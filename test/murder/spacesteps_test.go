package murder

// altSteps are taken where users see their mailboxes beside INBOX and "/" separates
// levels: alice is at be1, bob and carol at be2.
var altSteps = []step{
	{"alt: create", `
		cyrus: CREATE user/alice $be1!default
		cyrus: CREATE user/bob $be2!default
		cyrus: CREATE user/carol
		cyrus: CREATE user/carol.x $be1!default
		cyrus: CREATE lists $be1!default
		cyrus: SETACL lists anyone lrsp
		cyrus: LIST "" *
		cyrus: LIST "" user/%
		alice: NAMESPACE
		alice: LIST "" ""
		alice: CREATE Foo
		alice: CREATE Foo/Bar.Baz
		alice: CREATE INBOX/Sub
		alice: CREATE "Other Users/bob/Foo"
		bob: CREATE In
		bob: SETACL In alice lrswipkxte
		bob: SETACL INBOX alice lrs
		alice: LIST "" *
		alice: LIST "" %
		alice: LIST "" "Other Users/%"
		alice: LIST "Other Users/bob" *
		alice: LIST "" "Shared Folders/*"
		alice: LIST (SUBSCRIBED) "" *
		alice: XLIST "" %
		alice: MYRIGHTS "Other Users/bob/In"
		!table`},
	{"alt: messages", `
		alice: APPEND INBOX {300+}
		alice: APPEND Foo {400}
		alice: APPEND "Other Users/bob/In" {500+}
		alice: APPEND "Other Users/bob/None" {500+}
		!deliver one to alice bob+In alice+Foo +lists carol.x carol
		!deliver two to alice+Foo/Bar.Baz alice+foo/bar.baz bob+In/None +lists/none
		alice: STATUS INBOX (MESSAGES)
		alice: STATUS Foo/Bar.Baz (MESSAGES)
		alice: STATUS "Other Users/bob/In" (MESSAGES UIDNEXT)
		alice: STATUS "Shared Folders/lists" (MESSAGES)
		carol.x: STATUS INBOX (MESSAGES)
		alice: SELECT INBOX
		alice: COPY 1 "Other Users/bob/In"
		alice: MOVE 1 Foo/Bar.Baz
		alice: SELECT "Other Users/bob/In"
		alice: FETCH 1:* (UID FLAGS)
		alice: COPY 1 Foo
		alice: SUBSCRIBE "Other Users/bob/In"
		alice: SUBSCRIBE Foo
		alice: SUBSCRIBE "Shared Folders/lists"
		alice: LSUB "" *
		alice: LSUB "" %
		alice: LIST (SUBSCRIBED) "" * RETURN (CHILDREN)
		alice: UNSUBSCRIBE "Other Users/bob/In"
		alice: GETQUOTAROOT Foo
		cyrus: SETQUOTA user/bob (STORAGE 1000)
		bob: GETQUOTAROOT In
		alice: GETQUOTAROOT "Other Users/bob/In"
		!pop3 alice: UIDL; QUIT
		!pop3 carol.x: UIDL; QUIT`},
	{"alt: rename and move", `
		alice: RENAME Foo Oof
		alice: RENAME Oof "Other Users/bob/Oof"
		alice: LIST "" *
		cyrus: RENAME user/carol.x user/carol.x $be2!default
		carol.x: STATUS INBOX (MESSAGES)
		carol.x: LIST "" *
		!table`},
	{"alt: delete", `
		alice: DELETE Oof/Bar.Baz
		alice: DELETE Oof
		cyrus: SETACL user/carol.x cyrus lrx
		cyrus: DELETE user/carol.x
		cyrus: LIST "" *
		!table`},
}

// domainSteps are taken where users have domains: alice of example.org is at be1,
// bob of example.org and alice of example.net at be2, and dave, of the default domain,
// at be1.
var domainSteps = []step{
	{"domains: create", `
		cyrus: CREATE user/alice@example.org $be1!default
		cyrus: CREATE user/bob@example.org $be2!default
		cyrus: CREATE user/alice@example.net $be2!default
		cyrus: CREATE user/dave $be1!default
		cyrus: CREATE user/erin@internal $be2!default
		cyrus: CREATE lists@example.org $be2!default
		cyrus: SETACL lists@example.org anyone lrsp
		cyrus: LIST "" *
		cyrus: LIST "" user/%@example.org
		alice%example.org: NAMESPACE
		alice%example.org: CREATE Foo
		alice%example.org: CREATE Foo/x
		bob%example.org: CREATE In
		bob%example.org: SETACL In alice@example.org lrswipkxte
		bob%example.org: SETACL In alice lrs
		bob%example.org: SETACL INBOX alice@example.org lrs
		bob%example.org: SETACL In alice@example.net lrs
		bob%example.org: GETACL In
		cyrus: GETACL user/bob/In@example.org
		alice%example.org: LIST "" *
		alice%example.net: LIST "" *
		alice%example.net: CREATE Bar
		cyrus: LIST "" user/*@example.org
		cyrus: LIST "" *@example.n*
		cyrus: LIST "" user/%
		cyrus: LIST "" user/bob@example.org
		dave: LIST "" *
		!table`},
	{"domains: messages", `
		alice%example.org: APPEND INBOX {300+}
		alice%example.org: APPEND "Other Users/bob/In" {500+}
		alice%example.net: APPEND Bar {500}
		!deliver one to alice@example.org bob+In@example.org alice@example.net dave
		!deliver two to +lists@example.org dave@internal erin@internal alice alice@nowhere.invalid
		alice%example.org: STATUS INBOX (MESSAGES)
		alice%example.net: STATUS INBOX (MESSAGES)
		alice%example.org: STATUS "Other Users/bob/In" (MESSAGES UIDNEXT)
		alice%example.org: STATUS "Shared Folders/lists" (MESSAGES)
		alice%example.net: STATUS "Shared Folders/lists" (MESSAGES)
		dave: STATUS INBOX (MESSAGES)
		alice%example.org: SELECT INBOX
		alice%example.org: COPY 1 "Other Users/bob/In"
		alice%example.org: SELECT "Other Users/bob/In"
		alice%example.org: FETCH 1:* (UID)
		alice%example.org: SUBSCRIBE "Other Users/bob/In"
		alice%example.org: SUBSCRIBE Foo
		alice%example.org: LSUB "" *
		cyrus: SETQUOTA user/alice@example.org (STORAGE 1000)
		alice%example.org: GETQUOTAROOT INBOX
		cyrus: GETQUOTAROOT user/alice/Foo@example.org
		!pop3 alice%example.net: UIDL; QUIT
		!pop3 dave: UIDL; QUIT`},
	{"domains: rename and move", `
		alice%example.org: RENAME Foo Oof
		cyrus: RENAME user/alice@example.org user/alice@example.org $be2!default
		alice%example.org: LIST "" *
		alice%example.org: LSUB "" *
		alice%example.org: STATUS INBOX (MESSAGES)
		alice%example.org: GETQUOTAROOT INBOX
		cyrus: RENAME user/dave user/dave $be2!default
		dave: STATUS INBOX (MESSAGES)
		cyrus: LIST "" *
		!table`},
	{"domains: delete", `
		cyrus: SETACL user/alice@example.net cyrus lrx
		cyrus: DELETE user/alice@example.net
		cyrus: SETACL user/dave cyrus lrx
		cyrus: DELETE user/dave
		cyrus: SETACL lists@example.org cyrus lrx
		cyrus: DELETE lists@example.org
		cyrus: LIST "" *
		!table`},
}
