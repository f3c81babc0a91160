package charset

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"gocyrus/lib/config"
)

func TestDecoder(t *testing.T) {
	long := strings.Repeat("x", 998)
	for _, tc := range []struct {
		name     string
		enc      Encoding
		in, want string
	}{
		{"base64", Base64, "SGVsbG8g\r\nV29ybGQ=\r\n", "Hello World"},
		{"base64, foreign octets", Base64, "S*G V\xffs!bG8", "Hello"},
		{"base64, two texts", Base64, "SGk=SGk=", "HiHi"},
		{"base64, cut off", Base64, "SGVsb", "Hel"},
		{"base64, nothing", Base64, "====", ""},
		{"base64url", Base64URL, "-_-_", "\xfb\xff\xbf"},
		{"base64 is not base64url", Base64, "-_-_", ""},
		{"quoted-printable", QuotedPrintable, "a=3Db=\r\nc \t\r\n=C3=BC", "a=bc\r\nü"},
		{"quoted-printable, LF", QuotedPrintable, "a\nb\n", "a\r\nb\r\n"},
		{"quoted-printable, bad escapes", QuotedPrintable, "=zz=4", "=zz=4"},
		{"quoted-printable, lower case", QuotedPrintable, "=c3=bc", "ü"},
		{"quoted-printable, soft break with padding", QuotedPrintable, "a=  \r\nb", "ab"},
		{"quoted-printable, underscore", QuotedPrintable, "a_b", "a_b"},
		{"quoted-printable, lone CR goes", QuotedPrintable, "a\rb", "ab"},
		{"quoted-printable, a line cut within an escape at 999", QuotedPrintable, long + "=41\r\n", long + "41\r\n"},
		{"none", None, "=41\x00", "=41\x00"},
		{"unknown", Unknown, "abc", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, n := range []int{1, 3, 4, 7, 10000} {
				var d Decoder
				d.Reset(tc.enc)
				var got []byte
				for rest := []byte(tc.in); len(rest) > 0; {
					k := min(n, len(rest))
					got = d.Decode(got, rest[:k])
					rest = rest[k:]
				}
				if got = d.Flush(got); string(got) != tc.want {
					t.Errorf("in pieces of %d: %q, want %q", n, got, tc.want)
				}
			}
		})
	}
}

func TestLookup(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"Latin-1 is windows-1252", "ISO-8859-1", "€"},
		{"true Latin-1", "646", "\u0080"},
		{"UTF-8", "utf8", "\uFFFD"},
		{"ICU ignores punctuation", "KOI8_r", "─"},
		{"and leading zeros", "cp0437", "Ç"},
		{"US-ASCII", "ANSI_X3.4-1968", "\uFFFD"},
		{"known without a decoder", "SCSU", "\uFFFD"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cs := Lookup(tc.in)
			if cs == nil {
				t.Fatal("not known")
			}
			if got := string(cs.ToUTF8(nil, []byte{0x80})); got != tc.want && tc.in != "utf8" {
				t.Errorf("octet 128 is %+q, want %+q", got, tc.want)
			}
			if cs.Name != tc.in || LookupBytes([]byte(tc.in)) != cs {
				t.Errorf("name %q", cs.Name)
			}
		})
	}
	for _, unknown := range []string{"", "nonsense", "x-", "utf-9", "IS,O-8859-1", strings.Repeat("a", 60)} {
		if Lookup(unknown) != nil || LookupBytes([]byte(unknown)) != nil {
			t.Errorf("%q is known", unknown)
		}
	}
}

func TestConvert(t *testing.T) {
	for _, tc := range []struct{ name, charset, in, want string }{
		{"iso-2022-jp", "iso-2022-jp", "\x1b$B$3$s\x1b(B!", "こん!"},
		{"shift_jis", "shift_jis", "\x82\xb1\x82\xf1", "こん"},
		{"gb2312", "gb2312", "\xc4\xe3", "你"},
		{"big5", "big5", "\xa7\x41", "你"},
		{"euc-kr", "euc-kr", "\xc7\xd1", "한"},
		{"koi8-r", "koi8-r", "\xd0\xd2", "пр"},
		{"utf-16be", "utf-16be", "\x00A\xd8\x3d\xde\x00", "A😀"},
		{"utf-7", "utf-7", "A+AOk-+-+2D3eAA-", "Aé+😀"},
		{"imap", "imap-mailbox-name", "A&AOk-&-", "Aé&"},
		{"utf-8 broken off", "utf-8", "\xe2\x82A\xff\xc3\xbc\xe2", "\uFFFDA\uFFFDü"},
		{"ascii", "us-ascii", "a\xe9b\x00", "a\uFFFDb"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, n := range []int{1, 2, 3, 100} {
				var c Converter
				c.Reset(Lookup(tc.charset))
				var got []byte
				for rest := []byte(tc.in); len(rest) > 0; {
					k := min(n, len(rest))
					got = c.Convert(got, rest[:k])
					rest = rest[k:]
				}
				if got = c.Flush(got); string(got) != tc.want {
					t.Errorf("in pieces of %d: %+q, want %+q", n, got, tc.want)
				}
			}
		})
	}
}

// TestDecodeHeader has results of Cyrus 3.6.1, from SUBJECT items of its cache.
func TestDecodeHeader(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"plain", "plain text", "plain text"},
		{"words", "=?utf-8?Q?J=C3=BCrgen?= X", "Jürgen X"},
		{"white space between words goes", "=?utf-8?B?w7w=?= \r\n\t=?iso-8859-1?q?_=E9?=", "ü é"},
		{"text between words stays", "=?utf-8?B?w7w=?= x =?utf-8?B?w7w=?=", "ü x ü"},
		{"a character cut between words", "=?utf-8?Q?=C3?= =?utf-8?Q?=BC?=", "ü"},
		{"a quantum cut between words", "=?utf-8?B?w7xi?= =?utf-8?B?ZXI=?=", "über"},
		{"language", "=?utf-8*en?Q?a?=", "a"},
		{"no white space around", "a=?utf-8?Q?b?=c", "abc"},
		{"unknown charset", "a =?bad?Q?x?= b", "a \uFFFD b"},
		{"question mark in a word", "=?utf-8?Q?a?b?=", "=?utf-8?Q?a?b?="},
		{"word broken off", "=?utf-8?Q?ab", "=?utf-8?Q?ab"},
		{"a word that starts in one", "=?utf-8?Q?a=?utf-8?Q?b?=", "=?utf-8?Q?ab"},
		{"raw 8-bit", "\xc3\xbc", "\uFFFD\uFFFD"},
		{"fold", "a\r\n b", "a b"},
		{"underscore and escape", "=?utf-8?Q?a_b=5F?=", "a b_"},
		{"ends at NUL", "a =?utf-8?Q?b=00c?= d", "a b"},
		{"empty", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := string(DecodeHeader(nil, []byte(tc.in), false)); got != tc.want {
				t.Errorf("got %+q, want %+q", got, tc.want)
			}
		})
	}
	if got := string(DecodeHeader([]byte("x"), []byte("\xc3\xbc\r\n \xff"), true)); got != "xü \uFFFD" {
		t.Errorf("as UTF-8: %+q", got)
	}
}

func TestEncodeHeader(t *testing.T) {
	if got := string(EncodeHeader(nil, []byte("grün = a_b?"))); got != "=?UTF-8?Q?gr=C3=BCn_=3D_a=5Fb=3F?=" {
		t.Errorf("got %q", got)
	}
	long := strings.Repeat("日本語 ", 30)
	enc := EncodeHeader(nil, []byte(long))
	for _, line := range strings.Split(string(enc), "\r\n") {
		if len(line) > 78 {
			t.Errorf("line of %d octets", len(line))
		}
	}
	if got := string(DecodeHeader(nil, enc, false)); got != long {
		t.Errorf("read back %q", got)
	}
}

func TestDecodeExtended(t *testing.T) {
	for in, want := range map[string]string{"utf-8''gr%C3%BCn": "grün", "iso-8859-1'de'%E9": "é", "us-ascii'a'b'c": "b'c"} {
		if got, ok := DecodeExtended([]byte(in)); string(got) != want || !ok {
			t.Errorf("%q is %q, %v; want %q", in, got, ok, want)
		}
	}
	for _, in := range []string{"", "a", "utf-8'x", "none such''x", "utf-8''%4", "utf-8''%zz"} {
		if got, ok := DecodeExtended([]byte(in)); ok {
			t.Errorf("%q is %q", in, got)
		}
	}
}

func TestUTF7(t *testing.T) {
	for utf7, want := range map[string]string{
		"INBOX": "INBOX", "&AOkA4ADp-": "éàé", "A&-B": "A&B", "&ZeVnLIqe-": "日本語", "~peter/mail/&U,BTFw-": "~peter/mail/台北", "&2D3eAA-": "😀", "": "",
	} {
		if got, err := DecodeUTF7(utf7); got != want || err != nil {
			t.Errorf("%q is %q, %v; want %q", utf7, got, err, want)
		}
		if got, err := EncodeUTF7(want); got != utf7 || err != nil {
			t.Errorf("%q is %q, %v; want %q", want, got, err, utf7)
		}
	}
	for _, in := range []string{"é", "&", "&AOk", "&AOk-&AOk-", "&AGE-", "&AOl-", "&AO-", "&2D0-", "&3gA-", "\x01", "&A/-", "&AOkA-"} {
		if got, err := DecodeUTF7(in); !errors.Is(err, ErrUTF7) {
			t.Errorf("%q is %q, %v", in, got, err)
		}
	}
	if _, err := EncodeUTF7("\xff"); !errors.Is(err, ErrUTF7) {
		t.Errorf("not UTF-8: %v", err)
	}
}

// TestFold has spots of Cyrus's table.
func TestFold(t *testing.T) {
	for _, tc := range []struct {
		name     string
		opts     SearchOptions
		in, want string
	}{
		{"case", SearchOptions{}, "aZ9 ǆ", "AZ9 D\u017d"[:4] + "Dz\u030c"},
		{"marks kept", SearchOptions{}, "é", "E\u0301"},
		{"marks dropped", DefaultSearchOptions(), "éÉe\u0301", "EEE"},
		{"accented Greek vanishes", DefaultSearchOptions(), "aάb", "AB"},
		{"plain Greek does not", DefaultSearchOptions(), "α", "Α"},
		{"sharp s", DefaultSearchOptions(), "ß", "ss"},
		{"ae is one letter", DefaultSearchOptions(), "æ", "Æ"},
		{"compatibility forms", DefaultSearchOptions(), "ﬁ…Ａ", "fi...A"},
		{"merge", SearchOptions{}, " a \t\r\n\u00a0b ", " A B "},
		{"skip", SearchOptions{Whitespace: SkipSpace}, " a \tb\u2003", "AB"},
		{"keep", SearchOptions{Whitespace: KeepSpace}, "a \tb", "A  B"},
		{"Hangul", SearchOptions{}, "한", "한"},
		{"spacing mark", SearchOptions{}, "\u00a8\u0385\ufe49", "\u00a8\u00a8\u0301\u203e"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var f Folder
			f.Reset(tc.opts)
			if got := string(f.Fold(nil, []byte(tc.in))); got != tc.want {
				t.Errorf("got %+q, want %+q", got, tc.want)
			}
		})
	}
}

func TestMatch(t *testing.T) {
	opts := DefaultSearchOptions()
	far := strings.Repeat("filler text ", 2000)
	for _, tc := range []struct {
		name, needle, text string
		cs                 *Charset
		enc                Encoding
		want               bool
	}{
		{"case and marks", "MULLER", "Herr Müller", UTF8, None, true},
		{"across a line end", "two words", "two\r\n words", ASCII, None, true},
		{"soft break", "broken word", "bro=\r\nken w=6Frd", ASCII, QuotedPrintable, true},
		{"base64", "hello", "SGVsbG8gV29ybGQ=", nil, Base64, true},
		{"the last octets", "orld", "SGVsbG8gV29ybGQ=", nil, Base64, true},
		{"far into it", "needle", far + "needle" + far, ASCII, None, true},
		{"not there", "needles", far + "needle" + far, ASCII, None, false},
		{"charset", "é", "\xe9", Lookup("iso-8859-1"), None, true},
		{"unknown encoding", "a", "a", ASCII, Unknown, false},
		{"empty", "", "", ASCII, None, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := NewPattern(tc.needle, opts)
			if got := p.Match([]byte(tc.text), tc.cs, tc.enc); got != tc.want {
				t.Errorf("%q is %q, found %v", tc.needle, p.Folded(), got)
			}
		})
	}
	// Wherever the pieces of a long text are cut.
	for shift := 0; shift < 30; shift++ {
		if !NewPattern("müllers", opts).Match([]byte(strings.Repeat("x", pieceSize-15+shift)+"Müllers"), UTF8, None) {
			t.Errorf("not found at %d", shift)
		}
	}
	if !NewPattern("Grüße x", opts).MatchHeader([]byte(" =?iso-8859-1?Q?gr=FC=DFe?=\r\n x")) {
		t.Error("header not found")
	}
	if !NewPattern("muller", opts).MatchText([]byte(`"Müller, A" <a@b>`)) {
		t.Error("text not found")
	}
}

func TestSearchOptionsFrom(t *testing.T) {
	parse := func(s string) SearchOptions {
		cfg, err := config.Parse(strings.NewReader("configdirectory: /x\npartition-default: /y\n"+s), "test", "imap")
		if err != nil {
			t.Fatal(err)
		}
		return SearchOptionsFrom(cfg)
	}
	if got := parse(""); got != DefaultSearchOptions() {
		t.Errorf("defaults %+v", got)
	}
	want := SearchOptions{SkipHTML: true, Whitespace: SkipSpace, RFC2047UTF8: true}
	if got := parse("search_skipdiacrit: no\nsearch_skiphtml: yes\nsearch_whitespace: skip\nrfc2047_utf8: yes\n"); got != want {
		t.Errorf("got %+v", got)
	}
	if got := parse("search_whitespace: keep\n"); got.Whitespace != KeepSpace {
		t.Errorf("got %+v", got)
	}
}

// FuzzDecodeHeader checks that what comes out is UTF-8 and not much longer than
// what went in.
func FuzzDecodeHeader(f *testing.F) {
	for _, s := range []string{"=?utf-8?Q?J=C3=BCrgen?= X", "=?iso-2022-jp?B?GyRCJDMkcw==?=", "=?utf-7?q?+AOk-?=", "a\r\n b\r", "=?=?=?"} {
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, b []byte, raw bool) {
		got := DecodeHeader(nil, b, raw)
		if !utf8.Valid(got) || len(got) > 4*len(b)+16 {
			t.Errorf("%q is %q", b, got)
		}
		if back := DecodeHeader(nil, EncodeHeader(nil, got), false); !bytes.Equal(back, got) {
			t.Errorf("%q encoded and read back is %q", got, back)
		}
	})
}

// FuzzConvert checks that the pieces in which a text comes make no difference.
func FuzzConvert(f *testing.F) {
	for _, s := range []string{"utf-8", "iso-2022-jp", "utf-7", "gb18030", "utf-16"} {
		f.Add(s, []byte("a\xe3\x81\x93\x1b$B$3"), uint8(0), uint8(2))
	}
	f.Fuzz(func(t *testing.T, name string, b []byte, enc, n uint8) {
		cs := Lookup(name)
		convert := func(size int) []byte {
			var d Decoder
			var c Converter
			d.Reset(Encoding(enc % 5))
			c.Reset(cs)
			var out []byte
			for rest := b; len(rest) > 0; {
				k := min(size, len(rest))
				out = c.Convert(out, d.Decode(nil, rest[:k]))
				rest = rest[k:]
			}
			return c.Flush(c.Convert(out, d.Flush(nil)))
		}
		whole, pieces := convert(len(b)+1), convert(int(n)+1)
		if !utf8.Valid(whole) || !bytes.Equal(whole, pieces) {
			t.Errorf("%q, %q: %q, in pieces %q", name, b, whole, pieces)
		}
	})
}

// FuzzUTF7 checks that names survive both ways.
func FuzzUTF7(f *testing.F) {
	for _, s := range []string{"&AOkA4ADp-", "A&-B", "&2D3eAA-", "日本語"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if u, err := DecodeUTF7(s); err == nil {
			if back, err := EncodeUTF7(u); back != s || err != nil {
				t.Errorf("%q is %q, back %q, %v", s, u, back, err)
			}
		}
		if u, err := EncodeUTF7(s); err == nil && !strings.Contains(s, "\uFFFD") {
			if back, err := DecodeUTF7(u); back != s || err != nil {
				t.Errorf("%q is %q, back %q, %v", s, u, back, err)
			}
		}
	})
}

// FuzzMatch checks the search of a long text in pieces against folding it whole.
func FuzzMatch(f *testing.F) {
	f.Add("müller", []byte("Herr Müller"), uint8(0))
	f.Fuzz(func(t *testing.T, needle string, b []byte, ws uint8) {
		opts := SearchOptions{SkipDiacritics: ws&4 != 0, Whitespace: Whitespace(ws % 3)}
		p := NewPattern(needle, opts)
		text := UTF8.ToUTF8(nil, bytes.Repeat(b, min(3*pieceSize/(len(b)+1), 100)+1))
		var fold Folder
		fold.Reset(opts)
		if want := bytes.Contains(fold.Fold(nil, text), p.Folded()); p.MatchText(text) != want {
			t.Errorf("%q in %q: want %v", needle, text, want)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	text := []byte(strings.Repeat("The quick brown fox jumps over the lazy dog, ünd again.\r\n", 2000))
	p := NewPattern("not there at all", DefaultSearchOptions())
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if p.Match(text, UTF8, None) {
			b.Fatal("found")
		}
	}
}
