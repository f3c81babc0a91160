// Package message reads a message once and gives all that a mailbox keeps of
// it: the record of cyrus.cache (envelope, body structures, section table,
// cached header fields, search forms), sizes, dates and digests.
//
// The results are Cyrus's, octet for octet (cache version 11, Cyrus 3.6 to
// 3.10), because Cyrus and this package read each other's files; how broken
// messages come out is therefore part of the contract. docs/format/cyrus.cache.md
// describes the record.
//
// Any sequence of octets is a message. The work is linear in its size: the
// nesting of parts, their number and the number of addresses of a field are
// bounded, and a line is compared with all boundaries at once.
//
// The package knows no mailboxes and no protocol; it builds no response but the
// texts that the cache stores in wire form.
package message

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"hash/crc32"
	"math"
	"sync"

	"gocyrus/lib/times"
)

// Limits on hostile input. Only the first two are options of Cyrus; the others
// are far above what mail has, and beyond them parts of a message simply stay
// unseen.
const (
	maxParts     = 20000   // parts of one message
	maxNested    = 1000    // message/rfc822 in message/rfc822
	maxAddresses = 1 << 16 // addresses of one field
	// hashBudget bounds the digests of embedded messages, which contain one
	// another: together they may read this many times the message's size.
	hashBudget = 16
)

// CacheVersion is the version of the cache records that Parse makes.
const CacheVersion = 11

// ErrTooLarge is the error for a message of 4 GiB or more: offsets on disk have
// 32 bits.
var ErrTooLarge = errors.New("message too large")

// Options are the settings that change what Parse yields.
type Options struct {
	MaxHeaderLines int  // maxheaderlines: header lines looked at; 0 is no limit
	BoundaryLimit  int  // boundary_limit: nested multiparts; 0 is no limit
	RFC2046Strict  bool // rfc2046_strict: a boundary ends other boundaries it is a prefix of
	RFC2047UTF8    bool // rfc2047_utf8: raw 8-bit text of headers is UTF-8 in search forms
	// GUID is the digest of the whole message, where the caller has computed it
	// while the message came in; nil makes Parse do it.
	GUID *[20]byte
}

// DefaultOptions are those of an imapd.conf that sets none of them.
func DefaultOptions() Options { return Options{MaxHeaderLines: 1000, BoundaryLimit: 1000} }

// Message is what Parse found. The byte slices are its own.
type Message struct {
	Size       uint32   // octets of the file
	HeaderSize uint32   // offset of the body
	GUID       [20]byte // SHA-1 of the file
	// SentDate is midnight UTC of the day in the Date field, GMTime the moment,
	// in seconds; zero if there is no usable Date. The caller then stores what
	// times.MissingDate makes of the internal date.
	SentDate, GMTime uint32
	Cache            []byte // a record of cyrus.cache: ten items
	CacheCRC         uint32
	// Fields of the top header, unfolded, not decoded; nil if absent.
	Date, Subject, MessageID, InReplyTo, References []byte
	// ReceivedDate is the date of the first Received field; InternalDate the
	// value of X-DeliveredInternalDate, which LMTP delivery prefers.
	ReceivedDate, InternalDate []byte
	// HeaderLines is the number of lines of the top header; beyond
	// Options.MaxHeaderLines fields are ignored.
	HeaderLines int
	// Limited says that a limit was reached and parts remained unseen.
	Limited bool
}

// Detach makes the message independent of the octets that it was parsed from.
func (m *Message) Detach() {
	for _, f := range []*[]byte{&m.Date, &m.Subject, &m.MessageID, &m.InReplyTo, &m.References, &m.ReceivedDate, &m.InternalDate} {
		*f = bytes.Clone(*f)
	}
}

// parsers are reused: a parser's buffers grow to the size of the structures of
// a typical message and stay there.
var parsers = sync.Pool{New: func() any { return new(parser) }}

// maxKept is the size of buffers beyond which a parser is not kept.
const maxKept = 1 << 20

// Parse reads the message b, a file's octets. The only error is ErrTooLarge.
func Parse(b []byte, opts Options) (*Message, error) {
	if int64(len(b)) > math.MaxUint32 {
		return nil, ErrTooLarge
	}
	p := parsers.Get().(*parser)
	defer p.release()
	p.reset(b, opts)
	root := p.parseBody(-1, defaultText, 0)
	m := &Message{Size: uint32(len(b)), HeaderSize: p.nodes[root].headerSize}
	if opts.GUID != nil {
		m.GUID = *opts.GUID
	} else {
		m.GUID = sha1.Sum(b)
	}
	m.Cache = bytes.Clone(p.record(root))
	m.CacheCRC = crc32.ChecksumIEEE(m.Cache)
	p.summary(root, m)
	return m, nil
}

// summary fills in what callers want of the top header beside the cache.
func (p *parser) summary(root int32, m *Message) {
	n := &p.nodes[root]
	m.HeaderLines, m.Limited = int(n.headerLines), p.limited
	kept := [...]struct {
		field field
		to    *[]byte
	}{
		{fDate, &m.Date}, {fSubject, &m.Subject}, {fMessageID, &m.MessageID}, {fInReplyTo, &m.InReplyTo},
		{fReferences, &m.References}, {fInternalDate, &m.InternalDate}, {fReceived, &m.ReceivedDate},
	}
	size := 0
	for _, k := range kept {
		v, _ := p.value(n, k.field)
		size += len(v)
	}
	own := make([]byte, 0, size) // one allocation for all of them
	for _, k := range kept {
		if v, ok := p.value(n, k.field); ok {
			from := len(own)
			own = unfold(own, v)
			*k.to = own[from:len(own):len(own)]
		}
	}
	m.ReceivedDate = receivedDate(m.ReceivedDate)
	if m.Date != nil {
		m.SentDate, m.GMTime = times.SentDates(m.Date)
	}
}

// receivedDate is the date of a Received field: what follows the last ";"
// (RFC 5322 section 3.6.7), or all of it if there is none.
func receivedDate(v []byte) []byte {
	i := bytes.LastIndexByte(v, ';')
	if i <= 0 {
		return v
	}
	if v = v[i+1:]; len(v) == 0 {
		return nil
	}
	return bytes.TrimLeft(v, " \t")
}

func (p *parser) release() {
	p.msg = nil
	if cap(p.out)+cap(p.text)+cap(p.bs)+cap(p.body)+cap(p.scratch) > maxKept || cap(p.nodes) > 1000 || cap(p.addrs) > 1000 {
		return
	}
	clear(p.nodes)
	clear(p.params[:cap(p.params)])
	clear(p.addrs[:cap(p.addrs)])
	parsers.Put(p)
}
