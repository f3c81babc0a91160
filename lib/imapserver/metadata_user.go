package imapserver

import "strings"

// userModSeq and userCounters are entries of the server that say what has
// changed anywhere in the user's mailboxes, where one clock counts for all.
func userModSeq(m *metadataView) (string, bool) {
	c, err := m.s.srv.store.Counters(m.s.user)
	return decimal(c.Highest), err == nil
}

func userCounters(m *metadataView) (string, bool) {
	c, err := m.s.srv.store.Counters(m.s.user)
	words := []string{decimal(uint64(c.Version)), decimal(c.Highest)}
	for _, n := range c.Items {
		words = append(words, decimal(n))
	}
	for _, n := range c.Folders {
		words = append(words, decimal(n))
	}
	words = append(words, decimal(c.Quota), decimal(c.Grant), decimal(uint64(c.UIDValidity)))
	return strings.Join(words, " "), err == nil
}

// rawQuota is usage and limits of a mailbox that is a quota root itself.
func rawQuota(m *metadataView) (string, bool) {
	root, err := m.s.srv.quota.Get(m.at.name)
	if err != nil {
		return "", false
	}
	return string(appendLimits(nil, root)), true
}
