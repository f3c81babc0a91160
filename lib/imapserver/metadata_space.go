package imapserver

import (
	"golang.org/x/sys/unix"

	"gocyrus/lib/config"
)

// space is one file system, in units of 1024 octets.
type space struct{ avail, size uint64 }

func (s space) String() string { return decimal(s.avail) + ";" + decimal(s.size) }

// spaces are the file systems that the partitions lie on.
type spaces []space

// space looks at the file systems once.
func (m *metadataView) space() spaces {
	if m.disks == nil {
		m.disks = diskSpace(m.s.srv.site.Config.Partitions())
	}
	return m.disks
}

func diskSpace(parts []config.Partition) spaces {
	var all spaces
	seen := map[unix.Fsid]bool{}
	for _, p := range parts {
		var st unix.Statfs_t
		if unix.Statfs(p.Data, &st) != nil || seen[st.Fsid] {
			continue
		}
		seen[st.Fsid] = true
		unit := uint64(st.Bsize)
		all = append(all, space{st.Bavail * unit / 1024, st.Blocks * unit / 1024})
	}
	return all
}

func (all spaces) total() (string, bool) {
	var t space
	for _, s := range all {
		t.avail += s.avail
		t.size += s.size
	}
	return t.String(), len(all) > 0
}

// free is the space on the file system that has most of it.
func (all spaces) free() (string, bool) {
	var most uint64
	for _, s := range all {
		most = max(most, s.avail)
	}
	return decimal(most), len(all) > 0
}

// most is the file system of which the largest part is free.
func (all spaces) most() (string, bool) {
	var best space
	for _, s := range all {
		if best.size == 0 || float64(s.avail)/float64(s.size) > float64(best.avail)/float64(best.size) {
			best = s
		}
	}
	return best.String(), len(all) > 0
}
