package mailbox

import (
	"bytes"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"gocyrus/lib/lock"
)

// A process may have thousands of sessions that idle, each in a mailbox of its
// own, but only so many descriptors and maps. So of the mailboxes that are open
// only a number have their files open; one that nobody reads or changes just now
// can be put to rest, and opens them again when it is next used.

// What one mailbox takes at the most, in the common case: index, directory, cache
// and two lock files; index, cache, and a cache that has grown.
const (
	filesEach = 5
	mapsEach  = 3
)

// activeLimit is how many mailboxes may have their files open: a quarter of what
// the system allows, so that connections and messages have room.
func activeLimit() int {
	n := 65530 // the kernel's default
	if b, err := os.ReadFile("/proc/sys/vm/max_map_count"); err == nil {
		if v, err := strconv.Atoi(string(bytes.TrimSpace(b))); err == nil {
			n = v
		}
	}
	limit := n / 4 / mapsEach
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err == nil && r.Cur/4/filesEach < uint64(limit) {
		limit = int(r.Cur / 4 / filesEach)
	}
	return max(limit, 16)
}

// awake notes that m has opened its files, and puts others to rest if they are
// too many. The caller has m's turn.
func (s *Store) awake(m *Mailbox) {
	s.activeMu.Lock()
	s.active[m] = struct{}{}
	var tired []*Mailbox
	if len(s.active) > s.opt.MaxActive {
		tired = s.tired(m)
	}
	s.activeMu.Unlock()
	for _, o := range tired {
		o.rest()
	}
}

// tired are those that were used longest ago, an eighth of all: so many at a time
// that to look for them costs little each. The caller has activeMu.
func (s *Store) tired(but *Mailbox) []*Mailbox {
	all := make([]*Mailbox, 0, len(s.active))
	for m := range s.active {
		if m != but {
			all = append(all, m)
		}
	}
	// Taken once: it changes while they are sorted.
	used := make(map[*Mailbox]uint64, len(all))
	for _, m := range all {
		used[m] = m.used.Load()
	}
	slices.SortFunc(all, func(a, b *Mailbox) int {
		if used[a] < used[b] {
			return -1
		}
		return 1
	})
	return all[:min(len(all), s.opt.MaxActive/8+1)]
}

// asleep notes that m has closed its files.
func (s *Store) asleep(m *Mailbox) {
	s.activeMu.Lock()
	delete(s.active, m)
	s.activeMu.Unlock()
}

// rest closes the files of a mailbox that is not in use this moment.
func (m *Mailbox) rest() {
	if !m.gate.try(lock.Exclusive) {
		return
	}
	defer m.gate.unlock(lock.Exclusive)
	select {
	case m.turn <- struct{}{}:
	default:
		return
	}
	m.closeFiles()
	<-m.turn
	m.store.locks.rest(m.name)
	m.store.locks.rest(m.user)
}

// rest closes the file of a lock that nobody has.
func (r *locks) rest(l *fileLock) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !l.gate.try(lock.Exclusive) {
		return
	}
	defer l.gate.unlock(lock.Exclusive)
	select {
	case l.turn <- struct{}{}:
		l.close()
		<-l.turn
	default:
	}
}
