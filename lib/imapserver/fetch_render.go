package imapserver

import (
	"encoding/hex"
	"strconv"
	"time"

	"gocyrus/lib/cachefile"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/index"
	"gocyrus/lib/mailbox"
)

// fetchRun answers a FETCH for one message after the other.
type fetchRun struct {
	p     *fetchPlan
	r     *index.Reader
	out   *output
	flags *flagText
	err   error // of an item that could not be had, for the tagged line

	content
	msg *mailbox.Message

	scratch []byte // for what is made up and copied at once
}

// message answers for message seq. With told the flags are part of the answer
// though not asked for.
func (f *fetchRun) message(seq int, told bool) error {
	raw, ok := f.r.Raw(seq)
	if !ok || f.p.since > 0 && raw.ModSeq() <= f.p.since {
		return nil
	}
	f.content, f.msg = content{raw: raw}, nil
	if err := f.open(); err != nil {
		return err
	}
	o := f.out
	start := len(o.buf)
	o.buf = append(o.buf, "* "...)
	o.buf = strconv.AppendInt(o.buf, int64(seq), 10)
	o.buf = append(o.buf, " FETCH "...)
	// Each item begins with a space; the first one's becomes the parenthesis.
	first := len(o.buf)
	cuts := len(o.cuts)
	f.fixed(told)
	f.sections()
	f.letGo(cuts)
	if len(o.buf) == first {
		o.buf, o.cuts = o.buf[:start], o.cuts[:cuts]
		return nil
	}
	o.buf[first] = '('
	o.buf = append(o.buf, ")\r\n"...)
	return nil
}

// open gets the cache record and the file where the plan needs them.
func (f *fetchRun) open() error {
	if f.p.needCache {
		var err error
		if f.cache, err = f.r.Cache(f.raw); err != nil {
			return err
		}
	}
	if f.p.needFile {
		return f.readFile()
	}
	return nil
}

func (f *fetchRun) readFile() error {
	read := f.r.Message
	if f.p.headerOnly {
		read = f.r.MessageHeader
	}
	m, err := read(f.raw)
	if err != nil {
		return err
	}
	f.msg, f.file = m, m.Bytes()
	return nil
}

// letGo closes the file, unless the output, which had so many cuts before, has
// taken a piece of it.
func (f *fetchRun) letGo(cuts int) {
	switch {
	case f.msg == nil:
	case len(f.out.cuts) > cuts:
		f.out.hold(f.msg)
	default:
		f.msg.Close()
	}
	f.msg = nil
}

// fixed appends the items that are in the record or, as text, in the cache, in
// Cyrus's order.
func (f *fetchRun) fixed(told bool) {
	p, raw, b := f.p, f.raw, f.out.buf
	items := p.items
	if told {
		items |= imapwire.FetchFlags
		if p.condStore {
			items |= imapwire.FetchModSeq
		}
		if p.qresync {
			items |= imapwire.FetchUID
		}
	}
	if items&imapwire.FetchFlags != 0 {
		b = f.flags.append(append(b, ' '), f.r.Flags(raw))
	}
	if items&imapwire.FetchUID != 0 {
		b = strconv.AppendUint(append(b, " UID "...), uint64(raw.UID()), 10)
	}
	if items&^(imapwire.FetchFlags|imapwire.FetchUID) != 0 {
		b = f.numbers(b, items)
		b = f.ids(b, items)
		b = f.texts(b, items)
	}
	f.out.buf = b
}

// numbers appends what the record knows of dates, sizes and modseqs.
func (f *fetchRun) numbers(b []byte, items imapwire.FetchItem) []byte {
	raw := f.raw
	if items&imapwire.FetchGUID != 0 {
		guid := raw.GUID()
		b = hex.AppendEncode(append(b, " DIGEST.SHA1 "...), guid[:])
	}
	if items&imapwire.FetchInternalDate != 0 {
		b = appendDate(append(b, " INTERNALDATE "...), raw.InternalDate())
	}
	if items&imapwire.FetchLastUpdated != 0 {
		b = appendDate(append(b, " LASTUPDATED "...), raw.LastUpdated())
	}
	if items&imapwire.FetchModSeq != 0 {
		b = strconv.AppendUint(append(b, " MODSEQ ("...), f.r.ModSeq(raw), 10)
		b = append(b, ')')
	}
	if items&imapwire.FetchSize != 0 {
		b = strconv.AppendUint(append(b, " RFC822.SIZE "...), uint64(raw.Size()), 10)
	}
	if f.p.annot != nil {
		b = f.annotations(b)
	}
	if items&imapwire.FetchPreview != 0 {
		b = append(b, " PREVIEW NIL"...)
	}
	if items&imapwire.FetchFileSize != 0 {
		b = strconv.AppendInt(append(b, " RFC822.FILESIZE "...), int64(len(f.file)), 10)
	}
	return b
}

// ids appends identifiers (RFC 8474) and Cyrus's own.
func (f *fetchRun) ids(b []byte, items imapwire.FetchItem) []byte {
	raw := f.raw
	if items&imapwire.FetchSHA1 != 0 {
		b = appendSHA1(append(b, " RFC822.SHA1 "...), f.file)
	}
	if items&imapwire.FetchEmailID != 0 {
		guid := raw.GUID()
		b = hex.AppendEncode(append(b, " EMAILID (M"...), guid[:12])
		b = append(b, ')')
	}
	if items&imapwire.FetchCID != 0 {
		b = appendCID(append(b, " CID "...), raw.CID())
	}
	if items&imapwire.FetchThreadID != 0 {
		b = append(b, " THREADID ("...)
		if raw.CID() != 0 {
			b = append(b, 'T')
		}
		b = append(appendCID(b, raw.CID()), ')')
	}
	if items&imapwire.FetchSaveDate != 0 {
		date := raw.SaveDate()
		if date == 0 {
			date = raw.InternalDate()
		}
		b = appendDate(append(b, " SAVEDATE "...), date)
	}
	if items&imapwire.FetchCreatedModSeq != 0 {
		b = strconv.AppendUint(append(b, " CREATEDMODSEQ ("...), raw.CreatedModSeq(), 10)
		b = append(b, ')')
	}
	if items&imapwire.FetchFolder != 0 {
		b = imapwire.AppendAString(append(b, " FOLDER "...), f.p.folder)
	}
	if items&imapwire.FetchUIDValidity != 0 {
		b = strconv.AppendUint(append(b, " UIDVALIDITY "...), uint64(f.r.Header().UIDValidity), 10)
	}
	return b
}

// appendCID appends a conversation's id, NIL when there is none.
func appendCID(b []byte, cid uint64) []byte {
	if cid == 0 {
		return append(b, "NIL"...)
	}
	const digits = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, digits[cid>>shift&15])
	}
	return b
}

// texts copies what the cache holds ready to be sent.
func (f *fetchRun) texts(b []byte, items imapwire.FetchItem) []byte {
	for _, t := range [...]struct {
		item  imapwire.FetchItem
		label string
		n     cachefile.Item
	}{
		{imapwire.FetchEnvelope, " ENVELOPE ", cachefile.Envelope},
		{imapwire.FetchBodyStructure, " BODYSTRUCTURE ", cachefile.BodyStructure},
		{imapwire.FetchBody, " BODY ", cachefile.Body},
	} {
		if items&t.item == 0 {
			continue
		}
		text, err := cachefile.Get(f.cache, t.n)
		if err != nil {
			f.err = err
			continue
		}
		b = append(append(b, t.label...), text...)
	}
	return b
}

const months = "JanFebMarAprMayJunJulAugSepOctNovDec"

// appendDate appends seconds since 1970 as a date-time (RFC 9051 section 9), in
// the server's zone.
func appendDate(b []byte, sec uint32) []byte {
	t := time.Unix(int64(sec), 0)
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	_, zone := t.Zone()
	b = append(b, '"', ' ', byte('0'+day%10), '-')
	if day >= 10 {
		b[len(b)-3] = byte('0' + day/10)
	}
	b = append(b, months[3*month-3:3*month]...)
	b = append(b, '-')
	b = appendTwo(appendTwo(b, year/100), year%100)
	b = appendTwo(append(b, ' '), hour)
	b = appendTwo(append(b, ':'), minute)
	b = appendTwo(append(b, ':'), second)
	sign := byte('+')
	if zone < 0 {
		sign, zone = '-', -zone
	}
	b = appendTwo(append(b, ' ', sign), zone/3600)
	return append(appendTwo(b, zone/60%60), '"')
}

func appendTwo(b []byte, n int) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }
