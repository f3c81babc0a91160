package charset

import (
	_ "embed"
	"strings"
	"sync"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// Charset is a character set. Name is as the caller spelt it, which is how
// cyrus.cache keeps it.
type Charset struct {
	Name  string
	canon string
	kind  kind
	enc   encoding.Encoding // for kind other; nil if no decoder exists
}

type kind uint8

const (
	ascii kind = iota
	utf8Set
	utf7Set
	imapUTF7Set
	other
)

// ASCII and UTF8 are the character sets of most headers.
var (
	ASCII = &Charset{Name: "us-ascii", canon: "us-ascii", kind: ascii}
	UTF8  = &Charset{Name: "utf-8", canon: "utf-8", kind: utf8Set}
)

// aliases are the names Cyrus adds to those ICU knows, and those it gives
// another meaning: Latin-1 is read as windows-1252, as mail means it
// (lib/charset/aliases.txt of Cyrus). Keys are in lower case.
var aliases = map[string]string{
	"utf8": "utf-8", "utf7": "utf-7", "unicode-1-1-utf-8": "utf-8", "unicode-1-1-utf-7": "utf-7",
	"imap-utf-7": "imap-mailbox-name",
	"ascii":      "us-ascii", "ansi_x3.4-1968": "us-ascii", "usascii": "us-ascii",
	"iso-8859-1": "windows-1252", "iso_8859_1": "windows-1252", "iso_8859-1": "windows-1252",
	"iso_8859": "windows-1252", "iso-8859": "windows-1252", "8859_1": "windows-1252",
	"iso--8859-1": "windows-1252", "so-8859-1": "windows-1252", "en_gb": "windows-1252",
	"auto": "windows-1252", "unknown": "windows-1252", "unknown-8bit": "windows-1252",
	"x-unknown": "windows-1252", "x-user-defined": "windows-1252", "x-europa": "windows-1252",
	"none": "windows-1252", "latin1": "windows-1252", "iso8859-1": "windows-1252",
	"8859-1": "windows-1252", "es-windows-1252": "windows-1252", "display": "windows-1252",
	"any": "windows-1252", "x-mac-roman": "macintosh", "mac": "macintosh", "csmacintosh": "macintosh",
	"646": "iso-8859-1", "iso646-us": "iso-8859-1",
	"8859_2": "iso-8859-2", "x-mac-turkish": "iso-8859-9", "greek-ccitt": "iso-8859-7",
	"iso-8859-8-i": "iso-8859-8", "iso8859_15_fdis": "iso-8859-15", "iso8859-15": "iso-8859-15",
	"tis-620": "iso-8859-11", "x-mac-thai": "iso-8859-11", "asmo-708": "iso-8859-6",
	"win-koi8": "koi8-r", "_iso-2022-jp$esc": "iso-2022-jp", "_iso-2022-jp": "iso-2022-jp",
	"csiso2022jp": "iso-2022-jp", "ks_c_5601": "ksc5601",
	"1250": "windows-1250", "cp1250": "windows-1250", "win-1250": "windows-1250", "238": "windows-1250",
	"1251": "windows-1251", "cp1251": "windows-1251", "win-1251": "windows-1251",
	"1252": "windows-1252", "cp1252": "windows-1252", "cp-1252": "windows-1252", "win-1252": "windows-1252",
	"1254": "windows-1254", "cp1254": "windows-1254", "win-1254": "windows-1254",
	"1255": "windows-1255", "cp1255": "windows-1255", "win-1255": "windows-1255",
	"1256": "windows-1256", "cp1256": "windows-1256", "win-1256": "windows-1256", "win1256": "windows-1256",
	"1257": "windows-1257", "cp1257": "windows-1257", "win-1257": "windows-1257",
	"1258": "windows-1258", "cp1258": "windows-1258", "win-1258": "windows-1258",
	"cp850": "windows-850", "cp-850": "windows-850", "dos-latin1": "windows-850", "msdos-latin1": "windows-850",
	"cp932": "windows-31j", "cp-932": "windows-31j", "win-31j": "windows-31j", "shift_jis": "windows-31j",
	"cp936": "windows-936", "cp-936": "windows-936", "win-936": "windows-936",
	"136": "big5", "gbk": "windows-936", "x-gbk": "windows-936", "gb2312": "windows-936",
}

// icuNames are the converters of ICU 72 with their aliases, one converter a
// line: whether Cyrus knows a name, and so what it writes in cyrus.cache,
// depends on this list.
//
//go:embed names.txt
var icuNames string

// icuTable maps names as icuKey makes them to the first name of the line.
var icuTable = sync.OnceValue(func() map[string]string {
	t := make(map[string]string, 1300)
	for line := range strings.Lines(icuNames) {
		names := strings.Fields(line)
		for _, n := range names {
			if k := icuKey(n); t[k] == "" && !strings.Contains(n, ",") {
				t[k] = line
			}
		}
	}
	return t
})

// icuKey is the form under which ICU compares names: letters in lower case
// and digits, without leading zeros of numbers.
func icuKey(name string) string {
	var b strings.Builder
	number := false
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case '1' <= c && c <= '9':
			number = true
			b.WriteByte(c)
		case c == '0':
			next := byte(0)
			if i+1 < len(name) {
				next = name[i+1]
			}
			if number || next < '0' || next > '9' {
				b.WriteByte(c)
			}
		case 'a' <= c && c <= 'z':
			number = false
			b.WriteByte(c)
		case 'A' <= c && c <= 'Z':
			number = false
			b.WriteByte(c | 0x20)
		default:
			number = false
		}
	}
	return b.String()
}

// maxName bounds the names looked up: ICU refuses names of 60 octets and more.
const maxName = 60

// known holds every lookup made so far: a mail server sees a few dozen names.
// It is emptied when a sender invents too many.
var known struct {
	sync.RWMutex
	m map[string]*Charset
}

// Lookup finds a character set by name, in any case; nil if Cyrus would not
// know it either.
func Lookup(name string) *Charset {
	if len(name) == 0 || len(name) >= maxName {
		return nil
	}
	known.RLock()
	cs, ok := known.m[name]
	known.RUnlock()
	if ok {
		return cs
	}
	cs = find(name)
	known.Lock()
	if known.m == nil || len(known.m) > 1000 {
		known.m = make(map[string]*Charset)
	}
	known.m[strings.Clone(name)] = cs
	known.Unlock()
	return cs
}

// LookupBytes is Lookup without an allocation for names seen before.
func LookupBytes(name []byte) *Charset {
	if len(name) == 0 || len(name) >= maxName {
		return nil
	}
	known.RLock()
	cs, ok := known.m[string(name)]
	known.RUnlock()
	if ok {
		return cs
	}
	return Lookup(string(name))
}

func find(name string) *Charset {
	canon := strings.ToLower(name)
	if a, ok := aliases[canon]; ok {
		canon = a
	}
	cs := &Charset{Name: strings.Clone(name), canon: canon, kind: other}
	switch canon {
	case "us-ascii":
		cs.kind = ascii
		return cs
	case "utf-8":
		cs.kind = utf8Set
		return cs
	}
	key, _, _ := strings.Cut(canon, ",") // options for the converter may follow
	line, ok := icuTable()[icuKey(key)]
	if !ok {
		return nil
	}
	names := strings.Fields(line)
	cs.canon = strings.ToLower(names[0])
	switch cs.canon {
	case "us-ascii":
		cs.kind = ascii
	case "utf-8":
		cs.kind = utf8Set
	case "utf-7":
		cs.kind = utf7Set
	case "imap-mailbox-name":
		cs.kind = imapUTF7Set
	default:
		cs.enc = decoder(canon, names)
	}
	return cs
}

// decoders are those that the indexes of x/text lack or read differently.
var decoders = map[string]encoding.Encoding{
	"iso-8859-1":           charmap.ISO8859_1,
	"iso-8859-11":          charmap.Windows874,
	"utf-16":               unicode.UTF16(unicode.BigEndian, unicode.UseBOM),
	"utf-16be":             unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM),
	"utf-16le":             unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM),
	"utf16_platformendian": unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM),
	"utf-32":               utf32.UTF32(utf32.BigEndian, utf32.UseBOM),
	"utf-32be":             utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM),
	"utf-32le":             utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM),
	"windows-936":          simplifiedchinese.GBK,
	"hz":                   simplifiedchinese.HZGB2312,
}

func decoder(canon string, names []string) encoding.Encoding {
	names = append([]string{canon}, names...)
	for _, n := range names {
		if e := decoders[strings.ToLower(n)]; e != nil {
			return e
		}
	}
	for _, n := range names {
		if e, err := ianaindex.IANA.Encoding(n); err == nil && e != nil {
			return e
		}
	}
	for _, n := range names {
		if e, err := htmlindex.Get(n); err == nil {
			return e
		}
	}
	return nil
}
