package murder

import (
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gocyrus/lib/cyrustest"
	"gocyrus/lib/mupdate"
	"gocyrus/lib/saslclient"
)

// Mupdate are a client's options for a seat's MUPDATE port.
func (s *Seat) Mupdate() mupdate.Options {
	return mupdate.Options{
		Servers: []string{s.mupdateAddr()}, Timeout: 20 * time.Second,
		Cred: saslclient.Credentials{AuthcID: Mupman, Password: cyrustest.Password},
	}
}

// Entries are what a master or a slave has, by MUPDATE, in its order. They are read
// with no regard to what is under way: see Settled.
func (s *Seat) Entries() ([]mupdate.Entry, error) {
	var all []mupdate.Entry
	ctx := context.Background()
	err := mupdate.Do(ctx, s.Mupdate(), func(c *mupdate.Client) error {
		all = nil
		return c.List(ctx, "", func(e mupdate.Entry) error { all = append(all, e); return nil })
	})
	return all, err
}

// Table is Entries as sorted lines, "MAILBOX user.alice be1!default "acl"", that are
// the same in every Murder: identifiers of an ACL are in order. A rename by Cyrus
// leaves the partition empty.
func (s *Seat) Table() []string {
	s.t.Helper()
	all, err := s.Entries()
	if err != nil {
		s.t.Fatalf("%v: %v", s, err)
	}
	var lines []string
	for _, e := range all {
		lines = append(lines, s.m.Named(fmt.Sprintf("%s %s %s %q", e.State, e.Name, e.Location, inOrder(e.ACL))))
	}
	slices.Sort(lines)
	return lines
}

// inOrder is an ACL with its identifiers in order.
func inOrder(list string) string {
	words := strings.SplitAfter(list, "\t")
	var entries []string
	for pair := range slices.Chunk(words, 2) {
		entries = append(entries, strings.Join(pair, ""))
	}
	slices.Sort(entries)
	return strings.Join(entries, "")
}

// Kick has a slave fetch what its master has; then all is there that was there
// before.
func (s *Seat) Kick() error {
	c, err := net.DialTimeout("unix", filepath.Join(s.Dir, "conf/socket/mupdate.target"), cyrustest.Patience)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(cyrustest.Patience))
	text, err := io.ReadAll(c)
	if err == nil && string(text) != "ok" {
		err = fmt.Errorf("kicked, %s answers %q", s.Name, text)
	}
	return err
}

// Settled waits until every slave that runs has the list of the master.
func (m *Murder) Settled() {
	m.t.Helper()
	var err error
	for deadline := time.Now().Add(cyrustest.Patience); ; time.Sleep(10 * time.Millisecond) {
		if err = m.unsettled(); err == nil {
			return
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("never: every slave has the master's list: %v", err)
		}
	}
}

// unsettled says which slave does not have what.
func (m *Murder) unsettled() error {
	list, err := m.Master.Entries()
	if err != nil {
		return fmt.Errorf("%v: %w", m.Master, err)
	}
	want := m.lines(list)
	for _, s := range m.Doors() {
		if !s.Running() {
			continue
		}
		if err := s.Kick(); err != nil {
			return fmt.Errorf("%v: %w", s, err)
		}
		list, err := s.Entries()
		if err != nil {
			return fmt.Errorf("%v: %w", s, err)
		}
		if got := m.lines(list); !slices.Equal(got, want) {
			return fmt.Errorf("%v has\n%s\n\nthe master has\n%s", s, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	return nil
}

// lines are entries as text. Masters and slaves of Cyrus's write back an ACL with
// another end than they read.
func (m *Murder) lines(all []mupdate.Entry) []string {
	var text []string
	for _, e := range all {
		text = append(text, m.Named(fmt.Sprintf("%s %s %s %q", e.State, e.Name, e.Location, strings.Trim(e.ACL, "\t "))))
	}
	slices.Sort(text)
	return text
}
