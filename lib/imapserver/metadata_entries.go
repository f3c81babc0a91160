package imapserver

import (
	"strconv"
	"strings"
	"time"

	"gocyrus/lib/acl"
	"gocyrus/lib/indexfile"
)

// vendor is in front of Cyrus's own entries.
const vendor = "/vendor/cmu/cyrus-imapd/"

// entry is an annotation that is defined, for a mailbox or for the server.
type entry struct {
	name    string // without /shared or /private
	shared  bool   // there is a value for all
	private bool   // there is one for each user
	rights  acl.Rights
	check   func(value string) bool // nil: any text
	// option: the value is this bit of the index header.
	option indexfile.Options
	// computed entries cannot be set.
	computed func(*metadataView) (value string, ok bool)
	// file is the name in the directory msg that holds the value.
	file string
}

// mailboxEntries and serverEntries are in the order in which a listing of all
// shows those without a stored value.
var mailboxEntries = []entry{
	{name: vendor + "uniqueid", shared: true, computed: func(m *metadataView) (string, bool) { return m.at.entry.UniqueID, true }},
	{name: vendor + "synccrcs", shared: true, computed: func(m *metadataView) (string, bool) {
		annot := uint64(m.header.SyncCRCAnnot)
		if m.header.Version < 13 { // which has no such sum
			annot = 0
		}
		return decimal(uint64(m.header.SyncCRC)) + " " + decimal(annot), true
	}},
	{name: vendor + "squat", shared: true, private: true, rights: acl.Admin, check: isSwitch},
	{name: vendor + "sortorder", shared: true, private: true, check: isNumber},
	{name: vendor + "size", shared: true, computed: func(m *metadataView) (string, bool) { return decimal(m.header.QuotaUsed), true }},
	{name: vendor + "sieve", shared: true, private: true, rights: acl.Admin},
	{name: vendor + "sharedseen", shared: true, rights: acl.Admin, check: isSwitch, option: indexfile.OptSharedSeen},
	{name: vendor + "search-fuzzy-always", shared: true, private: true, check: isSwitch},
	{name: vendor + "userrawquota", shared: true, computed: rawQuota},
	{name: vendor + "pop3showafter", shared: true, computed: func(m *metadataView) (string, bool) { return date(m.header.POP3ShowAfter) }},
	{name: vendor + "pop3newuidl", shared: true, rights: acl.Admin, check: isSwitch, option: indexfile.OptPOP3NewUIDL},
	{name: vendor + "partition", shared: true, computed: func(m *metadataView) (string, bool) { return m.at.entry.Partition, true }},
	{name: vendor + "noexpire_until", shared: true, private: true, rights: acl.Admin, check: isNumber},
	{name: vendor + "news2mail", shared: true, private: true, rights: acl.Admin},
	{name: vendor + "lastupdate", shared: true, computed: func(m *metadataView) (string, bool) { return m.updated.UTC().Format(dateForm), true }},
	{name: vendor + "foldermodseq", shared: true, computed: func(m *metadataView) (string, bool) { return decimal(m.at.entry.FolderModSeq), true }},
	{name: vendor + "hasalarms", shared: true, computed: func(m *metadataView) (string, bool) {
		return strconv.FormatBool(m.header.Options&indexfile.OptAlarms != 0), true
	}},
	{name: vendor + "lastpop", shared: true, computed: func(m *metadataView) (string, bool) { return date(m.header.POP3LastLogin) }},
	{name: vendor + "expire", shared: true, private: true, rights: acl.Admin, check: isNumber},
	{name: vendor + "duplicatedeliver", shared: true, rights: acl.Admin, check: isSwitch, option: indexfile.OptDupDeliver},
	{name: vendor + "delete", shared: true, private: true, rights: acl.Admin, check: isNumber},
	{name: vendor + "archive", shared: true, private: true, rights: acl.Admin, check: isNumber},
	{name: vendor + "annotsize", shared: true, computed: func(m *metadataView) (string, bool) { return decimal(uint64(m.header.AnnotUsed)), true }},
	{name: "/thread", shared: true, private: true},
	{name: specialUse, shared: true, private: true}, // the shared one is never set
	{name: "/sort", shared: true, private: true},
	{name: "/comment", shared: true, private: true},
	{name: "/checkperiod", shared: true, private: true},
	{name: "/check", shared: true, private: true, check: isSwitch},
}

var serverEntries = []entry{
	{name: vendor + "squat", shared: true, private: true, check: isSwitch},
	{name: vendor + "shutdown", shared: true, file: "shutdown"},
	{name: vendor + "freespace/percent/most", shared: true, computed: func(m *metadataView) (string, bool) { return m.space.most() }},
	{name: vendor + "freespace/total", shared: true, computed: func(m *metadataView) (string, bool) { return m.space.total() }},
	{name: vendor + "freespace", shared: true, computed: func(m *metadataView) (string, bool) { return m.space.free() }},
	{name: vendor + "expire", shared: true, private: true, check: isNumber},
	{name: vendor + "usercounters", private: true, computed: userCounters},
	{name: vendor + "usermodseq", private: true, computed: userModSeq},
	{name: "/motd", shared: true, file: "motd"},
	{name: "/comment", shared: true, private: true},
	{name: "/admin", shared: true, private: true},
}

const specialUse = "/specialuse"

const dateForm = "_2-Jan-2006 15:04:05 -0700"

// date is a time as entries show it; none is NIL.
func date(sec uint32) (string, bool) {
	return time.Unix(int64(sec), 0).UTC().Format(dateForm), sec != 0
}

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }

func isNumber(s string) bool {
	_, err := strconv.ParseUint(s, 10, 32)
	return err == nil && s[0] != '+'
}

// isSwitch says whether s is true or false in one of Cyrus's spellings.
func isSwitch(s string) bool {
	_, ok := switchValue(s)
	return ok
}

func switchValue(s string) (on, ok bool) {
	switch strings.ToLower(s) {
	case "true", "t", "yes", "y", "on", "1":
		return true, true
	case "false", "f", "no", "n", "off", "0":
		return false, true
	}
	return false, false
}
