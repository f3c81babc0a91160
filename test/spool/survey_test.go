package spool_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A survey is all that a server says of its mailboxes over IMAP, in the form of
// the truth files: see the README beside them.
type survey struct {
	t     testing.TB
	admin *client
	users map[string]*client
	names []string // of users, in the order they are asked
}

// take asks a server everything, as the administrator and as each user.
func take(t testing.TB, addr string, users []string) map[string]any {
	t.Helper()
	s := &survey{t: t, admin: dial(t, addr, "cyrus"), users: map[string]*client{}, names: users}
	all := map[string]any{
		"server_annotations": s.metadata(s.admin, ""),
		"admin_list":         s.list(s.admin, `LIST "" "*"`),
	}
	perUser := map[string]any{}
	for _, u := range users {
		c := dial(t, addr, u)
		s.users[u] = c
		perUser[u] = map[string]any{
			"namespace": string(c.must(t, "NAMESPACE")[0]),
			"list":      s.list(c, `LIST "" "*" RETURN (SPECIAL-USE)`),
			"lsub":      s.list(c, `LSUB "" "*"`),
		}
	}
	all["users"] = perUser
	boxes := map[string]any{}
	for _, l := range all["admin_list"].([]any) {
		line := l.([]any)
		boxes[line[2].(string)] = s.mailbox(line[2].(string), line[1].(string))
		boxes[line[2].(string)].(map[string]any)["list_attributes"] = line[0]
	}
	all["mailboxes"] = boxes
	for _, c := range s.users {
		c.must(t, "LOGOUT")
	}
	s.admin.must(t, "LOGOUT")
	return all
}

// values parses what follows prefix, and reports it if that cannot be.
func (s *survey) values(line []byte, prefix string) ([]any, bool) {
	s.t.Helper()
	rest, ok := bytes.CutPrefix(line, []byte(prefix))
	if !ok {
		return nil, false
	}
	v, err := parseAll(rest)
	if err != nil {
		s.t.Fatalf("%q: %v", line, err)
	}
	return v, true
}

// list is the lines of LIST and LSUB. A mailbox named like a number is one.
func (s *survey) list(c *client, command string) []any {
	s.t.Helper()
	out := []any{}
	for _, l := range c.must(s.t, command) {
		for _, prefix := range []string{"* LIST ", "* LSUB "} {
			if v, ok := s.values(l, prefix); ok {
				out = append(out, plain(v))
			}
		}
	}
	return out
}

func (s *survey) metadata(c *client, box string) map[string]any {
	s.t.Helper()
	all := map[string]any{}
	lines, _ := c.ask(s.t, "GETMETADATA (DEPTH infinity) "+quote(box)+" (/shared /private)")
	for _, l := range lines {
		v, ok := s.values(l, "* METADATA ")
		if !ok || len(v) < 2 {
			continue
		}
		m, err := pairs(v[1].([]any))
		if err != nil {
			s.t.Fatal(err)
		}
		for name, value := range m {
			all[name] = plain(value)
		}
	}
	return all
}

func texts(lines [][]byte) []any {
	out := make([]any, len(lines))
	for i, l := range lines {
		out[i] = string(l)
	}
	return out
}

// mailbox is what there is to know of one mailbox, by the administrator's name.
func (s *survey) mailbox(name, sep string) map[string]any {
	s.t.Helper()
	e := map[string]any{}
	lines, _ := s.admin.ask(s.t, "GETACL "+quote(name))
	for _, l := range lines {
		if v, ok := s.values(l, "* ACL "); ok {
			m, err := pairs(v[1:])
			if err != nil {
				s.t.Fatal(err)
			}
			for id, rights := range m {
				m[id] = plain(rights)
			}
			e["acl"] = m
		}
	}
	lines, _ = s.admin.ask(s.t, "GETQUOTAROOT "+quote(name))
	e["quotaroot"] = texts(lines)
	e["annotations_admin"] = s.metadata(s.admin, name)
	owner := ownerOf(name, sep)
	views, names := map[string]any{}, map[string]any{}
	done := false
	for _, u := range s.names {
		ext := externalName(name, sep, owner, u)
		full := owner == u || owner == "" && u == "alice"
		view, err := s.view(s.users[u], ext, full)
		if err != nil {
			continue // the user may not
		}
		view["annotations"] = s.metadata(s.users[u], ext)
		views[u], names[u] = view, ext
		done = done || full
	}
	if !done {
		view, err := s.view(s.admin, name, true)
		var no *refused
		switch {
		case errors.As(err, &no):
			e["admin_open_error"] = no.reply
		case err != nil:
			s.t.Fatal(err)
		default:
			views["cyrus"] = view
		}
	}
	if len(views) > 0 {
		e["views"] = views
	}
	if len(names) > 0 {
		e["external_name"] = names
	}
	return e
}

// ownerOf is the userid whose mailbox the administrator's name is, "" for
// nobody's.
func ownerOf(name, sep string) string {
	local, domain, _ := strings.Cut(name, "@")
	parts := strings.Split(local, sep)
	if parts[0] != "user" || len(parts) < 2 {
		return ""
	}
	owner := parts[1]
	if sep == "." {
		owner = strings.ReplaceAll(owner, "^", ".")
	}
	if domain != "" {
		owner += "@" + domain
	}
	return owner
}

// externalName is the name that a user sees. Sites with "/" have the alternative
// name space here, sites with "." the standard one.
func externalName(name, sep, owner, user string) string {
	local, _, _ := strings.Cut(name, "@")
	parts := strings.Split(local, sep)
	switch {
	case sep == "." && owner == user:
		return strings.Join(append([]string{"INBOX"}, parts[2:]...), ".")
	case sep == ".":
		return name
	case owner == user && len(parts) == 2:
		return "INBOX"
	case owner == user:
		return strings.Join(parts[2:], "/")
	case owner != "":
		return "Other Users/" + strings.TrimPrefix(name, "user/")
	}
	return "Shared Folders/" + name
}

const statusItems = "(MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ MAILBOXID SIZE CREATEDMODSEQ)"

const fullItems = "(UID FLAGS INTERNALDATE RFC822.SIZE MODSEQ SAVEDATE CREATEDMODSEQ EMAILID THREADID DIGEST.SHA1 " +
	"ENVELOPE BODYSTRUCTURE BODY ANNOTATION (/* (value.priv value.shared)))"

// view is a mailbox as one user sees it: EXAMINE, STATUS and every message.
func (s *survey) view(c *client, box string, full bool) (map[string]any, error) {
	s.t.Helper()
	lines, _, err := c.do("EXAMINE " + quote(box) + " (CONDSTORE)")
	if err != nil {
		return nil, err
	}
	view := map[string]any{"select": texts(lines), "messages": []any{}}
	if lines, _, err = c.do("STATUS " + quote(box) + " " + statusItems); err != nil {
		return nil, err
	}
	v, ok := s.values(lines[0], "* STATUS ")
	if !ok || len(v) != 2 {
		return nil, fmt.Errorf("STATUS: %q", lines)
	}
	status, err := pairs(v[1].([]any))
	if err != nil {
		return nil, err
	}
	view["status"] = status
	for k := range status {
		status[k] = plain(status[k])
	}
	if status["MESSAGES"] != 0.0 {
		if view["messages"], err = s.messages(c, full); err != nil {
			return nil, err
		}
	}
	_, _, err = c.do("UNSELECT")
	return view, err
}

func (s *survey) messages(c *client, full bool) ([]any, error) {
	s.t.Helper()
	items := "(UID FLAGS MODSEQ)"
	if full {
		items = fullItems
	}
	answers, _, err := s.fetch(c, "FETCH 1:* "+items)
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, m := range answers {
		message := map[string]any{}
		for k, v := range m {
			message[k] = plain(v)
		}
		if full {
			if err := s.content(c, message); err != nil {
				return nil, err
			}
		}
		out = append(out, message)
	}
	return out, nil
}

var fetchLine = regexp.MustCompile(`^\* (\d+) FETCH `)

// fetch is the FETCH answers with a UID, in order, the message's number as _seq.
func (s *survey) fetch(c *client, command string) (answers []map[string]any, reply string, err error) {
	s.t.Helper()
	lines, reply, err := c.do(command)
	for _, l := range lines {
		m := fetchLine.FindSubmatch(l)
		if m == nil {
			continue
		}
		v, _, perr := parse(l[len(m[0]):])
		if perr != nil {
			s.t.Fatalf("%.200q: %v", l, perr)
		}
		answer, perr := pairs(v.([]any))
		if perr != nil {
			s.t.Fatal(perr)
		}
		if answer["UID"] != nil {
			seq, _, _ := parse(m[1])
			answer["_seq"] = seq
			answers = append(answers, answer)
		}
	}
	return answers, reply, err
}

// content adds digests of the message and of each part.
func (s *survey) content(c *client, message map[string]any) error {
	s.t.Helper()
	uid := int(message["UID"].(float64))
	answers, _, err := s.fetch(c, fmt.Sprintf("UID FETCH %d (BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[TEXT])", uid))
	if err != nil {
		return err
	}
	if len(answers) != 1 {
		return fmt.Errorf("message %d: %d answers", uid, len(answers))
	}
	raw := map[string]any{}
	for k, v := range answers[0] {
		if strings.HasPrefix(k, "BODY[") {
			b, _ := v.(octets)
			raw[k] = digest(b)
		}
	}
	message["_raw"] = raw
	parts := map[string]any{}
	for _, p := range partNumbers(message["BODYSTRUCTURE"].([]any), "") {
		parts[p] = s.part(c, uid, p)
	}
	message["_parts"] = parts
	return nil
}

func (s *survey) part(c *client, uid int, part string) map[string]any {
	s.t.Helper()
	out := map[string]any{}
	for key, item := range map[string]string{
		"body": "BODY.PEEK[%s]", "mime": "BODY.PEEK[%s.MIME]", "binsize": "BINARY.SIZE[%s]", "binary": "BINARY.PEEK[%s]",
	} {
		answers, reply, err := s.fetch(c, fmt.Sprintf("UID FETCH %d ("+item+")", uid, part))
		var no *refused
		if err != nil && !errors.As(err, &no) {
			s.t.Fatal(err)
		}
		if len(answers) == 0 {
			out[key] = map[string]any{"error": reply}
			continue
		}
		delete(answers[0], "UID")
		delete(answers[0], "_seq")
		out[key] = nil
		for _, v := range answers[0] {
			if b, ok := v.(octets); ok && key != "binsize" {
				out[key] = digest(b)
			} else {
				out[key] = plain(v)
			}
		}
	}
	return out
}

func digest(b []byte) map[string]any {
	sum := sha1.Sum(b)
	return map[string]any{"len": float64(len(b)), "sha1": hex.EncodeToString(sum[:])}
}

// partNumbers are the numbers of all parts that a body structure has.
func partNumbers(body []any, prefix string) []string {
	at := func(n int) string {
		if prefix == "" {
			return fmt.Sprint(n)
		}
		return fmt.Sprint(prefix, ".", n)
	}
	if len(body) == 0 {
		return nil
	}
	if _, multi := body[0].([]any); multi {
		var all []string
		for i, sub := range body {
			b, ok := sub.([]any)
			if !ok {
				break
			}
			all = append(all, partNumbers(b, at(i+1))...)
		}
		return all
	}
	if prefix == "" {
		prefix = "1"
	}
	all := []string{prefix}
	kind, _ := body[0].(string)
	if strings.EqualFold(kind, "MESSAGE") && len(body) > 8 {
		if inner, ok := body[8].([]any); ok && len(inner) > 0 {
			if _, multi := inner[0].([]any); !multi {
				prefix += ".1"
			}
			all = append(all, partNumbers(inner, prefix)...)
		}
	}
	return slices.Clip(all)
}
