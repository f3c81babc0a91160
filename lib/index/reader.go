package index

import (
	"context"
	"errors"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/message"
)

// Reader gives the records of the view's messages. It is valid inside the
// function that State.View calls only, and so is what it hands out.
type Reader struct {
	*State
	v    *mailbox.View
	same bool // no repack since the snapshot: its record numbers hold

	annots *mailbox.Annotations // nil until the first is read
}

// View calls fn while the mailbox's records can be read. Others wait to change
// the mailbox until fn returns: nothing slow belongs into it.
func (s *State) View(ctx context.Context, fn func(r *Reader) error) error {
	return s.mbox.View(ctx, func(v *mailbox.View) error {
		r := s.reader(v)
		defer r.close()
		return fn(r)
	})
}

func (s *State) reader(v *mailbox.View) *Reader {
	return &Reader{State: s, v: v, same: s.base.Generation() == v.Generation()}
}

func (r *Reader) close() {
	if r.annots != nil {
		r.annots.Close()
	}
}

// Header is the header of the mailbox's index as it is now, which may be ahead
// of what the client knows.
func (r *Reader) Header() *indexfile.Header { return r.v.Header() }

// Raw is the record of message seq; ok is false when a repack has removed it,
// which the client is told at the next chance. A message that others expunged
// is still there: it is the client's until then.
func (r *Reader) Raw(seq int) (raw indexfile.Raw, ok bool) {
	recno, ok := r.recno(seq)
	if !ok {
		return raw, false
	}
	return r.v.Raw(recno), true
}

// ModSeq is the modseq of raw as the client may hear it: none above the one up to
// which it knows all. A record that has changed again since, or was expunged,
// has a higher one, and a client that heard it would ask for what came after it
// and never learn of the change itself.
func (r *Reader) ModSeq(raw indexfile.Raw) uint64 {
	n := raw.ModSeq()
	if !raw.Live() {
		n-- // when it went
	}
	return min(n, r.told)
}

// recno is the record number of message seq.
func (r *Reader) recno(seq int) (recno int, ok bool) {
	if seq <= r.base.Len() && r.same {
		return r.base.Recno(seq), true
	}
	return r.v.Find(r.UID(seq))
}

// Cache is the cache record of raw: in the mapped file or, when that has none
// that can be trusted, made anew from the message.
func (r *Reader) Cache(raw indexfile.Raw) ([]byte, error) {
	c, err := r.v.Cache(raw)
	if !errors.Is(err, mailbox.ErrNoCache) {
		return c, err
	}
	m, err := r.Message(raw)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	parsed, err := message.Parse(m.Bytes(), message.DefaultOptions())
	if err != nil {
		return nil, err
	}
	return parsed.Cache, nil
}

// Message is the file of raw, mapped; the caller closes it. It may be used
// after the view has ended.
func (r *Reader) Message(raw indexfile.Raw) (*mailbox.Message, error) {
	return r.mbox.OpenMessage(r.v, raw)
}

// MessageHeader is Message, of which only the octets of the header are read.
func (r *Reader) MessageHeader(raw indexfile.Raw) (*mailbox.Message, error) {
	return r.mbox.OpenHeader(r.v, raw)
}

// Flags are the flags of a message as this session sees them.
type Flags struct {
	System indexfile.Flags // of indexfile.System
	User   indexfile.UserFlags
	Recent bool
}

// Flags are the flags of raw for this session's user.
func (r *Reader) Flags(raw indexfile.Raw) Flags {
	uid := raw.UID()
	f := Flags{System: raw.Flags() & indexfile.System, User: raw.UserFlags()}
	if !r.inRecord {
		f.System &^= indexfile.Seen
		if r.seen.Contains(uid) {
			f.System |= indexfile.Seen
		}
	}
	if len(r.recent) > 0 {
		f.Recent = r.recent.Contains(uid)
	}
	return f
}

// Slot is the slot of a keyword that the client knows, in any case of letters;
// -1 when there is none.
func (s *State) Slot(keyword string) int {
	return userFlag(s.keys, keyword)
}

// equalFold compares keywords: flags are ASCII and case-insensitive (RFC 9051
// section 2.3.2).
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(b byte) byte {
	if b >= 'A' && b <= 'Z' {
		b += 'a' - 'A'
	}
	return b
}
