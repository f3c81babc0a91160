package mailbox

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"testing"

	"gocyrus/lib/indexfile"
)

// FuzzIndex opens a mailbox with any octets as its index: an error or a mailbox
// that can be read and changed, and never a panic.
func FuzzIndex(f *testing.F) {
	for _, v := range []int{6, 8, 10, 12, 13, 17, 19} {
		b, err := os.ReadFile(fmt.Sprintf("../indexfile/testdata/v%d.index", v))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	s, e := newStore(f, nil)
	p, err := s.pathsOf(e)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(p.index+".NEW", mend(b), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(p.index+".NEW", p.index); err != nil {
			t.Fatal(err)
		}
		m, err := s.Open(t.Context(), e)
		if err != nil {
			known(t, err)
			return
		}
		defer m.Close()
		known(t, m.View(t.Context(), readAll))
		known(t, m.Update(t.Context(), func(tx *Tx) error {
			if tx.NumRecords() == 0 {
				return nil
			}
			return tx.Expunge(1)
		}))
		known(t, m.View(t.Context(), readAll))
	})
}

// mend gives a header that fits its version the right CRC: else the fuzzer would
// hardly get beyond it.
func mend(b []byte) []byte {
	if len(b) < 12 {
		return b
	}
	b = bytes.Clone(b)
	if n := indexfile.HeaderSize(binary.BigEndian.Uint32(b[8:])); n >= 128 && len(b) >= n {
		binary.BigEndian.PutUint32(b[n-4:], crc32.ChecksumIEEE(b[:n-4]))
	}
	return b
}

func known(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrBadFormat) && !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

// readAll reads what there is.
func readAll(v *View) error {
	var errs []error
	var r indexfile.Record
	for recno := 1; recno <= v.NumRecords(); recno++ {
		errs = append(errs, v.Record(recno, &r))
		if _, err := v.Cache(v.Raw(recno)); err != nil && !errors.Is(err, ErrNoCache) {
			errs = append(errs, err)
		}
		v.Find(r.UID)
	}
	x := v.Index()
	for seq := 1; seq <= x.Len(); seq++ {
		x.Seq(x.UID(seq))
		v.Raw(x.Recno(seq))
	}
	v.FirstUnseen()
	errs = append(errs, v.ChangedSince(0, func(int) error { return nil }))
	return errors.Join(errs...)
}

// FuzzCache walks any octets as a cache record.
func FuzzCache(f *testing.F) {
	f.Add([]byte{}, uint32(0))
	f.Add(make([]byte, 40), uint32(40))
	f.Add(bytes.Repeat([]byte{0, 0, 0, 1, 'x', 0, 0, 0}, 10), uint32(80))
	f.Fuzz(func(t *testing.T, b []byte, size uint32) {
		rec := indexfile.Record{UID: 1, CacheCRC: crc32.ChecksumIEEE(b[:min(int(size), len(b))])}
		enc, err := rec.AppendTo(nil, 19)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := indexfile.RawOf(enc, 19)
		if err != nil {
			t.Fatal(err)
		}
		got, err := checked(b, raw)
		if err == nil && (len(got)%4 != 0 || !bytes.HasPrefix(b, got)) {
			t.Errorf("%x is a record of %x", got, b)
		}
	})
}

// FuzzCounters reads any octets as a counters file.
func FuzzCounters(f *testing.F) {
	f.Add([]byte{})
	for _, n := range append([]int{countersSize}, oldCounters...) {
		b := make([]byte, n)
		binary.BigEndian.PutUint64(b[countersHighest:], 42)
		binary.BigEndian.PutUint32(b[n-4:], crc32.ChecksumIEEE(b[:n-4]))
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseCounters(b)
		if err != nil {
			known(t, err)
			return
		}
		if len(c) != countersSize || len(b) > 0 && !bytes.Equal(c[countersHighest:16], b[countersHighest:16]) {
			t.Errorf("%x read as %x", b, c)
		}
	})
}
