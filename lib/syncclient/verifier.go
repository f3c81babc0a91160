package syncclient

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gocyrus/lib/csync"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/seen"
	"gocyrus/lib/syncstate"
)

// verifier collects what differs.
type verifier struct {
	c     *Client
	owner string
	roots map[string]bool // quota roots of the mailboxes
	found []Difference
}

func (v *verifier) add(n mboxname.Name, format string, args ...any) {
	owner := v.owner
	if n != "" {
		owner = n.Owner()
	}
	v.found = append(v.found, Difference{owner, n, fmt.Sprintf(format, args...)})
}

func (v *verifier) mailboxes(ctx context.Context, entries []*mboxlist.Entry, there []*csync.Mailbox) error {
	remote := byID(there)
	v.roots = make(map[string]bool)
	for _, e := range entries {
		l, err := v.c.lookRecounted(ctx, e)
		if errors.Is(err, errVanished) {
			continue
		}
		if err != nil {
			return err
		}
		if l.state.QuotaRoot != "" {
			v.roots[l.state.QuotaRoot] = true
		}
		r := remote[e.UniqueID]
		delete(remote, e.UniqueID)
		v.mailbox(l.state, r)
	}
	for _, r := range there {
		if remote[r.UniqueID] != nil && !isEntry(r) {
			v.add(r.Name, "is at the replica alone")
		}
	}
	return nil
}

func (v *verifier) mailbox(l, r *csync.Mailbox) {
	switch {
	case r == nil:
		v.add(l.Name, "is not at the replica")
	case isEntry(r):
		v.add(l.Name, "has no files at the replica")
	case r.Name != l.Name:
		v.add(l.Name, "MBOXNAME %s %s", l.Name, r.Name)
	case r.Partition != l.Partition:
		v.add(l.Name, "PARTITION %s %s", l.Partition, r.Partition)
	default:
		if word := difference(l, r); word != "" {
			v.add(l.Name, "%s %v %v", word, fieldOf(l, word), fieldOf(r, word))
		}
	}
}

// fieldOf is the value of a field that difference named.
func fieldOf(m *csync.Mailbox, word string) any {
	switch word {
	case "MBOXTYPE":
		return fmt.Sprintf("%q", m.Type)
	case "LAST_UID":
		return m.LastUID
	case "HIGHESTMODSEQ":
		return m.HighestModSeq
	case "UIDVALIDITY":
		return m.UIDValidity
	case "RECENTUID":
		return m.RecentUID
	case "RECENTTIME":
		return m.RecentTime
	case "POP3_LAST_LOGIN":
		return m.POP3LastLogin
	case "POP3_SHOW_AFTER":
		return m.POP3ShowAfter
	case "OPTIONS":
		return fmt.Sprintf("%q", m.Options)
	case "FOLDERMODSEQ":
		return m.FolderModSeq
	case "ACL":
		return fmt.Sprintf("%q", m.ACL)
	case "RACLMODSEQ":
		return m.RACLModSeq
	case "ANNOTATIONS":
		return len(m.Annotations)
	case "SYNC_CRC":
		return m.SyncCRC
	case "SYNC_CRC_ANNOT":
		return m.SyncCRCAnnot
	}
	return "?"
}

func (v *verifier) quotas(there []*csync.Quota) error {
	remote := make(map[string]*csync.Quota)
	for _, q := range there {
		remote[q.Root] = q
	}
	for _, root := range sortedKeys(v.roots) {
		q, err := v.c.site.Quota.Get(mboxname.Name(root))
		if err != nil {
			continue
		}
		switch r := remote[root]; {
		case r == nil:
			v.add("", "QUOTA %s is not at the replica", root)
		case r.Limits != q.Limit:
			v.add("", "QUOTA %s %v %v", root, q.Limit, r.Limits)
		}
	}
	return nil
}

func (v *verifier) subs(there []mboxname.Name) error {
	here, err := v.c.site.Subs.List(v.c.userOf(v.owner))
	if err != nil {
		return err
	}
	for _, n := range here {
		if !slices.Contains(there, n) {
			v.add("", "SUB %s is not at the replica", n)
		}
	}
	for _, n := range there {
		if !slices.Contains(here, n) {
			v.add("", "SUB %s is at the replica alone", n)
		}
	}
	return nil
}

func (v *verifier) seens(there []*csync.Seen) error {
	remote := make(map[string]*csync.Seen, len(there))
	for _, r := range there {
		remote[r.UniqueID] = r
	}
	return v.c.seenOf(v.owner).Scan(func(id string, r seen.Record) error {
		switch w, is := wireSeen("", id, r), remote[id]; {
		case is == nil:
			v.add("", "SEEN %s is not at the replica", id)
		case *is != w:
			v.add("", "SEEN %s %s %s", id, w.UIDs, is.UIDs)
		}
		return nil
	})
}

// lookRecounted is look, with the sums of the records instead of those of the header.
func (c *Client) lookRecounted(ctx context.Context, e *mboxlist.Entry) (*localBox, error) {
	l := &localBox{entry: e}
	err := c.view(ctx, e, func(v *mailbox.View) error {
		if err := c.read(l, v); err != nil {
			return err
		}
		basic, annot, err := sums(v)
		l.state.SyncCRC, l.state.SyncCRCAnnot = basic, annot
		return err
	})
	return l, err
}

// sums are both CRCs of a mailbox, from its records.
func sums(v *mailbox.View) (basic, annot uint32, err error) {
	var crcs indexfile.FlagCRCs
	for slot, name := range v.UserFlags() {
		crcs.SetName(slot, name)
	}
	basic, annot = indexfile.SyncCRCStart, indexfile.SyncCRCAnnotStart
	all := v.Annotations()
	defer all.Close()
	owner := v.Mailbox().Owner()
	version := v.Header().Version
	var r indexfile.Record
	for recno := 1; recno <= v.NumRecords(); recno++ {
		if err := v.Record(recno, &r); err != nil {
			return 0, 0, err
		}
		if r.UID == 0 || r.Flags&indexfile.Expunged != 0 {
			continue
		}
		basic ^= crcs.Basic(&r)
		annot ^= indexfile.Virtual(&r, version)
		list, err := all.OfExact(r.UID)
		if err != nil {
			return 0, 0, err
		}
		for _, a := range list {
			annot ^= indexfile.AnnotCRC(r.UID, a.Entry, syncstate.UserOf(a.User, owner), a.Data)
		}
	}
	return basic, annot, nil
}
