package replication

import (
	"crypto/sha1"
	"fmt"
	"slices"
	"strings"

	"gocyrus/lib/cyrustest"
	"gocyrus/test/internal/rig"
)

// ok sends a command that has to succeed.
func ok(c *rig.IMAP, command string) (*rig.Reply, error) {
	r, err := c.Do(command)
	if err == nil && !r.OK() {
		err = fmt.Errorf("%s %s", r.Status, r.Text)
	}
	if err != nil {
		return nil, fmt.Errorf("%.200s: %w", command, err)
	}
	return r, nil
}

// bye ends a session and waits until the server has ended it too: what it wrote
// to the sync log is there then.
func bye(c *rig.IMAP) error {
	_, err := c.Do("LOGOUT")
	for err == nil {
		_, err = c.R.ReadByte()
	}
	return c.Close()
}

// admin enters what the administrator sees, and returns the names of all
// mailboxes.
func (s state) admin(on *site) ([]string, error) {
	c, err := rig.Login(on.IMAP, cyrustest.Admin)
	if err != nil {
		return nil, err
	}
	defer bye(c)
	var names []string
	for _, pattern := range []string{"*", "DELETED/*"} {
		all, err := s.list(c, "admin", "LIST", pattern)
		if err != nil {
			return nil, err
		}
		names = append(names, all...)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	for _, name := range names {
		if err := s.managed(c, name); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// managed enters the rights, quota and metadata of a mailbox.
func (s state) managed(c *rig.IMAP, name string) error {
	q := quote(name)
	for _, cmd := range []string{"GETACL " + q, "GETQUOTAROOT " + q, "GETMETADATA (DEPTH infinity) " + q + " (/shared)"} {
		r, err := ok(c, cmd)
		if err != nil {
			return err
		}
		for _, u := range r.Untagged {
			word, rest, _ := strings.Cut(u.Text, " ")
			if word == "METADATA" {
				s.metadata("admin", name, u)
				continue
			}
			s.put(resources.Replace(rest), "admin %s %s", name, word)
		}
	}
	return nil
}

// resources gives resources that have two names the one of Cyrus 3.6.
var resources = strings.NewReplacer("X-ANNOTATION-STORAGE", "X-ANNOTATION-STORAGE", "ANNOTATION-STORAGE", "X-ANNOTATION-STORAGE",
	"(MAILBOX ", "(X-NUM-FOLDERS ", " MAILBOX ", " X-NUM-FOLDERS ")

// metadata enters each entry of a METADATA response by itself: servers send
// them in any order, in one response or several.
func (s state) metadata(who, name string, u rig.Untagged) {
	_, rest, _ := strings.Cut(u.Text, " (")
	toks := tokens(strings.TrimSuffix(rest, ")"), u.Literals)
	for pair := range slices.Chunk(toks, 2) {
		if len(pair) == 2 {
			s.put(pair[1], "%s %s metadata %s", who, name, pair[0])
		}
	}
}

// list enters the attributes of each mailbox that a LIST or LSUB tells, and
// returns the names.
func (s state) list(c *rig.IMAP, who, word, pattern string) ([]string, error) {
	r, err := ok(c, word+` "" `+quote(pattern))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, u := range r.Untagged {
		rest, is := strings.CutPrefix(u.Text, word+" ")
		toks := tokens(rest, u.Literals)
		if !is || len(toks) < 3 {
			continue
		}
		s.put(sorted(toks[0]), "%s %s %s", who, word, toks[2])
		names = append(names, toks[2])
	}
	return names, nil
}

// user enters what a user sees: of their own mailboxes all, of those of others
// the flags, which tell what they have read.
func (s state) user(on *site, user string) error {
	c, err := rig.Login(on.IMAP, user)
	if err != nil {
		return err
	}
	defer bye(c)
	if _, err := s.list(c, "imap "+user, "LSUB", "*"); err != nil {
		return err
	}
	names, err := s.list(c, "imap "+user, "LIST", "*")
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.Contains(s["imap "+user+" LIST "+name], `\Non`) || strings.Contains(s["imap "+user+" LIST "+name], `\Noselect`) {
			continue
		}
		if err := s.selected(c, user, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// selected enters a mailbox and its messages, or that the user may not read it.
func (s state) selected(c *rig.IMAP, user, name string) error {
	who := "imap " + user + " " + name
	r, err := c.Do("STATUS " + quote(name) + " (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ)")
	if err != nil {
		return err
	}
	if !r.OK() {
		s.put(r.Status+" "+r.Text, "%s STATUS", who)
		return nil
	}
	for _, u := range r.Untagged {
		if at := strings.LastIndexByte(u.Text, '('); strings.HasPrefix(u.Text, "STATUS ") && at > 0 {
			for pair := range slices.Chunk(strings.Fields(strings.TrimSuffix(u.Text[at+1:], ")")), 2) {
				s.put(pair[len(pair)-1], "%s %s", who, pair[0])
			}
		}
	}
	r, err = ok(c, "GETMETADATA (DEPTH infinity) "+quote(name)+" (/private)")
	if err != nil {
		return err
	}
	for _, u := range r.Untagged {
		s.metadata("imap "+user, name, u)
	}
	// The keywords that EXAMINE tells are not compared: those that a message had
	// between two runs are known to the master alone.
	if _, err = ok(c, "EXAMINE "+quote(name)); err != nil {
		return err
	}
	if s[who+" MESSAGES"] == "0" {
		return nil
	}
	return s.messages(c, who, !strings.HasPrefix(name, "user/"))
}

// messages enters the messages of the mailbox that is selected, with all of
// their text or with their flags alone.
func (s state) messages(c *rig.IMAP, who string, whole bool) error {
	items := "UID FLAGS MODSEQ"
	if whole {
		items += " INTERNALDATE RFC822.SIZE BODY.PEEK[]"
	}
	r, err := ok(c, "FETCH 1:* ("+items+")")
	if err != nil {
		return err
	}
	for _, u := range r.Untagged {
		_, rest, is := strings.Cut(u.Text, " FETCH (")
		if !is {
			continue
		}
		data := pairs(tokens(strings.TrimSuffix(rest, ")"), u.Literals))
		if body, is := data["BODY[]"]; is {
			data["BODY[]"] = fmt.Sprintf("%x", sha1.Sum([]byte(body)))
		}
		data["FLAGS"] = sorted(data["FLAGS"])
		for name, v := range data {
			if name != "UID" {
				s.put(v, "%s %s %s", who, data["UID"], name)
			}
		}
	}
	return nil
}

// sorted is a list of flags in one order: that of keywords is a mailbox's own,
// by when it met them first.
func sorted(list string) string {
	all := strings.Fields(strings.Trim(list, "()"))
	slices.Sort(all)
	return strings.Join(all, " ")
}

// pairs makes a map of names and values in turn.
func pairs(toks []string) map[string]string {
	m := map[string]string{}
	for p := range slices.Chunk(toks, 2) {
		m[p[0]] = p[len(p)-1]
	}
	return m
}

// tokens divides a reply at the blanks outside of strings and parentheses, and
// puts the texts of strings in their places; a list stays as it is.
func tokens(text string, literals [][]byte) []string {
	var all []string
	for text = strings.TrimLeft(text, " "); text != ""; text = strings.TrimLeft(text, " ") {
		var tok string
		switch text[0] {
		case '"':
			tok, text = quoted(text)
		case '{', '~':
			_, text, _ = strings.Cut(text, "}")
			if len(literals) > 0 {
				tok, literals = string(literals[0]), literals[1:]
			}
		case '(':
			n := closing(text)
			tok, text = text[:n], text[n:]
		default:
			n := strings.IndexByte(text, ' ')
			if n < 0 {
				n = len(text)
			}
			tok, text = text[:n], text[n:]
		}
		all = append(all, tok)
	}
	return all
}

// quoted takes a quoted string from the start of text.
func quoted(text string) (value, rest string) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '"':
			return b.String(), text[i+1:]
		case '\\':
			if i++; i == len(text) {
				return b.String(), ""
			}
		}
		b.WriteByte(text[i])
	}
	return b.String(), ""
}

// closing is where the list at the start of text ends.
func closing(text string) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		case '"':
			_, rest := quoted(text[i:])
			i = len(text) - len(rest) - 1
		}
	}
	return len(text)
}
