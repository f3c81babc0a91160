package imapserver

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// watchingClient is a client that believes what it is told, and checks that it
// is told before it hears of it otherwise.
type watchingClient struct {
	*client
	count int // messages, by EXISTS and EXPUNGE
	keys  map[string]bool
}

// run sends a command and looks at every line of the answer.
func (c *watchingClient) run(command string) (answer []string, err error) {
	fmt.Fprintf(c, "t %s\r\n", command)
	word, _, _ := strings.Cut(command, " ")
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("%s: %w", command, err)
		}
		line = strings.TrimSuffix(line, "\r\n")
		if rest, ok := strings.CutPrefix(line, "t "); ok {
			// A message may have been expunged by another session.
			if !strings.HasPrefix(rest, "OK") && !strings.HasPrefix(rest, "NO No matching messages") && !strings.HasPrefix(rest, "NO [EXPUNGEISSUED]") {
				return nil, fmt.Errorf("%s: %s", command, rest)
			}
			return answer, nil
		}
		answer = append(answer, line)
		if err := c.told(word, line); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", command, line, err)
		}
	}
}

func (c *watchingClient) told(command, line string) error {
	f := strings.Fields(line)
	if list, ok := strings.CutPrefix(line, "* FLAGS ("); ok {
		for _, k := range strings.Fields(strings.TrimSuffix(list, ")")) {
			c.keys[k] = true
		}
		return nil
	}
	if len(f) < 3 {
		return nil
	}
	n, err := strconv.Atoi(f[1])
	if err != nil {
		return nil
	}
	switch f[2] {
	case "EXISTS":
		if n < c.count {
			return fmt.Errorf("client has %d messages", c.count)
		}
		c.count = n
	case "EXPUNGE":
		if command == "FETCH" || command == "STORE" || command == "SEARCH" {
			return fmt.Errorf("during %s", command)
		}
		if n < 1 || n > c.count {
			return fmt.Errorf("client has %d messages", c.count)
		}
		c.count--
	case "FETCH":
		return c.fetched(n, line)
	}
	return nil
}

// fetched checks that the message and its keywords are known.
func (c *watchingClient) fetched(n int, line string) error {
	if n < 1 || n > c.count {
		return fmt.Errorf("client has %d messages", c.count)
	}
	_, list, ok := strings.Cut(line, "FLAGS (")
	if !ok {
		return nil
	}
	list, _, _ = strings.Cut(list, ")")
	for _, k := range strings.Fields(list) {
		if !c.keys[k] && k != `\Recent` {
			return fmt.Errorf("flag %s was not announced", k)
		}
	}
	return nil
}

// TestAnnounceFirst lets sessions change one mailbox at the same time: no client
// hears of a message, number or keyword that it was not told of before, and
// in the end all agree.
func TestAnnounceFirst(t *testing.T) {
	dial := dialer(t, testServer(t, ""))
	clients := make([]*watchingClient, 4)
	for i := range clients {
		clients[i] = &watchingClient{client: login(t, dial, "alice"), keys: map[string]bool{}}
		if _, err := clients[i].run("SELECT INBOX"); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for i, c := range clients {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 1))
			for n := range 150 {
				if _, err := c.run(randomCommand(rng, c.count, fmt.Sprintf("K%d-%d", i, n/40))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	var want string
	for i, c := range clients {
		if _, err := c.run("NOOP"); err != nil {
			t.Fatal(err)
		}
		answer, err := c.run("UID SEARCH ALL")
		if err != nil {
			t.Fatal(err)
		}
		got := answer[len(answer)-1]
		if n := len(strings.Fields(got)) - 2; n != c.count {
			t.Errorf("client %d counts %d messages, search finds %d", i, c.count, n)
		}
		if i == 0 {
			want = got
		} else if got != want {
			t.Errorf("client %d sees %s, client 0 %s", i, got, want)
		}
	}
}

func randomCommand(rng *rand.Rand, count int, keyword string) string {
	n := 1 + rng.IntN(max(count, 1))
	switch k := rng.IntN(10); {
	case k < 3 || count == 0:
		return "APPEND INBOX (" + keyword + ") {17+}\r\nSubject: x\r\n\r\nbod"
	case k == 3:
		return fmt.Sprintf(`STORE %d +FLAGS (\Deleted)`, n)
	case k == 4:
		return "EXPUNGE"
	case k == 5:
		return fmt.Sprintf("STORE %d FLAGS (%s)", n, keyword)
	case k == 6:
		return fmt.Sprintf("FETCH %d:* (FLAGS UID BODY[TEXT])", n)
	case k == 7:
		return "SEARCH UNDELETED"
	case k == 8:
		return fmt.Sprintf("UID FETCH %d:* (FLAGS)", n)
	}
	return fmt.Sprintf("MOVE %d INBOX", n)
}
