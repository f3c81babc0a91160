package cachefile

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/lib/charset"
	"gocyrus/lib/message"
)

// sample is a multipart of a text, a message that holds a multipart, and a
// base64 part.
var sample = []byte(strings.ReplaceAll(`Subject: sample
X-Priority: 1
Reply-To: a@b
Content-Type: multipart/mixed; boundary=outer

--outer
Content-Type: text/plain; charset=UTF-8

one
--outer
Content-Type: message/rfc822

Subject: inner
Content-Type: multipart/alternative; boundary=inner

--inner

two.one
--inner
Content-Type: text/html
Content-Transfer-Encoding: quoted-printable

=3Cb=3E
--inner--
--outer
Content-Type: application/x
Content-Transfer-Encoding: base64

AAECAw==
--outer--
`, "\n", "\r\n"))

func record(t testing.TB, msg []byte) []byte {
	m, err := message.Parse(msg, message.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	return m.Cache
}

func table(t testing.TB, msg []byte) []byte {
	b, err := Get(record(t, msg), Section)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRecord(t *testing.T) {
	rec := record(t, sample)
	all, err := All(rec)
	if err != nil {
		t.Fatal(err)
	}
	if got := Append(nil, all); !bytes.Equal(got, rec) {
		t.Errorf("put together again: %q, want %q", got, rec)
	}
	for item, want := range map[Item]string{Headers: "X-Priority: 1\r\nReply-To: a@b\r\nContent-Type: multipart/mixed; boundary=outer\r\n",
		Subject: `"sample"`, From: "", Cc: ""} {
		if got, err := Get(rec, item); string(got) != want || err != nil || !bytes.Equal(got, all[item]) {
			t.Errorf("item %d is %q, %v; want %q", item, got, err, want)
		}
	}
	for _, item := range []Item{-1, NumItems} {
		if _, err := Get(rec, item); !errors.Is(err, ErrCorrupt) {
			t.Errorf("item %d: %v", item, err)
		}
	}
}

func TestAt(t *testing.T) {
	rec := record(t, sample)
	file := append(AppendHeader(nil, 7), rec...)
	file = append(file, rec...)
	if g, err := Generation(file); g != 7 || err != nil {
		t.Errorf("generation %d, %v", g, err)
	}
	for _, offset := range []uint64{4, 4 + uint64(len(rec))} {
		if got, err := At(file, offset, CRC(rec)); !bytes.Equal(got, rec) || err != nil {
			t.Errorf("at %d: %d octets, %v", offset, len(got), err)
		}
	}
	for _, tc := range []struct {
		name   string
		file   []byte
		offset uint64
		crc    uint32
	}{
		{"no record", file, 0, CRC(rec)},
		{"past the end", file, uint64(len(file)), CRC(rec)},
		{"far past the end", file, 1 << 47, CRC(rec)},
		{"not a record", file, 5, CRC(rec)},
		{"wrong crc", file, 4, CRC(rec) + 1},
		{"cut off", file[:len(rec)], 4, CRC(rec)},
		{"empty", nil, 4, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := At(tc.file, tc.offset, tc.crc); !errors.Is(err, ErrCorrupt) {
				t.Errorf("error %v", err)
			}
		})
	}
	if _, err := Generation([]byte{0, 0}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("short header: %v", err)
	}
}

func TestFind(t *testing.T) {
	tab := table(t, sample)
	for _, tc := range []struct {
		name string
		path []int
		spec Spec
		want string
		err  error
	}{
		{"TEXT", nil, Text, "", nil},
		{"1", []int{1}, Content, "one", nil},
		{"1.MIME", []int{1}, MIME, "Content-Type: text/plain; charset=UTF-8\r\n\r\n", nil},
		{"1.HEADER", []int{1}, Header, "", ErrNoPart},
		{"1.1", []int{1, 1}, Content, "", ErrNoPart},
		{"2.HEADER", []int{2}, Header, "Subject: inner\r\nContent-Type: multipart/alternative; boundary=inner\r\n\r\n", nil},
		{"2.1", []int{2, 1}, Content, "two.one", nil},
		{"2.1.MIME", []int{2, 1}, MIME, "\r\n", nil},
		{"2.2", []int{2, 2}, Content, "=3Cb=3E", nil},
		{"3", []int{3}, Content, "AAECAw==", nil},
		{"3.TEXT", []int{3}, Text, "", ErrNoPart},
		{"4", []int{4}, Content, "", ErrNoPart},
		{"0", []int{0}, Content, "", ErrNoPart},
		{"2.3", []int{2, 3}, Content, "", ErrNoPart},
		{"2.1.1.1", []int{2, 1, 1, 1}, Content, "", ErrNoPart},
		{"all", nil, Content, "", ErrNoPart},
		{"MIME", nil, MIME, "", ErrNoPart},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, offset, size, err := Find(tab, tc.path, tc.spec)
			if !errors.Is(err, tc.err) {
				t.Fatalf("error %v, want %v", err, tc.err)
			}
			got := string(sample[offset : offset+size])
			if tc.name == "TEXT" {
				_, tc.want, _ = strings.Cut(string(sample), "\r\n\r\n")
			}
			if err == nil && got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestPart(t *testing.T) {
	tab := table(t, sample)
	p, _, _, err := Find(tab, []int{1}, Content)
	if err != nil || string(p.Charset) != "UTF-8" || p.Encoding != charset.None || p.DecodedSize != 3 || p.Lines != 0 {
		t.Errorf("part 1: %+v, %v", p, err)
	}
	p, _, _, err = Find(tab, []int{2, 2}, Content)
	if err != nil || string(p.Charset) != "us-ascii" || p.Encoding != charset.QuotedPrintable || p.DecodedSize != 3 {
		t.Errorf("part 2.2: %+v, %v", p, err)
	}
	p, _, _, err = Find(tab, []int{3}, Content)
	if err != nil || p.Charset != nil || p.Encoding != charset.Base64 || p.DecodedSize != 4 {
		t.Errorf("part 3: %+v, %v", p, err)
	}
	// SHA-1 of the octets 0 to 3.
	if want := "\xa0\x2a\x05\xb0\x25\xb9\x28\xc0\x39\xcf\x1a\xe7\xe8\xee\x04\xe7\xc1\x90\xc0\xdb"; string(p.GUID[:]) != want {
		t.Errorf("part 3: digest %x", p.GUID)
	}
}

func TestWalk(t *testing.T) {
	var got []string
	visit := func(path []int, p Part, leaf bool) bool {
		s := ""
		for _, n := range path {
			s += "." + string(rune('0'+n))
		}
		if leaf {
			s += " leaf"
		}
		got = append(got, s)
		return true
	}
	if err := Walk(table(t, sample), visit); err != nil {
		t.Fatal(err)
	}
	want := []string{"", ".1 leaf", ".2", ".2.1 leaf", ".2.2 leaf", ".3 leaf"}
	if strings.Join(got, ",") != strings.Join(want, ",") {
		t.Errorf("walked %q, want %q", got, want)
	}
	got = nil
	err := Walk(table(t, sample), func(path []int, p Part, leaf bool) bool { visit(path, p, leaf); return len(got) < 4 })
	if err != nil || len(got) != 4 {
		t.Errorf("stopped after %d, %v", len(got), err)
	}
}

func TestMinVersion(t *testing.T) {
	for _, tc := range []struct {
		name    string
		version int
		cached  bool
	}{
		{"References", 0, true}, {"x-mailer", 1, true}, {"Content-Type", 1, true}, {"List-Id", 1, true}, {"X-Priority", 2, true},
		{"X-Spam-Score", 3, true}, {"X-Cyrus-Session-Id", 4, true}, {"x-apple-base-url", 6, true}, {"REPLY-TO", 7, true},
		{"x-spam-flag", 0, false}, {"subject", 0, false}, {"Received", 0, false}, {"", 1, true},
		{"Abcdefghijklmnopqrstuvwxyz01234", 1, true}, {"Abcdefghijklmnopqrstuvwxyz012345", 0, false},
	} {
		if v, ok := MinVersion(tc.name); v != tc.version || ok != tc.cached {
			t.Errorf("MinVersion(%q) = %d, %v; want %d, %v", tc.name, v, ok, tc.version, tc.cached)
		}
	}
}

// TestCorrupt checks that a damaged record is an error or yields octets that
// are there.
func TestCorrupt(t *testing.T) {
	rec := record(t, sample)
	for i := range rec {
		for _, c := range []byte{0, 1, 0x7f, 0xff} {
			bad := bytes.Clone(rec)
			bad[i] = c
			use(t, bad)
			use(t, bad[:i])
		}
	}
}

// use reads all there is in a record.
func use(t *testing.T, rec []byte) {
	n, err := Length(rec)
	if err == nil && n > len(rec) {
		t.Fatalf("length %d of %d", n, len(rec))
	}
	tab, err := Get(rec, Section)
	if err != nil {
		if !errors.Is(err, ErrCorrupt) {
			t.Fatalf("error %v", err)
		}
		return
	}
	useTable(t, tab)
}

func useTable(t *testing.T, tab []byte) {
	parts := 0
	err := Walk(tab, func(path []int, p Part, leaf bool) bool {
		if parts++; len(path) == 0 {
			return true
		}
		if q, _, _, err := Find(tab, path, Content); p.HeaderSize != absent &&
			(err != nil || q.ContentOffset != p.ContentOffset || q.GUID != p.GUID) {
			t.Fatalf("Find(%v) = %+v, %v; walked %+v", path, q, err, p)
		}
		return parts < 100
	})
	if err != nil && !errors.Is(err, ErrCorrupt) {
		t.Fatalf("error %v", err)
	}
	for _, path := range [][]int{nil, {1}, {2, 1}, {1 << 40}, {1, 1, 1}} {
		for _, spec := range []Spec{Content, Header, Text, MIME} {
			if _, _, _, err := Find(tab, path, spec); err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNoPart) {
				t.Fatalf("Find(%v): %v", path, err)
			}
		}
	}
}

// FuzzRecord checks that no octets make a reader panic or leave the record.
func FuzzRecord(f *testing.F) {
	f.Add(record(f, sample))
	names, _ := filepath.Glob(filepath.Join("..", "message", "testdata", "judged", "hard-0*.cache"))
	for _, n := range names {
		if b, err := os.ReadFile(n); err == nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		use(t, b)
		useTable(t, b)
		if rec, err := AtUnchecked(b, HeaderSize); err == nil {
			all, err := All(rec)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := Length(Append(nil, all)); err != nil || again != len(rec) {
				t.Errorf("put together again: %d octets, %v; was %d", again, err, len(rec))
			}
		}
	})
}

func BenchmarkFind(b *testing.B) {
	rec := record(b, sample)
	path := []int{2, 2}
	b.ReportAllocs()
	for b.Loop() {
		tab, _ := Get(rec, Section)
		if _, _, _, err := Find(tab, path, Content); err != nil {
			b.Fatal(err)
		}
	}
}
