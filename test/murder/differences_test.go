package murder

import (
	"regexp"
	"slices"
	"strings"

	"gocyrus/test/internal/murder"
)

// A difference is what a Murder with a seat of ours does otherwise than one of
// Cyrus's alone.
type difference struct {
	// in says whose the seats are: "our frontend", "real frontend, our be1", and
	// others that do too, behind "; ".
	in string

	// at is where, "step: line", a regexp that matches whole.
	at string

	// cyrus is a regexp that an answer of Cyrus's matches whole, ours what is there
	// instead, with $1 for what is in parentheses: several lines, or none.
	cyrus, ours string

	why string
}

// is says whether the seats are of these kinds.
func (d *difference) is(k kinds) bool {
	for some := range strings.SplitSeq(d.in, "; ") {
		if k.are(some) {
			return true
		}
	}
	return false
}

func (k kinds) are(seats string) bool {
	have := map[string]murder.Kind{"master": k.master, "frontend": k.frontend, "be1": k.backends[0], "be2": k.backends[1]}
	for seat := range strings.SplitSeq(seats, ", ") {
		whose, which, _ := strings.Cut(seat, " ")
		if kind, ok := have[which]; !ok || kind.String() != whose {
			return false
		}
	}
	return true
}

// expected is what a step's outcome is to be with these kinds, when Cyrus's alone is
// cyrus. What was different goes into used.
func expected(all []difference, step string, cyrus []string, k kinds, used map[*difference]bool) []string {
	var lines []string
	for _, block := range blocks(cyrus) {
		place := step + ": " + strings.TrimPrefix(block[0], command)
		for i := range all {
			d := &all[i]
			if !d.is(k) || !whole(d.at).MatchString(place) {
				continue
			}
			if now := d.apply(block); !slices.Equal(now, block) {
				used[d], block = true, now
			}
		}
		lines = append(lines, block...)
	}
	return lines
}

// unused are the differences that were nowhere.
func unused(all []difference, used map[*difference]bool) (rest []*difference) {
	for i := range all {
		if !used[&all[i]] {
			rest = append(rest, &all[i])
		}
	}
	return rest
}

func whole(re string) *regexp.Regexp { return regexp.MustCompile("^(?:" + re + ")$") }

// apply changes the answers of a block, which begins with the line of the script.
func (d *difference) apply(block []string) []string {
	re := whole(d.cyrus)
	now := block[:1:1]
	for _, l := range block[1:] {
		if !re.MatchString(l) {
			now = append(now, l)
		} else if d.ours != "" {
			now = append(now, strings.Split(re.ReplaceAllString(l, d.ours), "\n")...)
		}
	}
	return now
}

// Reasons that several have.
const (
	newer      = "The texts of 3.10.3: [OVERQUOTA], CONDSTORE enabled by STORE UNCHANGEDSINCE."
	results    = "3.10.3 has SEARCHRES (RFC 5182). A frontend does not offer it, but passes it on; one of Cyrus's refuses `$`."
	rfc7162    = "Who has the mailbox of one backend selected and selects one of another is told `CLOSED` (RFC 7162 section 3.2.11)."
	silent     = "STORE with .SILENT tells nothing, or the MODSEQ to whom that matters. Cyrus tells the flags."
	moved      = "MOVE to another backend moves. Cyrus copies, and leaves the messages where they were."
	copyuid    = "COPYUID of a copy to another backend has the UIDs that the messages had, too (RFC 4315 section 3). Cyrus leaves them out."
	xrename    = "RENAME tells of each mailbox in XRENAME only, as 3.10.3."
	gone       = "A session whose mailbox is deleted is told that the messages are gone. Cyrus ends the session."
	outlives   = "A session outlives the backend of its mailbox: it goes on when that is back and has the same messages. Cyrus ends it."
	ghosts     = "What is deleted at once, with `delete_mode: immediate`, is gone from the list of the master, too. With Cyrus it stays there."
	place      = "After a rename the master has the partition. Cyrus leaves it out, until the next `ctl_mboxlist -m`."
	annots     = "Annotations of mailboxes can be read. A frontend of 3.6.1 asks in words that its backends refuse, and says OK to the client; backends of ours answer them as far as they can be read."
	ownName    = "An annotation can be set by the name user.X of one's own mailbox, too. Cyrus says that there is no such mailbox."
	parent     = "LIST (SUBSCRIBED) has what is subscribed. Cyrus has a mailbox more."
	othersSeen = "When a user moves, what others have seen in the mailboxes moves with them. Cyrus leaves it behind."
	hidden     = "Who may not see a mailbox is not told that there is one, and cannot subscribe to it."
	enabled    = "What a frontend asks of a backend is no answer for the client: `ENABLED` comes after ENABLE only."
	enabled0   = "ENABLED is sent even if nothing was enabled (RFC 9051 section 6.3.1, and 3.10.3); a frontend of Cyrus's hands it on."
)

// others are the entries that a mailbox has besides /private/comment.
const others = `"/private/thread" NIL "/private/specialuse" NIL "/private/sort" NIL "/private/checkperiod" NIL "/private/check" NIL "/private" NIL`

// differences are all that there are.
var differences = []difference{
	{"our frontend", `create: cyrus: CREATE user\.alice \$be2!default`, `NO unable to reserve mailbox on mupdate server`, "NO Mailbox already exists",
		"CREATE of what is there is refused by the frontend. Cyrus asks the backend, which asks the master."},
	{"our frontend", `create: cyrus: CREATE user\.alice p2`, `<EOF>`, "NO Mailbox already exists",
		"CREATE with a partition and no server works. A frontend of Cyrus's breaks down of it."},

	{"our be2", `deliver: (carol: APPEND|alice: COPY) .*|quota: alice: COPY .*`, `NO Over quota`, "NO [OVERQUOTA] Over quota", newer},
	{"our be1", `quota: alice: COPY .*`, `NO Over quota`, "NO [OVERQUOTA] Over quota", newer},

	{"our be1", `read: alice: STORE 1:2 FLAGS\.SILENT .*`, `\* 1 FETCH \(FLAGS \(\\Seen\)\)`, "",
		silent},
	{"our be1", `read: alice: UID STORE 5 .*`, `(.*enabled by )(UNCHANGEDSINCE)`, "${1}STORE $2", newer},
	{"our frontend", `(read|search|copy): alice: SELECT user\.bob\.In|copy: alice: SELECT INBOX|move across: alice: SELECT user\.alice\.Foo|read: carol: SELECT shared|condstore: dave: SELECT shared(-far)?|the master is away: alice/6: SELECT user\.bob\.In`,
		`(\* \d+ EXISTS)`, "* OK [CLOSED] Ok\n$1", rfc7162},

	{"our be1", `search: alice: SEARCH RETURN \(SAVE\) SEEN`, `BAD Invalid Search return option save`, "OK Completed (4 msgs in T secs)",
		results},
	{"our frontend, our be1", `search: alice: FETCH \$ \(UID\)`, `BAD Invalid sequence in Fetch`,
		"* 1 FETCH (UID 1)\n* 2 FETCH (UID 2)\n* 3 FETCH (UID 3)\n* 13 FETCH (UID 14)\nOK Completed",
		results},

	{"our frontend", `copy: alice: (UID )?COPY (\S+) (user\.bob\.In|INBOX)`, `OK \[COPYUID V 2\] Completed`, "OK [COPYUID V 3 2] Completed", copyuid},
	{"our frontend", `a backend is away: alice/5: COPY 1 user\.bob\.In`, `OK \[COPYUID V 1\] Completed`, "OK [COPYUID V 1 1] Completed", copyuid},
	{"our frontend", `copy: alice: UID COPY 6:8 user\.bob\.In`, `OK \[COPYUID V 3:5\] Completed`, "OK [COPYUID V 6:8 3:5] Completed", copyuid},
	{"our frontend", `copy: alice: COPY 1 INBOX`, `OK \[COPYUID V 19\] Completed`, "OK [COPYUID V 1 19] Completed", copyuid},
	{"our frontend", `copy: alice: COPY 1:3 INBOX`, `OK \[COPYUID V 20:22\] Completed`, "OK [COPYUID V 1:3 20:22] Completed", copyuid},
	{"our frontend", `copy: alice: UID COPY 999 user\.bob\.In`, `BAD Missing required argument to Append`, "OK Completed",
		"UID COPY of UIDs that there are not is no error (RFC 9051 section 6.4.9). Cyrus has the other backend append no message."},

	{"our frontend", `move across: alice: MOVE 1 user\.bob\.In`, `OK \[COPYUID V 6\] Completed`, "* OK [COPYUID V 1 6] Completed\n* 1 EXPUNGE\nOK Completed", moved},
	{"our frontend", `move across: alice: UID MOVE 2:3 user\.bob\.In`, `OK \[COPYUID V 7:8\] Completed`,
		"* OK [COPYUID V 2:3 7:8] Completed\n* 1 EXPUNGE\n* 1 EXPUNGE\nOK Completed", moved},
	{"our frontend", `move across: alice: FETCH 1:\* \(UID FLAGS\)`, `\* [123] FETCH .*`, "", moved},
	{"our frontend", `move across: alice: FETCH 1:\* \(UID FLAGS\)`, `\* 4 (FETCH .*)`, "* 1 $1", moved},
	{"our frontend", `move across: alice: FETCH 1:\* \(UID FLAGS\)`, `\* 5 (FETCH .*)`, "* 2 $1", moved},
	{"our frontend", `move across: alice: FETCH 1:\* \(UID FLAGS\)`, `\* 6 (FETCH .*)`, "* 3 $1", moved},
	{"our frontend", `move across: alice: (UID STORE 1:3 .*|EXPUNGE)`, `\* . (FETCH .*|EXPUNGE)`, "", moved},
	{"our frontend", `move across: alice: EXPUNGE`, `OK \[HIGHESTMODSEQ M\] Completed`, "OK Completed", moved},

	{"our frontend", `subscriptions: alice: SUBSCRIBE user\.bob\.None|the master is away: alice/6: SUBSCRIBE user\.alice\.B`, `NO Mailbox does not exist`, "NO Subscribe: Mailbox does not exist",
		"SUBSCRIBE of what is not there is refused in the words of a server without a Murder."},
	{"our frontend", `subscriptions: bob: SUBSCRIBE user\.alice\.Foo`, `OK Completed`, "NO Subscribe: Mailbox does not exist", hidden},
	{"our frontend", `subscriptions: bob: LSUB "" \*`, `\* LSUB \(\) "\." user\.alice\.Foo`, "", hidden},
	{"our frontend", `subscriptions: alice: LIST \(SUBSCRIBED\) "" \*`, `\* LIST \(\\HasChildren\) "\." user\.bob`, "", parent},
	{"our frontend", `quota: alice: GETQUOTAROOT user\.bob\.In|a backend is away: cyrus/2: GETQUOTA user\.bob`, `\* BAD Invalid tag`, "",
		"A quota is asked for once. A frontend of Cyrus's sends the backend a line too much, and hands on what that says."},

	{"real frontend, our be1", `move across: alice: UID STORE 1:3 .*`, `(\* \d FETCH )\(FLAGS \(.*?\) (.*)`, "$1($2",
		silent},

	{"our frontend", `condstore: dave(/2)?: SELECT .*`, `\* ENABLED .*`, "", enabled},
	{"real frontend, our be1", `condstore: dave: SELECT ("INBOX"|INBOX \(.*)`, `(\* OK \[CLOSED\] Ok)`, "* ENABLED\n$1", enabled0},
	{"real frontend, our be1", `condstore: dave: SELECT shared`, `(\* \d+ EXISTS)`, "* ENABLED\n$1", enabled0},

	{"our frontend", `move a user: dave/3: SUBSCRIBE user\.bob\.In`, `OK Completed`, "NO Subscribe: Mailbox does not exist", hidden},
	{"our frontend", `move a user: dave/4: LSUB "" \*`, `\* LSUB \(\) "\." user\.bob\.In`, "", hidden},
	{"our be2", `move a user: cyrus: RENAME user\.dave user\.dave nowhere.*`, `(NO .*)`,
		"* NO USER dave (Server(s) unavailable to complete operation)\n$1", "RENAME to another server that fails says why in the line that XFER has for it, too."},

	{"our be1", `(rename|append): .*`, `\* OK rename (INBOX\.[Babd]|user\.(alice|dave)).*`, "", xrename},
	{"our be2", `rename: (bob|cyrus): .*`, `\* OK rename (INBOX\.Sent|user\.bob|shared).*`, "", xrename},
	{"our be1", `(move a user|rename|delete): !table`, `(MAILBOX .+ be1!)( .*)`, "${1}default$2", place},
	{"our be2", `(move a user|rename|delete): !table`, `(MAILBOX .+ be2!)( .*)`, "${1}default$2", place},

	{"our frontend; our be2", `delete: alice: DELETE user\.bob\.Gone`, `NO SPECIAL-USE flag conflict`, "NO Mailbox does not exist", hidden},
	{"our be2", `delete: bob/4: NOOP`, `\* BYE Fatal error: Lost connection to input stream`, strings.Repeat("* 1 EXPUNGE\n", 8) + "OK Completed", gone},
	{"our be2", `delete: bob/4: NOOP`, `<EOF>`, "", gone},
	{"our frontend, real be2", `delete: bob/4: NOOP`, `(\* BYE Fatal error: Lost connection to )input stream`, "${1}selected backend",
		"The text for a backend that is lost while it answers. Cyrus has another for one that is silent."},
	{"our be2", `delete: !deliver late to .*`, `carol: 451 4\.3\.0 Retry operation`, "carol: 550 5.1.1 User unknown", ghosts},
	{"our be2", `delete: cyrus: LIST "" \*`, `\* LIST .* (shared-away|user\.bob\.In|user\.carol)`, "", ghosts},
	{"our be2", `delete: !table`, `MAILBOX (shared-away|user\.bob\.In|user\.carol) .*`, "", ghosts},

	{"our frontend", `(alt|domains): messages: alice(%example.org)?: COPY 1 .*`, `OK \[COPYUID V 2\] Completed`, "OK [COPYUID V 1 2] Completed", copyuid},
	{"our frontend", `(alt|domains): messages: alice(%example.org)?: SELECT "Other Users/bob/In"`, `(\* \d+ EXISTS)`, "* OK [CLOSED] Ok\n$1", rfc7162},
	{"our frontend", `alt: messages: alice: LIST \(SUBSCRIBED\) "" \* .*`, `\* LIST \(\\HasChildren\) "/" "Other Users/bob"`, "", parent},
	{"our be1", `(alt|domains): rename and move: alice(%example.org)?: RENAME .*`, `\* OK rename .*`, "", xrename},
	{"our be1", `(alt|domains): (rename and move|delete): !table`, `(MAILBOX .+ be1!)( .*)`, "${1}default$2", place},
	{"our be2", `(alt|domains): (rename and move|delete): !table`, `(MAILBOX .+ be2!)( .*)`, "${1}default$2", place},
	{"our frontend", `domains: rename and move: alice%example.org: LSUB .*`, `(OK .*)`, "* LSUB () \"/\" \"Other Users/bob/In\"\n$1",
		"LSUB of a user of a domain who has moved has others' mailboxes, too. Through a frontend of Cyrus they are not told."},

	{"our frontend", `a backend is away: alice/5: SELECT user\.bob\.In`, `(NO .*)`, "* OK [CLOSED] Ok\n$1", rfc7162},
	{"our frontend", `referrals: alice: DELETE user\.alice\.A`, `(NO \[REFERRAL .*/)user\.alice\.A(\].*)`, "${1}INBOX.A$2",
		"A referral has the name that the user sees, whichever was used."},
	{"our frontend", `referrals: cyrus: RECONSTRUCT user\.alice`, `NO \[REFERRAL .*`, "OK Completed",
		"RECONSTRUCT is passed on to the backend. Cyrus refers to it, whether the client understands that or not."},
	{"our frontend", `a backend is away: bob/2: NOOP`, `\* BYE .*`, "NO Server(s) unavailable to complete operation", outlives},
	{"our frontend", `a backend is away: bob/2: NOOP`, `<EOF>`, "", outlives},
	{"our frontend", `a backend is away: alice/5: LIST .*`, `(\* STATUS INBOX \(.*)`, "* LIST (\\HasNoChildren) \".\" user.bob.In\n$1",
		"LIST RETURN (STATUS ...) has the mailboxes of a backend that is away, without their STATUS."},

	{"our frontend", `metadata: alice: GETMETADATA INBOX\.Foo \(/private/comment /shared/comment\)`, `(OK Completed)`,
		`* METADATA INBOX.Foo ("/shared/comment" "for all of us" "/private/comment" "mine")` + "\n$1", annots},
	{"our frontend", `metadata: alice: GETMETADATA \(MAXSIZE 5\) .*`, `OK Completed`,
		`* METADATA INBOX.Foo ("/private/comment" "mine")` + "\nOK [METADATA LONGENTRIES 13] Completed", annots},
	{"real frontend, our be1", `metadata: alice: GETMETADATA (\(MAXSIZE 5\) )?INBOX\.Foo \(/private/comment /shared/comment\)`, `(OK Completed)`,
		`* METADATA INBOX.Foo ("/shared/comment" "for all of us" "/private/comment" "mine" "/private/comment/shared/comment" NIL)` + "\n$1", annots},
	{"our frontend; our be1", `metadata: alice: GETMETADATA \(DEPTH 1\) .*`, `(OK Completed)`,
		`* METADATA INBOX.Foo ("/private/comment" "mine" ` + others + ")\n$1", annots},
	{"our frontend; our be1", `metadata: alice: GETMETADATA INBOX\.Foo /private/comment`, `(OK Completed)`,
		`* METADATA INBOX.Foo ("/private/comment" NIL)` + "\n$1", annots},
	{"our frontend; our be1", `metadata: alice: GETMETADATA INBOX\.Foo /shared/vendor/cmu/cyrus-imapd/partition`, `(OK Completed)`,
		`* METADATA INBOX.Foo ("/shared/vendor/cmu/cyrus-imapd/partition" "default")` + "\n$1", annots},
	{"our frontend; our be1", `metadata: alice: GETMETADATA INBOX\.Foo \(/shared/vendor/cmu/cyrus-imapd/size\)`, `(OK Completed)`,
		`* METADATA INBOX.Foo ("/shared/vendor/cmu/cyrus-imapd/size" "86015")` + "\n$1", annots},
	{"our frontend; our be2", `metadata: alice: GETMETADATA user\.bob\.In /private/comment`, `(OK Completed)`,
		`* METADATA user.bob.In ("/private/comment" "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")` + "\n$1", annots},
	{"our frontend, our be1", `metadata: alice: SETMETADATA user\.alice\.Foo .*`, `NO Mailbox does not exist`, "OK Completed", ownName},
	{"our frontend, our be1", `metadata: alice: GETMETADATA user\.alice\.Foo .*`, `(OK Completed)`,
		`* METADATA INBOX.Foo ("/private/comment" "again")` + "\n$1", ownName},
	{"our frontend, real be1; real frontend, our be1", `metadata: alice: GETMETADATA user\.alice\.Foo .*`, `(OK Completed)`,
		`* METADATA INBOX.Foo ("/private/comment" NIL)` + "\n$1", annots},

	{"our be1", `move a user: alice/4: EXAMINE user\.dave\.Sub`, `\* 1 (RECENT)`, "* 0 $1", othersSeen},
	{"our be1", `move a user: alice/4: EXAMINE user\.dave\.Sub`, `\* OK \[UNSEEN 1\] Ok`, "", othersSeen},
	{"our be1", `move a user: alice/4: FETCH .*`, `(\* 1 FETCH \(FLAGS \()\\Recent (\\Flagged )(.*)`, "$1$2\\Seen $3", othersSeen},
}
