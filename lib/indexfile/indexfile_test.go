package indexfile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// samples are the files of testdata, which real Cyrus 3.6.1 and 3.10.3 servers
// wrote: one mailbox in the versions 6 to 12, others in 13 to 19.
func samples(t testing.TB) map[uint32][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/v*.index")
	if err != nil || len(files) != 12 {
		t.Fatal(files, err)
	}
	all := make(map[uint32][]byte)
	for _, f := range files {
		v, err := strconv.ParseUint(strings.Trim(filepath.Base(f), "vindex."), 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all[uint32(v)] = b
	}
	return all
}

// TestSamples reads a file of each version: sizes, CRCs and counts fit, and what
// can be written is written octet for octet as it was.
func TestSamples(t *testing.T) {
	for version, b := range samples(t) {
		t.Run(fmt.Sprint("version ", version), func(t *testing.T) {
			h, err := ParseHeader(b)
			if err != nil || h.Version != version || h.FileSize() != int64(len(b)) {
				t.Fatalf("header %+v, %v; file of %d octets", h, err, len(b))
			}
			tab, err := NewTable(b, h)
			if err != nil {
				t.Fatal(err)
			}
			counted := *h
			counted.ResetCounts()
			for recno := 1; recno <= tab.Len(); recno++ {
				checkRecord(t, b, h, tab, recno, &counted)
			}
			if version >= 12 {
				checkCounts(t, h, &counted)
			}
			if !Writable(version) {
				return
			}
			if out, err := h.AppendTo(nil); err != nil || !bytes.Equal(out, b[:h.StartOffset]) {
				t.Errorf("header written as\n%x, was\n%x, %v", out, b[:h.StartOffset], err)
			}
		})
	}
}

func checkRecord(t *testing.T, b []byte, h *Header, tab Table, recno int, counted *Header) {
	t.Helper()
	var r Record
	if err := tab.Raw(recno).Record(&r); err != nil {
		t.Fatal(err)
	}
	if at, ok := tab.Find(r.UID); at != recno || !ok {
		t.Errorf("uid %d found at %d, %v; is %d", r.UID, at, ok, recno)
	}
	counted.Count(&r, true)
	if !Writable(h.Version) {
		if h.Version < 10 && r.GUID != (GUID{}) || r.ModSeq > h.HighestModSeq || r.Size == 0 || r.InternalDate == 0 {
			t.Errorf("record %+v", r)
		}
		return
	}
	if out, err := r.AppendTo(nil, h.Version); err != nil || !bytes.Equal(out, b[h.Offset(recno):h.Offset(recno+1)]) {
		t.Errorf("record %d written as\n%x, was\n%x, %v", recno, out, b[h.Offset(recno):h.Offset(recno+1)], err)
	}
}

// checkCounts compares what the header counts with its records. The older samples
// come from a downgrade that left records of expunged messages in, uncounted.
func checkCounts(t *testing.T, h, counted *Header) {
	t.Helper()
	got := [...]uint64{uint64(h.Exists), uint64(h.Answered), uint64(h.Flagged), uint64(h.Deleted), h.QuotaUsed}
	want := [...]uint64{uint64(counted.Exists), uint64(counted.Answered), uint64(counted.Flagged), uint64(counted.Deleted), counted.QuotaUsed}
	if got != want {
		t.Errorf("exists, answered, flagged, deleted, quota: header %d, records %d", got, want)
	}
	if h.Version >= 14 && h.Unseen != counted.Unseen {
		t.Errorf("unseen: header %d, records %d", h.Unseen, counted.Unseen)
	}
}

// TestFields checks fields of one real record of version 19 against what IMAP
// and an independent decoder say of it.
func TestFields(t *testing.T) {
	b := samples(t)[19]
	h, err := ParseHeader(b)
	if err != nil {
		t.Fatal(err)
	}
	tab, err := NewTable(b, h)
	if err != nil {
		t.Fatal(err)
	}
	raw := tab.Raw(1)
	var r Record
	if err := raw.Record(&r); err != nil {
		t.Fatal(err)
	}
	same := raw.UID() == r.UID && raw.ModSeq() == r.ModSeq && raw.Flags() == r.Flags && raw.Size() == r.Size &&
		raw.GUID() == r.GUID && raw.CID() == r.CID && raw.CreatedModSeq() == r.CreatedModSeq && raw.CacheCRC() == r.CacheCRC &&
		raw.CacheOffset() == r.CacheOffset && raw.SaveDate() == r.SaveDate && raw.UserFlags() == r.UserFlags
	if !same {
		t.Errorf("accessors and Record differ: %+v", r)
	}
	if r.UID == 0 || r.Size == 0 || r.CID == 0 || r.SaveDate == 0 || r.CreatedModSeq == 0 || r.CacheOffset < 4 || r.CacheVersion != 11 {
		t.Errorf("record %+v", r)
	}
}

func TestParseErrors(t *testing.T) {
	good := samples(t)[17]
	alter := func(off int, v byte) []byte {
		b := bytes.Clone(good)
		b[off] = v
		return b
	}
	for _, tc := range []struct {
		name string
		b    []byte
		want error
	}{
		{"empty", nil, ErrFormat},
		{"short", good[:100], ErrFormat},
		{"version 5", alter(11, 5), ErrVersion},
		{"version 11 never was", alter(11, 11), ErrVersion},
		{"version 20 is the future", alter(11, 20), ErrVersion},
		{"version of 32 bits", alter(8, 0xff), ErrVersion},
		{"start offset", alter(15, 0x60), ErrFormat},
		{"record size", alter(19, 0x60), ErrFormat},
		{"one bit", alter(31, good[31]^1), ErrChecksum},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := ParseHeader(tc.b); !errors.Is(err, tc.want) {
				t.Errorf("ParseHeader: %v, want %v", err, tc.want)
			}
		})
	}
	h, err := ParseHeader(good)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewTable(good[:len(good)-1], h); !errors.Is(err, ErrFormat) {
		t.Errorf("a file that is one octet short: %v", err)
	}
	h.NumRecords = 1<<32 - 1
	if _, err := NewTable(good, h); !errors.Is(err, ErrFormat) {
		t.Errorf("four billion records: %v", err)
	}
}

// TestWriteErrors checks that old and future versions are not written.
func TestWriteErrors(t *testing.T) {
	for _, v := range []uint32{0, 6, 10, 11, 20, 1 << 31} {
		if _, err := NewHeader(v); !errors.Is(err, ErrVersion) {
			t.Errorf("NewHeader(%d): %v", v, err)
		}
		if _, err := (&Header{Version: v}).AppendTo(nil); !errors.Is(err, ErrVersion) {
			t.Errorf("header of version %d: %v", v, err)
		}
		if _, err := new(Record).AppendTo(nil, v); !errors.Is(err, ErrVersion) {
			t.Errorf("record of version %d: %v", v, err)
		}
	}
}

// TestFindWiped searches where records were wiped.
func TestFindWiped(t *testing.T) {
	h, err := NewHeader(19)
	if err != nil {
		t.Fatal(err)
	}
	uids := []uint32{0, 2, 0, 0, 5, 7, 0, 9, 0}
	b, _ := h.AppendTo(nil)
	for _, uid := range uids {
		b, _ = (&Record{UID: uid}).AppendTo(b, 19)
	}
	h.NumRecords = uint32(len(uids))
	tab, err := NewTable(b, h)
	if err != nil {
		t.Fatal(err)
	}
	for uid := uint32(1); uid < 12; uid++ {
		want := 0
		for i, u := range uids {
			if u == uid {
				want = i + 1
			}
		}
		at, ok := tab.Find(uid)
		if ok != (want > 0) || ok && at != want {
			t.Errorf("Find(%d) = %d, %v; want %d", uid, at, ok, want)
		}
		if !ok {
			for i := at; i <= len(uids); i++ {
				if u := tab.Raw(i).UID(); u != 0 && u < uid {
					t.Errorf("Find(%d) = %d, but record %d has uid %d", uid, at, i, u)
				}
			}
		}
	}
}

// TestUserFlags checks that slot i is bit i%32 of word i/32.
func TestUserFlags(t *testing.T) {
	var u UserFlags
	for _, slot := range []int{0, 31, 32, 127, 128, -1} {
		u.Set(slot, true)
	}
	if u != (UserFlags{1<<31 | 1, 1, 0, 1 << 31}) || !u.Has(127) || u.Has(128) || u.Has(-1) || u.Has(1) {
		t.Errorf("flags %x", u)
	}
	u.Set(31, false)
	if u[0] != 1 {
		t.Errorf("flags %x", u)
	}
}

// FuzzFile checks that no octets make the package panic or allocate much, and
// that what can be written is read back as it was.
func FuzzFile(f *testing.F) {
	for _, b := range samples(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHeader(b)
		if err != nil && !errors.Is(err, ErrChecksum) {
			return
		}
		tab, err := NewTable(b, h)
		if err != nil {
			return
		}
		tab.Find(h.LastUID)
		var r, again Record
		for recno := 1; recno <= tab.Len(); recno++ {
			if err := tab.Raw(recno).Record(&r); err != nil || !Writable(h.Version) {
				continue
			}
			h.Count(&r, true)
			out, err := r.AppendTo(nil, h.Version)
			if err != nil {
				t.Fatal(err)
			}
			if err := ParseRecord(out, h.Version, &again); err != nil || again != r {
				t.Errorf("%+v read back as %+v, %v", r, again, err)
			}
		}
		if !Writable(h.Version) {
			return
		}
		out, err := h.AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}
		// What this version does not have is lost; a second turn changes
		// nothing.
		once, err := ParseHeader(out)
		if err != nil {
			t.Fatal(err)
		}
		if twice, _ := once.AppendTo(nil); !bytes.Equal(out, twice) {
			t.Errorf("%x read and written is %x", out, twice)
		}
	})
}

func BenchmarkWalk(b *testing.B) {
	h, err := NewHeader(19)
	if err != nil {
		b.Fatal(err)
	}
	h.NumRecords = 100_000
	file, _ := h.AppendTo(nil)
	for i := range h.NumRecords {
		file, _ = (&Record{UID: i + 1, ModSeq: uint64(i)}).AppendTo(file, 19)
	}
	tab, err := NewTable(file, h)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		live := 0
		for recno := 1; recno <= tab.Len(); recno++ {
			if r := tab.Raw(recno); r.Live() && r.ModSeq() < 1<<40 {
				live++
			}
		}
		if live != 100_000 {
			b.Fatal(live)
		}
	}
}

func BenchmarkHeader(b *testing.B) {
	h, err := NewHeader(19)
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 0, MaxHeader)
	b.ReportAllocs()
	for b.Loop() {
		out, err := h.AppendTo(buf)
		if err != nil {
			b.Fatal(err)
		}
		if err := h.Parse(out); err != nil {
			b.Fatal(err)
		}
	}
}
