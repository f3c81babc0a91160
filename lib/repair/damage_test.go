package repair

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/indexfile"
)

// A victim is a mailbox that is to be damaged.
type victim struct {
	t testing.TB
	p *paths
}

func (v victim) must(err error) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
}

// index changes cyrus.index.
func (v victim) index(fn func(h *indexfile.Header, b []byte) []byte) {
	v.t.Helper()
	b, err := os.ReadFile(v.p.index)
	v.must(err)
	h, err := indexfile.ParseHeader(b)
	v.must(err)
	v.must(os.WriteFile(v.p.index, fn(h, b), 0o600))
}

// header changes the header of cyrus.index.
func (v victim) header(fn func(h *indexfile.Header)) {
	v.t.Helper()
	v.index(func(h *indexfile.Header, b []byte) []byte {
		fn(h)
		_, err := h.AppendTo(b[:0])
		v.must(err)
		return b
	})
}

// record changes a record of cyrus.index, and gives it a CRC that fits.
func (v victim) record(recno int, fn func(r *indexfile.Record)) {
	v.t.Helper()
	v.index(func(h *indexfile.Header, b []byte) []byte {
		var r indexfile.Record
		at := h.Offset(recno)
		v.must(indexfile.ParseRecord(b[at:], h.Version, &r))
		fn(&r)
		_, err := r.AppendTo(b[:at], h.Version)
		v.must(err)
		return b
	})
}

// octet spoils one octet of a record.
func (v victim) octet(recno, off int) {
	v.t.Helper()
	v.index(func(h *indexfile.Header, b []byte) []byte {
		b[int(h.Offset(recno))+off] ^= 0x55
		return b
	})
}

func (v victim) write(uid uint32, content string) {
	v.t.Helper()
	v.must(os.WriteFile(v.p.message(uid, false), []byte(content), 0o600))
	when := time.Unix(1700000000, 0)
	v.must(os.Chtimes(v.p.message(uid, false), when, when))
}

func (v victim) copy(from, to uint32) {
	v.t.Helper()
	b, err := os.ReadFile(v.p.message(from, false))
	v.must(err)
	v.must(os.WriteFile(v.p.message(to, false), b, 0o600))
	st, err := os.Stat(v.p.message(from, false))
	v.must(err)
	v.must(os.Chtimes(v.p.message(to, false), st.ModTime(), st.ModTime()))
}

// text replaces text in cyrus.header.
func (v victim) text(old, with string) {
	v.t.Helper()
	b, err := os.ReadFile(v.p.header)
	v.must(err)
	if !strings.Contains(string(b), old) {
		v.t.Fatalf("%s has no %q", v.p.header, old)
	}
	v.must(os.WriteFile(v.p.header, []byte(strings.Replace(string(b), old, with, 1)), 0o600))
}

// cache spoils the cache record of a record.
func (v victim) cache(recno int) {
	v.t.Helper()
	v.index(func(h *indexfile.Header, b []byte) []byte {
		var r indexfile.Record
		v.must(indexfile.ParseRecord(b[h.Offset(recno):], h.Version, &r))
		c, err := os.ReadFile(v.p.caches[0])
		v.must(err)
		c[r.CacheOffset+20] ^= 0x55
		v.must(os.WriteFile(v.p.caches[0], c, 0o600))
		return b
	})
}

const strangerText = "From: <s@example.com>\r\nSubject: stranger\r\nDate: Mon, 3 Mar 2025 10:00:00 +0000\r\n\r\nhello\r\n"

// damages are the ways of reconstruct(8) in which a mailbox can be
// damaged, done to user.alice of cyrus-3.6.1-default: nine messages and one that
// is expunged.
var damages = []struct {
	name string
	opt  Options
	args string // the flags of reconstruct that say the same as opt
	do   func(v victim)
	// ours are the lines of ours where they are not Cyrus's on purpose.
	ours []string
	// better says that ours saves what Cyrus's loses: only that Cyrus finds
	// nothing wrong afterwards is compared.
	better bool
}{
	{name: "nothing", do: func(victim) {}},
	{name: "no index", better: true, do: func(v victim) { v.must(os.Remove(v.p.index)) }},
	{name: "garbage for an index", better: true, do: func(v victim) {
		v.must(os.WriteFile(v.p.index, []byte(strings.Repeat("garbage ", 100)), 0o600))
	}},
	{name: "empty index", better: true, do: func(v victim) { v.must(os.Truncate(v.p.index, 0)) }},
	{name: "index header CRC", better: true, do: func(v victim) {
		v.index(func(_ *indexfile.Header, b []byte) []byte { b[40] ^= 1; return b })
	}},
	{name: "index too short", better: true, do: func(v victim) {
		v.index(func(h *indexfile.Header, b []byte) []byte { return b[:h.Offset(8)+7] })
	}},
	{name: "no header", better: true, do: func(v victim) { v.must(os.Remove(v.p.header)) }},
	{name: "garbage for a header", better: true, do: func(v victim) {
		v.must(os.WriteFile(v.p.header, []byte("garbage"), 0o600))
	}},
	{name: "header CRC", do: func(v victim) { v.header(func(h *indexfile.Header) { h.HeaderFileCRC ^= 1 }) }},
	{name: "ACL", do: func(v victim) { v.text("alice lrswipkxtecdan", "alice lrswi") },
		ours: []string{
			"user.alice: update acl from header alice\tlrswipkxtecdan\t => alice\tlrswi\t",
		}, better: true},
	{name: "ACL, mailboxes.db preferred", opt: Options{PreferList: true}, better: true,
		do: func(v victim) { v.text("alice lrswipkxtecdan", "alice lrswi") }},
	{name: "record CRC", do: func(v victim) { v.octet(2, 40) }},
	{name: "first record CRC", do: func(v victim) { v.octet(1, 0) }},
	{name: "last record CRC", do: func(v victim) { v.octet(10, 14) }},
	{name: "record out of order", do: func(v victim) { v.record(5, func(r *indexfile.Record) { r.UID = 1 }) }},
	{name: "record wiped", do: func(v victim) {
		v.record(2, func(r *indexfile.Record) { r.UID, r.Flags = 0, r.Flags|indexfile.Expunged|indexfile.Unlinked })
	}},
	{name: "file missing", do: func(v victim) { v.must(os.Remove(v.p.message(2, false))) }},
	{name: "file of an expunged message missing", do: func(v victim) { v.must(os.Remove(v.p.message(expungedUID, false))) }},
	{name: "empty file", do: func(v victim) { v.must(os.Truncate(v.p.message(3, false), 0)) }},
	{name: "all files missing", do: func(v victim) {
		list, err := filepath.Glob(v.p.dirs[0] + "/*.")
		v.must(err)
		for _, f := range list {
			v.must(os.Remove(f))
		}
	}},
	{name: "size in record", do: func(v victim) { v.record(2, func(r *indexfile.Record) { r.Size += 5 }) }},
	{name: "header size in record", opt: Options{Reparse: true}, args: "-G",
		do: func(v victim) { v.record(2, func(r *indexfile.Record) { r.HeaderSize++; r.GMTime++; r.SentDate-- }) }},
	{name: "internaldate 0", do: func(v victim) { v.record(2, func(r *indexfile.Record) { r.InternalDate = 0 }) }},
	{name: "no cache", better: true, do: func(v victim) { v.must(os.Remove(v.p.caches[0])) }},
	{name: "cache record", better: true, do: func(v victim) { v.cache(3) }},
	{name: "cache of another generation", better: true, do: func(v victim) {
		c, err := os.ReadFile(v.p.caches[0])
		v.must(err)
		binary.BigEndian.PutUint32(c, 99)
		v.must(os.WriteFile(v.p.caches[0], c, 0o600))
	}},
	{name: "cache too short", better: true, do: func(v victim) { v.must(os.Truncate(v.p.caches[0], 2000)) }},
	{name: "another message", do: func(v victim) { v.write(2, strangerText) }},
	{name: "another message kept", opt: Options{KeepMismatch: true}, args: "-R", do: func(v victim) { v.write(2, strangerText) }},
	{name: "another message discarded", opt: Options{DiscardMismatch: true}, args: "-U", do: func(v victim) { v.write(2, strangerText) }},
	{name: "another message of the same size", opt: Options{Reparse: true, KeepMismatch: true}, args: "-GR", do: func(v victim) {
		b, err := os.ReadFile(v.p.message(2, false))
		v.must(err)
		b[len(b)-4]++
		v.write(2, string(b))
	}},
	{name: "another expunged message", do: func(v victim) { v.write(expungedUID, strangerText) }},
	{name: "new file", do: func(v victim) { v.copy(1, 20); v.copy(2, 31) }},
	{name: "file without record", do: func(v victim) { v.octet(2, 0); v.octet(3, 0); v.copy(1, 20); v.copy(1, 0) }},
	// Cyrus forgets the end of the line.
	{name: "empty file without record", better: true, ours: []string{"user.alice uid 25 not found"},
		do: func(v victim) { v.write(25, "") }},
	{name: "future modseq", do: func(v victim) { v.record(2, func(r *indexfile.Record) { r.ModSeq = 5000 }) }},
	{name: "future uid", do: func(v victim) { v.header(func(h *indexfile.Header) { h.LastUID = 5 }) }},
	{name: "flags without name", do: func(v victim) {
		v.record(2, func(r *indexfile.Record) { r.UserFlags.Set(77, true); r.UserFlags.Set(127, true) })
	}},
	{name: "counts", do: func(v victim) {
		v.header(func(h *indexfile.Header) {
			h.Exists, h.Answered, h.Flagged, h.Deleted, h.Unseen = 4, 44, 45, 46, 47
			h.QuotaUsed, h.AnnotUsed, h.SyncCRC, h.SyncCRCAnnot = 99999, 77, 1, 2
		})
	}},
	{name: "odd file", do: func(v victim) { v.must(os.WriteFile(v.p.dirs[0]+"/odd", []byte("x"), 0o600)) }},
	{name: "odd file ignored", opt: Options{IgnoreOdd: true}, args: "-o",
		do: func(v victim) { v.must(os.WriteFile(v.p.dirs[0]+"/01.", []byte("x"), 0o600)) }, better: true},
	{name: "odd file removed", opt: Options{RemoveOdd: true}, args: "-O",
		do: func(v victim) { v.must(os.WriteFile(v.p.dirs[0]+"/1.bak", []byte("x"), 0o600)) }},
	{name: "marked as deleted", better: true, do: func(v victim) { v.header(func(h *indexfile.Header) { h.Options |= indexfile.OptDeleted }) }},
	{name: "half written", better: true, do: func(v victim) {
		v.record(2, func(r *indexfile.Record) { r.Flags |= indexfile.Flagged; r.ModSeq += 100 })
		v.header(func(h *indexfile.Header) { h.Format |= indexfile.FormatDirty })
	}},
	{name: "octets behind the last record", do: func(v victim) {
		v.index(func(_ *indexfile.Header, b []byte) []byte { return append(b, "more than there is"...) })
	}},
}

// expungedUID is a message of the mailbox that is expunged and whose file is
// there.
const expungedUID = 4

// TestVictim checks that the mailbox that is damaged is what the damages take it
// for.
func TestVictim(t *testing.T) {
	s := unpack(t, "cyrus-3.6.1-default").open(t)
	p, err := pathsOf(s.Mailboxes.Options(), entry(t, s, "user.alice"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(p.index)
	if err != nil {
		t.Fatal(err)
	}
	h, err := indexfile.ParseHeader(b)
	if err != nil {
		t.Fatal(err)
	}
	tab, err := indexfile.NewTable(b, h)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for n := 1; n <= tab.Len(); n++ {
		r := tab.Raw(n)
		fmt.Fprintf(&got, "%d/%x ", r.UID(), r.Flags()>>28)
	}
	t.Logf("%s of version %d, exists %d, last %d, crc %x", got.String(), h.Version, h.Exists, h.LastUID, crc32.ChecksumIEEE(b))
	if recno, ok := tab.Find(expungedUID); !ok || tab.Raw(recno).Live() {
		t.Errorf("uid %d is not expunged", expungedUID)
	}
}
