package imapserver

import (
	"gocyrus/lib/acl"
	"gocyrus/lib/imapwire"
)

// statusData is what STATUS can say of a mailbox.
type statusData struct {
	messages, recent, unseen, deleted uint32
	uidNext, uidValidity              uint32
	size, deletedSize                 uint64
	highestModSeq, createdModSeq      uint64
	uniqueID                          string
}

func (s *session) statusRules() imapwire.StatusRules {
	return imapwire.StatusRules{NoRecent: s.enabled&rev2 != 0}
}

// status is STATUS (RFC 9051 section 6.3.11).
func (s *session) status(p *imapwire.Parser) error {
	name, err := p.SPAString()
	if err != nil {
		return err
	}
	if err := p.SP(); err != nil {
		return err
	}
	items, err := p.StatusItems(s.statusRules())
	if err != nil {
		return err
	}
	if err := p.EOL(); err != nil {
		return err
	}
	at, err := s.locate(name)
	if err != nil {
		return err
	}
	st, err := s.statusOf(at, items)
	if err != nil {
		return err
	}
	return s.in.Commit(s.appendStatus(s.in.Scratch(), name, items, st))
}

// statusOf reads what the items need of a mailbox; the right to read it is
// needed.
func (s *session) statusOf(at *place, items imapwire.StatusItem) (*statusData, error) {
	if err := at.need(acl.Read); err != nil {
		return nil, err
	}
	st := &statusData{uidValidity: at.entry.UIDValidity, createdModSeq: at.entry.CreatedModSeq, uniqueID: at.entry.UniqueID}
	if items&^(imapwire.StatusUIDValidity|imapwire.StatusMailboxID|imapwire.StatusUniqueID|imapwire.StatusCreatedModSeq) == 0 {
		return st, nil
	}
	return st, s.readStatus(at, items, st)
}

// appendStatus appends the untagged line.
func (s *session) appendStatus(b []byte, ext string, items imapwire.StatusItem, st *statusData) []byte {
	b = append(b, "* STATUS "...)
	b = s.mailbox(b, ext)
	sep := byte('(')
	b = append(b, ' ')
	for _, n := range imapwire.StatusNames {
		if items&n.Item == 0 {
			continue
		}
		b = append(append(append(b, sep), n.Name...), ' ')
		b = st.append(b, n.Item)
		sep = ' '
	}
	return append(b, ")\r\n"...)
}

// append appends the value of one item.
func (st *statusData) append(b []byte, item imapwire.StatusItem) []byte {
	switch item {
	case imapwire.StatusMessages:
		return imapwire.AppendNum(b, st.messages)
	case imapwire.StatusRecent:
		return imapwire.AppendNum(b, st.recent)
	case imapwire.StatusUIDNext:
		return imapwire.AppendNum(b, st.uidNext)
	case imapwire.StatusUIDValidity:
		return imapwire.AppendNum(b, st.uidValidity)
	case imapwire.StatusUnseen:
		return imapwire.AppendNum(b, st.unseen)
	case imapwire.StatusHighestModSeq:
		return imapwire.AppendNum(b, st.highestModSeq)
	case imapwire.StatusSize:
		return imapwire.AppendNum(b, st.size)
	case imapwire.StatusDeleted:
		return imapwire.AppendNum(b, st.deleted)
	case imapwire.StatusDeletedStorage:
		return imapwire.AppendNum(b, st.deletedSize)
	case imapwire.StatusCreatedModSeq:
		return imapwire.AppendNum(b, st.createdModSeq)
	}
	return append(append(append(b, '('), st.uniqueID...), ')') // MAILBOXID (RFC 8474 section 4.3), UNIQUEID
}
