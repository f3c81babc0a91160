package csync

import (
	"strings"

	"gocyrus/lib/dlist"
	"gocyrus/lib/mboxname"
)

// Mailbox is the MAILBOX object. Times are seconds since 1970.
type Mailbox struct {
	UniqueID string
	Name     mboxname.Name
	Type     string // empty for mail; one letter for the kind, f for scripts, then i, d, m, r, z
	SyncCRC  uint32

	SyncCRCAnnot uint32
	NoCRCAnnot   bool // leave SYNC_CRC_ANNOT out: a part of an update, an intermediate

	LastUID        uint32
	HighestModSeq  uint64
	RecentUID      uint32
	RecentTime     uint32
	LastAppendDate uint32
	POP3LastLogin  uint32
	POP3ShowAfter  uint32
	XConvModSeq    uint64 // these two only when not 0
	RACLModSeq     uint64
	UserGroups     string // from 3.12 on: groups of the owner, separated by tabs
	UIDValidity    uint32
	Partition      string // empty is NIL
	ACL            string
	Options        string // of P, S, D, A
	QuotaRoot      string // for information
	CreatedModSeq  uint64 // these two only when not 0
	FolderModSeq   uint64

	Annotations []Annotation // of the mailbox itself, sorted
	UserFlags   []string     // from 3.12 on: the keywords it knows
	HasUserFlags,
	HasRecords bool
	Since   *Since // APPLY only
	Records Records

	seen uint64
}

// Since is the state in which the client thinks the replica is.
type Since struct {
	ModSeq   uint64
	CRC      uint32
	CRCAnnot uint32
}

var mailboxObject = object[Mailbox]{
	{key: "UNIQUEID", at: func(m *Mailbox) any { return &m.UniqueID }},
	{key: "MBOXNAME", at: func(m *Mailbox) any { return &m.Name }},
	{key: "MBOXTYPE", at: func(m *Mailbox) any { return &m.Type }, show: func(m *Mailbox) bool { return m.Type != "" }},
	{key: "SYNC_CRC", at: func(m *Mailbox) any { return &m.SyncCRC }},
	{key: "SYNC_CRC_ANNOT", at: func(m *Mailbox) any { return &m.SyncCRCAnnot }, show: func(m *Mailbox) bool { return !m.NoCRCAnnot }},
	{key: "LAST_UID", at: func(m *Mailbox) any { return &m.LastUID }},
	{key: "HIGHESTMODSEQ", at: func(m *Mailbox) any { return &m.HighestModSeq }},
	{key: "RECENTUID", at: func(m *Mailbox) any { return &m.RecentUID }},
	{key: "RECENTTIME", at: func(m *Mailbox) any { return &m.RecentTime }},
	{key: "LAST_APPENDDATE", at: func(m *Mailbox) any { return &m.LastAppendDate }},
	{key: "POP3_LAST_LOGIN", at: func(m *Mailbox) any { return &m.POP3LastLogin }},
	{key: "POP3_SHOW_AFTER", at: func(m *Mailbox) any { return &m.POP3ShowAfter }},
	{key: "XCONVMODSEQ", at: func(m *Mailbox) any { return &m.XConvModSeq }, show: func(m *Mailbox) bool { return m.XConvModSeq != 0 }},
	{key: "RACLMODSEQ", at: func(m *Mailbox) any { return &m.RACLModSeq }, show: func(m *Mailbox) bool { return m.RACLModSeq != 0 }},
	{key: "USERGROUPS", at: func(m *Mailbox) any { return &m.UserGroups }, show: func(m *Mailbox) bool { return m.UserGroups != "" }},
	{key: "UIDVALIDITY", at: func(m *Mailbox) any { return &m.UIDValidity }},
	{key: "PARTITION", at: func(m *Mailbox) any { return (*nilText)(&m.Partition) }},
	{key: "ACL", at: func(m *Mailbox) any { return &m.ACL }},
	{key: "OPTIONS", at: func(m *Mailbox) any { return &m.Options }},
	{key: "QUOTAROOT", at: func(m *Mailbox) any { return &m.QuotaRoot }, show: func(m *Mailbox) bool { return m.QuotaRoot != "" }},
	{key: "CREATEDMODSEQ", at: func(m *Mailbox) any { return &m.CreatedModSeq }, show: func(m *Mailbox) bool { return m.CreatedModSeq != 0 }},
	{key: "FOLDERMODSEQ", at: func(m *Mailbox) any { return &m.FolderModSeq }, show: func(m *Mailbox) bool { return m.FolderModSeq != 0 }},
	{key: "ANNOTATIONS", at: func(m *Mailbox) any { return (*annotations)(&m.Annotations) }, show: func(m *Mailbox) bool { return len(m.Annotations) > 0 }},
	{key: "USERFLAGS", at: func(m *Mailbox) any { return (*flags)(&m.UserFlags) }, show: func(m *Mailbox) bool { return m.HasUserFlags }},
	{key: "SINCE_MODSEQ", at: func(m *Mailbox) any { return &m.since().ModSeq }, show: hasSince},
	{key: "SINCE_CRC", at: func(m *Mailbox) any { return &m.since().CRC }, show: hasSince},
	{key: "SINCE_CRC_ANNOT", at: func(m *Mailbox) any { return &m.since().CRCAnnot }, show: hasSince},
	{key: "RECORD", at: func(m *Mailbox) any { return &m.Records }, show: func(m *Mailbox) bool { return m.HasRecords }},
}

func hasSince(m *Mailbox) bool { return m.Since != nil }

// since makes room for what was said of it.
func (m *Mailbox) since() *Since {
	if m.Since == nil {
		m.Since = new(Since)
	}
	return m.Since
}

// Append appends m: "%(UNIQUEID ...)".
func (m *Mailbox) Append(dst []byte, form Form) []byte { return mailboxObject.append(dst, m, form) }

// AppendOpen appends m up to its list of records, whether it has one or not, so
// that a long list can be written a record at a time, with a blank between, and
// closed by AppendClose.
func (m *Mailbox) AppendOpen(dst []byte, form Form) []byte {
	head := *m
	head.HasRecords = false
	dst = head.Append(dst, form)
	return append(dst[:len(dst)-1], " RECORD ("...)
}

// AppendClose ends what AppendOpen began.
func AppendClose(dst []byte) []byte { return append(dst, "))"...) }

// Intermediate says whether the type is that of a name that only has children;
// no kind of mailbox has that letter, nor that of Deleted.
func (m *Mailbox) Intermediate() bool { return strings.Contains(m.Type, "i") }

// Deleted says whether the type is that of a tombstone.
func (m *Mailbox) Deleted() bool { return strings.Contains(m.Type, "d") }

// ParseMailbox reads a MAILBOX object, checking every record. It refers to
// value, which must not change. Nothing is required of it: see Check.
func ParseMailbox(value []byte) (*Mailbox, error) {
	m := new(Mailbox)
	seen, err := mailboxObject.parse(value, m)
	if err != nil {
		return nil, err
	}
	m.seen = seen
	m.NoCRCAnnot = !m.Has("SYNC_CRC_ANNOT")
	m.HasUserFlags, m.HasRecords = m.Has("USERFLAGS"), m.Has("RECORD")
	return m, nil
}

// Has says whether a parsed object had a key, by its name on the wire.
func (m *Mailbox) Has(key string) bool { return m.seen&mailboxObject.bit(key) != 0 }

var (
	applyKeys = []string{"UNIQUEID", "MBOXNAME", "HIGHESTMODSEQ", "PARTITION", "LAST_UID", "RECENTUID", "RECENTTIME",
		"LAST_APPENDDATE", "POP3_LAST_LOGIN", "UIDVALIDITY", "ACL", "OPTIONS", "RECORD"}
	entryKeys = []string{"UNIQUEID", "MBOXNAME", "MBOXTYPE", "HIGHESTMODSEQ"}
)

// CheckApply says whether a parsed object has what APPLY MAILBOX needs: all of a
// mailbox, or little of an intermediate or a tombstone. The error is
// ErrBadParameters.
func (m *Mailbox) CheckApply() error {
	if m.Intermediate() || m.Deleted() {
		return m.Check(entryKeys...)
	}
	return m.Check(applyKeys...)
}

// Check says whether a parsed object has these keys.
func (m *Mailbox) Check(keys ...string) error {
	for _, k := range keys {
		if !m.Has(k) {
			return ErrBadParameters
		}
	}
	return nil
}

// flags is a list of keywords, written without quotes.
type flags []string

func (f *flags) append(dst []byte, form Form) []byte { return appendFlags(dst, *f, form) }

func (f *flags) scan(s *dlist.Scanner) (err error) {
	*f, err = scanFlags(s, nil, nil)
	return err
}
