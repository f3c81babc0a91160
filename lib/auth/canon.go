package auth

import (
	"errors"
	"fmt"
	"strings"
)

// ErrUser is the error of an id that can belong to nobody.
var ErrUser = errors.New("invalid user")

// maxID is the longest canonical id, in octets.
const maxID = 80

// forbidden are the octets that an id may not hold, beside controls and those
// above 126: they mean something in mailbox names, patterns or /etc/passwd.
const forbidden = "%&*/:?"

// Canon returns the canonical form of a user id. The error is ErrUser, wrapped
// with the id.
func (r *Rules) Canon(id string) (string, error) { return r.canon(id, "", "") }

// CanonFor is Canon for an identifier that the user login names, as in
// LISTRIGHTS: without a domain of its own it gets that of login.
func (r *Rules) CanonFor(id, login string) (string, error) { return r.canon(id, login, "") }

// CanonAt is Canon for a client that reached the server in domain (see
// DomainAt), which counts with virtdomains on.
func (r *Rules) CanonAt(id, domain string) (string, error) { return r.canon(id, "", domain) }

func (r *Rules) canon(id, login, domain string) (string, error) {
	local, own, has := r.split(id)
	if special := globalID(local); special != "" {
		return special, nil
	}
	canonical := id
	switch {
	case r.opts.Virtual == VirtualOff:
	case has && r.opts.DefaultDomain != "" && strings.EqualFold(own, r.opts.DefaultDomain):
		canonical = local
	case has:
		canonical = local + "@" + own
	case login != "":
		if i := strings.LastIndexByte(login, '@'); i >= 0 {
			canonical = id + login[i:]
		}
	case r.opts.Virtual == VirtualOn && domain != "" && !strings.EqualFold(domain, r.opts.DefaultDomain):
		canonical = id + "@" + domain
	}
	return r.check(canonical, id)
}

// split takes id apart at its last "@" or, without one, its last "%", which
// old clients sent instead. Without virtual domains there is nothing to split.
func (r *Rules) split(id string) (local, domain string, ok bool) {
	if r.opts.Virtual == VirtualOff {
		return id, "", false
	}
	i := strings.LastIndexByte(id, '@')
	if i < 0 {
		i = strings.LastIndexByte(id, '%')
	}
	if i < 0 {
		return id, "", false
	}
	return id[:i], id[i+1:], true
}

// globalID maps the names that mean everybody or nobody in every domain.
func globalID(local string) string {
	switch {
	case strings.EqualFold(local, "anonymous"):
		return "anonymous"
	case strings.EqualFold(local, "anyone"), strings.EqualFold(local, "anybody"):
		return "anyone"
	}
	return ""
}

func (r *Rules) check(canonical, given string) (string, error) {
	bad := func(why string) (string, error) {
		return "", fmt.Errorf("%q: %s: %w", given, why, ErrUser)
	}
	if canonical == "" {
		return bad("empty")
	}
	if len(canonical) > maxID {
		return bad("too long")
	}
	if group, ok := strings.CutPrefix(canonical, "group:"); ok {
		if !r.groups.exists(group) {
			return bad("no such group")
		}
		return canonical, nil
	}
	for i := range len(canonical) {
		c := canonical[i]
		if c < ' ' || c > '~' || strings.IndexByte(forbidden, c) >= 0 {
			return bad("forbidden character")
		}
	}
	if r.opts.ToLower {
		return strings.ToLower(canonical), nil
	}
	return canonical, nil
}
