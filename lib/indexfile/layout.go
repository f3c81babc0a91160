package indexfile

// A layout says where the fields of one version are.
type layout struct {
	version    uint32
	header     int // octets of the header; its CRC, if any, is the last word
	record     int // octets of a record; its CRC, if any, is the last word
	crc        bool
	modseq     int // offsets in a record; -1 is absent
	guid       int
	cid        int
	created    int
	cacheCRC   int
	savedate   bool
	header19   bool // the header fields that version 19 moved
	internal   bool // the high half of the flags word is in use
	haveGMTime bool
}

// layouts is indexed by version; a nil element is a version that is not read.
var layouts = [MaxWrite + 1]*layout{
	6:  {version: 6, header: 76, record: 60, modseq: -1, guid: -1, cid: -1, created: -1, cacheCRC: -1},
	7:  {version: 7, header: 76, record: 72, modseq: -1, guid: -1, cid: -1, created: -1, cacheCRC: -1},
	8:  {version: 8, header: 92, record: 80, modseq: 72, guid: -1, cid: -1, created: -1, cacheCRC: -1},
	9:  {version: 9, header: 96, record: 80, modseq: 72, guid: -1, cid: -1, created: -1, cacheCRC: -1},
	10: {version: 10, header: 96, record: 88, modseq: 80, guid: 60, cid: -1, created: -1, cacheCRC: -1},
	12: modern(12, 128, 96, -1, -1, 88),
	13: modern(13, 128, 104, 88, -1, 96),
	14: modern(14, 160, 104, 88, -1, 96),
	15: modern(15, 160, 104, 88, -1, 96),
	16: modern(16, 160, 112, 88, 96, 104),
	17: modern(17, 160, 112, 88, 96, 104),
	18: modern(18, 160, 112, 88, 96, 104),
	19: modern(19, 160, 112, 88, 96, 104),
}

func modern(version uint32, header, record, cid, created, cacheCRC int) *layout {
	return &layout{
		version: version, header: header, record: record, crc: true,
		modseq: 80, guid: 60, cid: cid, created: created, cacheCRC: cacheCRC,
		savedate: version >= 15, header19: version == 19, internal: true, haveGMTime: true,
	}
}

func layoutOf(version uint32) *layout {
	if version >= uint32(len(layouts)) {
		return nil
	}
	return layouts[version]
}

// HeaderSize is the octets of a header of a version, 0 of an unknown one.
func HeaderSize(version uint32) int {
	if l := layoutOf(version); l != nil {
		return l.header
	}
	return 0
}

// RecordSize is the octets of a record of a version, 0 of an unknown one.
func RecordSize(version uint32) int {
	if l := layoutOf(version); l != nil {
		return l.record
	}
	return 0
}

// Writable says whether files of a version can be written.
func Writable(version uint32) bool {
	return version >= MinWrite && version <= MaxWrite && layoutOf(version) != nil
}

// A field of the header: where it is, since when, and what it is in a Header.
type field struct {
	off   int // up to version 18
	off19 int // in version 19
	since uint32
	word  func(*Header) *uint32 // either a word
	long  func(*Header) *uint64 // or two
}

// fields lists everything but version, start and record size, which say how the
// rest is to be read.
var fields = []field{
	{0, 0, 6, func(h *Header) *uint32 { return &h.Generation }, nil},
	{4, 4, 6, func(h *Header) *uint32 { return &h.Format }, nil},
	{20, 20, 6, func(h *Header) *uint32 { return &h.NumRecords }, nil},
	{24, 24, 6, func(h *Header) *uint32 { return &h.LastAppendDate }, nil},
	{28, 28, 6, func(h *Header) *uint32 { return &h.LastUID }, nil},
	{32, 32, 6, nil, func(h *Header) *uint64 { return &h.QuotaUsed }},
	{40, 40, 6, func(h *Header) *uint32 { return &h.POP3LastLogin }, nil},
	{44, 44, 6, func(h *Header) *uint32 { return &h.UIDValidity }, nil},
	{48, 48, 6, func(h *Header) *uint32 { return &h.Deleted }, nil},
	{52, 52, 6, func(h *Header) *uint32 { return &h.Answered }, nil},
	{56, 56, 6, func(h *Header) *uint32 { return &h.Flagged }, nil},
	{84, 60, 12, func(h *Header) *uint32 { return &h.Exists }, nil},
	{60, 64, 6, func(h *Header) *uint32 { return (*uint32)(&h.Options) }, nil},
	{64, 68, 6, func(h *Header) *uint32 { return &h.LeakedCache }, nil},
	{68, 72, 8, nil, func(h *Header) *uint64 { return &h.HighestModSeq }},
	{76, 80, 12, nil, func(h *Header) *uint64 { return &h.DeletedModSeq }},
	{88, 88, 12, func(h *Header) *uint32 { return &h.FirstExpunged }, nil},
	{92, 92, 12, func(h *Header) *uint32 { return &h.LastRepack }, nil},
	{96, 96, 12, func(h *Header) *uint32 { return &h.HeaderFileCRC }, nil},
	{100, 100, 12, func(h *Header) *uint32 { return &h.SyncCRC }, nil},
	{104, 104, 12, func(h *Header) *uint32 { return &h.RecentUID }, nil},
	{108, 108, 12, func(h *Header) *uint32 { return &h.RecentTime }, nil},
	{112, 112, 13, func(h *Header) *uint32 { return &h.POP3ShowAfter }, nil},
	{116, 116, 13, func(h *Header) *uint32 { return &h.AnnotUsed }, nil},
	{120, 120, 13, func(h *Header) *uint32 { return &h.SyncCRCAnnot }, nil},
	{124, 124, 14, func(h *Header) *uint32 { return &h.Unseen }, nil},
	{128, 128, 16, nil, func(h *Header) *uint64 { return &h.CreatedModSeq }},
	{136, 152, 17, func(h *Header) *uint32 { return &h.ChangesEpoch }, nil},
	{140, 136, 18, nil, func(h *Header) *uint64 { return &h.QuotaDeletedUsed }},
	{148, 144, 18, nil, func(h *Header) *uint64 { return &h.QuotaExpungedUsed }},
}
