package murder

// A step is some lines of a script: see run.
type step struct{ name, script string }

// steps are taken one after the other; each finds what those before it left.
//
// alice and dave are at be1, bob and carol at be2, which deletes at once.
var steps = []step{
	{"create", `
		cyrus: CREATE user.alice $be1!default
		cyrus: CREATE user.bob $be2!p2
		cyrus: CREATE user.carol
		cyrus: CREATE user.dave (SERVER $be1 PARTITION p2)
		cyrus: CREATE user.alice $be2!default
		cyrus: CREATE user.alice $be1!default
		cyrus: CREATE user.alice p2
		cyrus: CREATE user.erin nowhere.invalid!default
		cyrus: CREATE user.erin $be1!p3
		alice: CREATE user.alice.Foo
		alice: CREATE INBOX.Bar
		alice: CREATE user.alice.deep.er.est
		alice: CREATE user.bob.Foo
		alice: CREATE user.alice.Trash (USE (\Trash))
		alice: CREATE user.alice.Foo
		alice: CREATE user.alice.Far $be2!default
		bob: CREATE user.bob.In
		bob: CREATE user.bob.Sent (USE (\Sent))
		cyrus: CREATE shared $be1!default
		cyrus: CREATE shared.b
		cyrus: CREATE shared-far $be2!default
		!table`},
	{"acl", `
		bob: SETACL INBOX alice lrswipkxte
		bob: SETACL user.bob.In alice lrswipkxte
		bob: GETACL user.bob.In
		alice: MYRIGHTS user.bob.In
		alice: GETACL user.bob.In
		alice: SETACL user.bob.In carol lr
		bob: LISTRIGHTS user.bob.In carol
		bob: SETACL user.bob.In carol lr
		bob: SETACL user.bob.In carol +s
		bob: SETACL user.bob.In dave ?
		bob: DELETEACL user.bob.In carol
		bob: DELETEACL user.bob.In carol
		bob: GETACL user.bob.In
		carol: MYRIGHTS user.bob.In
		carol: SETACL user.nobody carol lr
		cyrus: SETACL shared anyone lrsp
		cyrus: SETACL shared.b anyone lrs
		cyrus: SETACL shared-far anyone lrswipkxte
		cyrus: GETACL shared
		!table`},
	{"append", `
		alice: APPEND INBOX {4095}
		alice: APPEND INBOX {4096+}
		alice: APPEND INBOX (\Seen \Flagged $Forwarded) "24-Nov-2020 12:34:56 +0100" {4097}
		alice: APPEND INBOX {16383}
		alice: APPEND INBOX {16384}
		alice: APPEND INBOX {16385}
		alice: APPEND INBOX {16384+}
		alice: APPEND INBOX {65535}
		alice: APPEND INBOX {65536}
		alice: APPEND INBOX {65537}
		alice: APPEND INBOX {65537+}
		alice: APPEND INBOX {300000}
		alice: APPEND INBOX (\Draft) {500} (\Seen) {501}
		alice: APPEND user.alice.Foo {100+}
		alice: APPEND user.bob.In {1000+}
		alice: APPEND user.bob.Sent {1000+}
		alice: APPEND user.alice.None {1000+}
		alice: APPEND user.alice.None {20000}
		alice: APPEND INBOX {10+}
		alice: APPEND INBOX (\Bad) {500+}
		alice: NOOP
		bob: APPEND INBOX {20000}
		bob: STATUS user.bob.In (MESSAGES UIDNEXT UNSEEN RECENT UIDVALIDITY)
		alice: STATUS INBOX (MESSAGES UIDNEXT UNSEEN HIGHESTMODSEQ)
		alice: STATUS user.bob.In (MESSAGES)
		alice: STATUS user.bob.Sent (MESSAGES)
		alice: CREATE "user.alice.a b"
		alice: CREATE user.alice.&AOQ-&-
		alice: APPEND "user.alice.a b" {200}
		alice: APPEND user.alice.&AOQ-&- {200+}
		alice: SELECT user.alice.&AOQ-&-
		alice: COPY 1 "user.alice.a b"
		alice: STATUS "user.alice.a b" (MESSAGES)
		alice: RENAME "user.alice.a b" "user.alice.c  d"
		alice: DELETE "user.alice.c  d"
		alice: DELETE user.alice.&AOQ-&-`},
	{"deliver", `
		cyrus: SETQUOTA user.carol (STORAGE 1)
		!deliver one to alice bob nobody carol
		!deliver two to bob+In alice+Foo +shared
		!deliver three to +shared.b alice+None bob+Sent +shared.none
		!deliver four to nobody
		!deliver five to nobody@example.net alice@internal
		carol: APPEND INBOX {2000+}
		carol: APPEND INBOX {20000}
		carol: GETQUOTAROOT INBOX
		carol: SETACL INBOX alice lrswi
		alice: SELECT INBOX
		alice: COPY 5 user.carol
		!deliver six to carol dave
		bob: STATUS INBOX (MESSAGES)
		bob: STATUS user.bob.In (MESSAGES)
		bob: STATUS user.bob.Sent (MESSAGES)
		alice: STATUS INBOX (MESSAGES)
		alice: STATUS user.alice.Foo (MESSAGES)
		alice: STATUS shared (MESSAGES)
		carol: STATUS INBOX (MESSAGES)
		dave: STATUS INBOX (MESSAGES)
		dave: SELECT INBOX
		dave: FETCH 1 (BODY.PEEK[HEADER.FIELDS (SUBJECT RETURN-PATH)])`},
	{"read", `
		alice: SELECT INBOX
		alice: FETCH 1:3 (UID FLAGS RFC822.SIZE ENVELOPE)
		alice: FETCH 3 (INTERNALDATE BODYSTRUCTURE)
		alice: FETCH 1:12 (BODY.PEEK[])
		alice: FETCH 2 (BODY.PEEK[HEADER] BODY.PEEK[TEXT]<10.30>)
		alice: FETCH 2 BODY[]
		alice: FETCH 1:* FLAGS
		alice: UID FETCH 4:5 (UID RFC822.SIZE)
		alice: STORE 1 +FLAGS (\Answered Work)
		alice: STORE 1:2 FLAGS.SILENT (\Seen)
		alice: UID STORE 4 +FLAGS (\Deleted)
		alice: UID STORE 5 (UNCHANGEDSINCE 1) +FLAGS (\Deleted)
		alice: EXPUNGE
		alice: UID EXPUNGE 5
		alice: CHECK
		alice: FETCH 100 FLAGS
		alice: FETCH 1: FLAGS
		alice: FETCH 1 (BOGUS)
		alice: STORE 1 +FLAGS (\Recent)
		alice: SELECT user.bob.In
		alice: FETCH 1:* (UID FLAGS)
		alice: STORE 1 +FLAGS \Flagged
		alice: EXAMINE user.bob.In
		alice: STORE 1 +FLAGS \Draft
		alice: SELECT user.bob.Sent
		alice: FETCH 1 FLAGS
		alice: SELECT INBOX
		alice: SELECT user.alice.None
		alice: FETCH 1 FLAGS
		alice: SELECT INBOX
		alice: CLOSE
		alice: SELECT user.alice.Foo
		alice: UNSELECT
		alice: CHECK
		carol: SELECT shared-far
		carol: SELECT shared
		carol: FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]
		carol: SELECT user.alice
		cyrus: SELECT user.alice`},
	{"search", `
		alice: SELECT INBOX
		alice: SEARCH ALL
		alice: SEARCH SUBJECT "of 4097"
		alice: UID SEARCH LARGER 60000
		alice: SEARCH RETURN (MIN MAX COUNT) ALL
		alice: SEARCH RETURN (SAVE) SEEN
		alice: FETCH $ (UID)
		alice: SEARCH CHARSET UTF-8 SUBJECT {60+}
		alice: SEARCH KEYWORD Work
		alice: SORT (SIZE) UTF-8 LARGER 2000
		alice: UID SORT (REVERSE SUBJECT) UTF-8 SMALLER 17000
		alice: THREAD REFERENCES UTF-8 ALL
		alice: UID THREAD ORDEREDSUBJECT UTF-8 ALL
		alice: SEARCH BOGUS
		alice: SELECT user.bob.In
		alice: SEARCH ALL
		alice: SORT (DATE) UTF-8 ALL`},
	{"copy", `
		alice: SELECT INBOX
		alice: COPY 1:2 user.alice.Foo
		alice: UID COPY 6,8 user.alice.Foo
		alice: COPY 1 user.alice.None
		alice: COPY 1 user.bob.None
		alice: COPY 100 user.alice.Foo
		alice: COPY 1 user.bob.Sent
		alice: COPY 3 user.bob.In
		alice: UID COPY 6:8 user.bob.In
		alice: UID COPY 999 user.bob.In
		alice: FETCH 3 (FLAGS)
		alice: NOOP
		alice: MOVE 1 user.alice.Foo
		alice: FETCH 1:2 (UID)
		alice: SELECT user.bob.In
		alice: FETCH 1:* (UID FLAGS RFC822.SIZE)
		alice: FETCH 3 (INTERNALDATE)
		alice: COPY 1 INBOX
		alice: COPY 1:3 INBOX
		alice: STATUS INBOX (MESSAGES UIDNEXT)`},
	{"move across", `
		alice: SELECT user.alice.Foo
		alice: STORE 1 +FLAGS (\Answered Moved)
		alice: MOVE 1 user.bob.In
		alice: NOOP
		alice: STATUS user.bob.In (MESSAGES UIDNEXT)
		alice: UID MOVE 2:3 user.bob.In
		alice: FETCH 1:* (UID FLAGS)
		alice: MOVE 1 user.bob.None
		alice: MOVE 1 user.bob.Sent
		alice: STATUS user.bob.In (MESSAGES UIDNEXT)
		alice: UID STORE 1:3 +FLAGS.SILENT (\Deleted)
		alice: EXPUNGE`},
	{"list", `
		alice: LIST "" ""
		alice: LIST "" *
		alice: LIST "" %
		alice: LIST "" user.bob.%
		alice: LIST user.alice *
		alice: LIST "" shared*
		alice: LIST "" (INBOX shared%)
		alice: LIST "" user.alice.F% RETURN (STATUS (MESSAGES))
		alice: LIST "" * RETURN (CHILDREN)
		alice: LIST "" (user.alice user.bob.In) RETURN (STATUS (MESSAGES UIDNEXT))
		alice: LIST "" * RETURN (SPECIAL-USE)
		alice: LIST (SPECIAL-USE) "" *
		alice: XLIST "" *
		alice: RLIST "" *
		alice: LIST (REMOTE) "" user.bob*
		bob: LIST (RECURSIVEMATCH) "" *
		alice: NAMESPACE
		cyrus: LIST "" *
		cyrus: LIST "" user.%`},
	{"subscriptions", `
		alice: SUBSCRIBE INBOX
		alice: SUBSCRIBE user.bob.In
		alice: SUBSCRIBE user.alice.Foo
		alice: SUBSCRIBE user.bob.None
		alice: SUBSCRIBE shared-far
		alice: LSUB "" *
		alice: LSUB "" %
		alice: LIST (SUBSCRIBED) "" *
		alice: LIST "" * RETURN (SUBSCRIBED)
		alice: LIST (SUBSCRIBED RECURSIVEMATCH) "" %
		alice: LIST (SUBSCRIBED) "" * RETURN (STATUS (MESSAGES))
		alice: UNSUBSCRIBE user.bob.In
		alice: UNSUBSCRIBE user.bob.In
		alice: UNSUBSCRIBE user.bob.None
		alice: RLSUB "" *
		alice: LSUB "" *
		bob: SUBSCRIBE user.alice.Foo
		bob: SUBSCRIBE shared
		bob: LSUB "" *
		bob: LIST (SUBSCRIBED) "" *`},
	{"quota", `
		cyrus: SETQUOTA user.alice (STORAGE 10000 MESSAGE 1000)
		cyrus: GETQUOTA user.alice
		alice: GETQUOTAROOT INBOX
		alice: GETQUOTAROOT user.alice.Foo
		alice: GETQUOTA user.alice
		alice: SETQUOTA user.alice (STORAGE 1)
		alice: GETQUOTAROOT user.bob.In
		cyrus: SETQUOTA user.bob (MESSAGE 20)
		cyrus: GETQUOTA user.none
		cyrus: SETQUOTA user.none (STORAGE 1)
		cyrus: GETQUOTA user.bob
		cyrus: SETQUOTA user.alice.Foo (MESSAGE 4)
		alice: GETQUOTAROOT user.alice.Foo
		alice: SELECT INBOX
		alice: COPY 1:3 user.alice.Foo
		cyrus: SETQUOTA user.bob ()
		cyrus: SETQUOTA user.alice.Foo ()
		cyrus: GETQUOTA user.bob`},
	{"metadata", `
		alice: SETMETADATA INBOX.Foo (/private/comment "mine")
		alice: SETMETADATA INBOX.Foo (/shared/comment "for all of us")
		alice: GETMETADATA INBOX.Foo (/private/comment /shared/comment)
		alice: GETMETADATA (MAXSIZE 5) INBOX.Foo (/private/comment /shared/comment)
		alice: GETMETADATA (DEPTH 1) INBOX.Foo (/private)
		alice: SETMETADATA user.bob.In (/private/comment {30+})
		alice: GETMETADATA user.bob.In /private/comment
		alice: SETMETADATA INBOX.Foo (/private/comment NIL)
		alice: GETMETADATA INBOX.Foo /private/comment
		alice: SETMETADATA user.alice.Foo (/private/comment "again")
		alice: GETMETADATA user.alice.Foo /private/comment
		alice: GETMETADATA INBOX.Foo /shared/vendor/cmu/cyrus-imapd/server
		alice: GETMETADATA INBOX.Foo /shared/vendor/cmu/cyrus-imapd/partition
		alice: GETMETADATA INBOX.Foo (/shared/vendor/cmu/cyrus-imapd/size)
		alice: SETMETADATA user.bob.In (/private/comment NIL)
		alice: SETMETADATA user.bob.Sent (/shared/comment "no")
		cyrus: GETMETADATA "" (/shared/comment)
		cyrus: SETMETADATA "" (/shared/comment "frontend")
		cyrus: GETMETADATA "" (/shared/comment)
		alice: GETANNOTATION INBOX.Foo /comment (value.shared)`},
	{"idle", `
		bob/2: SELECT INBOX
		bob/2: IDLE
		!deliver ping to bob
		bob/2: until RECENT
		bob: SELECT INBOX
		bob: STORE 1 +FLAGS (\Flagged)
		bob/2: until FLAGS (
		bob/2: DONE
		bob/2: NOOP
		bob/3: IDLE
		bob/3: DONE`},
	{"condstore", `
		dave: UNSELECT
		dave: APPEND INBOX {600+} {601+} {602+}
		dave: ENABLE QRESYNC
		dave: SELECT INBOX
		dave: STATUS INBOX (HIGHESTMODSEQ)
		dave: STORE 2 +FLAGS (\Flagged)
		dave: FETCH 1:* (MODSEQ) (CHANGEDSINCE %M)
		dave: STORE 1 +FLAGS (\Deleted)
		dave: EXPUNGE
		dave: SELECT INBOX (QRESYNC (%V 3))
		dave: UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)
		dave: SELECT shared-far
		dave: SELECT shared
		dave: SELECT "INBOX"
		dave/2: SELECT INBOX (CONDSTORE)
		dave/2: STORE 1 (UNCHANGEDSINCE 1) +FLAGS (\Seen)
		dave/2: STORE 1 (UNCHANGEDSINCE %M) +FLAGS (\Seen)
		dave/2: FETCH 1 (FLAGS MODSEQ)
		dave: NOOP`},
	{"pop3", `
		!pop3 dave: STAT; LIST; UIDL; TOP 1 0; RETR 2; DELE 2; RSET; DELE 1; QUIT
		!pop3 bob: RETR 99; NOOP; BOGUS; QUIT
		dave: NOOP
		dave: STATUS INBOX (MESSAGES)`},
	{"move a user", `
		cyrus: SETQUOTA user.dave (STORAGE 5000)
		dave/3: CREATE user.dave.Sub
		dave/3: APPEND user.dave.Sub (\Flagged) "24-Nov-2020 12:34:56 +0100" {700+}
		dave/3: SUBSCRIBE user.dave.Sub
		dave/3: SUBSCRIBE user.bob.In
		dave/3: SETACL user.dave.Sub alice lrs
		dave/3: CREATE user.dave.Drafts (USE (\Drafts))
		dave@be1: SETMETADATA INBOX.Sub (/private/comment "mine" /shared/comment "ours")
		dave@be1: SELECT user.dave.Sub
		dave@be1: STORE 1 +FLAGS (\Seen $Junk)
		alice/3: SELECT user.dave.Sub
		alice/3: FETCH 1 (FLAGS BODY[TEXT])
		cyrus: RENAME user.dave.Sub user.dave.Sub $be2!default
		cyrus: RENAME user.dave user.dave $be2!p2
		!settle
		!table
		cyrus: RENAME user.dave user.dave $be2!p2
		cyrus: GETQUOTA user.dave
		dave/4: SELECT INBOX
		dave/4: FETCH 1:* (UID FLAGS)
		dave/4: LSUB "" *
		dave/4: LIST "" * RETURN (SPECIAL-USE)
		dave@be2: GETMETADATA user.dave.Sub (/private/comment /shared/comment)
		dave@be2: STATUS user.dave.Sub (MESSAGES UNSEEN UIDNEXT)
		dave@be1/2: SELECT INBOX
		alice/4: EXAMINE user.dave.Sub
		alice/4: FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY[TEXT])
		!deliver moved to dave alice
		dave/4: NOOP
		!pop3 dave: UIDL; QUIT
		cyrus: RENAME user.dave user.dave nowhere.invalid!default
		cyrus: RENAME user.dave user.dave $be1!default
		!settle
		!table
		dave/5: SELECT INBOX
		dave/5: FETCH 1:* (UID FLAGS)`},
	{"catenate", `
		alice/9: SELECT INBOX
		alice/9: APPEND user.alice.Foo CATENATE (URL ";UID=5/;SECTION=HEADER" TEXT {10+})
		alice/9: APPEND INBOX CATENATE (TEXT {200+} URL "/INBOX/;UID=5/;PARTIAL=0.20")
		alice/9: APPEND INBOX CATENATE (URL ";UID=999" TEXT {10+})
		alice/9: APPEND user.bob.In CATENATE (URL "/INBOX/;UID=5/;SECTION=HEADER" TEXT {10+})
		alice/9: FETCH * (RFC822.SIZE BODY.PEEK[])`},
	{"rename", `
		alice: RENAME user.alice.Bar user.alice.Baz
		alice: RENAME user.alice.deep user.alice.shallow
		alice: RENAME user.alice.None user.alice.Bar
		alice: RENAME user.alice.Baz user.alice.Foo
		alice: RENAME user.alice.Baz user.bob.Baz
		alice: LIST "" user.alice.*
		bob: RENAME user.bob.Sent user.bob.Gone
		cyrus: RENAME user.bob.Gone user.bob.Gone default
		cyrus: RENAME shared-far shared-away
		cyrus: RENAME user.alice.Baz user.alice.Baz2 $be2!default
		bob: STATUS user.bob.Gone (MESSAGES)
		cyrus: RENAME user.dave user.david
		!settle
		!table`},
	{"delete", `
		alice: DELETE user.alice.Baz
		alice: DELETE user.alice.None
		alice: DELETE user.bob.Gone
		alice: DELETE INBOX
		bob: DELETE user.bob.Gone
		bob/4: SELECT user.bob.In
		bob: DELETE user.bob.In
		bob/4: NOOP
		cyrus: DELETE user.carol
		cyrus: SETACL user.carol cyrus lrswipkxtea
		cyrus: DELETE user.carol
		cyrus: SETACL user.alice cyrus lrswipkxtea
		cyrus: DELETE user.alice
		cyrus: DELETE shared-away
		cyrus: SELECT user.alice
		!deliver late to alice carol bob
		!settle
		cyrus: LIST "" *
		!table`},
}
