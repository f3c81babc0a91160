package imapserver

import (
	"gocyrus/lib/acl"
	"gocyrus/lib/indexfile"
)

// appendFlagLists appends FLAGS and PERMANENTFLAGS: what the mailbox has, and
// what this user may change for good.
func (s *session) appendFlagLists(b []byte) []byte {
	keys := s.sel.idx.Keywords()
	b = append(b, `* FLAGS (\Answered \Flagged \Draft \Deleted \Seen`...)
	b, room := appendKeywords(b, keys)
	b = append(b, ")\r\n* OK [PERMANENTFLAGS ("...)
	start := len(b)
	if !s.sel.idx.ReadOnly() {
		rights := s.sel.idx.Who().Rights
		if rights&acl.Write != 0 {
			b = append(b, ` \Answered \Flagged \Draft`...)
		}
		if rights&acl.DeleteMsg != 0 {
			b = append(b, ` \Deleted`...)
		}
		if rights&acl.SetSeen != 0 {
			b = append(b, ` \Seen`...)
		}
		if rights&acl.Write != 0 {
			b, _ = appendKeywords(b, keys)
			if room {
				b = append(b, ` \*`...)
			}
		}
	}
	if len(b) > start {
		b = append(b[:start], b[start+1:]...) // the first space
	}
	return append(b, ")] Ok\r\n"...)
}

// appendKeywords appends each keyword after a space, and says whether there is
// room for another.
func appendKeywords(b []byte, keys []string) (_ []byte, room bool) {
	used := 0
	for _, k := range keys {
		if k != "" {
			b = append(append(b, ' '), k...)
			used++
		}
	}
	return b, used < indexfile.MaxClientFlags
}
