package auth

import (
	"os/user"
	"slices"
	"sync"
	"time"
)

// groupCache remembers the system's groups: a directory service answers
// slowly, and a busy server asks for the same users over and over.
type groupCache struct {
	lookup groupSource

	mu      sync.Mutex
	entries map[string]groupEntry
}

// groupSource is where groups come from.
type groupSource interface {
	of(user string) []string
	exists(group string) bool
}

type groupEntry struct {
	groups []string
	known  bool
	until  time.Time
}

// How long an answer counts, and of how many names at most.
const (
	groupTTL = time.Minute
	groupMax = 10000
)

func newGroupCache(src groupSource) *groupCache {
	return &groupCache{lookup: src, entries: make(map[string]groupEntry)}
}

func (c *groupCache) of(user string) []string {
	return c.get("u"+user, func() groupEntry { return groupEntry{groups: c.lookup.of(user)} }).groups
}

func (c *groupCache) exists(group string) bool {
	return c.get("g"+group, func() groupEntry { return groupEntry{known: c.lookup.exists(group)} }).known
}

// get returns the entry of key, asking outside the lock: two sessions may ask
// for one user at once, which is better than all waiting for one answer.
func (c *groupCache) get(key string, ask func() groupEntry) groupEntry {
	now := time.Now()
	c.mu.Lock()
	e, ok := c.entries[key]
	c.mu.Unlock()
	if ok && now.Before(e.until) {
		return e
	}
	e = ask()
	e.until = now.Add(groupTTL)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.entries) >= groupMax {
		clear(c.entries)
	}
	c.entries[key] = e
	return e
}

// systemGroups asks the operating system: /etc/group for the groups that name
// the user (Cyrus asks for those of users without an account too), and the
// user database, which with cgo includes directory services.
var systemGroups groupSource = unixGroups{file: "/etc/group"}

type unixGroups struct{ file string }

func (g unixGroups) of(name string) []string {
	groups := membersIn(g.file, name)
	u, err := user.Lookup(name)
	if err != nil {
		return groups
	}
	ids, err := u.GroupIds()
	if err != nil {
		ids = []string{u.Gid}
	}
	for _, id := range ids {
		if grp, err := user.LookupGroupId(id); err == nil && !slices.Contains(groups, grp.Name) {
			groups = append(groups, grp.Name)
		}
	}
	return groups
}

func (g unixGroups) exists(name string) bool {
	if _, err := user.LookupGroup(name); err == nil {
		return true
	}
	return definedIn(g.file, name)
}
