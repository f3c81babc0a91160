package auth

import (
	"slices"
	"strings"
)

// State is one user, as rights are computed for it.
type State struct {
	User    string // canonical id
	Domain  string // of User with virtual domains; an administrator with one rules that domain only
	IsAdmin bool   // named in admins
	IsProxy bool   // named in proxyservers: may act for anybody
	Groups  []string

	// ActsFor is set when an administrator or proxy authenticated for User:
	// the id whose password was checked.
	ActsFor string
}

// Anonymous is who has not said who he is. He is in no group.
var Anonymous = &State{User: "anonymous"}

// State returns the state of a canonical id.
func (r *Rules) State(user string) *State {
	if user == "" || user == "anonymous" {
		return Anonymous
	}
	s := &State{User: user}
	if r.opts.Virtual != VirtualOff {
		if i := strings.LastIndexByte(user, '@'); i >= 0 {
			s.Domain = user[i+1:]
		}
	}
	if r.opts.UnixGroups {
		s.Groups = r.groups.of(user)
	}
	s.IsAdmin = slices.ContainsFunc(r.opts.Admins, s.Member)
	s.IsProxy = slices.ContainsFunc(r.opts.ProxyServers, s.Member)
	return s
}

// IsGlobalAdmin says whether the user administers every domain.
func (s *State) IsGlobalAdmin() bool { return s.IsAdmin && s.Domain == "" }

// Member says whether an identifier of an access control list or of an option
// means this user: his own id, "anyone", or "group:" and one of his groups. A
// nil State is Anonymous.
func (s *State) Member(identifier string) bool {
	if s == nil {
		s = Anonymous
	}
	if identifier == "anyone" || identifier == s.User {
		return true
	}
	const prefix = "group:"
	if len(s.Groups) == 0 || len(identifier) <= len(prefix) || !strings.EqualFold(identifier[:len(prefix)], prefix) {
		return false
	}
	return slices.Contains(s.Groups, identifier[len(prefix):])
}
