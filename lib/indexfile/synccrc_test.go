package indexfile

import (
	"encoding/hex"
	"testing"
)

// TestBasic checks the share of one message against Cyrus's: the texts are
// "1 2 3 (F) 4 guid", F the XOR of the CRCs of the lower-cased flags.
func TestBasic(t *testing.T) {
	var c FlagCRCs
	c.SetName(0, "MyFlag")
	c.SetName(40, "$Other")
	r := Record{UID: 7, ModSeq: 1 << 40, LastUpdated: 1700000000, InternalDate: 1600000000, Flags: Seen | Flagged}
	if _, err := hex.Decode(r.GUID[:], []byte("bd2e39d21926d8fb9d173dd5984e8cb36eb11014")); err != nil {
		t.Fatal(err)
	}
	r.UserFlags.Set(0, true)
	r.UserFlags.Set(40, true)
	r.UserFlags.Set(41, true) // without a name: no share
	flags := textCRC(`\seen`) ^ textCRC(`\flagged`) ^ textCRC("myflag") ^ textCRC("$other")
	want := textCRC("7 1099511627776 1700000000 (" + utoa(flags) + ") 1600000000 bd2e39d21926d8fb9d173dd5984e8cb36eb11014")
	if got := c.Basic(&r); got != want {
		t.Errorf("Basic = %d, want %d", got, want)
	}
	r.Flags |= Expunged
	if got := c.Basic(&r); got != 0 {
		t.Errorf("Basic of an expunged message = %d", got)
	}
}

func utoa(n uint32) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return utoa(n/10) + string(rune('0'+n%10))
}

// TestVirtual checks which fields count from which version on.
func TestVirtual(t *testing.T) {
	r := Record{UID: 3, CID: 0xabc, SaveDate: 12, CreatedModSeq: 34}
	thrid := textCRC("3 /vendor/cmu/cyrus-imapd/thrid  abc")
	saved := textCRC("3 /vendor/cmu/cyrus-imapd/savedate  12")
	created := textCRC("3 /vendor/cmu/cyrus-imapd/createdmodseq  34")
	for version, want := range map[uint32]uint32{12: 0, 13: thrid, 14: thrid, 15: thrid ^ saved, 16: thrid ^ saved ^ created, 19: thrid ^ saved ^ created} {
		if got := Virtual(&r, version); got != want {
			t.Errorf("version %d: %x, want %x", version, got, want)
		}
	}
	if got := Virtual(&Record{UID: 3}, 19); got != 0 {
		t.Errorf("without any: %x", got)
	}
}

// TestBasicAllocates keeps the share of a message free of garbage: each STORE
// computes it twice.
func TestBasicAllocates(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools forget")
	}
	var c FlagCRCs
	r := Record{UID: 7, ModSeq: 1 << 40, Flags: Seen, CreatedModSeq: 5, SaveDate: 6}
	if n := testing.AllocsPerRun(100, func() { c.Basic(&r); Virtual(&r, 19) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestSameVirtual checks that records that are said to have the same share have
// it, and that the usual change of flags is seen to be one.
func TestSameVirtual(t *testing.T) {
	old := Record{UID: 3, CID: 5, SaveDate: 7, CreatedModSeq: 9, ModSeq: 11}
	for _, tc := range []struct {
		name   string
		change func(r *Record)
		same   bool
	}{
		{"flags", func(r *Record) { r.Flags, r.ModSeq, r.LastUpdated = Seen, 12, 13 }, true},
		{"expunged", func(r *Record) { r.Flags |= Expunged }, false},
		{"conversation", func(r *Record) { r.CID = 6 }, false},
		{"save date", func(r *Record) { r.SaveDate = 8 }, false},
		{"creation", func(r *Record) { r.CreatedModSeq = 10 }, false},
		{"uid", func(r *Record) { r.UID = 4 }, false},
	} {
		r := old
		tc.change(&r)
		if got := SameVirtual(&old, &r); got != tc.same {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.same)
		}
		if same := Virtual(&old, 19) == Virtual(&r, 19); same != tc.same {
			t.Errorf("%s: shares agree %v, want %v", tc.name, same, tc.same)
		}
	}
}
