package mboxlist

import "gocyrus/lib/dlist"

// Remote is what a Murder knows of a mailbox: where it is and who may do what
// with it. The slices are parts of the record.
type Remote struct {
	Type         []byte
	Server       []byte // empty for a mailbox of this server
	Partition    []byte
	HasPartition bool // it is there, though it may be empty
	ACL          []byte
}

// Is says whether the type has the flag.
func (r *Remote) Is(flag byte) bool {
	for i := 1; i < len(r.Type); i++ {
		if r.Type[i] == flag {
			return true
		}
	}
	return false
}

// Remote reads what a Murder needs in one pass. The ACL is appended to acl.
func (v View) Remote(acl []byte) (r Remote, err error) {
	s := dlist.Scan(v.val)
	if _, err := s.Open(); err != nil {
		return r, err
	}
	for !s.Close() {
		key, err := s.Text()
		if err != nil {
			return r, err
		}
		field := byte(0)
		if len(key) == 1 {
			field = key[0]
		}
		switch field {
		case 'T':
			r.Type, err = s.Text()
		case 'S':
			r.Server, err = s.Text()
		case 'P':
			r.Partition, err = s.Text()
			r.HasPartition = r.Partition != nil
		case 'A':
			r.ACL, err = appendTabs(acl, &s)
		default:
			err = s.Skip()
		}
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

// appendTabs appends an ACL in its form with TABs.
func appendTabs(b []byte, s *dlist.Scanner) ([]byte, error) {
	if _, err := s.Open(); err != nil {
		return b, err
	}
	for !s.Close() {
		t, err := s.Text()
		if err != nil {
			return b, err
		}
		b = append(append(b, t...), '\t')
	}
	return b, nil
}

// NormalACL is acl as the list gives it back: whole entries, each ended by a
// TAB.
func NormalACL(acl string) string {
	b := make([]byte, 0, len(acl)+1)
	eachACL(acl, func(id, rights string) {
		b = append(append(append(append(b, id...), '\t'), rights...), '\t')
	})
	if string(b) == acl {
		return acl
	}
	return string(b)
}
