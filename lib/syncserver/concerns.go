package syncserver

import (
	"strings"

	"gocyrus/lib/csync"
	"gocyrus/lib/dlist"
	"gocyrus/lib/mboxname"
)

// What a command's value names, by which its users are found.
type subject int

const (
	aUser     subject = iota // the value is a userid
	aName                    // the value is a mailbox or a quota root
	someNames                // a list of mailboxes
	inKeys                   // a keyed list
	nobody                   // done when it was read
)

// subjects are those of commands that concern single users. All others concern
// everybody.
var subjects = map[string]subject{
	"GET USER":        aUser,
	"GET META":        aUser,
	"GET MAILBOXES":   someNames,
	"GET FULLMAILBOX": aName,
	"GET QUOTA":       aName,
	"GET FETCH":       inKeys,
	"GET FETCH_SIEVE": inKeys,

	"APPLY MESSAGE":          nobody,
	"APPLY RESERVE":          inKeys,
	"APPLY MAILBOX":          inKeys,
	"APPLY RENAME":           inKeys,
	"APPLY EXPUNGE":          inKeys,
	"APPLY UNMAILBOX":        aName,
	"APPLY QUOTA":            inKeys,
	"APPLY UNQUOTA":          aName,
	"APPLY SUB":              inKeys,
	"APPLY UNSUB":            inKeys,
	"APPLY SEEN":             inKeys,
	"APPLY SIEVE":            inKeys,
	"APPLY UNSIEVE":          inKeys,
	"APPLY ACTIVATE_SIEVE":   inKeys,
	"APPLY UNACTIVATE_SIEVE": inKeys,
	"APPLY UNUSER":           aUser,
}

// concerns are the users whose mailboxes or other state a command is about; "" are
// the shared mailboxes. everybody says that it cannot be told.
func concerns(cmd *csync.Command) (users []string, everybody bool) {
	name := cmd.Name
	if bare, ok := strings.CutPrefix(name, local); ok && locals[bare] {
		name = bare
	}
	what, ok := subjects[cmd.Verb+" "+name]
	if !ok {
		return nil, true
	}
	switch what {
	case nobody:
		return nil, false
	case aUser, aName:
		t, err := csync.ParseText(cmd.Value)
		if err != nil {
			return nil, true
		}
		if what == aName {
			t = mboxname.Name(t).Owner()
		}
		return []string{t}, false
	case someNames:
		list, err := csync.ParseList(cmd.Value)
		return ownersOf(list), err != nil
	}
	users, err := inValue(cmd.Value, name == "MAILBOX")
	return users, err != nil || len(users) == 0
}

func ownersOf(names []string) []string {
	var users []string
	seen := map[string]bool{}
	for _, n := range names {
		if o := mboxname.Name(n).Owner(); !seen[o] {
			seen[o] = true
			users = append(users, o)
		}
	}
	return users
}

// inValue looks through the keys of a value; one is enough where there is but one,
// before a list of records.
func inValue(value []byte, one bool) (users []string, err error) {
	s := dlist.Scan(value)
	keyed, err := s.Open()
	if err != nil || !keyed {
		return nil, dlist.ErrSyntax
	}
	for !s.Close() {
		key, err := s.Text()
		if err != nil {
			return nil, err
		}
		switch string(key) {
		case "USERID":
			t, err := s.Text()
			if err != nil {
				return nil, err
			}
			users = append(users, string(t))
		case "MBOXNAME", "OLDMBOXNAME", "NEWMBOXNAME", "ROOT":
			list, err := texts(&s)
			if err != nil {
				return nil, err
			}
			users = append(users, ownersOf(list)...)
			if one {
				return users, nil
			}
		default:
			if err := s.Skip(); err != nil {
				return nil, err
			}
		}
	}
	return users, nil
}

// texts reads a text or a list of them.
func texts(s *dlist.Scanner) ([]string, error) {
	if k, err := s.Kind(); err != nil {
		return nil, err
	} else if k != dlist.List {
		t, err := s.Text()
		return []string{string(t)}, err
	}
	if _, err := s.Open(); err != nil {
		return nil, err
	}
	var list []string
	for !s.Close() {
		t, err := s.Text()
		if err != nil {
			return nil, err
		}
		list = append(list, string(t))
	}
	return list, nil
}
