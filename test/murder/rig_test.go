package murder

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/cyrustest"
	"gocyrus/lib/mupdate"
	"gocyrus/lib/saslclient"
)

const realMupdate = "/usr/lib/cyrus/bin/mupdate"

// noMail leaves a server no service but IMAP.
func noMail() map[string]string {
	return map[string]string{"imaps": "-", "pop3": "-", "pop3s": "-", "lmtp": "-", "lmtpunix": "-"}
}

// master is a mupdate master on a server of its own.
type master struct {
	*cyrustest.Server
	t    testing.TB
	addr string
	opts mupdate.Options

	stopped bool // once
}

// Stop stops the master.
func (m *master) Stop() {
	m.stopped = true
	if err := m.Server.Stop(); err != nil {
		m.t.Logf("the master ended with %v", err)
	}
}

// masters are the two kinds.
var masters = map[string]func(testing.TB, cyrustest.Options) *cyrustest.Server{"our master": cyrustest.Start, "real master": cyrustest.Real}

// eachMaster runs a test with each kind.
func eachMaster(t *testing.T, fn func(t *testing.T, m *master)) {
	for kind, start := range masters {
		t.Run(kind, func(t *testing.T) {
			if kind == "real master" {
				needReal(t)
			}
			addr := cyrustest.FreeAddress(t)
			s := start(t, cyrustest.Options{
				Imapd:   []string{"mupdate_admins: mupman", "sasl_mech_list: PLAIN", "servername: mup.example.org", "failedloginpause: 0"},
				Args:    noMail(),
				Entries: map[string][]string{"SERVICES": {fmt.Sprintf(`mupdate cmd="$bin/mupdate -m -C $conf" listen="%s" prefork=1`, addr)}},
			})
			if kind == "our master" {
				s.SetPassword("mupman")
			}
			m := &master{Server: s, t: t, addr: addr, opts: mupdate.Options{
				Servers: []string{addr}, Timeout: 20 * time.Second,
				Cred: saslclient.Credentials{AuthcID: "mupman", Password: cyrustest.Password},
			}}
			s.Eventually("the master", func() bool {
				c, err := net.Dial("tcp", addr)
				if err == nil {
					c.Close()
				}
				return err == nil
			})
			before := s.Children("mupdate")
			fn(t, m)
			if now := s.Children("mupdate"); len(now) != len(before) {
				t.Errorf("the master was %v, is %v", before, now)
			} else if !m.stopped && !slices.Equal(now, before) {
				t.Errorf("the master broke down: it was %v, is %v", before, now)
			}
		})
	}
}

func needReal(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(realMupdate); err != nil {
		t.Skipf("Cyrus's mupdate is not installed: %v", err)
	}
}

// backend starts one: start is cyrustest.Start or cyrustest.Real.
func (m *master) backend(t testing.TB, start func(testing.TB, cyrustest.Options) *cyrustest.Server, name string, imapd ...string) *cyrustest.Server {
	t.Helper()
	return start(t, cyrustest.Options{
		Imapd: append([]string{
			"servername: " + name, "proxyservers: murder", "mupdate_server: " + m.addr, "unixhierarchysep: no",
			"mupdate_authname: mupman", "mupdate_password: " + cyrustest.Password, "partition-p2: $dir/p2", "allowusermoves: yes",
		}, imapd...),
		Args: noMail(),
	})
}

// list is what the master has, as lines in order; times in names are left out.
func (m *master) list(t testing.TB) []string {
	t.Helper()
	var all []string
	err := mupdate.Do(context.Background(), m.opts, func(c *mupdate.Client) error {
		all = nil
		return c.List(context.Background(), "", func(e mupdate.Entry) error {
			name := string(e.Name)
			if e.Name.IsDeleted() {
				name = name[:strings.LastIndexByte(name, '.')] + ".TIME"
			}
			all = append(all, fmt.Sprintf("%s %s %s %q", e.State, name, e.Location, e.ACL))
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

// do runs commands at the master.
func (m *master) do(t testing.TB, fn func(c *mupdate.Client) error) {
	t.Helper()
	if err := mupdate.Do(context.Background(), m.opts, fn); err != nil {
		t.Fatal(err)
	}
}

// session is an IMAP session in raw lines.
type session struct {
	t   testing.TB
	raw *cyrustest.Raw
	n   int
}

func login(t testing.TB, s *cyrustest.Server, user string) *session {
	t.Helper()
	raw := s.Dial(s.IMAP)
	if _, err := raw.Line(); err != nil {
		t.Fatal(err)
	}
	c := &session{t: t, raw: raw}
	c.want("OK", "LOGIN "+user+" "+cyrustest.Password)
	return c
}

// command returns the tagged answer, without the tag.
func (c *session) command(line string) string {
	c.t.Helper()
	c.n++
	tag := fmt.Sprintf("t%d ", c.n)
	lines, err := c.raw.Command(tag+line, tag)
	if err != nil {
		c.t.Fatal(err)
	}
	return strings.TrimPrefix(lines[len(lines)-1], tag)
}

// want runs commands, whose answers are to begin with how.
func (c *session) want(how string, lines ...string) {
	c.t.Helper()
	for _, line := range lines {
		if got := c.command(line); !strings.HasPrefix(got, how) {
			c.t.Errorf("%s: %s; want %s", line, got, how)
		}
	}
}
