package murder

import (
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/cyrustest"
)

// TestMixed runs a Murder with seats of both kinds under each kind of master: a user
// on every backend, seen through every frontend.
func TestMixed(t *testing.T) {
	for _, master := range []Kind{Ours, Real} {
		t.Run(master.String()+" master", func(t *testing.T) {
			m := New(t, Options{Master: master, Backends: []Kind{Ours, Real}, Frontends: []Kind{Ours, Real}})
			m.AddUser("alice", m.Backends[0])
			m.AddUser("bob", m.Backends[1])
			m.Settled()
			want := []string{
				`MAILBOX user.alice be1!default "alice\tlrswipkxtecdan\t"`,
				`MAILBOX user.bob be2!default "bob\tlrswipkxtecdan\t"`,
			}
			for _, s := range []*Seat{m.Master, m.Frontends[0], m.Frontends[1]} {
				if got := s.Table(); !slices.Equal(got, want) {
					t.Errorf("%v has\n%s", s, strings.Join(got, "\n"))
				}
			}
			for _, fe := range m.Frontends {
				for i, answer := range fe.Deliver(cyrustest.Message("by "+fe.Name), "alice", "nobody", "bob") {
					if want := []string{"250", "550", "250"}[i]; !strings.HasPrefix(answer, want) {
						t.Errorf("%v: recipient %d: %s", fe, i, answer)
					}
				}
				for _, user := range []string{"alice", "bob"} {
					fe.Session(user).Must("SELECT INBOX", "FETCH 1:* (FLAGS BODY.PEEK[])")
					if got := fe.POP3(user, "STAT"); !strings.HasPrefix(got[0], "+OK ") {
						t.Errorf("%v: STAT: %s", fe, got)
					}
				}
			}
		})
	}
}
