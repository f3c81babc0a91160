package syncclient

import (
	"bytes"
	"slices"
	"strings"

	"gocyrus/lib/csync"
	"gocyrus/lib/syncstate"
)

// difference names the first thing in which a mailbox here differs from that of the
// replica, in the word of the wire; it is empty when they are equal.
//
// Not compared is what each side counts for itself or what follows from the rest:
// names and partitions (see planFolders), the quota root, when a message was last
// appended. A zero CRC is one that its side does not know, and equal to any.
func difference(local, remote *csync.Mailbox) string {
	for _, d := range [...]struct {
		word    string
		differs bool
	}{
		{"MBOXTYPE", local.Type != remote.Type},
		{"LAST_UID", local.LastUID != remote.LastUID},
		{"HIGHESTMODSEQ", local.HighestModSeq != remote.HighestModSeq},
		{"UIDVALIDITY", local.UIDValidity != remote.UIDValidity},
		{"RECENTUID", local.RecentUID != remote.RecentUID},
		{"RECENTTIME", local.RecentTime != remote.RecentTime},
		{"POP3_LAST_LOGIN", local.POP3LastLogin != remote.POP3LastLogin},
		{"POP3_SHOW_AFTER", local.POP3ShowAfter != remote.POP3ShowAfter},
		{"OPTIONS", local.Options != remote.Options},
		{"FOLDERMODSEQ", remote.FolderModSeq != 0 && local.FolderModSeq != remote.FolderModSeq},
		{"ACL", local.ACL != remote.ACL},
		{"RACLMODSEQ", local.RACLModSeq != 0 && remote.RACLModSeq != 0 && local.RACLModSeq != remote.RACLModSeq},
		{"XCONVMODSEQ", local.XConvModSeq != 0 && local.XConvModSeq != remote.XConvModSeq},
		{"ANNOTATIONS", !sameAnnotations(local.Annotations, remote.Annotations)},
		{"SYNC_CRC", crcsDiffer(local.SyncCRC, remote.SyncCRC)},
		{"SYNC_CRC_ANNOT", crcsDiffer(local.SyncCRCAnnot, remote.SyncCRCAnnot)},
	} {
		if d.differs {
			return d.word
		}
	}
	return ""
}

func crcsDiffer(a, b uint32) bool { return a != b && a != 0 && b != 0 }

// sameAnnotations compares what annotations say: their modseqs may differ.
func sameAnnotations(a, b []csync.Annotation) bool {
	if len(a) != len(b) {
		return false
	}
	// Both are in the order of the wire when they come from Cyrus or from us.
	if slices.EqualFunc(a, b, sameAnnotation) {
		return true
	}
	a, b = slices.Clone(a), slices.Clone(b)
	syncstate.SortAnnotations(a)
	syncstate.SortAnnotations(b)
	return slices.EqualFunc(a, b, sameAnnotation)
}

func sameAnnotation(a, b csync.Annotation) bool {
	return a.Entry == b.Entry && a.UserID == b.UserID && bytes.Equal(a.Value, b.Value)
}

// sameRecord compares all that replication carries of a message.
func sameRecord(a, b *csync.Record) bool {
	return a.UID == b.UID && a.ModSeq == b.ModSeq && a.LastUpdated == b.LastUpdated && a.InternalDate == b.InternalDate &&
		a.GUID == b.GUID && sameFlags(a.Flags, b.Flags) && sameAnnotations(a.Annotations, b.Annotations)
}

// sameFlags compares sets of flags, whatever their order and case.
func sameFlags(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for _, f := range a {
		if !hasFlag(b, f) {
			return false
		}
	}
	return true
}

func hasFlag(list []string, flag string) bool {
	return slices.ContainsFunc(list, func(f string) bool { return strings.EqualFold(f, flag) })
}

// higher is what the replica has of the numbers that only go up, where it has gone
// further: this side has to follow.
type higher struct {
	UIDValidity  uint32 // 0 is: not higher
	FolderModSeq uint64
	RACLModSeq   uint64
}

func (h higher) any() bool { return h != higher{} }

func compareHigher(local, remote *csync.Mailbox) (h higher) {
	if remote.UIDValidity > local.UIDValidity {
		h.UIDValidity = remote.UIDValidity
	}
	if remote.FolderModSeq > local.FolderModSeq {
		h.FolderModSeq = remote.FolderModSeq
	}
	if local.RACLModSeq != 0 && remote.RACLModSeq > local.RACLModSeq {
		h.RACLModSeq = remote.RACLModSeq
	}
	return h
}

// purgedTooFar says that messages were removed from the index here of whose end the
// replica has not heard: records cannot tell it any more, so the replica's list has
// to be looked through.
func purgedTooFar(deletedModSeq uint64, remote *csync.Mailbox) bool {
	return deletedModSeq > remote.HighestModSeq && remote.LastUID > 0
}
