package imapserver

import (
	"strconv"
	"time"

	"gocyrus/lib/acl"
	"gocyrus/lib/annotate"
	"gocyrus/lib/indexfile"
)

// vendor is in front of Cyrus's own entries.
const vendor = annotate.Vendor

// entry is an annotation that is defined, for a mailbox, the server or messages.
type entry struct {
	name   string
	set    values // that may be set
	kind   annotate.Kind
	rights acl.Rights // to set the value for all, beyond the usual ones

	// Where the value lies; in the database when there is none of these. An entry
	// of the database can be read for all and for oneself, whatever may be set.
	computed func(*metadataView) (value string, ok bool)
	own      bool              // what is computed is the user's own
	option   indexfile.Options // bit of the index header
	file     string            // in the directory msg

	// lookup: the right to look up the mailbox is enough to read it.
	lookup bool
	// accept, unless nil, checks a value further than its kind, in a mailbox.
	accept func(at *place, value string) error
	// header makes the change of the index header, for what lies there.
	header func(value string) (func(h *indexfile.Header) (changed bool), error)
}

// values is a set of the two values that an entry may have.
type values uint8

const (
	forAll  values = 1 << iota // /shared, value.shared
	forOne                     // /private, value.priv
	forBoth = forAll | forOne
)

// stored says whether the value lies in the database.
func (e *entry) stored() bool { return e.computed == nil && e.option == 0 && e.file == "" }

// mailboxEntries, serverEntries and messageEntries are in Cyrus's order (imap/annotate.c,
// *_builtin_entries): backwards it is that of an answer with many.
var mailboxEntries = []entry{
	{name: "/check", set: forBoth, kind: annotate.Boolean},
	{name: "/checkperiod", set: forBoth, kind: annotate.Unsigned},
	{name: "/comment", set: forBoth},
	{name: "/sort", set: forBoth},
	{name: annotate.SpecialUse, set: forOne},
	{name: "/thread", set: forBoth},
	{name: vendor + "annotsize", computed: func(m *metadataView) (string, bool) { return decimal(uint64(m.header.AnnotUsed)), true }},
	{name: vendor + "archive", set: forAll, kind: annotate.Duration, rights: acl.Admin},
	{name: vendor + "delete", set: forAll, kind: annotate.Duration, rights: acl.Admin},
	{name: vendor + "duplicatedeliver", set: forAll, kind: annotate.Boolean, option: indexfile.OptDupDeliver},
	{name: vendor + "expire", set: forAll, kind: annotate.Duration, rights: acl.Admin},
	{name: vendor + "lastpop", computed: func(m *metadataView) (string, bool) { return date(m.header.POP3LastLogin) }},
	{name: vendor + "hasalarms", computed: func(m *metadataView) (string, bool) {
		return strconv.FormatBool(m.header.Options&indexfile.OptAlarms != 0), true
	}},
	{name: vendor + "foldermodseq", computed: func(m *metadataView) (string, bool) { return decimal(m.at.entry.FolderModSeq), true }},
	{name: vendor + "lastupdate", computed: func(m *metadataView) (string, bool) { return m.updated.UTC().Format(dateForm), true }},
	{name: vendor + "news2mail", set: forAll, rights: acl.Admin},
	{name: vendor + "noexpire_until", set: forAll, kind: annotate.Unsigned, rights: acl.Admin},
	{name: vendor + "partition", lookup: true, computed: func(m *metadataView) (string, bool) { return m.at.entry.Partition, true }},
	{name: vendor + "pop3newuidl", set: forAll, kind: annotate.Boolean, option: indexfile.OptPOP3NewUIDL},
	{name: vendor + "pop3showafter", set: forAll, header: showAfter,
		computed: func(m *metadataView) (string, bool) { return date(m.header.POP3ShowAfter) }},
	{name: vendor + "userrawquota", computed: rawQuota},
	{name: vendor + "search-fuzzy-always", set: forAll, accept: fuzzyAlways},
	{name: vendor + "sharedseen", set: forAll, kind: annotate.Boolean, option: indexfile.OptSharedSeen},
	{name: vendor + "sieve", set: forAll, rights: acl.Admin},
	{name: vendor + "size", computed: func(m *metadataView) (string, bool) { return decimal(m.header.QuotaUsed), true }},
	{name: vendor + "sortorder", set: forOne, kind: annotate.Unsigned},
	{name: vendor + "squat", set: forAll, kind: annotate.Boolean, rights: acl.Admin},
	{name: vendor + "synccrcs", computed: syncCRCs},
	{name: vendor + "uniqueid", computed: func(m *metadataView) (string, bool) { return m.at.entry.UniqueID, true }},
}

var serverEntries = []entry{
	{name: "/admin", set: forAll},
	{name: "/comment", set: forBoth},
	{name: "/motd", set: forAll, file: "motd"},
	{name: vendor + "usermodseq", own: true, computed: userModSeq},
	{name: vendor + "usercounters", own: true, computed: userCounters},
	{name: vendor + "expire", set: forAll, kind: annotate.Duration},
	{name: vendor + "freespace", computed: func(m *metadataView) (string, bool) { return m.space().free() }},
	{name: vendor + "freespace/total", computed: func(m *metadataView) (string, bool) { return m.space().total() }},
	{name: vendor + "freespace/percent/most", computed: func(m *metadataView) (string, bool) { return m.space().most() }},
	{name: vendor + "shutdown", set: forAll, file: "shutdown"},
	{name: vendor + "squat", set: forAll, kind: annotate.Boolean},
}

// messageEntries are RFC 5257's (section 3.2) and Cyrus's own. Cyrus has a place for
// most of its own in its index, or had none in old versions of it.
var messageEntries = []entry{
	{name: "/altsubject", set: forBoth},
	{name: "/comment", set: forBoth},
	{name: vendor + "basethrid", set: forBoth},
	{name: vendor + "thrid", set: forBoth},
	{name: vendor + "savedate", set: forBoth},
	{name: vendor + "createdmodseq", set: forBoth},
	{name: vendor + "snoozed-until", set: forAll},
	{name: vendor + "snoozed", set: forAll},
}

func syncCRCs(m *metadataView) (string, bool) {
	annot := uint64(m.header.SyncCRCAnnot)
	if m.header.Version < 13 { // which has no such sum
		annot = 0
	}
	return decimal(uint64(m.header.SyncCRC)) + " " + decimal(annot), true
}

const dateForm = "_2-Jan-2006 15:04:05 -0700"

// date is a time as entries show it; none is NIL.
func date(sec uint32) (string, bool) {
	return time.Unix(int64(sec), 0).UTC().Format(dateForm), sec != 0
}

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }
