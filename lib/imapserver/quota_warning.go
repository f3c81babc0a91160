package imapserver

import (
	"fmt"
	"time"

	"gocyrus/lib/acl"
	"gocyrus/lib/config"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/quota"
)

// quotaWarning says from which usage of a quota root SELECT warns.
type quotaWarning struct {
	percent int
	// rest is how little must be left of a resource, in its unit, for a
	// warning; 0 or as much as the limit is always.
	rest [quota.NumResources]int64
}

func quotaWarningFrom(cfg *config.Config) (w quotaWarning) {
	w.percent = cfg.Int("quotawarnpercent")
	size := cfg.Bytes("quotawarnsize") / 1024
	w.rest[quota.Storage], w.rest[quota.AnnotationStorage] = size, size
	w.rest[quota.Message] = int64(cfg.Int("quotawarnmsg"))
	return w
}

// quotaWarned is which root a session was last warned of, and when.
type quotaWarned struct {
	root mboxname.Name
	at   time.Time
}

// warnEvery is how often a session hears of one root.
const warnEvery = 10 * time.Minute

// warnOfQuota warns one who could make room in the selected mailbox that its
// quota root is full, or nearly.
func (s *session) warnOfQuota() {
	if s.sel.idx.Who().Rights&acl.Expunge == 0 {
		return
	}
	name, found, err := s.srv.quota.Find(s.sel.name)
	if err != nil || !found || name == s.warned.root && time.Since(s.warned.at) < warnEvery {
		return // what SELECT is about does not depend on it
	}
	root, err := s.srv.quota.Get(name)
	if err != nil {
		return
	}
	s.warned = quotaWarned{name, time.Now()}
	for r := range quota.NumResources {
		if text := s.srv.opts.Warn.text(r, root.Used[r], root.Limit[r]); text != "" {
			s.untagged("NO [ALERT] ", text)
		}
	}
}

// text is the warning for a usage, in octets or numbers, of a limit in the
// resource's unit; "" without.
func (w *quotaWarning) text(r quota.Resource, used, limit int64) string {
	unit := quota.Unit[r]
	if limit == quota.Unlimited || w.rest[r] > 0 && w.rest[r] < limit && used <= (limit-w.rest[r])*unit {
		return ""
	}
	if used > limit*unit {
		return fmt.Sprintf("Mailbox is over %s quota", quota.Names[r])
	}
	if limit == 0 {
		return ""
	}
	if percent := int(float64(used) * 100 / float64(limit*unit)); percent > w.percent {
		return fmt.Sprintf("Mailbox is at %d%% of %s quota", percent, quota.Names[r])
	}
	return ""
}
