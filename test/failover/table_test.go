package failover

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/cyrustest"
	"gocyrus/lib/mupdate"
	"gocyrus/test/internal/murder"
)

// A record is a mailbox as ctl_mboxlist -d prints it.
type record struct {
	Type      string            `json:"mbtype"`
	Partition string            `json:"partition"`
	Server    string            `json:"server"`
	ID        string            `json:"uniqueid"`
	MTime     string            `json:"mtime"`
	ACL       map[string]string `json:"acl"`
}

// records are what is in a seat's mailboxes.db, by name, tombstones left out.
func records(s *murder.Seat) (map[string]record, error) {
	out, _, err := s.TryTool("", "ctl_mboxlist", "-d")
	if err != nil {
		return nil, err
	}
	all := map[string]record{}
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		return nil, fmt.Errorf("ctl_mboxlist -d of %s: %w", s.Name, err)
	}
	maps.DeleteFunc(all, func(_ string, r record) bool { return strings.Contains(r.Type[1:], "d") })
	return all, nil
}

// aclOf is an access list as a record has it.
func aclOf(text string) map[string]string {
	m := map[string]string{}
	for pair := range slices.Chunk(strings.Split(strings.TrimRight(text, "\t "), "\t"), 2) {
		if len(pair) == 2 {
			m[pair[0]] = pair[1]
		}
	}
	return m
}

// disagreements compares what master, backends and frontends have: every mailbox is
// at one backend, which is the one that the master and every frontend name, and
// nobody has anything else.
func disagreements(m *murder.Murder) (wrong []string, err error) {
	add := func(format string, args ...any) { wrong = append(wrong, m.Named(fmt.Sprintf(format, args...))) }
	entries, err := m.Master.Entries()
	if err != nil {
		return nil, err
	}
	master := map[string]mupdate.Entry{}
	for _, e := range entries {
		if master[string(e.Name)] = e; e.State != mupdate.Active {
			add("the master has a reservation: %s %s", e.Name, e.Location)
		}
	}
	holder, ids := map[string]string{}, map[string]string{}
	for _, s := range m.Stores() {
		all, err := records(s)
		if err != nil {
			return nil, err
		}
		for name, r := range all {
			switch flags := r.Type[1:]; {
			case strings.Contains(flags, "m"):
				add("%s: %s is still moving to %s", s.Name, name, r.Server)
				continue
			case strings.ContainsAny(flags, "ri"):
				continue
			}
			if at := holder[name]; at != "" {
				add("%s is at %s and at %s", name, at, s.Name)
			}
			if at := ids[r.ID]; at != "" {
				add("%s at %s has the id of %s", name, s.Name, at)
			}
			holder[name], ids[r.ID] = s.Name, name+" at "+s.Name
			if e := master[name]; e.Location != s.IP+"!"+r.Partition {
				add("%s is at %s!%s, and for the master at %q", name, s.Name, r.Partition, e.Location)
			} else if !maps.Equal(aclOf(e.ACL), r.ACL) {
				add("%s has the list %v at %s and %v at the master", name, r.ACL, s.Name, aclOf(e.ACL))
			}
		}
	}
	for name, e := range master {
		if holder[name] == "" {
			add("the master has %s at %s, where it is not", name, e.Location)
		}
	}
	for _, s := range slices.Concat(m.Masters[1:], m.Doors()) {
		if err := s.Kick(); err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
		has, err := s.Entries()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
		theirs := map[string]mupdate.Entry{}
		for _, e := range has {
			theirs[string(e.Name)] = e
			if _, ok := master[string(e.Name)]; !ok {
				add("%s has %s at %s, the master has not", s.Name, e.Name, e.Location)
			}
		}
		for name, e := range master {
			if now := theirs[name]; now.Location != e.Location || !maps.Equal(aclOf(now.ACL), aclOf(e.ACL)) {
				add("%s has %q for %s, the master %q", s.Name, now.Location, name, e.Location)
			}
		}
	}
	return wrong, nil
}

// agreed waits until master, backends and frontends agree. ctl_mboxlist -m -w then
// finds the same.
func agreed(t *testing.T, m *murder.Murder) {
	t.Helper()
	for deadline := time.Now().Add(cyrustest.Patience); ; time.Sleep(50 * time.Millisecond) {
		wrong, err := disagreements(m)
		if err == nil && len(wrong) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Errorf("they do not agree: %v\n%s", err, strings.Join(wrong, "\n"))
			return
		}
	}
	for _, s := range m.Stores() {
		if out := s.RunTool("", "ctl_mboxlist", "-m", "-w"); out != "" {
			t.Errorf("%s: ctl_mboxlist -m -w: %s", s.Name, m.Named(out))
		}
	}
}
