package murder

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gocyrus/lib/cyrustest"
	"gocyrus/test/internal/murder"
)

// TestUnifiedDrain: one command moves everything from a node that lives on it, and every
// node finds it where it is then. Mail that comes meanwhile is there.
func TestUnifiedDrain(t *testing.T) {
	unified(t, nil, func(t *testing.T, m *murder.Murder) {
		from := m.Nodes[0]
		admin := from.Session(cyrustest.Admin)
		var all []string
		for i := range 8 {
			user := fmt.Sprintf("u%d", i)
			m.AddUser(user, from)
			all = append(all, "user."+user, "user."+user+".Sub")
			from.Session(user).Must("CREATE INBOX.Sub", "CREATE INBOX.Gone", "DELETE INBOX.Gone", "SUBSCRIBE INBOX.Sub",
				fmt.Sprintf("APPEND INBOX.Sub (\\Flagged kw) {%d+}\r\n%s", len(cyrustest.Message("before")), cyrustest.Message("before")))
			from.Deliver(cyrustest.Message("before"), user)
		}
		admin.Must("CREATE news "+from.IP+"!default", "SETACL news anyone lrswipte", "SETQUOTA user.u0 (STORAGE 4000)")
		m.Settled()
		if got := from.RunTool("", "cyr_drain", "-n"); strings.Count(got, "would move to") != 8+2 {
			t.Errorf("cyr_drain -n:\n%s", got)
		}
		var delivered atomic.Int32
		stop := make(chan struct{})
		var mail sync.WaitGroup
		for _, n := range m.Nodes {
			mail.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					switch got := n.Deliver(cyrustest.Message("meanwhile"), "u3"); {
					case strings.HasPrefix(got[0], "250"):
						delivered.Add(1)
					case !strings.HasPrefix(got[0], "451"):
						t.Errorf("%s: %s", n.Name, got)
					}
				}
			})
		}
		got := from.RunTool("", "cyr_drain", "-j", "2")
		close(stop)
		mail.Wait()
		if strings.Count(got, ": moved to ") != 8+2 || strings.Contains(got, "FAILED") {
			t.Errorf("cyr_drain:\n%s", got)
		}
		m.Settled()
		if left := localOf(t, from); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
		table := strings.Join(m.Master.Table(), "\n")
		if strings.Contains(table, " node1!") {
			t.Errorf("the master has\n%s", table)
		}
		for _, n := range m.Nodes {
			c := n.Session("u3")
			says(t, c.Ask("STATUS INBOX (MESSAGES)"), fmt.Sprintf("MESSAGES %d)", 1+delivered.Load()))
			says(t, c.Ask(`LIST (SUBSCRIBED) "" "*"`), "INBOX.Sub")
			says(t, c.Ask("SELECT INBOX.Sub"), "1 EXISTS")
			says(t, c.Ask("FETCH 1 FLAGS"), "kw")
			says(t, n.Session("u0").Ask("GETQUOTAROOT INBOX"), "4000")
			says(t, n.Session("alice").Ask("SELECT news"), "0 EXISTS")
		}
		for _, n := range m.Nodes[1:] {
			here := localOf(t, n)
			all = slices.DeleteFunc(all, func(name string) bool { return slices.Contains(here, name) })
		}
		if len(all) > 0 {
			t.Errorf("lost: %v", all)
		}
		// Nothing is left, and that is no failure.
		if got := from.RunTool("", "cyr_drain"); got != "" {
			t.Errorf("again:\n%s", got)
		}
	})
}

// TestUnifiedDrainKilled: a drain that is killed anywhere leaves every user whole on one
// node, and another one goes on from there.
func TestUnifiedDrainKilled(t *testing.T) {
	m := murder.New(t, murder.Options{
		Master: murder.Ours, Nodes: []murder.Kind{murder.Ours, murder.Ours}, Tolerate: cyrustest.AfterCrash,
	})
	from, to := m.Nodes[0], m.Nodes[1]
	var all []string
	for i := range 12 {
		user := fmt.Sprintf("u%d", i)
		m.AddUser(user, from)
		from.Session(user).Must("CREATE INBOX.Sub")
		from.Deliver(cyrustest.Message("one"), user)
		from.Deliver(cyrustest.Message("two"), user)
		all = append(all, user)
	}
	m.Settled()
	for round := 0; ; round++ {
		done, left := drainAndKill(t, from, round)
		for _, user := range all {
			has := 0
			for _, n := range m.Nodes {
				if slices.Contains(localOf(t, n), "user."+user) {
					has++
				}
			}
			if has > 1 {
				t.Errorf("round %d: %s is on %d nodes", round, user, has)
			}
		}
		if done {
			if left != "" {
				t.Errorf("cyr_drain:\n%s", left)
			}
			break
		}
		if round > 20 {
			t.Fatal("it never comes to an end")
		}
	}
	m.Settled()
	if left := localOf(t, from); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	for _, user := range all {
		for _, n := range m.Nodes {
			says(t, n.Session(user).Ask("STATUS INBOX (MESSAGES)"), "MESSAGES 2)")
		}
		if here := localOf(t, to); !slices.Contains(here, "user."+user) || !slices.Contains(here, "user."+user+".Sub") {
			t.Errorf("%s: %v", user, here)
		}
	}
}

// drainAndKill runs cyr_drain and kills it, later in each round, after it has told of a user.
// done is that it came to its end; failed are the lines of what could not be moved.
func drainAndKill(t *testing.T, n *murder.Seat, round int) (done bool, failed string) {
	t.Helper()
	st, err := os.Stat(n.Conf)
	if err != nil {
		t.Fatal(err)
	}
	owner := st.Sys().(*syscall.Stat_t)
	cmd := exec.Command(n.Tool("cyr_drain"), "-C", n.Conf)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: owner.Uid, Gid: owner.Gid}}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for told := 0; lines.Scan(); told++ {
		if strings.Contains(lines.Text(), "FAILED") {
			failed += lines.Text() + "\n"
		}
		if told == 1 && round < 4 {
			// The next one is somewhere on its way.
			time.Sleep(time.Duration(round) * 7 * time.Millisecond)
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return cmd.Wait() == nil, failed
}
