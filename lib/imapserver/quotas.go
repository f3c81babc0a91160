package imapserver

import (
	"errors"
	"math"
	"strings"

	"gocyrus/lib/acl"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/quota"
)

// getQuota is GETQUOTA (RFC 9208 section 4.1.2), for administrators.
func (s *session) getQuota(p *imapwire.Parser) error {
	name, err := p.SPAString()
	if err != nil {
		return err
	}
	if err := p.EOL(); err != nil {
		return err
	}
	if !s.admin {
		return errPermission
	}
	n, err := s.internal(name)
	if err != nil {
		return err
	}
	if err := s.farRoot(n); errors.Is(err, mboxlist.ErrNotFound) {
		return quota.ErrNotFound
	} else if err != nil {
		return err
	}
	root, err := s.srv.quota.Get(n)
	if err != nil {
		return err
	}
	return s.in.Commit(s.appendQuota(s.in.Scratch(), root))
}

// getQuotaRoot is GETQUOTAROOT (RFC 9208 section 4.1.3): the mailbox's root, and
// its usage for those who may read the mailbox.
func (s *session) getQuotaRoot(p *imapwire.Parser) error {
	name, err := p.SPAString()
	if err != nil {
		return err
	}
	if err := p.EOL(); err != nil {
		return err
	}
	at, err := s.locate(name)
	if err != nil {
		return err
	}
	if !s.rules(at.name) {
		if err := at.need(acl.Read); err != nil {
			return err
		}
	}
	b := append(s.in.Scratch(), "* QUOTAROOT "...)
	b = s.mailbox(b, name)
	rootName, found, err := s.srv.quota.Find(at.name)
	if err != nil {
		return err
	}
	if !found {
		return s.in.Commit(append(b, "\r\n"...))
	}
	root, err := s.srv.quota.Get(rootName)
	if err != nil {
		return err
	}
	b = s.mailbox(append(b, ' '), s.external(rootName))
	return s.in.Commit(s.appendQuota(append(b, "\r\n"...), root))
}

// appendQuota appends the untagged line.
func (s *session) appendQuota(b []byte, root *quota.Root) []byte {
	b = append(b, "* QUOTA "...)
	b = s.mailbox(b, s.external(root.Name))
	return append(appendLimits(append(b, ' '), root), "\r\n"...)
}

// appendLimits appends the list of usages and limits; resources without a limit
// are left out. STORAGE is in units of 1024 octets, rounded down.
func appendLimits(b []byte, root *quota.Root) []byte {
	b = append(b, '(')
	first := true
	for r, limit := range root.Limit {
		if limit == quota.Unlimited {
			continue
		}
		if !first {
			b = append(b, ' ')
		}
		first = false
		b = append(append(b, quota.Names[r]...), ' ')
		b = imapwire.AppendNum(b, root.Used[r]/quota.Unit[r])
		b = imapwire.AppendNum(append(b, ' '), limit)
	}
	return append(b, ')')
}

var (
	errQuotaList     = imapwire.Bad("Invalid quota list in Setquota")
	errQuotaResource = imapwire.No("Unsupported quota resource")
)

// setQuota is SETQUOTA (RFC 9208 section 4.1.1), for administrators: resources
// that are not named lose their limits.
func (s *session) setQuota(p *imapwire.Parser) error {
	name, err := p.SPAString()
	if err != nil {
		return err
	}
	if err := p.SP(); err != nil {
		return err
	}
	limits, unknown, err := quotaList(p)
	if err != nil {
		return err
	}
	p.SetCommand("SETQUOTA", "")
	if err := p.EOL(); err != nil {
		return err
	}
	switch {
	case !s.admin:
		return errPermission
	case unknown:
		return errQuotaResource
	}
	// A backend that moves a user here says so of a root that has no mailbox yet.
	name, ahead := strings.CutPrefix(name, "+")
	n, err := s.internal(name)
	if err != nil {
		return err
	}
	if err := s.farRoot(n); err != nil {
		return err
	}
	if ahead {
		return s.srv.ops.SetQuotaAhead(s.ctx, s.asker(), n, limits)
	}
	return s.applyQuota(n, limits)
}

// quotaList reads "(STORAGE 1000 MESSAGE 50)"; what it does not name has no
// limit. unknown tells of a resource that does not exist; the list is read to
// its end nevertheless.
func quotaList(p *imapwire.Parser) (limits [quota.NumResources]int64, unknown bool, err error) {
	for i := range limits {
		limits[i] = quota.Unlimited
	}
	if ok, err := p.Accept('('); err != nil || !ok {
		return limits, false, firstOf(err, errQuotaList)
	}
	if end, err := p.Accept(')'); err != nil || end {
		return limits, false, err
	}
	for {
		w, _, err := p.Word()
		if err != nil {
			return limits, false, err
		}
		if ok, err := p.Accept(' '); err != nil || !ok {
			return limits, false, firstOf(err, errQuotaList)
		}
		n, ok, err := p.Number(math.MaxInt64 / 1024)
		if err != nil || !ok {
			return limits, false, firstOf(err, errQuotaList)
		}
		if r, ok := quotaResource(w); ok {
			limits[r] = int64(n)
		} else {
			unknown = true
		}
		if more, err := p.Accept(' '); err != nil {
			return limits, false, err
		} else if more {
			continue
		}
		if ok, err := p.Accept(')'); err != nil || !ok {
			return limits, false, firstOf(err, errQuotaList)
		}
		return limits, unknown, nil
	}
}

// quotaResource is the resource of that name, in the spelling of 3.10 or of
// 3.6.
func quotaResource(w string) (quota.Resource, bool) {
	for r := range quota.NumResources {
		if strings.EqualFold(w, quota.Names[r]) || strings.EqualFold(w, quota.OldNames[r]) {
			return r, true
		}
	}
	return 0, false
}

// applyQuota sets the limits of a root. A root that is there needs no mailbox
// any more; a new one does.
func (s *session) applyQuota(n mboxname.Name, limits [quota.NumResources]int64) error {
	if _, err := s.srv.quota.Get(n); errors.Is(err, quota.ErrNotFound) {
		if _, err := s.place(n); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	return s.srv.ops.SetQuota(s.ctx, s.asker(), n, limits)
}
