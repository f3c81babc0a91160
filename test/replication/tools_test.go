package replication

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A use is a way to call sync_client of which real Cyrus and ours say and do the
// same.
type use struct {
	name   string
	args   []string
	before func(l *link) // may be nil
	status int
	// look sees what the call has done.
	look func(t *testing.T, l *link)
	// said is wanted of the output of each, besides that both say the same.
	said string
	// apart is why they do not.
	apart string
}

// uses are calls, one after another on the same servers. "$dir" is the master's.
var uses = []use{
	{name: "no mode", args: nil, status: 64},
	{name: "two modes", args: []string{"-u", "-m", "alice"}, status: 64},
	{name: "an unknown flag", args: []string{"-Q"}, status: 64},
	{name: "a user who is not there", args: []string{"-u", "nobody"}, said: "USER nobody"},
	{name: "a mailbox that is not there", args: []string{"-m", "user/nobody"}},
	{name: "one user", args: []string{"-u", "alice"}, said: "USER alice", look: has("INBOX", 3)},
	{name: "one mailbox", args: []string{"-m", "user/alice/Sent"}, before: appended("INBOX/Sent"), said: "MAILBOX user.alice.Sent", look: has("INBOX/Sent", 3)},
	{name: "again", args: []string{"-u", "alice"}, said: "USER alice"},
	{name: "users from a file", args: []string{"-u", "-f", "$dir/users"}, before: file("users", "# all\nalice\nbob\n"), said: "USER bob"},
	{name: "mailboxes from a file", args: []string{"-m", "-f", "$dir/boxes"}, before: file("boxes", "user/alice\nuser/bob\n")},
	{name: "seen and subscriptions", args: []string{"-s", "alice"}, before: does("alice", "SUBSCRIBE INBOX/Sent"), said: "META alice", look: subscribed("INBOX/Sent")},
	{name: "a log from a file", args: []string{"-R", "-1", "-f", "$dir/a-log"}, before: file("a-log", "MAILBOX user.alice\nNONSENSE x\nMAILBOX\nSUB alice user.alice.Sent\n"),
		said: "MAILBOXES user.alice", look: stays("a-log")},
	{name: "shutdown file", args: []string{"-R", "-F", "$dir/shutdown"}, before: file("shutdown", ""), look: goes("shutdown"), apart: "ours looks for the file before it connects"},
	{name: "local only", args: []string{"-L", "-u", "alice"}, before: does("alice", "SELECT INBOX", `STORE 1 +FLAGS (\Flagged)`, "UNSELECT"), said: "LOCAL_MAILBOX user.alice"},
	{name: "another partition", args: []string{"-p", "second", "-u", "bob"}, said: "RENAME user.bob -> user.bob (second)", look: partition("user.bob", "second")},
	{name: "no waiting for locks", args: []string{"-N", "-u", "bob"}, said: "USER bob"},
	{name: "no copying back", args: []string{"-O", "-u", "alice"}, said: "USER alice"},
	{name: "all", args: []string{"-A"}, said: "USER bob"},
	{name: "all with a prefix", args: []string{"-A", "user.b"}},
}

func file(name, text string) func(*link) {
	return func(l *link) {
		path := l.from.Path(name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			l.t.Fatal(err)
		}
		l.from.give(path)
	}
}

func does(user string, commands ...string) func(*link) {
	return func(l *link) {
		a := newActor(l.t, l.from)
		a.do(user, commands...)
		a.leave()
	}
}

func appended(folder string) func(*link) {
	return func(l *link) {
		a := newActor(l.t, l.from)
		a.append("alice", folder, "", 1)
		a.leave()
	}
}

func has(folder string, n int) func(*testing.T, *link) {
	return func(t *testing.T, l *link) {
		l.to.has(t, "alice", folder, n)
	}
}

func subscribed(folder string) func(*testing.T, *link) {
	return func(t *testing.T, l *link) {
		if _, is := take(t, l.to)["imap alice LSUB "+folder]; !is {
			t.Errorf("%s: alice has not subscribed to %s", l.to.name, folder)
		}
	}
}

func partition(mailbox, want string) func(*testing.T, *link) {
	return func(t *testing.T, l *link) {
		if got := take(t, l.to)["sync "+mailbox+" PARTITION"]; got != `"`+want+`"` {
			t.Errorf("%s is on %s, not %s", mailbox, got, want)
		}
	}
}

func stays(name string) func(*testing.T, *link) {
	return func(t *testing.T, l *link) {
		if _, err := os.Stat(l.from.Path(name)); err != nil {
			t.Errorf("gone: %v", err)
		}
	}
}

func goes(name string) func(*testing.T, *link) {
	return func(t *testing.T, l *link) {
		if _, err := os.Stat(l.from.Path(name)); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
}

// TestUses calls sync_client of both kinds in all ways: same status, same words.
func TestUses(t *testing.T) {
	var both []*link
	for _, k := range []kind{real, ours} {
		l := newLink(newSite(t, k, "master"), newSite(t, real, "replica"))
		a := newActor(t, l.from)
		a.admin("CREATE user/alice", "CREATE user/bob")
		a.do("alice", "CREATE INBOX/Sent")
		a.append("alice", "INBOX", "", 3)
		a.append("alice", "INBOX/Sent", "", 2)
		a.append("bob", "INBOX", "", 1)
		a.leave()
		both = append(both, l)
	}
	for _, u := range uses {
		t.Run(u.name, func(t *testing.T) {
			var said []string
			for _, l := range both {
				l := l.with(t)
				if u.before != nil {
					u.before(l)
				}
				var args []string
				for _, arg := range u.args {
					args = append(args, strings.ReplaceAll(arg, "$dir", l.from.Dir))
				}
				out, status, err := l.from.TryTool("", "sync_client", l.args(args...)...)
				if status != u.status {
					t.Errorf("%s: status %d, want %d: %s%v", l.from.kind, status, u.status, out, err)
				}
				if !strings.Contains(out, u.said) {
					t.Errorf("%s says %q, want %q in it", l.from.kind, out, u.said)
				}
				if u.look != nil {
					u.look(t, l)
				}
				said = append(said, words(out))
			}
			if said[0] != said[1] && u.apart == "" {
				t.Errorf("real says\n%sours says\n%s", said[0], said[1])
			}
		})
	}
}

// cached is what a progress line has that no two servers have in common.
var cached = regexp.MustCompile(` \(cached-[^)]*\)`)

// words are the progress lines, in one order: users are replicated side by side.
func words(out string) string {
	lines := slices.Collect(strings.Lines(cached.ReplaceAllString(out, "")))
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// TestVerify plants a difference on a replica: ours finds it, says so by its
// status, and mends it when told to.
func TestVerify(t *testing.T) {
	for _, k := range []kind{ours, real} {
		t.Run(string(k), func(t *testing.T) {
			l := newLink(newSite(t, ours, "master"), newSite(t, k, "replica"))
			a := newActor(t, l.from)
			a.admin("CREATE user/alice", "CREATE user/bob")
			a.append("alice", "INBOX", "", 3)
			a.append("bob", "INBOX", "", 3)
			a.leave()
			l.drain()
			l.verify(0, "")
			there := newActor(t, l.to)
			there.do("alice", "SELECT INBOX", `STORE 2 +FLAGS (\Deleted)`, "EXPUNGE")
			there.leave()
			l.verify(2, "user.alice")
			l.verify(0, "", "--repair")
			l.together("repaired")
			l.verify(0, "")
		})
	}
}

// verify runs sync_client --verify over all users and wants a status and a word.
func (l *link) verify(status int, word string, more ...string) {
	l.t.Helper()
	out, got := l.run(append([]string{"--verify", "-A"}, more...)...)
	if got != status || !strings.Contains(out, word) {
		l.t.Errorf("verify %s: status %d, want %d and %q\n%s", fmt.Sprint(more), got, status, word, out)
	}
}
