package imapwire

import "strings"

// StatusItem is a set of STATUS items.
type StatusItem uint16

const (
	StatusMessages StatusItem = 1 << iota
	StatusRecent
	StatusUIDNext
	StatusUIDValidity
	StatusUnseen
	StatusHighestModSeq  // RFC 7162
	StatusSize           // RFC 8438
	StatusMailboxID      // RFC 8474
	StatusDeleted        // RFC 9051
	StatusDeletedStorage // RFC 9208
	StatusCreatedModSeq  // Cyrus
	StatusUniqueID       // Cyrus
)

// StatusNames are the items in the order in which the answer has them.
var StatusNames = []struct {
	Item StatusItem
	Name string
}{
	{StatusMessages, "MESSAGES"}, {StatusRecent, "RECENT"}, {StatusUIDNext, "UIDNEXT"},
	{StatusUIDValidity, "UIDVALIDITY"}, {StatusUnseen, "UNSEEN"}, {StatusHighestModSeq, "HIGHESTMODSEQ"},
	{StatusSize, "SIZE"}, {StatusMailboxID, "MAILBOXID"}, {StatusDeleted, "DELETED"},
	{StatusDeletedStorage, "DELETED-STORAGE"}, {StatusCreatedModSeq, "CREATEDMODSEQ"}, {StatusUniqueID, "UNIQUEID"},
}

// StatusRules say what a session's STATUS understands.
type StatusRules struct {
	NoRecent bool // RFC 9051 has no RECENT
}

var errStatus = Bad("Bad status string")

// StatusItems reads "(MESSAGES UIDNEXT)".
func (p *Parser) StatusItems(rules StatusRules) (StatusItem, error) {
	if err := p.expect('(', errStatus); err != nil {
		return 0, err
	}
	var items StatusItem
	for {
		w, _, err := p.Word()
		if err != nil {
			return 0, err
		}
		if w == "" && items == 0 {
			return 0, errStatus
		}
		item := statusItem(w)
		if item == 0 || item == StatusRecent && rules.NoRecent {
			return 0, p.Bad("Invalid Status attributes ", strings.ToLower(w))
		}
		items |= item
		if more, err := p.Accept(' '); err != nil {
			return 0, err
		} else if !more {
			return items, p.expect(')', Bad("Missing close parenthesis in Status"))
		}
	}
}

func statusItem(w string) StatusItem {
	for _, n := range StatusNames {
		if strings.EqualFold(n.Name, w) {
			return n.Item
		}
	}
	return 0
}
