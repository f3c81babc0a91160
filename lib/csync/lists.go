package csync

import (
	"strconv"

	"gocyrus/lib/dlist"
	"gocyrus/lib/guid"
)

// AppendGUIDs appends a list of GUIDs: the answer MISSING.
func AppendGUIDs(dst []byte, list []guid.GUID) []byte {
	g := guids(list)
	return g.append(dst, FromServer)
}

// ParseGUIDs reads a list of GUIDs.
func ParseGUIDs(value []byte) ([]guid.GUID, error) {
	s := dlist.Scan(value)
	var g guids
	err := g.scan(&s)
	return g, atEnd(&s, err)
}

type guids []guid.GUID

func (g *guids) append(dst []byte, _ Form) []byte {
	dst = append(dst, '(')
	for i := range *g {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = (*g)[i].AppendHex(dst)
	}
	return append(dst, ')')
}

func (g *guids) scan(s *dlist.Scanner) error {
	return eachItem(s, func() error {
		t, err := scanText(s)
		if err != nil {
			return err
		}
		var id guid.GUID
		err = setGUID(&id, t)
		*g = append(*g, id)
		return err
	})
}

type uids []uint32

func (u *uids) append(dst []byte, _ Form) []byte {
	dst = append(dst, '(')
	for i, n := range *u {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = strconv.AppendUint(dst, uint64(n), 10)
	}
	return append(dst, ')')
}

func (u *uids) scan(s *dlist.Scanner) error {
	return eachItem(s, func() error {
		t, err := scanText(s)
		if err != nil {
			return err
		}
		n, err := number(t)
		*u = append(*u, uint32(n))
		return err
	})
}
