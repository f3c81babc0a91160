package imapserver

import (
	"errors"

	"gocyrus/lib/charset"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// line writes one line of the answer, and the lines that RETURN adds to it, or puts
// it aside until other servers have told theirs, and with it all lines behind.
func (l *listing) line(n *listed) error {
	if l.defers() {
		n.server = l.serverOf(n.name)
		if n.server != "" || len(l.pending) > 0 || l.s.srv.frontend() {
			l.pending = append(l.pending, *n)
			return nil
		}
	}
	return l.write(n, nil)
}

// write writes a line. facts is what other servers told of the mailbox; nil where
// there are none to ask.
func (l *listing) write(n *listed, facts *farFacts) error {
	use := l.use(n)
	if facts != nil && use == "" {
		use = facts.uses
	}
	if l.args.Select&imapwire.SelectSpecialUse != 0 && use == "" {
		return nil
	}
	if n.name != "" && l.subs[n.name] {
		n.attrs |= attrSubscribed
	}
	var status *statusData
	if facts == nil {
		var err error
		if status, err = l.status(n); err != nil {
			return err
		}
	}
	b := append(l.s.in.Scratch(), "* "...)
	b = append(append(b, l.kind...), ' ')
	b = appendAttrs(b, n.attrs, use)
	b = append(b, ' ', '"', l.sep, '"', ' ')
	b = l.s.mailbox(b, n.ext)
	if n.subscribed {
		b = append(b, ` (CHILDINFO ("SUBSCRIBED"))`...) // RFC 5258 section 3.5
	}
	b = append(b, "\r\n"...)
	if status != nil {
		b = l.s.appendStatus(b, n.ext, l.args.Status, status)
	}
	if facts != nil {
		b = append(b, facts.lines...)
	}
	if l.args.Return&imapwire.ReturnMyRights != 0 && n.name != "" {
		b = l.s.appendMyRights(b, n.ext, n.rights)
	}
	if l.args.Return&imapwire.ReturnMetadata != 0 && n.name != "" && facts == nil {
		var err error
		if b, err = l.metadata(b, n); err != nil {
			return err
		}
	}
	return l.s.in.Commit(b)
}

// metadata appends what RETURN (METADATA ...) asks for (RFC 9590). A mailbox
// that cannot be read has none.
func (l *listing) metadata(b []byte, n *listed) ([]byte, error) {
	at, err := l.s.place(n.name)
	if err == nil {
		b, _, err = l.s.appendMetadata(b, at, l.meta)
	}
	if unreadable(err) {
		return b, nil
	}
	return b, err
}

// unreadable says whether an error means that a mailbox that is there cannot be
// looked into by this user.
func unreadable(err error) bool {
	return errors.Is(err, errPermission) || errors.Is(err, mboxlist.ErrNotFound) || errors.Is(err, errRemote)
}

// use is the special uses of a mailbox (RFC 6154); XLIST has one for INBOX.
func (l *listing) use(n *listed) string {
	if l.kind == xList && n.name != "" && n.name == mboxname.Inbox(l.s.user) {
		return `\Inbox`
	}
	return l.uses[n.name]
}

// status is what STATUS would say, nil when it is not asked for. A mailbox that
// cannot be read is marked so (RFC 5819 section 2).
func (l *listing) status(n *listed) (*statusData, error) {
	if l.args.Return&imapwire.ReturnStatus == 0 || n.name == "" {
		return nil, nil
	}
	at, err := l.s.place(n.name)
	if err == nil {
		var st *statusData
		if st, err = l.s.statusOf(at, l.args.Status); err == nil {
			return st, nil
		}
	}
	if unreadable(err) {
		n.attrs |= attrNoSelect
		return nil, nil
	}
	return nil, err
}

func appendAttrs(b []byte, a attrs, use string) []byte {
	b = append(b, '(')
	first := len(b)
	for i, name := range attrNames {
		if a&(1<<i) != 0 {
			if len(b) > first {
				b = append(b, ' ')
			}
			b = append(b, name...)
		}
	}
	if use != "" {
		if len(b) > first {
			b = append(b, ' ')
		}
		b = append(b, use...)
	}
	return append(b, ')')
}

// encodePattern is a pattern in UTF-8 as names are stored: wildcards are ASCII
// and stay. A text that is no UTF-8 matches nothing there is.
func encodePattern(p string) string {
	if s, err := charset.EncodeUTF7(p); err == nil {
		return s
	}
	return p
}

// decodeUTF7 is a stored name as UTF-8.
func decodeUTF7(name string) (string, bool) {
	s, err := charset.DecodeUTF7(name)
	return s, err == nil
}
