package imapserver

import (
	"fmt"
	"math"
	"strings"

	"github.com/emersion/go-imap/v2"

	"gocyrus/lib/imapwire"
	"gocyrus/lib/index"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/seqset"
)

// store is STORE and UID STORE (RFC 9051 section 6.4.6).
func (s *session) store(p *imapwire.Parser) error {
	uid := s.byUID()
	if err := p.SP(); err != nil {
		return err
	}
	set, err := p.NumSetSP(uid)
	if err != nil {
		return err
	}
	args, err := p.Store()
	if err != nil {
		return err
	}
	if err := s.present(); err != nil {
		return err
	}
	st := storeOf(args)
	if st.Conditional {
		s.useCondStore("STORE UNCHANGEDSINCE")
	}
	if uid {
		// A UID may be of a message that the client has not been told of.
		c, err := s.refresh(false)
		if err != nil {
			return err
		}
		if err := s.tell(c, tellHow{uid: true}); err != nil {
			return err
		}
	}
	nums := s.sel.idx.Resolve(set, s.sel.saved)
	if args.Annotations == nil {
		return s.storeFlags(nums, st, uid)
	}
	failed, err := s.storeAnnotation(args, nums)
	if err != nil {
		return err
	}
	if len(failed) > 0 {
		s.text = s.modified(failed, uid)
	}
	c, err := s.refreshAfter(!uid)
	if err != nil {
		return err
	}
	return s.tell(c, tellHow{uid: uid})
}

// storeFlags changes flags and writes what has changed, also by others, in one
// look at the mailbox.
func (s *session) storeFlags(nums index.Numbers, st index.Store, uid bool) error {
	var flags []byte
	how := tellHow{uid: uid}
	failed, c, err := s.sel.idx.StoreRefresh(s.ctx, nums, st, !uid, func(r *index.Reader, c *index.Changes) {
		if c.Keywords {
			s.resetFlags()
		}
		flags = s.appendChanged(nil, r, c, how)
	})
	if err != nil {
		return err
	}
	if len(failed) > 0 {
		s.text = s.modified(failed, uid)
	}
	if c.Empty() {
		return nil
	}
	if err := s.announce(c); err != nil {
		return err
	}
	_, err = s.in.Write(flags)
	return err
}

// modified is the completion text that names the messages that UNCHANGEDSINCE
// kept from the change. That is OK and not NO (RFC 7162 section 3.1.3).
func (s *session) modified(failed index.Numbers, uid bool) string {
	list := seqset.Set(failed)
	if uid {
		list = s.sel.idx.UIDs(failed)
	}
	return fmt.Sprintf("[MODIFIED %s] Completed", list)
}

var storeOps = map[imap.StoreFlagsOp]index.Op{
	imap.StoreFlagsSet: index.Replace, imap.StoreFlagsAdd: index.Add, imap.StoreFlagsDel: index.Remove,
}

func storeOf(a *imapwire.Store) index.Store {
	st := index.Store{
		Op: storeOps[a.Op], Silent: a.Silent,
		Conditional: a.UnchangedSince != math.MaxUint64, UnchangedSince: a.UnchangedSince,
	}
	st.System, st.Keywords = splitFlags(a.Flags)
	return st
}

// splitFlags tells system flags from keywords.
func splitFlags(flags []imap.Flag) (sys indexfile.Flags, keywords []string) {
	for _, f := range flags {
		if !strings.HasPrefix(string(f), `\`) {
			keywords = append(keywords, string(f))
			continue
		}
		for _, s := range systemFlags {
			if strings.EqualFold(s.name, string(f)) {
				sys |= s.bit
			}
		}
	}
	return sys, keywords
}
