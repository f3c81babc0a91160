package imapserver

import (
	"errors"
	"fmt"

	"github.com/emersion/go-imap/v2"

	"gocyrus/lib/acl"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/index"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/seqset"
)

// fetch is FETCH and UID FETCH (RFC 9051 section 6.4.5).
func (s *session) fetch(p *imapwire.Parser) error {
	uid := s.byUID()
	if err := p.SP(); err != nil {
		return err
	}
	set, err := p.NumSetSP(uid)
	if err != nil {
		return err
	}
	f, err := p.Fetch(imapwire.FetchRules{
		Vanished: uid && s.enabled&qResync != 0, Conversations: s.srv.opts.Conversations, Preview: true,
	})
	if err != nil {
		return err
	}
	if f.Items&(imapwire.FetchBaseCID|imapwire.FetchMailboxes|imapwire.FetchMailboxIDs) != 0 {
		return imapwire.No("Operation is not supported on mailbox")
	}
	switch {
	case f.ChangedSince > 0:
		s.useCondStore("FETCH CHANGEDSINCE")
	case f.Items&imapwire.FetchModSeq != 0:
		s.useCondStore("FETCH MODSEQ")
	}
	if uid {
		f.Items |= imapwire.FetchUID
	}
	err = s.runFetch(set, f, uid)
	if errors.Is(err, mailbox.ErrNotFound) {
		return imapwire.No(fmt.Sprintf("Mailbox does not exist (%.3f sec)", s.elapsed()))
	}
	return err
}

// useCondStore switches CONDSTORE on by the use of what it brought, and says so
// (RFC 7162 section 3.1.2).
func (s *session) useCondStore(what string) {
	if s.enabled&condStore != 0 {
		return
	}
	s.enabled |= condStore
	s.untagged(fmt.Sprintf("OK [HIGHESTMODSEQ %d] CONDSTORE enabled by %s", s.sel.idx.Told(), what))
}

func (s *session) runFetch(set imap.NumSet, f *imapwire.Fetch, uid bool) error {
	nums, changed, err := s.beginFetch(set, f)
	if err != nil {
		return err
	}
	if f.Vanished {
		uids, _ := set.(imap.UIDSet)
		gone, err := s.sel.idx.Vanished(s.ctx, uids, f.ChangedSince, index.Match{})
		if err != nil {
			return err
		}
		s.earlier(gone)
	}
	plan := planFetch(f)
	plan.condStore, plan.qresync = s.enabled&condStore != 0, s.enabled&qResync != 0
	if f.Annotation != nil {
		plan.annot = planAnnotation(f.Annotation, s.sel.idx.AnnotUser(), s.srv.annots.message)
	}
	if f.Items&imapwire.FetchFolder != 0 {
		plan.folder = s.external(s.sel.name)
	}
	if err := s.sendFetch(plan, nums, changed); err != nil {
		return err
	}
	if len(nums) == 0 && !uid && !imap.IsSearchRes(set) {
		return imapwire.No(fmt.Sprintf("No matching messages (%.3f sec)", s.elapsed()))
	}
	s.text = fmt.Sprintf("Completed (%.3f sec)", s.elapsed())
	if !uid {
		return nil
	}
	c, err := s.refresh(false)
	if err != nil {
		return err
	}
	return s.tell(c, tellHow{uid: true})
}

// beginFetch tells what is new, so that no answer names what the client has not
// heard of, and marks the messages as seen if the attributes say so. changed are
// the messages of the set whose flags are part of their answers.
func (s *session) beginFetch(set imap.NumSet, f *imapwire.Fetch) (nums index.Numbers, changed []int, err error) {
	c, err := s.refresh(true)
	if err != nil {
		return nil, nil, err
	}
	nums = s.sel.idx.Resolve(set, s.sel.saved)
	if f.SetSeen {
		seen, err := s.markSeen(nums)
		if err != nil {
			return nil, nil, err
		}
		if seen {
			if err := s.tell(c, tellHow{skip: nums}); err != nil {
				return nil, nil, err
			}
			changed = within(nums, c.Flags)
			if c, err = s.refresh(true); err != nil {
				return nil, nil, err
			}
		}
	}
	changed = append(changed, within(nums, c.Flags)...)
	return nums, changed, s.tell(c, tellHow{skip: nums, uid: s.byUID()})
}

// within are the numbers of list that are in nums.
func within(nums index.Numbers, list []int) []int {
	var out []int
	for _, seq := range list {
		if nums.Contains(seq) {
			out = append(out, seq)
		}
	}
	return out
}

// markSeen sets \Seen where it is not set yet, and says whether that was
// anywhere. Without the right to it nothing happens.
func (s *session) markSeen(nums index.Numbers) (bool, error) {
	idx := s.sel.idx
	if idx.ReadOnly() || idx.Who().Rights&acl.SetSeen == 0 {
		return false, nil
	}
	var list seqset.Set
	err := idx.View(s.ctx, func(r *index.Reader) error {
		for seq := range nums.All {
			raw, ok := r.Raw(seq)
			if ok && raw.Live() && r.Flags(raw).System&indexfile.Seen == 0 {
				list.Add(uint32(seq))
			}
		}
		return nil
	})
	if err != nil || len(list) == 0 {
		return false, err
	}
	_, err = idx.Store(s.ctx, index.Numbers(list), index.Store{Op: index.Add, System: indexfile.Seen})
	return true, err
}

// sendFetch answers for the messages of nums, a batch at a time: the mailbox is
// let go while the client is written to.
func (s *session) sendFetch(plan *fetchPlan, nums index.Numbers, changed []int) error {
	told := map[int]bool{}
	for _, seq := range changed {
		told[seq] = true
	}
	out := outputs.Get().(*output)
	defer out.release()
	run := &fetchRun{p: plan, out: out, flags: &s.sel.flags}
	for len(nums) > 0 {
		err := s.sel.idx.View(s.ctx, func(r *index.Reader) error {
			run.r = r
			var err error
			nums, err = run.batch(nums, told)
			return err
		})
		if err != nil {
			return err
		}
		if err := out.flush(s.in); err != nil {
			return err
		}
	}
	return run.err
}

// batch answers until the output is full, and returns what is left of nums.
func (f *fetchRun) batch(nums index.Numbers, told map[int]bool) (index.Numbers, error) {
	for i := range nums {
		for seq := nums[i].First; seq <= nums[i].Last; seq++ {
			if f.out.full() {
				rest := append(index.Numbers{{First: seq, Last: nums[i].Last}}, nums[i+1:]...)
				return rest, nil
			}
			tell := len(told) > 0 && told[int(seq)]
			err := f.message(int(seq), tell)
			if errors.Is(err, mailbox.ErrGone) {
				f.err = errExpungeIssued
				continue
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return nil, nil
}

// errExpungeIssued is the error of messages whose files are gone though the
// client has not been told yet (RFC 5530 section 3).
var errExpungeIssued = imapwire.No("[EXPUNGEISSUED] Some messages could not be fetched")
