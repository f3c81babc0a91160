package murder

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"gocyrus/lib/cyrustest"
	"gocyrus/lib/mboxlist"
	"gocyrus/test/internal/murder"
	"gocyrus/test/internal/rig"
)

// unified runs a test in a Murder of three nodes, under each kind of master: alice, bob
// and carol have one node each, and the folder shared is on the third.
func unified(t *testing.T, imapd []string, fn func(t *testing.T, m *murder.Murder)) {
	for _, kind := range []murder.Kind{murder.Ours, murder.Real} {
		t.Run(kind.String()+" master", func(t *testing.T) {
			m := murder.New(t, murder.Options{
				Master: kind, Nodes: []murder.Kind{murder.Ours, murder.Ours, murder.Ours},
				Imapd: map[string][]string{"node": imapd},
			})
			admin := m.Nodes[0].Session(cyrustest.Admin)
			for i, user := range []string{"alice", "bob", "carol"} {
				m.AddUser(user, m.Nodes[i])
			}
			admin.Must("CREATE shared "+m.Nodes[2].IP+"!p2", "SETACL shared anyone lrswipte", "SETACL user.bob alice lrswipkxte")
			m.Settled()
			fn(t, m)
		})
	}
}

// says fails unless each text is in an untagged answer.
func says(t testing.TB, r *rig.Reply, texts ...string) {
	t.Helper()
	var all strings.Builder
	for _, u := range r.Untagged {
		all.WriteString(u.Text + "\n")
		for _, l := range u.Literals {
			all.WriteString(string(l) + "\n")
		}
	}
	if !r.OK() {
		t.Errorf("%s %s", r.Status, r.Text)
	}
	for _, text := range texts {
		if !strings.Contains(all.String(), text) {
			t.Errorf("no %q in\n%s", text, all.String())
		}
	}
}

// TestUnified: every node serves every mailbox, and keeps its own.
func TestUnified(t *testing.T) {
	unified(t, nil, func(t *testing.T, m *murder.Murder) {
		for _, row := range []struct {
			name string
			run  func(t *testing.T, m *murder.Murder)
		}{
			{"select", unifiedSelect}, {"append", unifiedAppend}, {"copy", unifiedCopy}, {"replace", unifiedReplace},
			{"list", unifiedList}, {"create", unifiedCreate}, {"manage", unifiedManage}, {"idle", unifiedIdle},
			{"mail", unifiedMail}, {"pop", unifiedPOP}, {"move", unifiedMove},
		} {
			t.Run(row.name, func(t *testing.T) { row.run(t, m) })
		}
		unifiedRestart(t, m)
	})
}

func unifiedSelect(t *testing.T, m *murder.Murder) {
	for i, user := range []string{"alice", "bob", "carol"} {
		answers := m.Nodes[i].Deliver(cyrustest.Message("hello "+user), user)
		if !strings.HasPrefix(answers[0], "250") {
			t.Fatal(answers)
		}
		for _, n := range m.Nodes {
			c := n.Session(user)
			says(t, c.Ask("SELECT INBOX"), "1 EXISTS")
			says(t, c.Ask("FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]"), "hello "+user)
			says(t, c.Ask("UID SEARCH SUBJECT hello"), "SEARCH 1")
			c.Must("STORE 1 +FLAGS (\\Flagged kw)", "CHECK", "UNSELECT")
			says(t, c.Ask("STATUS INBOX (MESSAGES UNSEEN)"), "MESSAGES 1")
			says(t, c.Ask("SELECT shared"), "0 EXISTS")
			says(t, c.Ask("SELECT INBOX"), "1 EXISTS", "CLOSED", "kw")
			c.Must("CLOSE")
		}
	}
}

func unifiedAppend(t *testing.T, m *murder.Murder) {
	msg := string(cyrustest.Message("appended"))
	for i, n := range m.Nodes {
		c := n.Session("alice")
		r := c.Ask("APPEND INBOX (\\Seen k%d) {%d+}\r\n%s", i, len(msg), msg)
		if _, ok := r.Code("APPENDUID"); !ok {
			t.Errorf("%s: %s %s", n.Name, r.Status, r.Text)
		}
		c.Want("NO [TRYCREATE]", fmt.Sprintf("APPEND INBOX.nowhere {%d+}\r\n%s", len(msg), msg))
		says(t, c.Ask("SELECT INBOX"), fmt.Sprintf("%d EXISTS", i+2))
	}
}

// unifiedCopy copies and moves between all pairs of nodes, here and there.
func unifiedCopy(t *testing.T, m *murder.Murder) {
	admin := m.Nodes[0].Session(cyrustest.Admin)
	for i, n := range m.Nodes {
		name := fmt.Sprintf("box%d", i)
		admin.Must("CREATE "+name+" "+n.IP+"!default", "SETACL "+name+" anyone lrswipte")
	}
	msg := string(cyrustest.Message("to be copied"))
	for _, n := range m.Nodes {
		c := n.Session("alice")
		for from := range 3 {
			for to := range 3 {
				if from == to {
					continue
				}
				c.Must(fmt.Sprintf("APPEND box%d (\\Answered red) \"01-Feb-2003 04:05:06 +0000\" {%d+}\r\n%s", from, len(msg), msg),
					fmt.Sprintf("APPEND box%d (blue) {%d+}\r\n%s", from, len(msg), msg), fmt.Sprintf("SELECT box%d", from))
				r := c.Ask("COPY 1:2 box%d", to)
				if code, ok := r.Code("COPYUID"); !ok || len(code) != 3 {
					t.Errorf("%s: COPY %d to %d: %s %s", n.Name, from, to, r.Status, r.Text)
				}
				r = c.Ask("MOVE 1:2 box%d", to)
				if _, ok := r.UntaggedCode("COPYUID"); !ok || !r.OK() {
					t.Errorf("%s: MOVE %d to %d: %s %s", n.Name, from, to, r.Status, r.Text)
				}
				says(t, r, "EXPUNGE")
				says(t, c.Ask("SELECT box%d", to), "4 EXISTS")
				says(t, c.Ask("FETCH 1:4 (FLAGS INTERNALDATE BODY.PEEK[])"), "red", "blue", "Answered", " 1-Feb-2003 04:05:06 +0000", "to be copied")
				c.Must("STORE 1:* +FLAGS.SILENT (\\Deleted)", "EXPUNGE")
				says(t, c.Ask("STATUS box%d (MESSAGES)", from), "MESSAGES 0")
			}
		}
	}
}

func unifiedReplace(t *testing.T, m *murder.Murder) {
	old, fresh := string(cyrustest.Message("old")), string(cyrustest.Message("fresh"))
	c := m.Nodes[0].Session("alice")
	for from := range 3 {
		for to := range 3 {
			c.Must(fmt.Sprintf("APPEND box%d {%d+}\r\n%s", from, len(old), old), fmt.Sprintf("SELECT box%d", from))
			r := c.Ask("REPLACE 1 box%d (kw) {%d+}\r\n%s", to, len(fresh), fresh)
			if _, ok := r.UntaggedCode("APPENDUID"); !ok || !r.OK() {
				t.Errorf("%d to %d: %s %s", from, to, r.Status, r.Text)
			}
			says(t, r, "1 EXPUNGE")
			says(t, c.Ask("SELECT box%d", to), "1 EXISTS")
			says(t, c.Ask("FETCH 1 BODY.PEEK[]"), "fresh")
			c.Must("STORE 1 +FLAGS.SILENT (\\Deleted)", "EXPUNGE")
			c.Want("NO", fmt.Sprintf("REPLACE 1 box%d {%d+}\r\n%s", to, len(fresh), fresh))
			says(t, c.Ask("STATUS box%d (MESSAGES)", to), "MESSAGES 0")
		}
	}
}

func unifiedList(t *testing.T, m *murder.Murder) {
	for _, n := range m.Nodes {
		c := n.Session("alice")
		c.Must("SUBSCRIBE shared", "SUBSCRIBE user.bob", "SUBSCRIBE INBOX")
		c.Want("NO", "SUBSCRIBE nowhere")
		says(t, c.Ask(`LIST "" "*" RETURN (SUBSCRIBED STATUS (MESSAGES) MYRIGHTS)`),
			`(\Subscribed \HasNoChildren) "." INBOX`, "user.bob", "shared", "STATUS INBOX (MESSAGES 4)", "STATUS user.bob (MESSAGES 1)", "STATUS shared (MESSAGES 0)")
		says(t, c.Ask(`LIST (SUBSCRIBED) "" "*"`), "INBOX", "user.bob", "shared")
		says(t, c.Ask(`LSUB "" "*"`), "INBOX", "user.bob", "shared")
		c.Must("UNSUBSCRIBE shared")
		for _, u := range c.Ask(`LSUB "" "*"`).Untagged {
			if strings.Contains(u.Text, "shared") {
				t.Errorf("%s: %s", n.Name, u.Text)
			}
		}
	}
}

// unifiedCreate: a mailbox goes to the server that is named, to that of the one above, or
// to one of serverlist; and to no two.
func unifiedCreate(t *testing.T, m *murder.Murder) {
	for i, n := range m.Nodes {
		admin := n.Session(cyrustest.Admin)
		for k, to := range m.Nodes {
			name := fmt.Sprintf("made%d%d", i, k)
			admin.Must("CREATE "+name+" "+to.IP+"!p2", fmt.Sprintf("CREATE %s.ext (SERVER %s PARTITION default)", name, to.IP), "CREATE "+name+".child")
			m.Settled()
			for _, want := range []string{name + " " + to.Name + "!p2", name + ".ext " + to.Name + "!default", name + ".child " + to.Name + "!p2"} {
				if table := strings.Join(m.Master.Table(), "\n"); !strings.Contains(table, want) {
					t.Errorf("created at %s: no %q in\n%s", n.Name, want, table)
				}
			}
			admin.Want("NO", "CREATE "+name, "CREATE "+name+" "+to.IP+"!p2", "CREATE other "+to.IP+"!p9")
		}
		admin.Must(fmt.Sprintf("CREATE top%d", i))
		alice := n.Session("alice")
		alice.Must(fmt.Sprintf("CREATE INBOX.by%d", i))
	}
	m.Settled()
	table := strings.Join(m.Master.Table(), "\n")
	for i := range m.Nodes {
		if want := fmt.Sprintf("user.alice.by%d node1!", i); !strings.Contains(table, want) {
			t.Errorf("no %q in\n%s", want, table)
		}
	}
}

func unifiedManage(t *testing.T, m *murder.Murder) {
	for i, n := range m.Nodes {
		admin := n.Session(cyrustest.Admin)
		for k, user := range []string{"alice", "bob", "carol"} {
			admin.Must(fmt.Sprintf("SETQUOTA user.%s (STORAGE %d)", user, 1000+10*i+k))
			for _, command := range []string{"GETQUOTAROOT", "GETQUOTA"} {
				says(t, admin.Ask("%s user.%s", command, user), fmt.Sprintf(" %d)", 1000+10*i+k))
			}
		}
		for _, to := range m.Nodes {
			admin.Must("CREATE a "+to.IP+"!default", "SETACL a bob lrs", "SETACL a cyrus lrswipkxtecdan")
			says(t, admin.Ask("GETACL a"), "bob lrs")
			admin.Must(`SETMETADATA a (/shared/comment "hello")`)
			says(t, admin.Ask("GETMETADATA a (/shared/comment)"), "hello")
			admin.Must("RENAME a b", "DELETEACL b bob", "DELETE b")
			admin.Want("NO", "SELECT a", "SELECT b")
		}
		c := n.Session("bob")
		says(t, c.Ask("GETQUOTAROOT INBOX"), "QUOTAROOT INBOX")
		says(t, c.Ask("MYRIGHTS shared"), "lrswipte")
		if r := c.Ask("NAMESPACE"); !r.OK() {
			t.Error(r.Text)
		}
	}
	m.Settled()
}

func unifiedIdle(t *testing.T, m *murder.Murder) {
	for _, n := range m.Nodes {
		c := n.Session("carol")
		c.Must("SELECT INBOX")
		tag, err := c.Start("IDLE")
		if err != nil {
			t.Fatal(err)
		}
		if line, err := c.Line(); err != nil || !strings.HasPrefix(line, "+") {
			t.Fatal(line, err)
		}
		m.Nodes[0].Deliver(cyrustest.Message("wake up"), "carol")
		if line, err := c.Line(); err != nil || !strings.Contains(line, "EXISTS") {
			t.Fatalf("%s: %q %v", n.Name, line, err)
		}
		if err := c.Send("DONE\r\n"); err != nil {
			t.Fatal(err)
		}
		if r, err := c.Await(tag); err != nil || !r.OK() {
			t.Fatal(r, err)
		}
	}
}

// unifiedMail: one transaction for recipients here, there, and nowhere.
func unifiedMail(t *testing.T, m *murder.Murder) {
	m.Nodes[2].Session("alice").Must("SETACL INBOX.by1 anyone p")
	for _, n := range m.Nodes {
		answers := n.Deliver(cyrustest.Message("to all of you"), "alice", "nobody", "bob", "+shared", "carol", "alice+by1")
		for i, want := range []string{"250", "550", "250", "250", "250", "250"} {
			if !strings.HasPrefix(answers[i], want) {
				t.Errorf("%s: recipient %d: %s; want %s", n.Name, i, answers[i], want)
			}
		}
	}
	c := m.Nodes[1].Session("alice")
	says(t, c.Ask("STATUS INBOX.by1 (MESSAGES)"), "MESSAGES 3")
	says(t, c.Ask("STATUS shared (MESSAGES)"), "MESSAGES 3")
	bob := m.Nodes[2].Session("bob")
	says(t, bob.Ask("STATUS INBOX (MESSAGES)"), "MESSAGES 4")
}

func unifiedPOP(t *testing.T, m *murder.Murder) {
	for _, n := range m.Nodes {
		answers := n.POP3("bob", "STAT", "RETR 1", "QUIT")
		if !strings.HasPrefix(answers[0], "+OK 4 ") || !strings.Contains(answers[1], "hello bob") {
			t.Errorf("%s: %q", n.Name, answers)
		}
	}
}

// unifiedMove: a user moves by the word of an administrator at any node, and is found at every
// one afterwards, by sessions that have been there before too.
func unifiedMove(t *testing.T, m *murder.Murder) {
	var before []*murder.Session
	for _, n := range m.Nodes {
		c := n.Session("carol")
		c.Must("STATUS INBOX (MESSAGES)")
		before = append(before, c)
	}
	count := func() string {
		r := before[0].Ask("STATUS INBOX (MESSAGES)")
		says(t, r)
		return r.Untagged[0].Text
	}
	want := count()
	for i, n := range m.Nodes {
		command := "XFER user.carol " + n.IP
		if i == 1 {
			command = "RENAME user.carol user.carol " + n.IP + "!default"
		}
		r := m.Nodes[(i+1)%3].Session(cyrustest.Admin).Ask("%s", command)
		if !r.OK() {
			t.Errorf("%s: %v %s %s", command, r.Untagged, r.Status, r.Text)
		}
		if !slices.Contains(localOf(t, n), "user.carol") {
			t.Errorf("%s has %v", n.Name, localOf(t, n))
		}
		for _, c := range before {
			says(t, c.Ask("STATUS INBOX (MESSAGES)"), want)
			c.Must("SELECT INBOX", "UNSELECT")
		}
		for _, other := range m.Nodes {
			if got := other.Deliver(cyrustest.Message("after the move"), "carol"); !strings.HasPrefix(got[0], "250") {
				t.Errorf("%s: %s", other.Name, got)
			}
		}
		want = count()
	}
}

// unifiedRestart: after a restart of everything all is as it was, and no node has
// complained of its own mailboxes.
func unifiedRestart(t *testing.T, m *murder.Murder) {
	before := strings.Join(m.Master.Table(), "\n")
	for _, n := range m.Nodes {
		if err := n.Stop(); err != nil {
			t.Error(err)
		}
	}
	for _, n := range m.Nodes {
		n.Resume()
	}
	m.Settled()
	if after := strings.Join(m.Master.Table(), "\n"); after != before {
		t.Errorf("was\n%s\nis\n%s", before, after)
	}
	for _, n := range m.Nodes {
		raw, err := os.ReadFile(n.Log)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(raw)) {
			if strings.Contains(line, "mailbox list") && strings.Contains(line, "local mailbox") ||
				strings.Contains(line, "ctl_mboxlist[") && (strings.Contains(line, "Force Activate") || strings.Contains(line, "Remove from MUPDATE")) {
				t.Errorf("%s: %s", n.Name, line)
			}
		}
	}
	unifiedPOP(t, m)
}

// TestUnifiedCircle: two nodes that each believe the other to have a mailbox do not pass a
// session, or a message, to and fro.
func TestUnifiedCircle(t *testing.T) {
	for _, account := range []string{murder.XferAdm, murder.Proxy} {
		// With an account of its own a node is still known by what it says in ID.
		t.Run("node2 is "+account, func(t *testing.T) {
			m := murder.New(t, murder.Options{
				Master: murder.Ours, Nodes: []murder.Kind{murder.Ours, murder.Ours},
				Imapd: map[string][]string{"node2": {"proxy_authname: " + account}},
			})
			m.Settled()
			// To each it is on the other: of what the master says a node leaves alone what is
			// its own, and here nothing is.
			for i, n := range m.Nodes {
				other := m.Nodes[1-i].IP
				if err := n.Stop(); err != nil {
					t.Fatal(err)
				}
				site := n.OpenSite()
				err := site.List.Update(func(tx *mboxlist.Tx) error {
					return tx.Put(&mboxlist.Entry{Name: "user.eve", Type: "er", Server: other, Partition: "default", ACL: "eve\tlrswipkxtecdan\t"})
				})
				if err != nil {
					t.Fatal(err)
				}
				site.Close()
			}
			// No slave mends it: the master is away.
			if err := m.Master.Stop(); err != nil {
				t.Fatal(err)
			}
			for _, n := range m.Nodes {
				n.Server.Resume()
			}
			for _, n := range m.Nodes {
				c := n.Session("eve")
				c.Want("NO Mailbox has been moved to another server", "SELECT INBOX", "STATUS INBOX (MESSAGES)", "GETQUOTAROOT INBOX")
				if got := n.Deliver(cyrustest.Message("around"), "eve"); !strings.HasPrefix(got[0], "451 ") {
					t.Errorf("%s: %q", n.Name, got)
				}
				if r, err := rig.Dial(n.Server.POP3); err != nil {
					t.Error(err)
				} else {
					for _, command := range []string{"", "USER eve\r\n", "PASS " + cyrustest.Password + "\r\n"} {
						if err := r.Send(command); err != nil {
							t.Fatal(err)
						}
						line, err := r.Line()
						if err != nil || strings.HasPrefix(command, "PASS") && !strings.HasPrefix(line, "-ERR") {
							t.Errorf("%s: %s: %q %v", n.Name, command, line, err)
						}
					}
					r.Close()
				}
			}
		})
	}
}

// TestUnifiedAutocreate: a user who comes to all nodes at once, and mail for another, make
// one INBOX each.
func TestUnifiedAutocreate(t *testing.T) {
	unified(t, []string{"autocreate_quota: 1000", "autocreate_post: yes", "autocreate_users: anyone"}, func(t *testing.T, m *murder.Murder) {
		for i := range 5 {
			user, addressee := fmt.Sprintf("new%d", i), fmt.Sprintf("mail%d", i)
			var all sync.WaitGroup
			var delivered atomic.Int32
			for _, n := range m.Nodes {
				all.Go(func() {
					c, err := rig.Login(n.IMAP, user)
					if err != nil {
						t.Error(err)
						return
					}
					defer c.Close()
					if r, err := c.Do("SELECT INBOX"); err != nil || !r.OK() {
						t.Errorf("%s: SELECT: %v %v", n.Name, r, err)
					}
				})
				all.Go(func() {
					switch got := n.Deliver(cyrustest.Message("welcome"), addressee); {
					case strings.HasPrefix(got[0], "250"):
						delivered.Add(1)
					case !strings.HasPrefix(got[0], "451 4.2.1"): // another node is making it
						t.Errorf("%s: %s", n.Name, got)
					}
				})
			}
			all.Wait()
			c := m.Nodes[0].Session(addressee)
			says(t, c.Ask("STATUS INBOX (MESSAGES)"), fmt.Sprintf("MESSAGES %d)", delivered.Load()))
		}
		m.Settled()
		for i := range 5 {
			for _, user := range []string{"new", "mail"} {
				name, found := fmt.Sprintf("user.%s%d ", user, i), 0
				for _, n := range m.Nodes {
					for _, e := range localOf(t, n) {
						if e+" " == name {
							found++
						}
					}
				}
				if found != 1 {
					t.Errorf("%s: %d nodes have it", name, found)
				}
			}
		}
	})
}

// localOf are the mailboxes that a node has itself, by its list.
func localOf(t testing.TB, n *murder.Seat) (names []string) {
	t.Helper()
	for line := range strings.Lines(n.RunTool("", "ctl_mboxlist", "-d")) {
		name, rest, ok := strings.Cut(line, `": {`)
		if ok && !strings.Contains(rest, `"server"`) && !strings.Contains(rest, `"mbtype": "ed"`) {
			names = append(names, strings.Trim(name, `"`))
		}
	}
	return names
}
