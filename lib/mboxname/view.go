package mboxname

import (
	"cmp"
	"strings"
)

// A View is the namespace as one user sees it. Administrators see every name
// unprefixed, in the standard order user/NAME, with domains behind an "@".
type View struct {
	*Namespace
	UserID string
	Admin  bool
	alt    bool
	local  string // parts of UserID
	domain string
}

// View returns how userid sees names.
func (ns *Namespace) View(userid string, admin bool) *View {
	v := &View{Namespace: ns, UserID: userid, Admin: admin, alt: ns.Alt && !admin}
	v.local, v.domain = ns.splitUser(userid)
	return v
}

// splitUser cuts a userid in its local part and its domain; the default domain
// counts as none.
func (ns *Namespace) splitUser(userid string) (local, domain string) {
	i := strings.LastIndexByte(userid, '@')
	if i < 0 {
		return userid, ""
	}
	if userid[i+1:] == ns.DefaultDomain {
		return userid[:i], ""
	}
	return userid[:i], userid[i+1:]
}

// parts are a name taken apart, with real dots in the components.
type parts struct {
	domain  string
	deleted string // hex time, "" when not deleted
	isUser  bool
	user    string
	boxes   []string
}

func (p *parts) name() Name {
	var b strings.Builder
	if p.domain != "" {
		b.WriteString(p.domain)
		b.WriteByte('!')
	}
	start := b.Len()
	add := func(s string) {
		if b.Len() > start {
			b.WriteByte('.')
		}
		b.WriteString(strings.ReplaceAll(s, ".", "^"))
	}
	if p.deleted != "" {
		add(DeletedPrefix)
	}
	if p.isUser {
		add("user")
		add(p.user)
	}
	for _, box := range p.boxes {
		add(box)
	}
	if p.deleted != "" {
		add(p.deleted)
	}
	return Name(b.String())
}

// Internal reads an external name as v spells it. It does not check whether
// the name may be created: see [Name.Check]. The error is ErrBad.
func (v *View) Internal(external string) (Name, error) {
	if external == "" || strings.IndexByte(external, 0) >= 0 || strings.IndexByte(external, '!') >= 0 {
		return "", ErrBad
	}
	p := parts{domain: v.domain}
	adminDomains := v.Virtual != VirtualOff && v.Admin
	if adminDomains {
		if i := strings.LastIndexByte(external, '@'); i >= 0 {
			p.domain = external[i+1:]
			if p.domain == v.DefaultDomain {
				p.domain = ""
			}
			external = external[:i]
		}
	} else if v.crossing() {
		p.domain = ""
	}
	boxes, err := v.components(external)
	if err != nil {
		return "", err
	}
	p.boxes = boxes
	if v.alt {
		v.fromAlt(&p)
	} else {
		v.fromStandard(&p)
	}
	if p.isUser && p.user == "" {
		if len(p.boxes) > 0 {
			return "", ErrBad
		}
		return "user", nil
	}
	n := p.name()
	if n == "" || strings.HasSuffix(string(n), "!") {
		return "", ErrBad
	}
	return n, nil
}

func (v *View) crossing() bool { return v.CrossDomains && !v.Admin }

// components cuts an external name at its separators and drops empty parts, so
// a trailing or doubled separator says nothing.
func (v *View) components(external string) ([]string, error) {
	raw := strings.Split(external, string(v.Sep()))
	boxes := raw[:0]
	for _, c := range raw {
		if c == "" {
			continue
		}
		if v.UnixSep {
			if strings.IndexByte(c, '^') >= 0 {
				return nil, ErrBad
			}
		} else {
			if strings.IndexByte(c, '/') >= 0 {
				return nil, ErrBad
			}
			c = strings.ReplaceAll(c, "^", ".")
		}
		boxes = append(boxes, c)
	}
	if len(boxes) == 0 {
		return nil, ErrBad
	}
	return boxes, nil
}

func (v *View) own(p *parts) {
	p.isUser, p.user = true, v.local
	if v.crossing() {
		p.domain = v.domain
	}
}

// other takes a user's name off the front of p, with its domain when domains
// are crossed.
func (v *View) other(p *parts) {
	p.isUser = true
	if len(p.boxes) == 0 {
		return
	}
	p.user, p.boxes = p.boxes[0], p.boxes[1:]
	if v.crossing() {
		p.user, p.domain = v.crossDomain(p.user)
	}
}

func (v *View) crossDomain(s string) (local, domain string) {
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		if s[i+1:] == v.DefaultDomain {
			return s[:i], ""
		}
		return s[:i], s[i+1:]
	}
	if v.OnlyOther {
		return s, v.domain
	}
	return s, ""
}

func (v *View) fromAlt(p *parts) {
	switch top := p.boxes[0]; {
	case top == v.AltPrefix:
		p.boxes = p.boxes[1:]
		v.own(p)
	case top == v.UserPrefix:
		p.boxes = p.boxes[1:]
		v.other(p)
	case top == v.SharedPrefix:
		p.boxes = p.boxes[1:]
		if v.crossing() && len(p.boxes) > 0 {
			p.boxes[0], p.domain = v.crossDomain(p.boxes[0])
		}
	case strings.EqualFold(top, "INBOX"):
		if len(p.boxes) == 1 {
			p.boxes = nil
		} else {
			p.boxes[0] = "INBOX"
		}
		v.own(p)
	default:
		v.own(p)
	}
}

func (v *View) fromStandard(p *parts) {
	if strings.EqualFold(p.boxes[0], "INBOX") {
		p.boxes = p.boxes[1:]
		v.own(p)
		return
	}
	if v.Admin && p.boxes[0] == DeletedPrefix && len(p.boxes) > 2 {
		last := len(p.boxes) - 1
		p.deleted, p.boxes = p.boxes[last], p.boxes[1:last]
	}
	if p.boxes[0] == "user" {
		p.boxes = p.boxes[1:]
		v.other(p)
		return
	}
	if v.crossing() {
		p.domain = v.domain
	}
}

// External spells n as v sees it, false when v has no way to say it (a deleted
// mailbox in the alternative namespace, another domain's).
func (v *View) External(n Name) (string, bool) {
	dom, rest := n.split()
	if dom == v.DefaultDomain {
		dom = ""
	}
	deleted := false
	if _, ok := undelete(rest); ok {
		if !v.Admin {
			return "", false
		}
		deleted = true
	}
	adminDomains := v.Virtual != VirtualOff && v.Admin
	if !deleted && v.isOwn(dom, rest) {
		return v.qualify(v.ownName(rest), dom), true
	}
	if !adminDomains && !v.crossing() && dom != v.domain {
		return "", false
	}
	var b strings.Builder
	user := strings.HasPrefix(rest, "user.") && len(rest) > 5
	if v.alt {
		switch {
		case user:
			b.WriteString(v.UserPrefix)
			rest = rest[len("user"):]
		case rest == "user":
			return v.UserPrefix, true
		default:
			b.WriteString(v.SharedPrefix)
			rest = "." + rest
		}
	} else if !user && !v.Admin {
		if top, _, _ := strings.Cut(rest, "."); strings.EqualFold(top, "INBOX") {
			return "", false
		}
	}
	if v.crossing() && (user || v.alt) && !(v.OnlyOther && dom == v.domain) {
		rest = withDomain(rest, user && !v.alt, cmp.Or(dom, v.DefaultDomain))
		dom = ""
	}
	v.spell(&b, rest)
	return v.qualify(b.String(), dom), true
}

// qualify puts the domain behind a name that an administrator of virtual
// domains sees, the administrator's own, too.
func (v *View) qualify(name, dom string) string {
	if v.Virtual == VirtualOff || !v.Admin {
		return name
	}
	if dom == "" && (v.domain != "" || strings.IndexByte(name, '@') >= 0) {
		dom = v.DefaultDomain // else it would be read as a name of another domain
	}
	if dom == "" {
		return name
	}
	return name + "@" + dom
}

// withDomain puts "@domain" behind the first component of ".bob.x", or behind
// the second of "user.bob.x".
func withDomain(rest string, skipUser bool, domain string) string {
	skip := 1
	if skipUser {
		skip = len("user.")
	}
	domain = "@" + strings.ReplaceAll(domain, ".", "^")
	if i := strings.IndexByte(rest[skip:], '.'); i >= 0 {
		return rest[:skip+i] + domain + rest[skip+i:]
	}
	return rest + domain
}

// isOwn reports whether the name is the viewer's.
func (v *View) isOwn(dom, rest string) bool {
	if v.local == "" || dom != v.domain || !strings.HasPrefix(rest, "user.") {
		return false
	}
	user, _, _ := strings.Cut(rest[5:], ".")
	return len(user) == len(v.local) && strings.ReplaceAll(user, "^", ".") == v.local
}

// ownName spells the viewer's own mailbox.
func (v *View) ownName(rest string) string {
	_, below, ok := strings.Cut(rest[5:], ".")
	if !ok {
		return "INBOX"
	}
	var b strings.Builder
	if !v.alt {
		b.WriteString("INBOX")
		b.WriteByte(v.Sep())
		v.spell(&b, below)
		return b.String()
	}
	top, _, deeper := strings.Cut(below, ".")
	top = strings.ReplaceAll(top, "^", ".")
	switch {
	case top == "INBOX" && deeper:
	case strings.EqualFold(top, "INBOX"), top == v.UserPrefix, top == v.SharedPrefix, top == v.AltPrefix:
		b.WriteString(v.AltPrefix)
		b.WriteByte(v.Sep())
	}
	v.spell(&b, below)
	return b.String()
}

// spell writes an internal name, or a part of one, with v's separator.
func (v *View) spell(b *strings.Builder, internal string) {
	if !v.UnixSep {
		b.WriteString(internal)
		return
	}
	b.Grow(len(internal))
	for i := 0; i < len(internal); i++ {
		switch c := internal[i]; c {
		case '.':
			b.WriteByte('/')
		case '^':
			b.WriteByte('.')
		default:
			b.WriteByte(c)
		}
	}
}
