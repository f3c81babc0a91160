package imapserver

import (
	"context"
	"fmt"
	"strings"

	"gocyrus/lib/acl"
	"gocyrus/lib/glob"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/mboxname"
)

// listKind is which command lists.
type listKind string

const (
	plainList listKind = "LIST"
	lsubList  listKind = "LSUB"
	xList     listKind = "XLIST"
)

// listing is one LIST under way: names come in, subtrees together and parents
// first, and lines go out. A line waits for the next name, which tells whether
// it has children.
type listing struct {
	s    *session
	ctx  context.Context
	kind listKind
	args *imapwire.List
	meta *metadataQuery // what RETURN (METADATA ...) asks for
	pats glob.Set
	sep  byte

	subs map[mboxname.Name]bool   // subscriptions, where they are asked for
	uses map[mboxname.Name]string // special uses, where they are told

	pending []listed // lines that wait for what other servers know

	wait    listed
	waiting bool
	path    []string // names, that there are and that there are not, above and up to the last one
	calls   int      // names looked at, for the completion text
}

// listed is one line of the answer.
type listed struct {
	ext        string
	name       mboxname.Name // "" for one that does not exist
	rights     acl.Rights
	attrs      attrs
	subscribed bool   // CHILDINFO
	server     string // that has the mailbox, when it is another one
}

// attrs is the set of attributes of a name (RFC 9051 section 7.3.1), by bits in
// the order in which Cyrus prints them.
type attrs uint8

const (
	attrNoInferiors attrs = 1 << iota
	attrNoSelect
	attrNonExistent
	attrSubscribed
	attrRemote
	attrChildren
	attrNoChildren
)

var attrNames = []string{
	`\Noinferiors`, `\Noselect`, `\NonExistent`, `\Subscribed`, `\Remote`, `\HasChildren`, `\HasNoChildren`,
}

func (s *session) list(p *imapwire.Parser) error {
	args, err := p.List(imapwire.ListRules{Deleted: s.srv.opts.Deleted, Status: s.statusRules(), Metadata: s.srv.offers("METADATA")})
	if err != nil {
		return err
	}
	if args.Select&imapwire.SelectRemote != 0 {
		s.referrals = true
	}
	meta := &metadataQuery{entries: args.Metadata, maxSize: -1}
	if err := meta.fold(); err != nil {
		return err
	}
	return s.runList(plainList, args, meta)
}

// oldList is LSUB, XLIST and the R- forms, which know one pattern and no
// options.
func (s *session) oldList(kind listKind, sel imapwire.ListSelect) error {
	args := &imapwire.List{Select: sel, Patterns: []string{""}}
	var err error
	if args.Reference, err = s.p.SPAString(); err != nil {
		return err
	}
	if args.Patterns[0], err = s.p.SPAString(); err != nil {
		return err
	}
	if err := s.p.EOL(); err != nil {
		return err
	}
	return s.runList(kind, args, nil)
}

func (s *session) lsub(*imapwire.Parser) error  { return s.oldList(lsubList, imapwire.SelectSubscribed) }
func (s *session) xlist(*imapwire.Parser) error { return s.oldList(xList, 0) }

func (s *session) rlist(*imapwire.Parser) error {
	s.referrals = true // from here on (RFC 2193 section 4)
	return s.oldList(plainList, 0)
}

func (s *session) rlsub(p *imapwire.Parser) error {
	s.referrals = true
	return s.lsub(p)
}

func (s *session) runList(kind listKind, args *imapwire.List, meta *metadataQuery) error {
	l := &listing{s: s, ctx: s.ctx, kind: kind, args: args, meta: meta, sep: s.srv.opts.Namespace.Sep()}
	if len(args.Patterns) == 1 && args.Patterns[0] == "" && kind != lsubList {
		l.separator()
	} else if err := l.run(); err != nil {
		return err
	} else if err := l.finish(); err != nil {
		return err
	}
	if l.calls > 0 {
		s.text = fmt.Sprintf("Completed (%.3f secs %d calls)", s.elapsed(), l.calls)
	} else {
		s.text = fmt.Sprintf("Completed (%.3f secs)", s.elapsed())
	}
	return nil
}

// separator answers LIST "" "", the question for the hierarchy separator. The
// extended forms have no such question: an empty pattern matches nothing.
func (l *listing) separator() {
	if l.args.Extended {
		return
	}
	l.s.untagged(string(l.kind), ` (\Noselect) "`, string(l.sep), `" ""`)
}

func (l *listing) run() error {
	patterns := make([]string, len(l.args.Patterns))
	for i, p := range l.args.Patterns {
		patterns[i] = l.pattern(p)
	}
	l.pats = glob.CompileSet(patterns, l.sep)
	if err := l.load(); err != nil {
		return err
	}
	var err error
	if l.args.Select&imapwire.SelectSubscribed != 0 {
		err = l.subscriptions()
	} else {
		err = l.scan()
	}
	if err != nil {
		return err
	}
	return l.flush()
}

// pattern joins reference and pattern as they are, with one separator where both bring one.
func (l *listing) pattern(p string) string {
	ref := l.args.Reference
	if l.s.enabled&rev2 != 0 {
		ref, p = encodePattern(ref), encodePattern(p)
	}
	if ref != "" && ref[len(ref)-1] == l.sep && p != "" && p[0] == l.sep {
		p = p[1:]
	}
	return ref + p
}

// load reads what lines of the answer will need: subscriptions, special uses.
func (l *listing) load() (err error) {
	if l.args.Return&imapwire.ReturnSubscribed != 0 && l.args.Select&imapwire.SelectSubscribed == 0 {
		names, err := l.s.subscribed()
		if err != nil {
			return err
		}
		l.subs = make(map[mboxname.Name]bool, len(names))
		for _, n := range names {
			l.subs[n] = true
		}
	}
	// The site decides whether those hear of special uses who do not ask.
	asked := l.kind == xList || l.args.Return&imapwire.ReturnSpecialUse != 0 || l.s.srv.opts.UseAlways
	if asked && !l.s.admin && !l.s.srv.frontend() {
		l.uses, err = l.s.srv.ops.SpecialUses(l.ctx, l.s.user)
	}
	return err
}

// see takes the next name that there is and that the user may see. tree is
// false when names below it will not be shown to see, so that it must be asked
// whether there are any.
func (l *listing) see(n listed) error {
	l.calls++
	if l.waiting && l.below(n.ext, l.wait.ext) {
		l.wait.attrs |= attrChildren
	}
	if err := l.flush(); err != nil {
		return err
	}
	matched := l.pats.Match(n.ext)
	if err := l.above(n.ext, matched); err != nil {
		return err
	}
	l.path = append(l.path, n.ext)
	if matched {
		l.wait, l.waiting = n, true
	}
	return nil
}

// below says whether name lies below top.
func (l *listing) below(name, top string) bool {
	return len(name) > len(top) && name[len(top)] == l.sep && name[:len(top)] == top
}

// above lists the parents of a name that do not exist, where a pattern matches
// them and not the name: "%" shows that there is something below.
func (l *listing) above(name string, matched bool) error {
	for len(l.path) > 0 && !l.below(name, l.path[len(l.path)-1]) {
		l.path = l.path[:len(l.path)-1]
	}
	from := 0
	if len(l.path) > 0 {
		from = len(l.path[len(l.path)-1]) + 1
	}
	for {
		i := strings.IndexByte(name[from:], l.sep)
		if i < 0 {
			return nil
		}
		parent := name[:from+i]
		from += i + 1
		l.path = append(l.path, parent)
		if !l.matchesOnly(parent, name) {
			continue
		}
		if err := l.line(&listed{ext: parent, attrs: l.absent() | attrChildren}); err != nil {
			return err
		}
	}
}

// matchesOnly says whether a pattern matches the parent that does not match the
// name below it.
func (l *listing) matchesOnly(parent, name string) bool {
	for _, p := range l.pats {
		if p.Match(parent) && !p.Match(name) {
			return true
		}
	}
	return false
}

// absent is the attribute of a name without a mailbox: clients that do not
// speak RFC 5258 know only \Noselect.
func (l *listing) absent() attrs {
	if l.args.Extended {
		return attrNonExistent
	}
	return attrNoSelect
}

// flush writes the line that waits.
func (l *listing) flush() error {
	if !l.waiting {
		return nil
	}
	l.waiting = false
	n := &l.wait
	if n.attrs&attrChildren == 0 && l.kind != lsubList {
		n.attrs |= attrNoChildren
	}
	return l.line(n)
}
