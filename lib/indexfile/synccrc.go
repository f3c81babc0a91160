package indexfile

import (
	"encoding/hex"
	"hash/crc32"
	bits32 "math/bits"
	"strconv"
	"strings"
	"sync"
)

// FlagCRCs are the CRCs of the flags of a mailbox, one a slot: replication
// compares mailboxes by an XOR over their messages, and a message's share takes
// in the XOR of its flags.
type FlagCRCs struct {
	user [MaxUserFlags]uint32
}

var systemCRCs = func() (c [len(systemNames)]uint32) {
	for i, n := range systemNames {
		c[i] = textCRC(n)
	}
	return c
}()

func textCRC(flag string) uint32 { return crc32.ChecksumIEEE([]byte(strings.ToLower(flag))) }

// SetName says what a slot is called; an empty name is a free slot.
func (c *FlagCRCs) SetName(slot int, name string) {
	if uint(slot) >= MaxUserFlags {
		return
	}
	c.user[slot] = 0
	if name != "" {
		c.user[slot] = textCRC(name)
	}
}

func (c *FlagCRCs) flags(r *Record) (sum uint32) {
	for i, crc := range systemCRCs {
		if r.Flags&(1<<i) != 0 {
			sum ^= crc
		}
	}
	for w, bits := range r.UserFlags {
		for ; bits != 0; bits &= bits - 1 {
			sum ^= c.user[w*32+bits32.TrailingZeros32(bits)]
		}
	}
	return sum
}

// scratch is memory for texts of which only the CRC is wanted; the CRC is computed
// through a variable, so it could not be on the stack.
var scratch = sync.Pool{New: func() any { b := make([]byte, 0, 256); return &b }}

// Basic is the share of r in the basic sync CRC: 0 when it is expunged.
func (c *FlagCRCs) Basic(r *Record) uint32 {
	if r.UID == 0 || r.Flags&Expunged != 0 {
		return 0
	}
	buf := scratch.Get().(*[]byte)
	defer scratch.Put(buf)
	b := strconv.AppendUint((*buf)[:0], uint64(r.UID), 10)
	b = append(b, ' ')
	b = strconv.AppendUint(b, r.ModSeq, 10)
	b = append(b, ' ')
	b = strconv.AppendUint(b, uint64(r.LastUpdated), 10)
	b = append(b, " ("...)
	b = strconv.AppendUint(b, uint64(c.flags(r)), 10)
	b = append(b, ") "...)
	b = strconv.AppendUint(b, uint64(r.InternalDate), 10)
	b = append(b, ' ')
	b = hex.AppendEncode(b, r.GUID[:])
	return crc32.ChecksumIEEE(b)
}

// Prefix of the annotations that stand for fields of the record.
const vendor = "/vendor/cmu/cyrus-imapd/"

// Virtual is the share in the annotation CRC that r has by its own fields, in an
// index of a version: conversation, save date and creation count as annotations.
func Virtual(r *Record, version uint32) (sum uint32) {
	if r.UID == 0 || r.Flags&Expunged != 0 {
		return 0
	}
	buf := scratch.Get().(*[]byte)
	defer scratch.Put(buf)
	if version >= 13 && r.CID != 0 {
		sum ^= AnnotCRC(r.UID, vendor+"thrid", "", strconv.AppendUint((*buf)[:0], r.CID, 16))
	}
	if version >= 15 && r.SaveDate != 0 {
		sum ^= AnnotCRC(r.UID, vendor+"savedate", "", strconv.AppendUint((*buf)[:0], uint64(r.SaveDate), 10))
	}
	if version >= 16 && r.CreatedModSeq != 0 {
		sum ^= AnnotCRC(r.UID, vendor+"createdmodseq", "", strconv.AppendUint((*buf)[:0], r.CreatedModSeq, 10))
	}
	return sum
}

// SameVirtual says that Virtual of two records of a message is the same, at the
// price of a comparison.
func SameVirtual(a, b *Record) bool {
	return a.UID == b.UID && (a.Flags^b.Flags)&Expunged == 0 &&
		a.CID == b.CID && a.SaveDate == b.SaveDate && a.CreatedModSeq == b.CreatedModSeq
}

// AnnotCRC is the share of one annotation of a message. The userid of an
// annotation of the owner is his real name.
func AnnotCRC(uid uint32, entry, userid string, value []byte) uint32 {
	buf := scratch.Get().(*[]byte)
	defer scratch.Put(buf)
	b := strconv.AppendUint((*buf)[:0], uint64(uid), 10)
	b = append(b, ' ')
	b = append(b, entry...)
	b = append(b, ' ')
	b = append(b, userid...)
	b = append(b, ' ')
	return crc32.Update(crc32.ChecksumIEEE(b), crc32.IEEETable, value)
}
