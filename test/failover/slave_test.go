package failover

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gocyrus/lib/cyrustest"
	"gocyrus/test/internal/murder"
	"gocyrus/test/internal/rig"
)

// slaveCutOff cuts one frontend's slave off the masters by resets, slaveSilenced by
// silence.
func slaveCutOff(t *testing.T, p *topology)   { slaveCut(t, p, links.away) }
func slaveSilenced(t *testing.T, p *topology) { slaveCut(t, p, links.hold) }

// slaveCut is what happens then, while mailboxes come and go through the other.
func slaveCut(t *testing.T, p *topology, cut func(all links, is bool)) {
	m := p.empty(t, p.options(t), "door1")
	fe1, fe2, link := m.doors[0], m.doors[1], m.links["door1"]
	admin := fe2.Session(cyrustest.Admin)
	for i, user := range []string{"alice", "bob"} {
		admin.Must(fmt.Sprintf("CREATE user.%s %s!default", user, m.homes[i].IP), fmt.Sprintf("CREATE user.%s.Old", user),
			fmt.Sprintf("CREATE user.%s.From", user), fmt.Sprintf("CREATE user.%s.Same", user), fmt.Sprintf("SETACL user.%s.Old cyrus lrxkta", user))
	}
	m.Settled()
	before, err := records(fe1)
	if err != nil {
		t.Fatal(err)
	}

	cut(link, true)
	stop, fault := make(chan struct{}), make(chan error, 2)
	var served sync.WaitGroup
	var rounds [2]int
	for i, user := range []string{"alice", "bob"} {
		served.Go(func() { fault <- serves(fe1, user, stop, &rounds[i]) })
	}
	for i, user := range []string{"alice", "bob"} {
		admin.Must(fmt.Sprintf("DELETE user.%s.Old", user), fmt.Sprintf("RENAME user.%s.From user.%s.To", user, user),
			fmt.Sprintf("CREATE user.%s.New", user), fmt.Sprintf("SETACL user.%s zoe lrs", user),
			fmt.Sprintf("CREATE user.%s%d %s!default", user, i, m.homes[1-i].IP))
	}
	news := fe1.Session("alice")
	cutFor := time.Duration(setting(t, "GOCYRUS_CUT_SECONDS", 4)) * time.Second
	for end := time.Now().Add(cutFor); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		// What came meanwhile is not known here, and whoever asks is told so soon: a
		// hundred answers that each take the kick's ten seconds would not come.
		news.Want("NO", "SELECT INBOX.New", "STATUS INBOX.To (MESSAGES)", "SELECT user.nobody")
	}
	close(stop)
	served.Wait()
	for range rounds {
		if err := <-fault; err != nil {
			t.Errorf("while the slave is cut off: %v", err)
		}
	}
	if min(rounds[0], rounds[1]) == 0 {
		t.Errorf("nobody was served: %v", rounds)
	}

	cut(link, false)
	m.Settled()
	agreed(t, m.Murder)
	news.Must("SELECT INBOX.New", "STATUS INBOX.To (MESSAGES)", "SELECT INBOX")
	news.Want("NO", "SELECT INBOX.Old", "SELECT INBOX.From")
	fe1.Session("alice0").Must("SELECT INBOX")
	if r := fe1.Session("alice").Ask("GETACL INBOX"); !slices.ContainsFunc(r.Untagged, func(u rig.Untagged) bool { return strings.Contains(u.Text, "zoe lrs") }) {
		t.Errorf("GETACL: %v", r.Untagged)
	}
	after, err := records(fe1)
	if err != nil {
		t.Fatal(err)
	}
	// Only what differs was written again.
	for _, name := range []string{"user.alice.Same", "user.bob.Same"} {
		if before[name].MTime == "" || before[name].MTime != after[name].MTime {
			t.Errorf("the record of %s was written at %s, and again at %s", name, before[name].MTime, after[name].MTime)
		}
	}
}

// serves has a user's session, another by POP3 and a delivery work in turn until
// stop. rounds counts.
func serves(fe *murder.Seat, user string, stop <-chan struct{}, rounds *int) error {
	c, err := rig.Login(fe.IMAP, user)
	if err != nil {
		return err
	}
	defer c.Close()
	l, err := fe.DialLMTP()
	if err != nil {
		return err
	}
	defer l.Close()
	for {
		for _, cmd := range []string{"SELECT INBOX", "NOOP", "STATUS INBOX.Same (MESSAGES)", "APPEND INBOX.Same {12+}\r\na: b\r\n\r\nc\r\n\r\n", `LIST "" *`, "SELECT INBOX.Same", "UID FETCH 1 (FLAGS)"} {
			r, err := c.Do(cmd)
			if err != nil || !r.OK() {
				return fmt.Errorf("%s: %q: %v %v", user, cmd, r, err)
			}
		}
		refusal := ""
		if err := l.Deliver("a: b\r\n\r\nc\r\n", []string{user}, func(_, reply string) { refusal = reply }); err != nil || refusal[:3] != "250" {
			return fmt.Errorf("%s: LMTP: %q %v", user, refusal, err)
		}
		*rounds++
		select {
		case <-stop:
			return nil
		default:
		}
	}
}
