package syncclient

import (
	"testing"

	"gocyrus/lib/csync"
)

// box is a mailbox of which one thing is changed by each case.
func box() *csync.Mailbox {
	return &csync.Mailbox{
		UniqueID: "id1", Name: "user.alice", SyncCRC: 11, SyncCRCAnnot: 22, LastUID: 5, HighestModSeq: 9,
		RecentUID: 4, RecentTime: 100, LastAppendDate: 90, POP3LastLogin: 80, POP3ShowAfter: 70,
		UIDValidity: 1234, Partition: "default", ACL: "alice\tlrs\t", Options: "P", QuotaRoot: "user.alice",
		CreatedModSeq: 1, FolderModSeq: 3,
		Annotations: []csync.Annotation{{Entry: "/a", UserID: "", ModSeq: 2, Value: []byte("x")}, {Entry: "/b", UserID: "bob", Value: []byte("y")}},
	}
}

func TestDifference(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(l, r *csync.Mailbox)
		want   string
	}{
		{"equal", func(l, r *csync.Mailbox) {}, ""},
		{"type", func(l, r *csync.Mailbox) { r.Type = "f" }, "MBOXTYPE"},
		{"last uid", func(l, r *csync.Mailbox) { r.LastUID++ }, "LAST_UID"},
		{"modseq", func(l, r *csync.Mailbox) { l.HighestModSeq++ }, "HIGHESTMODSEQ"},
		{"uidvalidity", func(l, r *csync.Mailbox) { l.UIDValidity++ }, "UIDVALIDITY"},
		{"recent uid", func(l, r *csync.Mailbox) { l.RecentUID++ }, "RECENTUID"},
		{"recent time", func(l, r *csync.Mailbox) { l.RecentTime++ }, "RECENTTIME"},
		{"pop3 login", func(l, r *csync.Mailbox) { l.POP3LastLogin++ }, "POP3_LAST_LOGIN"},
		{"pop3 show after", func(l, r *csync.Mailbox) { l.POP3ShowAfter++ }, "POP3_SHOW_AFTER"},
		{"options", func(l, r *csync.Mailbox) { l.Options = "PS" }, "OPTIONS"},
		{"acl", func(l, r *csync.Mailbox) { l.ACL += "bob\tl\t" }, "ACL"},
		{"folder modseq", func(l, r *csync.Mailbox) { l.FolderModSeq++ }, "FOLDERMODSEQ"},
		{"a replica that keeps no folder modseq", func(l, r *csync.Mailbox) { r.FolderModSeq = 0 }, ""},
		{"racl modseq", func(l, r *csync.Mailbox) { l.RACLModSeq, r.RACLModSeq = 1, 2 }, "RACLMODSEQ"},
		{"racl modseq of one side", func(l, r *csync.Mailbox) { l.RACLModSeq = 1 }, ""},
		{"conversations here", func(l, r *csync.Mailbox) { l.XConvModSeq = 1 }, "XCONVMODSEQ"},
		{"conversations there", func(l, r *csync.Mailbox) { r.XConvModSeq = 1 }, ""},
		{"annotation value", func(l, r *csync.Mailbox) { r.Annotations[0].Value = []byte("z") }, "ANNOTATIONS"},
		{"annotation of another user", func(l, r *csync.Mailbox) { r.Annotations[1].UserID = "carl" }, "ANNOTATIONS"},
		{"annotation less", func(l, r *csync.Mailbox) { r.Annotations = r.Annotations[:1] }, "ANNOTATIONS"},
		{"annotation modseq does not count", func(l, r *csync.Mailbox) { r.Annotations[0].ModSeq = 77 }, ""},
		{"annotation order does not count", func(l, r *csync.Mailbox) {
			r.Annotations[0], r.Annotations[1] = r.Annotations[1], r.Annotations[0]
		}, ""},
		{"crc", func(l, r *csync.Mailbox) { r.SyncCRC++ }, "SYNC_CRC"},
		{"crc that nobody knows", func(l, r *csync.Mailbox) { r.SyncCRC = 0 }, ""},
		{"annotation crc", func(l, r *csync.Mailbox) { r.SyncCRCAnnot++ }, "SYNC_CRC_ANNOT"},
		{"annotation crc that nobody knows", func(l, r *csync.Mailbox) { l.SyncCRCAnnot = 0 }, ""},
		// Names are the folder plan's, the rest is each side's own.
		{"name", func(l, r *csync.Mailbox) { r.Name = "user.alice.x" }, ""},
		{"partition", func(l, r *csync.Mailbox) { r.Partition = "second" }, ""},
		{"quota root", func(l, r *csync.Mailbox) { r.QuotaRoot = "" }, ""},
		{"last append", func(l, r *csync.Mailbox) { r.LastAppendDate++ }, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l, r := box(), box()
			tc.change(l, r)
			if got := difference(l, r); got != tc.want {
				t.Errorf("difference = %q; want %q", got, tc.want)
			}
		})
	}
}

func TestCompareHigher(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(l, r *csync.Mailbox)
		want   higher
	}{
		{"equal", func(l, r *csync.Mailbox) {}, higher{}},
		{"uidvalidity there", func(l, r *csync.Mailbox) { r.UIDValidity = 2000 }, higher{UIDValidity: 2000}},
		{"uidvalidity here", func(l, r *csync.Mailbox) { l.UIDValidity = 2000 }, higher{}},
		{"folder modseq there", func(l, r *csync.Mailbox) { r.FolderModSeq = 8 }, higher{FolderModSeq: 8}},
		{"racl modseq there", func(l, r *csync.Mailbox) { l.RACLModSeq, r.RACLModSeq = 1, 8 }, higher{RACLModSeq: 8}},
		{"racl modseq that is not kept here", func(l, r *csync.Mailbox) { r.RACLModSeq = 8 }, higher{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l, r := box(), box()
			tc.change(l, r)
			if got := compareHigher(l, r); got != tc.want {
				t.Errorf("compareHigher = %+v; want %+v", got, tc.want)
			}
		})
	}
}

func TestPurgedTooFar(t *testing.T) {
	for _, tc := range []struct {
		name    string
		deleted uint64
		remote  csync.Mailbox
		want    bool
	}{
		{"nothing purged", 0, csync.Mailbox{HighestModSeq: 5, LastUID: 1}, false},
		{"the replica heard of it", 5, csync.Mailbox{HighestModSeq: 5, LastUID: 1}, false},
		{"the replica did not", 6, csync.Mailbox{HighestModSeq: 5, LastUID: 1}, true},
		{"the replica never had a message", 6, csync.Mailbox{HighestModSeq: 1}, false},
	} {
		if got := purgedTooFar(tc.deleted, &tc.remote); got != tc.want {
			t.Errorf("%s: %v; want %v", tc.name, got, tc.want)
		}
	}
}

func TestSameRecord(t *testing.T) {
	a := csync.Record{UID: 1, ModSeq: 2, LastUpdated: 3, Flags: []string{`\Seen`, "Label"}, InternalDate: 4, Size: 5}
	b := a
	b.Flags = []string{"label", `\Seen`}
	if !sameRecord(&a, &b) {
		t.Error("order and case of flags count")
	}
	b.Flags = []string{`\Seen`, "Other"}
	if sameRecord(&a, &b) {
		t.Error("another flag does not count")
	}
	b = a
	b.Annotations = []csync.Annotation{{Entry: "/comment", Value: []byte("x")}}
	if sameRecord(&a, &b) {
		t.Error("an annotation does not count")
	}
}
