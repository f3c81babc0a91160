package failover

import (
	"fmt"
	"strings"
	"testing"

	"gocyrus/lib/cyrustest"
	"gocyrus/test/internal/murder"
)

// moments are when something dies: at a word to the master, which does not arrive, or
// arrives late, or whose answer does not.
var moments = []string{"lost", "late", "answered"}

// A word is one that a backend says to the master in the middle of what it does for a
// client, and when something happens to it.
type word struct {
	do, word, how string
	from, to      string // the mailbox before and after, "" for none
}

func (w word) String() string { return fmt.Sprintf("%s, at %s (%s)", w.do, w.word, w.how) }

// words are all, at each of the moments.
func words(moments ...string) (all []word) {
	for _, tc := range []struct {
		do       string
		words    []string
		from, to string
	}{
		{"CREATE INBOX.To%d", []string{"RESERVE", "ACTIVATE"}, "", "INBOX.To%d"},
		{"RENAME INBOX.From%d INBOX.To%d", []string{"RESERVE", "ACTIVATE", "DELETE"}, "INBOX.From%d", "INBOX.To%d"},
		{"DELETE INBOX.From%d", []string{"RESERVE", "ACTIVATE", "DELETE"}, "INBOX.From%d", ""},
		{"SETACL INBOX.From%d zoe lr", []string{"ACTIVATE"}, "INBOX.From%d", "INBOX.From%d"},
	} {
		for _, what := range tc.words {
			for _, how := range moments {
				all = append(all, word{tc.do, what, how, tc.from, tc.to})
			}
		}
	}
	return all
}

// number gives its mailboxes a name that no other has.
func (w word) number(n int) word {
	for _, s := range []*string{&w.do, &w.from, &w.to} {
		*s = strings.ReplaceAll(*s, "%d", fmt.Sprint(n))
	}
	return w
}

// prepare makes a user's mailbox that is there before, with a message.
func (w word) prepare(fe *murder.Seat, user string) *murder.Session {
	c := fe.Session(user)
	if w.from != "" {
		c.Must("CREATE "+w.from, "APPEND "+w.from+" "+literal(string(cyrustest.Message(w.from))))
	}
	return c
}

// after wants one of the two mailboxes, or the only one of them, perhaps; with what was
// in the first.
func (w word) after(t *testing.T, fe *murder.Seat, user string) {
	t.Helper()
	c := fe.Session(user)
	there := listed(c.Ask(`LIST "" *`))
	was, is := there[w.from], there[w.to]
	switch {
	case w.from != "" && w.to != "" && w.from != w.to && was == is:
		t.Errorf("%v: %s is there: %v, %s: %v", w, w.from, was, w.to, is)
	case w.from != "" && w.from == w.to && !is:
		t.Errorf("%v: %s is lost", w, w.from)
	case w.from != "" && was:
		has(t, fe, user, w.from, w.from)
	case w.from != "" && is:
		has(t, fe, user, w.to, w.from)
	}
	if w.from == "" && !is {
		c.Must("CREATE " + w.to) // the name is free
	}
}

// done wants what the client was told that it has been done.
func (w word) done(t *testing.T, fe *murder.Seat, user string) {
	t.Helper()
	there := listed(fe.Session(user).Ask(`LIST "" *`))
	if w.to != "" && !there[w.to] || w.from != "" && w.from != w.to && there[w.from] {
		t.Errorf("%v: acknowledged, and there is %v", w, there)
	}
	w.after(t, fe, user)
}
