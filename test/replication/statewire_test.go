package replication

import (
	"fmt"
	"slices"
	"strings"
)

// wire enters what the replication protocol tells: every mailbox with all its
// records, and the state of each user.
func (s state) wire(on *site, users, shared []string) error {
	p, err := dialPeer(on.sync)
	if err != nil {
		return err
	}
	defer p.close()
	for _, u := range users {
		items, err := p.do("GET USER " + quote(u))
		if err != nil {
			return err
		}
		for _, n := range items {
			if err := s.item(p, u, n); err != nil {
				return err
			}
		}
	}
	for _, name := range shared {
		items, err := p.do("GET MAILBOXES (" + quote(internal(name)) + ")")
		if err != nil {
			return err
		}
		for _, n := range items {
			if err := s.item(p, "", n); err != nil {
				return err
			}
		}
	}
	items, err := p.do(`GET ANNOTATION ""`)
	for _, n := range items {
		s.put(n.str("VALUE"), "sync server annotation %s of %q", n.str("ENTRY"), n.str("USERID"))
	}
	return err
}

// internal is the internal name of a shared mailbox that the administrator
// sees.
func internal(name string) string {
	return strings.NewReplacer(".", "^", "/", ".").Replace(name)
}

// item enters one answer.
func (s state) item(p *peer, user string, n *node) error {
	switch n.key {
	case "MAILBOX":
		return s.mailbox(p, n)
	case "QUOTA":
		s.quota(n)
	case "SEEN":
		s.put(n.String(), "sync seen of %s %s", user, n.str("UNIQUEID"))
	case "LSUB":
		for _, m := range n.list {
			s.put("yes", "sync sub of %s %s", user, m.text)
		}
	case "SIEVE":
		s.put(n.String(), "sync sieve of %s %s", user, n.str("FILENAME"))
	default:
		return fmt.Errorf("answer %s", n.key)
	}
	return nil
}

// quotaNames are the two names of a resource; 3.10 sends both.
var quotaNames = map[string]string{"ANNOTATION-STORAGE": "X-ANNOTATION-STORAGE", "MAILBOX": "X-NUM-FOLDERS"}

func (s state) quota(n *node) {
	limits := map[string]string{}
	for _, v := range n.list {
		name := v.key
		if other, ok := quotaNames[name]; ok {
			name = other
		}
		limits[name] = v.text
	}
	root := limits["ROOT"]
	delete(limits, "ROOT")
	for name, v := range limits {
		s["sync quota "+root+" "+name] = v
	}
}

// mailbox enters the fields of a mailbox and its records.
func (s state) mailbox(p *peer, n *node) error {
	name := n.str("MBOXNAME")
	s.fields(n, "sync "+name)
	if strings.Contains(n.str("MBOXTYPE"), "i") {
		return nil // has no records
	}
	full, err := p.do("GET FULLMAILBOX " + quote(name))
	if err != nil {
		return err
	}
	for _, f := range full {
		for _, v := range f.list {
			if v.key != "RECORD" && n.get(v.key) == nil {
				s.put(v.String(), "sync %s %s of FULLMAILBOX", name, v.key)
			}
		}
		records := f.get("RECORD")
		if records == nil {
			return fmt.Errorf("FULLMAILBOX %s has no RECORD", name)
		}
		for _, r := range records.list {
			s.fields(r, "sync "+name+" record "+r.str("UID"))
		}
	}
	return nil
}

// fields enters each value of pairs.
func (s state) fields(n *node, object string) {
	for _, v := range n.list {
		if v.key == "FLAGS" {
			slices.SortFunc(v.list, func(a, b *node) int { return strings.Compare(a.text, b.text) })
		}
		s.put(v.String(), "%s %s", object, v.key)
	}
}
