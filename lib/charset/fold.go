package charset

import (
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"gocyrus/lib/config"
)

// Whitespace is what folding does with white space (option search_whitespace).
type Whitespace uint8

// The choices: one space for any run of it, none at all, or all of it.
const (
	MergeSpace Whitespace = iota
	SkipSpace
	KeepSpace
)

// SearchOptions are the settings of text search.
type SearchOptions struct {
	SkipDiacritics bool // search_skipdiacrit
	SkipHTML       bool // search_skiphtml: HTML parts are not indexed
	Whitespace     Whitespace
	RFC2047UTF8    bool // rfc2047_utf8: raw 8-bit text of headers is UTF-8
}

// DefaultSearchOptions are those of an imapd.conf that sets none of them.
func DefaultSearchOptions() SearchOptions { return SearchOptions{SkipDiacritics: true} }

// SearchOptionsFrom reads the settings of imapd.conf.
func SearchOptionsFrom(cfg *config.Config) SearchOptions {
	o := SearchOptions{
		SkipDiacritics: cfg.Bool("search_skipdiacrit"),
		SkipHTML:       cfg.Bool("search_skiphtml"),
		RFC2047UTF8:    cfg.Bool("rfc2047_utf8"),
	}
	switch cfg.Enum("search_whitespace") {
	case "skip":
		o.Whitespace = SkipSpace
	case "keep":
		o.Whitespace = KeepSpace
	}
	return o
}

// Folder turns text into the form that searches compare: characters in title
// case, taken apart into base letters and marks, the marks dropped if so asked,
// white space as the options say. The zero Folder keeps marks and merges space.
//
// The table is Cyrus's (lib/mkchartable.pl), odd spots included: what comes out
// of taking apart a character is not put in title case, and with marks dropped
// accented Greek letters vanish.
type Folder struct {
	opts  SearchOptions
	space bool // the last character was white space
}

// Reset makes f ready for a new text.
func (f *Folder) Reset(opts SearchOptions) { f.opts, f.space = opts, false }

// Fold appends the folded form of src, which is UTF-8 in whole characters, to
// dst.
func (f *Folder) Fold(dst, src []byte) []byte {
	for i := 0; i < len(src); {
		c := src[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRune(src[i:])
			dst = f.add(dst, f.folded(r))
			i += n
			continue
		}
		i++
		switch {
		case c == ' ' || '\t' <= c && c <= '\r':
			dst = f.white(dst)
		case 'a' <= c && c <= 'z':
			dst, f.space = append(dst, c-0x20), false
		default:
			dst, f.space = append(dst, c), false
		}
	}
	return dst
}

func (f *Folder) add(dst []byte, s string) []byte {
	if s == " " {
		return f.white(dst)
	}
	f.space = false
	return append(dst, s...)
}

func (f *Folder) white(dst []byte) []byte {
	switch f.opts.Whitespace {
	case SkipSpace:
		return dst
	case MergeSpace:
		if f.space {
			return dst
		}
		f.space = true
	}
	return append(dst, ' ')
}

// folds holds what characters fold to, in pages of 256 made when first used;
// the second half is without marks.
var folds [2][(unicode.MaxRune + 1) >> 8]atomic.Pointer[[256]string]

func (f *Folder) folded(r rune) string {
	half := 0
	if f.opts.SkipDiacritics {
		half = 1
	}
	at := &folds[half][r>>8]
	page := at.Load()
	if page == nil {
		page = new([256]string)
		for i := range page {
			page[i] = foldRune(r&^0xff+rune(i), f.opts.SkipDiacritics)
		}
		at.Store(page)
	}
	return page[r&0xff]
}

// foldRune computes a table entry.
func foldRune(r rune, skipMarks bool) string {
	title := r
	if !unicode.Is(unicode.Z, r) {
		title = unicode.ToTitle(r)
	}
	seq := expand(nil, title)
	if len(seq) == 1 {
		if skipMarks && 0x300 <= seq[0] && seq[0] <= 0x36f {
			return ""
		}
		return string(seq)
	}
	var out []rune
	for _, c := range seq {
		// QUIRK: of sequences the whole block to U+03FF counts as marks.
		if skipMarks && c&^0xff == 0x300 {
			continue
		}
		out = append(out, c)
	}
	return string(out)
}

// special are characters taken apart although Unicode does not
// (lib/charset/unifix.txt of Cyrus), and wide forms of spacing marks, which
// become the mark and are not taken apart further.
var special = map[rune]string{
	'ß': "ss", 'æ': "ae", 'ð': "th", 'þ': "th", 'œ': "oe", 'ҥ': "НГ", '⁄': "/",
	0xfe49: "\u203e", 0xfe4a: "\u203e", 0xfe4b: "\u203e", 0xfe4c: "\u203e", 0xffe3: "\u00af",
}

// expand takes a character apart, all the way. White space in the result goes,
// unless nothing else is left.
func expand(seq []rune, r rune) []rune {
	switch {
	case unicode.Is(unicode.Z, r) || '\t' <= r && r <= '\r':
		return append(seq, ' ')
	case 0xac00 <= r && r <= 0xd7a3:
		return append(seq, r) // Hangul syllables stay whole
	}
	if s, ok := special[r]; ok {
		return append(seq, []rune(s)...)
	}
	var buf [utf8.UTFMax]byte
	s := buf[:utf8.EncodeRune(buf[:], r)]
	parts := norm.NFKD.Properties(s).Decomposition()
	if len(parts) > 0 && parts[0] == ' ' {
		// A spacing form of a mark is not taken apart, only what is made of it.
		if parts = norm.NFD.Properties(s).Decomposition(); len(parts) == 0 {
			return append(seq, r)
		}
		for _, c := range string(parts) {
			seq = append(seq, c)
		}
		return seq
	}
	if len(parts) == 0 {
		return append(seq, r)
	}
	n := len(seq)
	for _, c := range string(parts) {
		if s, ok := special[c]; ok {
			seq = append(seq, []rune(s)...)
		} else if c != ' ' {
			seq = append(seq, c)
		}
	}
	if len(seq) == n {
		seq = append(seq, ' ')
	}
	return seq
}
