// Package mailsort puts the messages of a mailbox view in order (SORT, RFC 5256
// and RFC 5957) and into threads (THREAD).
//
// What is compared comes from the index record and from cyrus.cache; no message
// file is read, unless its cache record is damaged or older than the field that
// is asked for. The values are read once, in one pass, and the order is found
// on them.
//
// Texts compare as Cyrus compares them, octet by octet: addresses by the local
// part as it stands in the search form, which is in lower case; subjects by
// what is left without "Re:" and the like, ASCII letters in upper case; display
// names folded as searches fold them.
package mailsort

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"gocyrus/lib/cachefile"
	"gocyrus/lib/charset"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/index"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/message"
)

// value is what one message has for one criterion; texts and numbers never
// meet.
type value struct {
	num  uint64
	text string
}

func (a value) compare(b value) int {
	if c := cmp.Compare(a.num, b.num); c != 0 {
		return c
	}
	return strings.Compare(a.text, b.text)
}

// sorted is one message with its values, one for each criterion.
type sorted struct {
	seq  int
	vals []value
}

// Sort returns the numbers seqs, which it takes over, in the order that keys
// ask for. Messages that are alike stay in the order of the mailbox, REVERSE or
// not (RFC 5256 section 3).
func Sort(ctx context.Context, s *index.State, seqs []int, keys []imapwire.SortKey) ([]int, error) {
	list := make([]sorted, len(seqs))
	vals := make([]value, len(seqs)*len(keys))
	err := each(ctx, s, seqs, func(r *reading, i int) error {
		for k := range keys {
			v, err := r.value(&keys[k])
			if err != nil {
				return err
			}
			vals[i*len(keys)+k] = v
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, seq := range seqs {
		list[i] = sorted{seq, vals[i*len(keys) : (i+1)*len(keys)]}
	}
	slices.SortFunc(list, func(a, b sorted) int {
		for k := range keys {
			if c := a.vals[k].compare(b.vals[k]); c != 0 {
				if keys[k].Reverse {
					return -c
				}
				return c
			}
		}
		return a.seq - b.seq
	})
	for i := range list {
		seqs[i] = list[i].seq
	}
	return seqs, nil
}

// slice is how many messages are read before the mailbox is let go for others.
const slice = 1024

// each calls fn for the i-th of seqs, at the message. Those that a repack has
// removed in the meantime are passed over, and so are those whose file is gone:
// they have no values.
func each(ctx context.Context, s *index.State, seqs []int, fn func(r *reading, i int) error) error {
	for from := 0; from < len(seqs); from += slice {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		to := min(from+slice, len(seqs))
		err := s.View(ctx, func(ir *index.Reader) error {
			r := &reading{r: ir}
			for i := from; i < to; i++ {
				raw, ok := ir.Raw(seqs[i])
				if !ok {
					continue
				}
				r.seq, r.raw, r.cache = seqs[i], raw, nil
				if err := fn(r, i); err != nil && !errors.Is(err, mailbox.ErrGone) {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// reading is the message whose values are read.
type reading struct {
	r     *index.Reader
	seq   int
	raw   indexfile.Raw
	cache []byte
}

// item is an item of the cache record, valid as long as the view.
func (r *reading) item(it cachefile.Item) ([]byte, error) {
	if r.cache == nil {
		c, err := r.r.Cache(r.raw)
		if err != nil {
			return nil, err
		}
		r.cache = c
	}
	return cachefile.Get(r.cache, it)
}

// field is the first header field of a name, unfolded; nil when there is none.
func (r *reading) field(name string) ([]byte, error) {
	var header []byte
	var err error
	if v, cached := cachefile.MinVersion(name); cached && v <= int(r.raw.CacheVersion()) {
		if header, err = r.item(cachefile.Headers); err != nil {
			return nil, err
		}
		return message.Unfold(nil, message.Value(header, name)), nil
	}
	m, err := r.r.Message(r.raw)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	header = m.Bytes()
	header = header[:min(int64(r.raw.HeaderSize()), int64(len(header)))]
	return message.Unfold(nil, message.Value(header, name)), nil
}

// date is when the message was sent, or else when it arrived.
func (r *reading) date() uint64 {
	if t := r.raw.GMTime(); t != 0 {
		return uint64(t)
	}
	return uint64(r.raw.InternalDate())
}

// value is what the message has for k.
func (r *reading) value(k *imapwire.SortKey) (value, error) {
	switch k.Key {
	case "ARRIVAL":
		return value{num: uint64(r.raw.InternalDate())}, nil
	case "DATE":
		return value{num: r.date()}, nil
	case "SIZE":
		return value{num: uint64(r.raw.Size())}, nil
	case "UID":
		return value{num: uint64(r.raw.UID())}, nil
	case "MODSEQ":
		return value{num: r.raw.ModSeq()}, nil
	case "CREATEDMODSEQ":
		return value{num: r.raw.CreatedModSeq()}, nil
	case "HASFLAG":
		return r.hasFlag(k.Name), nil
	case "SPAMSCORE":
		return r.spamScore()
	case "ANNOTATION":
		return r.annotation(k)
	case "SUBJECT":
		s, _, err := r.subject()
		return value{text: s}, err
	case "FROM", "TO", "CC":
		b, err := r.item(addresses[k.Key])
		return value{text: localPart(b)}, err
	case "DISPLAYFROM", "DISPLAYTO":
		b, err := r.item(addresses[k.Key])
		return value{text: displayName(b)}, err
	}
	return value{}, nil // FOLDER, RELEVANCY: all are alike here
}

var addresses = map[string]cachefile.Item{
	"FROM": cachefile.From, "TO": cachefile.To, "CC": cachefile.Cc,
	"DISPLAYFROM": cachefile.From, "DISPLAYTO": cachefile.To,
}

var systemFlags = map[string]indexfile.Flags{
	`\answered`: indexfile.Answered, `\flagged`: indexfile.Flagged, `\deleted`: indexfile.Deleted,
	`\draft`: indexfile.Draft, `\seen`: indexfile.Seen,
}

// hasFlag is 1 with the flag, 0 without.
func (r *reading) hasFlag(name string) (v value) {
	f := r.r.Flags(r.raw)
	has := false
	if sys, ok := systemFlags[strings.ToLower(name)]; ok {
		has = f.System&sys != 0
	} else if slot := r.r.Slot(name); slot >= 0 {
		has = f.User.Has(slot)
	}
	if has {
		v.num = 1
	}
	return v
}

// spamScore is X-Spam-score in hundredths; what is below zero counts as zero.
func (r *reading) spamScore() (value, error) {
	b, err := r.field("x-spam-score")
	if err != nil {
		return value{}, err
	}
	b = bytes.TrimSpace(b)
	if i := bytes.IndexAny(b, " \t/("); i >= 0 {
		b = b[:i]
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil || !(f > 0 && f < 1e15) {
		return value{}, nil
	}
	return value{num: uint64(f*100 + 0.5)}, nil
}

func (r *reading) annotation(k *imapwire.SortKey) (value, error) {
	all, err := r.r.Annots(r.raw)
	user := ""
	if k.Attr == "value.priv" {
		user = r.r.AnnotUser()
	}
	for _, a := range all {
		if a.Entry == k.Name && a.User == user {
			return value{text: string(a.Data)}, nil
		}
	}
	return value{}, err
}

// subject is the base subject, and whether it was a reply or a forward.
func (r *reading) subject() (base string, reply bool, err error) {
	b, err := r.item(cachefile.Subject)
	if err != nil {
		return "", false, err
	}
	text, ok := nstring(b)
	if !ok {
		return "", false, nil
	}
	base, reply = BaseSubject(charset.DecodeHeader(nil, text, false))
	return base, reply, nil
}
