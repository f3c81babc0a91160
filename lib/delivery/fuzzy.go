package delivery

import (
	"strings"

	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/log"
	"gocyrus/lib/mboxlist"
)

// fuzzy finds the folder that comes nearest to the one an address names: case
// does not count, nor which of "-", "_" and blank it is, and of a path that is
// there only in part the longest part is taken. It is nil when nothing fits
// (option lmtp_fuzzy_mailbox_match).
func (d *Deliverer) fuzzy(a Address) (best []string) {
	top := Address{User: a.User, Domain: a.Domain}.Top().DB()
	prefix, skip := "", 0
	if a.User != "" {
		prefix = top + "\x1f"
		skip = len(prefix)
	} else if a.Domain != "" {
		prefix = a.Domain + "!"
		skip = len(prefix)
	}
	err := d.site.List.Scan(prefix, func(v mboxlist.View) error {
		if v.Is(mboxlist.FlagDeleted) || len(v.DBName()) < skip {
			return nil
		}
		have := strings.Split(string(v.DBName())[skip:], "\x1f")
		n := 0
		for n < len(have) && n < len(a.Folder) && alike(a.Folder[n], have[n]) {
			n++
		}
		if n > len(best) {
			best = have[:n]
		}
		if n == len(a.Folder) {
			return kv.Stop
		}
		return nil
	})
	if err != nil {
		log.Err("DBERROR: looking for a mailbox like %s: %v", a.Mailbox(), err)
	}
	return best
}

// alike compares two components.
func alike(a, b string) bool {
	const blanks = "- _"
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) && !(strings.IndexByte(blanks, a[i]) >= 0 && strings.IndexByte(blanks, b[i]) >= 0) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c |= 0x20
	}
	return c
}
