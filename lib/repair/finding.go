package repair

import (
	"fmt"

	"gocyrus/lib/mboxname"
)

// A Kind is what a finding is about.
type Kind string

// The kinds of findings.
const (
	Index      Kind = "index"      // cyrus.index cannot be read, or not all of it
	Header     Kind = "header"     // cyrus.header cannot be read, or says other than it should
	List       Kind = "list"       // the mailbox and mailboxes.db disagree
	Record     Kind = "record"     // a record is damaged or out of order
	Missing    Kind = "missing"    // a record without its message file
	Mismatch   Kind = "mismatch"   // a record and its message differ
	GUID       Kind = "guid"       // the file is another message
	Cache      Kind = "cache"      // a cache record is absent or damaged
	Extra      Kind = "extra"      // a message file without a record
	Odd        Kind = "odd"        // a file that is none of Cyrus's
	Annotation Kind = "annotation" // annotations of no message
	Counts     Kind = "counts"     // the index header does not fit the records
	Quota      Kind = "quota"      // a quota root does not fit its mailboxes
)

// A Finding is one thing that is not as it should be.
type Finding struct {
	Mailbox mboxname.Name // or the quota root
	UID     uint32        // 0: of no single message
	Kind    Kind
	// Text is a line in the words of Cyrus's reconstruct, the internal name
	// first.
	Text string
	// Quiet is a finding that Cyrus's reconstruct mends without a word on
	// standard output.
	Quiet bool
}

func (f Finding) String() string { return f.Text }

// find notes a finding.
func (j *job) find(k Kind, uid uint32, format string, args ...any) {
	j.findings = append(j.findings, Finding{
		Mailbox: j.e.Name, UID: uid, Kind: k, Text: fmt.Sprintf(format, args...),
	})
}

// findQuietly notes a finding that Cyrus keeps to itself.
func (j *job) findQuietly(k Kind, uid uint32, format string, args ...any) {
	j.find(k, uid, format, args...)
	j.findings[len(j.findings)-1].Quiet = true
}
