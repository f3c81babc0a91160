package search

import (
	"bytes"
	"context"

	"gocyrus/lib/cachefile"
	"gocyrus/lib/charset"
	"gocyrus/lib/index"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
)

// matcher is the message that is asked: its record, and its cache record and
// file once a question needs them.
type matcher struct {
	ctx context.Context
	r   *index.Reader
	seq int
	raw indexfile.Raw
	err error

	cache []byte
	msg   *mailbox.Message
}

func newMatcher(ctx context.Context, r *index.Reader) *matcher {
	return &matcher{ctx: ctx, r: r}
}

// reset turns to message seq.
func (m *matcher) reset(seq int, raw indexfile.Raw) {
	m.close()
	m.seq, m.raw, m.err, m.cache = seq, raw, nil, nil
}

func (m *matcher) close() {
	if m.msg != nil {
		m.msg.Close()
		m.msg = nil
	}
}

// fail notes the first error; the answer of a failed question does not matter.
func (m *matcher) fail(err error) bool {
	if m.err == nil {
		m.err = err
	}
	return false
}

// saved is when the message came into the mailbox; old indexes do not say, and
// have it be the internal date.
func (m *matcher) saved() uint64 {
	if d := m.raw.SaveDate(); d != 0 {
		return uint64(d)
	}
	return uint64(m.raw.InternalDate())
}

// get is an item of the cache record.
func (m *matcher) get(item cachefile.Item) ([]byte, bool) {
	if m.cache == nil {
		c, err := m.r.Cache(m.raw)
		if err != nil {
			return nil, m.fail(err)
		}
		m.cache = c
	}
	b, err := cachefile.Get(m.cache, item)
	if err != nil {
		return nil, m.fail(err)
	}
	return b, true
}

// file is the message file.
func (m *matcher) file() ([]byte, bool) {
	if m.msg == nil {
		if m.ctx.Err() != nil {
			return nil, m.fail(context.Cause(m.ctx))
		}
		msg, err := m.r.Message(m.raw)
		if err != nil {
			return nil, m.fail(err)
		}
		m.msg = msg
	}
	return m.msg.Bytes(), true
}

// item searches one of the texts of the cache. A field that is not there does
// not even hold the empty text.
func (m *matcher) item(n *node) bool {
	text, ok := m.get(n.item)
	if !ok || len(text) == 0 || n.item == cachefile.Subject && string(text) == "NIL" {
		return false
	}
	return n.text.MatchText(text)
}

// header searches the fields of one name.
func (m *matcher) header(n *node) bool {
	var header []byte
	var ok bool
	if n.cached >= 0 && n.cached <= int(m.raw.CacheVersion()) {
		header, ok = m.get(cachefile.Headers)
	} else {
		header, ok = m.topHeader()
	}
	found := false
	eachField(header, func(field, name, value []byte) bool {
		found = len(name) == len(n.field) && bytes.EqualFold(name, []byte(n.field)) && n.text.MatchHeader(value)
		return !found
	})
	return ok && found
}

func (m *matcher) topHeader() ([]byte, bool) {
	file, ok := m.file()
	if !ok {
		return nil, false
	}
	return file[:min(int64(m.raw.HeaderSize()), int64(len(file)))], true
}

// wholeHeader searches the header, names of fields included.
func (m *matcher) wholeHeader(n *node) bool {
	header, ok := m.topHeader()
	return ok && n.fields(header)
}

// body searches the parts that are text, decoded, and the headers of parts and of
// messages within the message.
func (m *matcher) body(n *node) bool {
	table, ok := m.get(cachefile.Section)
	if !ok {
		return false
	}
	file, ok := m.file()
	if !ok {
		return false
	}
	found := false
	err := cachefile.Walk(table, func(path []int, p cachefile.Part, leaf bool) bool {
		found = n.partHeader(file, table, path, &p, leaf) || n.partText(file, path, &p, leaf)
		return !found && m.ctx.Err() == nil
	})
	if err == nil && m.ctx.Err() != nil {
		err = context.Cause(m.ctx)
	}
	if err != nil {
		return m.fail(err)
	}
	return found
}

// partText searches the text of a part.
func (n *node) partText(file []byte, path []int, p *cachefile.Part, leaf bool) bool {
	if !leaf {
		return false
	}
	if p.Container && len(path) == 1 {
		// A multipart in which no part was found: what it has is taken for text.
		return n.text.Match(span(file, p.ContentOffset, noSize), charset.ASCII, charset.None)
	}
	if p.Charset == nil || !n.isText(file, p) {
		return false
	}
	return n.text.Match(span(file, p.ContentOffset, p.ContentSize), charset.LookupBytes(p.Charset), p.Encoding)
}

// isText says whether a part is text that is to be searched. The table gives a
// character set to some other parts too; a type that is none means text
// (RFC 2045 section 5.2).
func (n *node) isText(file []byte, p *cachefile.Part) bool {
	text := true
	eachField(span(file, p.HeaderOffset, p.HeaderSize), func(_, name, value []byte) bool {
		if !bytes.EqualFold(name, []byte("content-type")) {
			return true
		}
		if bytes.Contains(value, []byte("=?")) {
			value = charset.DecodeHeader(nil, value, false) // QUIRK: some encode the whole value
		}
		kind, sub, ok := bytes.Cut(bytes.TrimSpace(value), []byte("/"))
		if ok && !bytes.EqualFold(kind, []byte("text")) {
			text = false
		}
		if n.skipHTML && len(sub) >= 4 && bytes.EqualFold(sub[:4], []byte("html")) {
			text = false
		}
		return true // of several the last counts
	})
	return text
}

const (
	noHeader = 1<<32 - 1 // the header size of a part that has none
	noSize   = 1<<32 - 1 // to the end of the file
)

// partHeader searches the header of a part, and of the message that it is. The
// header of the whole message, at offset 0, is not part of the body.
func (n *node) partHeader(file, table []byte, path []int, p *cachefile.Part, leaf bool) bool {
	if p.HeaderOffset > 0 && p.HeaderSize != noHeader && n.fields(span(file, p.HeaderOffset, p.HeaderSize)) {
		return true
	}
	if leaf || len(path) == 0 {
		return false
	}
	_, offset, size, err := cachefile.Find(table, path, cachefile.Header)
	return err == nil && offset > 0 && n.fields(span(file, offset, size))
}

// fields searches the fields of a header, names included.
func (n *node) fields(header []byte) bool {
	found := false
	eachField(header, func(field, _, _ []byte) bool {
		found = n.text.MatchHeader(field)
		return !found
	})
	return found
}

// span is size octets of file from offset, as far as it has them.
func span(file []byte, offset, size uint32) []byte {
	n := uint64(len(file))
	from := min(uint64(offset), n)
	return file[from:min(from+uint64(size), n)]
}

// eachField calls fn for each field of a header, with its continuation lines,
// until it returns false.
func eachField(header []byte, fn func(field, name, value []byte) bool) {
	for len(header) > 0 {
		end := 0
		for {
			i := bytes.IndexByte(header[end:], '\n')
			if i < 0 {
				end = len(header)
				break
			}
			end += i + 1
			if end == len(header) || header[end] != ' ' && header[end] != '\t' {
				break
			}
		}
		field := header[:end]
		header = header[end:]
		i := bytes.IndexByte(field, ':')
		if i <= 0 {
			continue
		}
		if !fn(field, bytes.TrimRight(field[:i], " \t"), field[i+1:]) {
			return
		}
	}
}
