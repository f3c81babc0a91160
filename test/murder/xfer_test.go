package murder

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/csync"
	"gocyrus/lib/cyrustest"
	"gocyrus/lib/saslclient"
	"gocyrus/test/internal/murder"
)

// peer is a session in which a server tells all that it has of a user, as one that
// moves mailboxes sees it.
func peer(t *testing.T, s *murder.Seat) *csync.Client {
	t.Helper()
	c, err := csync.Dial(t.Context(), csync.Options{
		Addr: s.Server.IMAP, IMAP: true, ConnectTimeout: 10 * time.Second, Timeout: cyrustest.Patience,
		Cred: saslclient.Credentials{AuthcID: murder.XferAdm, Password: cyrustest.Password},
	})
	if err != nil {
		t.Fatalf("%v: %v", s, err)
	}
	return c
}

// aside is what two servers may have differently: a quota root's own modseq.
var aside = regexp.MustCompile(`^(QUOTA .*) MODSEQ \d+`)

// stateOf is all that a server has of a user: each mailbox with every record, quota
// roots, subscriptions, seen state, one a line. It is empty where there is no user.
func stateOf(t *testing.T, s *murder.Seat, user string) []string {
	t.Helper()
	c := peer(t, s)
	defer c.Logout(context.WithoutCancel(t.Context()))
	a, err := c.Do(t.Context(), csync.NewGet("USER", csync.FromClient.Text(user)))
	if errors.Is(err, csync.ErrNonexistent) {
		return nil
	}
	if err != nil {
		t.Fatalf("%v: GET USER %s: %v", s, user, err)
	}
	var all []string
	for _, i := range a.Items {
		if i.Name != "MAILBOX" {
			all = append(all, aside.ReplaceAllString(i.Name+" "+string(i.Value), "$1"))
			continue
		}
		m, err := csync.ParseMailbox(i.Value)
		if err != nil {
			t.Fatalf("%v: %s: %v", s, i.Value, err)
		}
		all = append(all, boxOf(t, s, c, string(m.Name))...)
	}
	slices.Sort(all)
	return all
}

// boxOf is a mailbox with its records.
func boxOf(t *testing.T, s *murder.Seat, c *csync.Client, name string) []string {
	t.Helper()
	a, err := c.Do(t.Context(), csync.NewGet("FULLMAILBOX", csync.FromClient.Text(name)))
	if errors.Is(err, csync.ErrNonexistent) {
		return nil
	}
	if err != nil || len(a.Items) != 1 {
		t.Fatalf("%v: GET FULLMAILBOX %s: %v", s, name, err)
	}
	m, err := csync.ParseMailbox(a.Items[0].Value)
	if err != nil {
		t.Fatalf("%v: %s: %v", s, name, err)
	}
	var all []string
	for r := range m.Records.All() {
		slices.Sort(r.Flags)
		all = append(all, fmt.Sprintf("%s %s", name, r.Append(nil, csync.FromClient)))
	}
	records := len(all)
	m.Records = csync.Records{}
	return append(all, fmt.Sprintf("%s (%d) %s", name, records, m.Append(nil, csync.FromClient)))
}

// same fails the test for the lines that only one of two states has.
func same(t *testing.T, before, after []string) {
	t.Helper()
	if len(before) == 0 {
		t.Error("there was nothing")
	}
	for _, l := range before {
		if !slices.Contains(after, l) {
			t.Errorf("before: %s", l)
		}
	}
	for _, l := range after {
		if !slices.Contains(before, l) {
			t.Errorf("after:  %s", l)
		}
	}
}

// fill gives a user some of everything.
func fill(t *testing.T, m *murder.Murder, at *murder.Seat, user string) {
	t.Helper()
	admin := at.Session(cyrustest.Admin)
	m.AddUser(user, at)
	admin.Must("CREATE user."+user+".Work", "CREATE user."+user+".Work.Deep", "CREATE user."+user+".Old",
		"CREATE user."+user+".Gone", "SETACL user."+user+".Gone cyrus lrxkta", "DELETE user."+user+".Gone",
		"SETQUOTA user."+user+" (STORAGE 5000 MESSAGE 100)", "SETACL user."+user+".Work bob lrs", "SETACL user."+user+".Old anyone lrs")
	c := at.Session(user)
	c.Must("SUBSCRIBE INBOX", "SUBSCRIBE INBOX.Work")
	message := func(n int) string {
		text := fmt.Sprintf("From: a@example.org\r\nSubject: %d\r\nMessage-ID: <%d.%s@example.org>\r\n\r\n%s\r\n", n, n, user, strings.Repeat("x", n*10))
		return fmt.Sprintf("{%d+}\r\n%s", len(text), text)
	}
	for n := range 10 {
		c.Must(fmt.Sprintf(`APPEND INBOX (\Flagged word%d) "01-Feb-2024 10:00:0%d +0100" %s`, n%3, n, message(n)))
	}
	for n := range 3 {
		c.Must("APPEND INBOX.Work (\\Seen) " + message(100+n))
	}
	c.Must("SELECT INBOX", `STORE 1:3 +FLAGS (\Seen \Answered)`, `STORE 4 +FLAGS (\Deleted)`, "EXPUNGE", `STORE 5 FLAGS (other $Forwarded)`,
		"COPY 1:2 INBOX.Work", "UNSELECT", `SETMETADATA INBOX.Work (/private/comment "mine" /shared/comment "all's")`)
	script(t, at, user)
	_ = at.Deliver([]byte("From: b@example.org\r\nSubject: by LMTP\r\nMessage-ID: <l@example.org>\r\n\r\nx\r\n"), user)
	m.Settled()
}

// script gives a user an active Sieve script, as replication does.
func script(t *testing.T, at *murder.Seat, user string) {
	t.Helper()
	c := peer(t, at)
	defer c.Logout(context.WithoutCancel(t.Context()))
	put := csync.Sieve{UserID: user, FileName: "mine.script", HasUpdate: true, LastUpdate: 1700000000, HasContent: true, Content: []byte("keep;\r\n")}
	active := csync.Sieve{UserID: user, FileName: "mine.bc"}
	for _, r := range []*csync.Request{
		csync.NewApply("SIEVE", put.Append(nil, csync.FromClient)), csync.NewApply("ACTIVATE_SIEVE", active.Append(nil, csync.FromClient)),
	} {
		if _, err := c.Do(t.Context(), r); err != nil {
			t.Fatalf("%v: %s: %v", at, r.Name, err)
		}
	}
}

// movable lets users move, scripts included.
var movable = []string{"allowusermoves: yes", "sievedir: $dir/conf/sieve"}

// moves are who moves to whom, and at which master.
var moves = []struct {
	name             string
	master, from, to murder.Kind
}{
	{"ours to ours", murder.Ours, murder.Ours, murder.Ours},
	{"ours to ours at Cyrus's master", murder.Real, murder.Ours, murder.Ours},
	{"Cyrus to ours", murder.Ours, murder.Real, murder.Ours},
	{"ours to Cyrus", murder.Ours, murder.Ours, murder.Real},
	{"ours to Cyrus at Cyrus's master", murder.Real, murder.Ours, murder.Real},
}

// TestMoveUser moves a user and a shared mailbox, and finds everything as it was.
func TestMoveUser(t *testing.T) {
	for _, p := range moves {
		t.Run(p.name, func(t *testing.T) {
			m := murder.New(t, murder.Options{
				Master: p.master, Backends: []murder.Kind{p.from, p.to}, Frontends: []murder.Kind{murder.Ours},
				Imapd: map[string][]string{"": movable},
			})
			from, to, fe := m.Backends[0], m.Backends[1], m.Frontends[0]
			fill(t, m, from, "alice")
			reader := from.Session("bob")
			reader.Must("SELECT user.alice.Work", `STORE 2 +FLAGS (\Seen)`, "LOGOUT")
			admin := fe.Session(cyrustest.Admin)
			admin.Must("CREATE shared "+from.IP+"!default", "CREATE shared.x", "SETACL shared.x anyone lrswi", "SETQUOTA shared.x (STORAGE 500)")
			from.Session("carol").Must("APPEND shared.x (\\Flagged word) {14+}\r\nSubject: a\r\n\r\n")
			if p.from == murder.Ours { // Cyrus's imapd dies of it
				from.Session("carol").Must("SETMETADATA shared.x (/private/comment \"carol's\")")
			}

			before := stateOf(t, from, "alice")
			r := admin.Ask("RENAME user.alice user.alice %s", to.IP)
			if !r.OK() || len(r.Untagged) != 1 || r.Untagged[0].Text != "OK USER alice" {
				t.Fatalf("the move: %+v", r)
			}
			after := stateOf(t, to, "alice")
			same(t, before, after)
			if rest := stateOf(t, from, "alice"); len(rest) > 0 {
				t.Errorf("%v still has\n%s", from, strings.Join(rest, "\n"))
			}
			if !slices.ContainsFunc(after, func(l string) bool {
				return strings.HasPrefix(l, "user.alice.#sieve ") && strings.Contains(l, `FLAGS (\Flagged)`)
			}) {
				t.Errorf("no active script among\n%s", strings.Join(after, "\n"))
			}
			fe.Session("alice").Must("SELECT INBOX", "FETCH 1 BODY[]", "STATUS INBOX.Work (MESSAGES)")
			if p.from == murder.Real {
				// Its imapd dies of moving a shared mailbox: "assertion failed:
				// imap/mboxlist.c: 1088: user_isnamespacelocked(userid)".
				return
			}
			c := fe.Session("bob")
			c.Must("SELECT user.alice.Work")
			if got := fmt.Sprint(c.Ask("FETCH 2 FLAGS").Untagged); !strings.Contains(got, `\Seen`) {
				t.Errorf("what bob has seen: %s", got)
			}

			before = sharedOf(t, from)
			if r := admin.Ask("XFER shared.x %s p2", to.IP); !r.OK() || len(r.Untagged) != 1 || r.Untagged[0].Text != `OK MAILBOX "shared.x"` {
				t.Fatalf("the move: %+v", r)
			}
			after = sharedOf(t, to)
			for i := range before {
				before[i] = strings.Replace(before[i], "PARTITION default", "PARTITION p2", 1)
			}
			same(t, before, after)
			if got := fmt.Sprint(admin.Ask("GETQUOTA shared.x").Untagged); !strings.Contains(got, "(STORAGE 0 500)") {
				t.Errorf("quota: %s", got)
			}
			fe.Session("carol").Must("SELECT shared.x", "FETCH 1 BODY[]")
		})
	}
}

// sharedOf is shared.x as a server has it.
func sharedOf(t *testing.T, s *murder.Seat) []string {
	t.Helper()
	c := peer(t, s)
	defer c.Logout(context.WithoutCancel(t.Context()))
	return boxOf(t, s, c, "shared.x")
}

// TestMoveUnified moves a user between the nodes of a unified Murder, there and back: all
// nodes serve it all the time but for the moment of the move.
func TestMoveUnified(t *testing.T) {
	m := murder.New(t, murder.Options{
		Nodes: []murder.Kind{murder.Ours, murder.Ours, murder.Ours}, Imapd: map[string][]string{"": movable},
	})
	from, to, other := m.Nodes[0], m.Nodes[1], m.Nodes[2]
	fill(t, m, from, "alice")
	for range 2 {
		before := stateOf(t, from, "alice")
		other.Session(cyrustest.Admin).Must("XFER user.alice " + to.IP)
		m.Settled()
		same(t, before, stateOf(t, to, "alice"))
		if rest := stateOf(t, from, "alice"); len(rest) > 0 {
			t.Errorf("%v still has\n%s", from, strings.Join(rest, "\n"))
		}
		for _, node := range m.Nodes {
			c := node.Session("alice")
			c.Must("SELECT INBOX", "FETCH 1 BODY[]", "STATUS INBOX.Work (MESSAGES)")
			if got := fmt.Sprint(c.Ask(`LIST (SUBSCRIBED) "" *`).Untagged); !strings.Contains(got, "INBOX.Work") || !strings.Contains(got, " INBOX ") {
				t.Errorf("%v: subscriptions %s", node, got)
			}
		}
		from, to = to, from
	}
}
