package syncstate

import (
	"gocyrus/lib/csync"
	"gocyrus/lib/quota"
)

// Quota is a quota root as replication carries it: limits, no usage, which each
// side counts for itself.
func Quota(q *quota.Root) csync.Quota {
	return csync.Quota{Root: string(q.Name), Limits: q.Limit, ModSeq: q.ModSeq}
}
