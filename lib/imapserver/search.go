package imapserver

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"gocyrus/lib/imapwire"
	"gocyrus/lib/index"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/search"
	"gocyrus/lib/seqset"
)

// found is the result of a search.
type found struct {
	seqs    seqset.Set // ascending
	count   int
	highest uint64 // modseq of all that was found
	first   uint64 // modseq of the first and last of them
	last    uint64
}

func (f *found) add(seq int, modseq uint64) {
	f.seqs.Add(uint32(seq))
	if f.count == 0 {
		f.first = modseq
	}
	f.count++
	f.last = modseq
	f.highest = max(f.highest, modseq)
}

func (f *found) min() int { return int(f.seqs[0].First) }
func (f *found) max() int { return int(f.seqs[len(f.seqs)-1].Last) }

// search is SEARCH and UID SEARCH (RFC 9051 section 6.4.4). The messages looked
// at are those that the client knows, the expunged that it was not told of too.
func (s *session) search(p *imapwire.Parser) error {
	uid := s.byUID()
	if err := p.SP(); err != nil {
		return err
	}
	w, err := p.Search(imapwire.SearchRules{Conversations: s.srv.opts.Conversations})
	if err != nil {
		return err
	}
	if s.enabled&rev2 != 0 && w.Return == 0 {
		w.Return = imapwire.ReturnAll // RFC 9051 section 7.3.4
	}
	c, err := s.refresh(true)
	if errors.Is(err, mailbox.ErrNotFound) {
		s.text = fmt.Sprintf("Completed (0 msgs in %.3f secs)", s.elapsed())
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.tell(c, tellHow{uid: uid}); err != nil {
		return err
	}
	f, modseq, err := s.runSearch(w)
	if err != nil {
		if w.Return&imapwire.ReturnSave != 0 {
			s.sel.saved = nil // RFC 5182 section 2.1
		}
		return searchError(err)
	}
	s.saveSearch(w.Return, f)
	if w.Return != 0 {
		s.answerESearch(w.Return, f, uid, modseq)
	} else {
		s.answerSearch(f, uid, modseq)
	}
	s.text = fmt.Sprintf("Completed (%d msgs in %.3f secs)", f.count, s.elapsed())
	if !uid {
		return nil
	}
	if c, err = s.refresh(false); err != nil {
		return err
	}
	return s.tell(c, tellHow{uid: true})
}

// searchError gives errors of the program itself Cyrus's words.
func searchError(err error) error {
	switch {
	case errors.Is(err, search.ErrCharset):
		return imapwire.Bad("Unrecognized character set")
	case errors.Is(err, search.ErrThreadID):
		return imapwire.Bad("Invalid threadid in Search command")
	case errors.Is(err, search.ErrKey):
		return imapwire.Bad("Invalid Search criteria")
	}
	return err
}

func (s *session) runSearch(w *imapwire.Search) (f found, modseq bool, err error) {
	prog, err := search.Compile(w, s.sel.idx, s.sel.saved, s.srv.opts.Search)
	if err != nil {
		return f, false, err
	}
	if prog.UsesModSeq() {
		s.useCondStore(strings.ToUpper(strings.TrimPrefix(s.name, "UID ")) + " MODSEQ")
	}
	err = prog.Run(s.ctx, s.sel.idx, f.add)
	return f, prog.UsesModSeq(), err
}

// saveSearch keeps the result for "$": all of it, unless only the ends were
// asked for (RFC 5182 section 2.4).
func (s *session) saveSearch(r imapwire.SearchReturn, f found) {
	const ends = imapwire.ReturnMin | imapwire.ReturnMax
	switch {
	case r&imapwire.ReturnSave == 0:
	case f.count == 0:
		s.sel.saved = nil
	case r&(imapwire.ReturnAll|imapwire.ReturnCount) != 0 || r&ends == 0:
		s.sel.saved = s.sel.idx.UIDs(index.Numbers(f.seqs))
	default:
		s.sel.saved = nil
		if r&imapwire.ReturnMin != 0 {
			s.save(f.min())
		}
		if r&imapwire.ReturnMax != 0 {
			s.save(f.max())
		}
	}
}

func (s *session) save(seq int) {
	uid := s.sel.idx.UID(seq)
	if n := len(s.sel.saved); n == 0 || s.sel.saved[n-1].Last != uid {
		s.sel.saved = append(s.sel.saved, seqset.Range{First: uid, Last: uid})
	}
}

// answerSearch writes SEARCH.
func (s *session) answerSearch(f found, uid, modseq bool) {
	b := append(s.in.Scratch(), "* SEARCH"...)
	for _, r := range f.seqs {
		for seq := r.First; seq <= r.Last; seq++ {
			b = strconv.AppendUint(append(b, ' '), s.number(int(seq), uid), 10)
		}
	}
	if modseq && f.count > 0 {
		b = strconv.AppendUint(append(b, " (MODSEQ "...), f.highest, 10)
		b = append(b, ')')
	}
	s.in.Commit(append(b, "\r\n"...))
}

// number is what stands for message seq in an answer.
func (s *session) number(seq int, uid bool) uint64 {
	if uid {
		return uint64(s.sel.idx.UID(seq))
	}
	return uint64(seq)
}

// answerESearch writes ESEARCH, its items in Cyrus's order (RFC 4731). SAVE alone
// wants none (RFC 5182 section 2.1).
func (s *session) answerESearch(r imapwire.SearchReturn, f found, uid, modseq bool) {
	if r == imapwire.ReturnSave {
		return
	}
	b := append(s.in.Scratch(), "* ESEARCH (TAG "...)
	b = imapwire.AppendQuoted(b, s.tag)
	b = append(b, ')')
	if uid {
		b = append(b, " UID"...)
	}
	if r&imapwire.ReturnCount != 0 {
		b = strconv.AppendInt(append(b, " COUNT "...), int64(f.count), 10)
	}
	if f.count > 0 {
		b = s.appendFound(b, r, &f, uid)
		if modseq {
			b = strconv.AppendUint(append(b, " MODSEQ "...), f.modSeqFor(r), 10)
		}
	}
	s.in.Commit(append(b, "\r\n"...))
}

func (s *session) appendFound(b []byte, r imapwire.SearchReturn, f *found, uid bool) []byte {
	if r&imapwire.ReturnMin != 0 {
		b = strconv.AppendUint(append(b, " MIN "...), s.number(f.min(), uid), 10)
	}
	if r&imapwire.ReturnMax != 0 {
		b = strconv.AppendUint(append(b, " MAX "...), s.number(f.max(), uid), 10)
	}
	if r&imapwire.ReturnAll != 0 {
		list := f.seqs
		if uid {
			list = s.sel.idx.UIDs(index.Numbers(f.seqs))
		}
		b = list.Append(append(b, " ALL "...))
	}
	if r&imapwire.ReturnRelevancy != 0 {
		b = append(b, " RELEVANCY ("...)
		for i := range f.count {
			if i > 0 {
				b = append(b, ' ')
			}
			b = append(b, "100"...) // RFC 6203 section 4: all alike
		}
		b = append(b, ')')
	}
	return b
}

// modSeqFor is the highest modseq of the messages that the answer names (RFC
// 4731 section 3.2).
func (f *found) modSeqFor(r imapwire.SearchReturn) uint64 {
	const ends = imapwire.ReturnMin | imapwire.ReturnMax
	switch {
	case r&(imapwire.ReturnAll|imapwire.ReturnCount) != 0 || r&ends == 0:
		return f.highest
	case r&ends == ends:
		return max(f.first, f.last)
	case r&imapwire.ReturnMin != 0:
		return f.first
	}
	return f.last
}
