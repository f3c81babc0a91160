package imapserver

import (
	"errors"
	"fmt"
	"strconv"

	"gocyrus/lib/imapwire"
	"gocyrus/lib/index"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mailsort"
)

// sortCommands put the messages that a search finds in order.
var sortCommands = map[string]command{
	"Sort":       {in: selected, run: (*session).sort, how: quiet}, // RFC 5256
	"UID Sort":   {in: selected, run: (*session).sort, how: quiet},
	"Thread":     {in: selected, run: (*session).thread, how: quiet}, // RFC 5256
	"UID Thread": {in: selected, run: (*session).thread, how: quiet},
}

// sort is SORT and UID SORT, with RETURN (RFC 5267 section 3) or without.
func (s *session) sort(p *imapwire.Parser) error {
	if err := p.SP(); err != nil {
		return err
	}
	args, err := p.Sort(imapwire.SearchRules{Conversations: s.srv.opts.Conversations})
	if err != nil {
		return err
	}
	return s.ordered(args.Search, func(f found, modseq bool) error {
		seqs, err := mailsort.Sort(s.ctx, s.sel.idx, f.list(), args.Keys)
		if err != nil {
			return err
		}
		if args.Return != 0 {
			s.answerESort(args.Return, f, seqs, modseq)
		} else {
			s.answerSort(seqs, f, modseq)
		}
		return nil
	})
}

// thread is THREAD and UID THREAD.
func (s *session) thread(p *imapwire.Parser) error {
	if err := p.SP(); err != nil {
		return err
	}
	args, err := p.Thread(imapwire.SearchRules{Conversations: s.srv.opts.Conversations}, mailsort.Known)
	if err != nil {
		return err
	}
	return s.ordered(args.Search, func(f found, modseq bool) error {
		list, err := mailsort.Threads(s.ctx, s.sel.idx, f.list(), args.Algorithm)
		if err != nil {
			return err
		}
		s.answerThread(list, f, modseq)
		return nil
	})
}

// ordered runs a search, with the news of the mailbox around it as SEARCH has
// them, and has answer put in order what it found.
func (s *session) ordered(w *imapwire.Search, answer func(f found, modseq bool) error) error {
	uid := s.byUID()
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
		return searchError(err)
	}
	if err := answer(f, modseq); err != nil {
		return err
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

// list is the numbers of the messages found, ascending.
func (f *found) list() []int {
	out := make([]int, 0, f.count)
	for seq := range index.Numbers(f.seqs).All {
		out = append(out, seq)
	}
	return out
}

// answerSort writes SORT.
func (s *session) answerSort(seqs []int, f found, modseq bool) {
	uid := s.byUID()
	b := append(s.in.Scratch(), "* SORT"...)
	for _, seq := range seqs {
		b = strconv.AppendUint(append(b, ' '), s.number(seq, uid), 10)
	}
	s.in.Commit(append(f.appendModSeq(b, modseq), "\r\n"...))
}

// appendModSeq appends the highest modseq of what was found, where the program
// asked for modseqs. For nothing found Cyrus says 1.
func (f *found) appendModSeq(b []byte, asked bool) []byte {
	if !asked {
		return b
	}
	b = strconv.AppendUint(append(b, " (MODSEQ "...), max(f.highest, 1), 10)
	return append(b, ')')
}

// answerESort writes ESEARCH for SORT. ALL is in the order asked for; MIN and
// MAX are the lowest and highest number, as Cyrus has it.
func (s *session) answerESort(r imapwire.SearchReturn, f found, seqs []int, modseq bool) {
	uid := s.byUID()
	b := append(s.in.Scratch(), "* ESEARCH (TAG "...)
	b = append(imapwire.AppendQuoted(b, s.tag), ')')
	if uid {
		b = append(b, " UID"...)
	}
	if r&imapwire.ReturnCount != 0 {
		b = strconv.AppendInt(append(b, " COUNT "...), int64(f.count), 10)
	}
	if f.count > 0 {
		b = s.appendFound(b, r&(imapwire.ReturnMin|imapwire.ReturnMax), &f, uid)
		if r&imapwire.ReturnAll != 0 {
			b = s.appendRuns(append(b, " ALL "...), seqs, uid)
		}
		b = s.appendFound(b, r&imapwire.ReturnRelevancy, &f, uid)
		if modseq {
			b = strconv.AppendUint(append(b, " MODSEQ "...), f.modSeqFor(r), 10)
		}
	}
	s.in.Commit(append(b, "\r\n"...))
}

// appendRuns appends numbers in their order, neighbours that count up by one as
// a range (RFC 5267 section 3.1).
func (s *session) appendRuns(b []byte, seqs []int, uid bool) []byte {
	for i := 0; i < len(seqs); {
		first := s.number(seqs[i], uid)
		last := first
		if i > 0 {
			b = append(b, ',')
		}
		for i++; i < len(seqs) && s.number(seqs[i], uid) == last+1; i++ {
			last++
		}
		b = strconv.AppendUint(b, first, 10)
		if last > first {
			b = strconv.AppendUint(append(b, ':'), last, 10)
		}
	}
	return b
}

// answerThread writes THREAD.
func (s *session) answerThread(list []*mailsort.Thread, f found, modseq bool) {
	b := append(s.in.Scratch(), "* THREAD"...)
	if len(list) > 0 {
		b = s.appendThreads(append(b, ' '), list)
		b = f.appendModSeq(b, modseq)
	}
	s.in.Commit(append(b, "\r\n"...))
}

// appendThreads appends siblings, each in parentheses (RFC 5256 section 4).
func (s *session) appendThreads(b []byte, list []*mailsort.Thread) []byte {
	uid := s.byUID()
	for _, t := range list {
		b = append(b, '(')
		for {
			if t.Seq != 0 {
				b = strconv.AppendUint(b, s.number(t.Seq, uid), 10)
				if len(t.Kids) > 0 {
					b = append(b, ' ')
				}
			}
			if len(t.Kids) != 1 {
				break
			}
			t = t.Kids[0]
		}
		b = append(s.appendThreads(b, t.Kids), ')')
	}
	return b
}
