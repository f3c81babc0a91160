package murder

// oddSteps are taken where referrals are allowed, and backends have subscriptions to
// their own mailboxes alone; and then servers are missing. alice is at be1, bob at be2.
var oddSteps = []step{
	{"referrals", `
		cyrus: CREATE user.alice $be1!default
		cyrus: CREATE user.bob $be2!default
		bob: CREATE user.bob.In
		bob: SETACL user.bob.In alice lrswipkxte
		alice: APPEND INBOX {100+} {101+}
		alice: SELECT INBOX
		alice: RLIST "" user.bob.In
		alice: SELECT user.bob.In
		alice: FETCH 1 (UID)
		alice: EXAMINE INBOX
		alice: SELECT user.bob.None
		alice: APPEND INBOX {100+}
		alice: APPEND user.bob.None {100+}
		alice: STATUS user.bob.In (MESSAGES)
		alice: CREATE user.alice.A
		alice: DELETE user.alice.A
		alice: SETACL INBOX bob lr
		alice: GETACL INBOX
		alice: SUBSCRIBE INBOX
		alice/2: LIST (REMOTE) "" INBOX
		alice/2: SELECT INBOX
		alice/3: RLSUB "" *
		alice/3: SELECT INBOX
		cyrus: RLIST "" ""
		cyrus: CREATE user.alice.B
		cyrus: CREATE user.dave $be1!default
		cyrus: DELETE user.dave
		cyrus: SETACL user.bob cyrus lrx
		cyrus: GETQUOTAROOT user.alice
		cyrus: RENAME user.dave user.david
		cyrus: RECONSTRUCT user.alice`},
	{"own subscriptions", `
		alice/4: SUBSCRIBE user.alice
		alice/4: SUBSCRIBE user.bob.In
		alice/4: LSUB "" *
		alice/4: LIST (SUBSCRIBED) "" *
		alice/4: UNSUBSCRIBE user.bob.In`},
	{"a backend is away", `
		bob/2: SELECT INBOX
		alice/5: SELECT INBOX
		alice/5: STATUS user.bob.In (MESSAGES)
		!stop be2
		bob/2: NOOP
		bob/3: SELECT INBOX
		bob/3: EXAMINE user.bob.In
		bob/3: STATUS INBOX (MESSAGES)
		bob/3: LIST "" *
		bob/3: APPEND INBOX {100+}
		bob/3: APPEND INBOX {30000}
		bob/3: CREATE user.bob.New
		bob/3: DELETE user.bob.In
		bob/3: RENAME user.bob.In user.bob.Out
		bob/3: SETACL user.bob.In alice lr
		bob/3: GETACL user.bob.In
		bob/3: GETQUOTAROOT INBOX
		alice/5: STATUS user.bob.In (MESSAGES)
		alice/5: COPY 1 user.bob.In
		alice/5: SELECT user.bob.In
		alice/5: SELECT INBOX
		alice/5: LIST "" * RETURN (STATUS (MESSAGES))
		cyrus/2: CREATE user.carol
		cyrus/2: CREATE user.carol $be1!default
		cyrus/2: SETQUOTA user.bob (STORAGE 1)
		cyrus/2: GETQUOTA user.bob
		!deliver away to alice bob nobody bob+In carol
		!start be2
		bob/3: SELECT INBOX
		alice/5: COPY 1 user.bob.In
		!deliver back to alice bob
		!table`},
	{"the master is away", `
		alice/6: SELECT INBOX
		!stop master1
		alice/6: FETCH 1 (UID)
		alice/6: CREATE user.alice.M
		alice/6: SETACL user.alice.B bob lr
		alice/6: DELETE user.alice.B
		alice/6: RENAME user.alice.B user.alice.C
		alice/6: SELECT user.bob.In
		alice/6: SELECT user.bob.None
		alice/6: APPEND INBOX {100+}
		alice/6: SUBSCRIBE user.alice.B
		alice/6: LIST "" *
		cyrus/3: CREATE user.erin $be1!default
		cyrus/3: SETQUOTA user.alice (STORAGE 1000)
		!deliver without to alice bob nobody
		!start master1
		!settle
		alice/6: CREATE user.alice.M
		alice/6: STATUS user.alice.M (MESSAGES)
		!table`},
}
