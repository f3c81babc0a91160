package crash_test

import (
	"bytes"
	"strconv"
	"strings"

	"gocyrus/test/internal/rig"
)

// heard takes from FETCH replies what they tell of UIDs and modseqs.
func (c *client) heard(b *box, all []rig.Untagged) {
	c.u.mu.Lock()
	defer c.u.mu.Unlock()
	for _, t := range all {
		f, ok := parseFetch(t)
		if !ok {
			continue
		}
		if f.modseq > b.modseq {
			b.modseq = f.modseq
		}
		if f.uid == 0 || f.id == "" {
			continue
		}
		if err := c.u.see(b, f.uid, f.id); err != nil {
			c.f.add("%v", err)
		}
		if h := b.msgs[f.id]; h != nil && h.uid == 0 {
			h.uid = f.uid
		}
	}
}

// fetched is what a FETCH reply says.
type fetched struct {
	uid    uint32
	modseq uint64
	size   int
	flags  map[string]bool
	id     string
	body   []byte // from the header with the id on
	raw    int    // octets of the literal
}

// parseFetch reads a FETCH reply with at most one literal.
func parseFetch(t rig.Untagged) (f fetched, ok bool) {
	_, rest, ok := strings.Cut(t.Text, " FETCH (")
	if !ok {
		return f, false
	}
	f.uid = uint32(after(rest, "UID "))
	f.modseq = after(rest, "MODSEQ (")
	f.size = int(after(rest, "RFC822.SIZE "))
	f.flags = map[string]bool{}
	if _, list, ok := strings.Cut(rest, "FLAGS ("); ok {
		list, _, _ = strings.Cut(list, ")")
		for _, name := range strings.Fields(list) {
			f.flags[name] = true
		}
	}
	if len(t.Literals) == 1 {
		lit := t.Literals[0]
		f.raw = len(lit)
		if at := bytes.Index(lit, []byte(idHeader)); at >= 0 {
			f.body = lit[at:]
			id, _, _ := bytes.Cut(lit[at+len(idHeader):], []byte("\r\n"))
			f.id = string(id)
		}
	}
	return f, true
}

// after reads the number behind a word, 0 when there is none.
func after(s, word string) uint64 {
	_, rest, ok := strings.Cut(s, word)
	if !ok {
		return 0
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(rest)
	}
	n, _ := strconv.ParseUint(rest[:end], 10, 64)
	return n
}
