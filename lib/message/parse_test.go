package message

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gocyrus/lib/charset"
)

func crlf(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }

func parse(t testing.TB, b []byte) *Message {
	m, err := Parse(b, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// items splits a cache record.
func items(t testing.TB, rec []byte) (out [numItems][]byte) {
	for i := range out {
		item, n := cutItem(rec)
		out[i], rec = item, rec[n:]
	}
	if len(rec) != 0 {
		t.Fatalf("%d octets behind the record", len(rec))
	}
	return out
}

func TestEnvelope(t *testing.T) {
	const tail = " NIL NIL NIL)"
	for _, tc := range []struct{ name, header, want string }{
		{"nothing", "\n", "(NIL NIL NIL NIL NIL NIL" + " NIL" + tail},
		{"sender and reply-to are from", "From: A B <a@b>\n\n",
			`(NIL NIL (("A B" NIL "a" "b")) (("A B" NIL "a" "b")) (("A B" NIL "a" "b")) NIL NIL NIL NIL NIL)`},
		{"an empty sender too", "From: a@b\nSender:  \n\n",
			`(NIL NIL ((NIL NIL "a" "b")) ((NIL NIL "a" "b")) ((NIL NIL "a" "b")) NIL NIL NIL NIL NIL)`},
		{"the last of a name", "Subject: one\nSubject: two\n\n", `(NIL "two" NIL NIL NIL NIL NIL NIL NIL NIL)`},
		{"a per cent sign", "Subject: 50% off\n\n", "(NIL {7}\r\n50% off NIL NIL NIL NIL NIL NIL NIL NIL)"},
		{"a fold", "Subject: one\n\ttwo\n\n", "(NIL \"one\ttwo\" NIL NIL NIL NIL NIL NIL NIL NIL)"},
		{"groups", "To: Team: a@b, c;, d@e\n\n",
			`(NIL NIL NIL NIL NIL ((NIL NIL "Team" NIL)(NIL NIL "a" "b")(NIL NIL "c" "unspecified-domain")(NIL NIL NIL NIL)(NIL NIL "d" "e")) NIL NIL NIL NIL)`},
		{"a route", "To: <@r1,@r2:u@d.>\n\n", `(NIL NIL NIL NIL NIL ((NIL "@r1,@r2" "u" "d")) NIL NIL NIL NIL)`},
		{"a comment is a name", "To: u@d (The \\) User)\n\n", `(NIL NIL NIL NIL NIL (("The ) User" NIL "u" "d")) NIL NIL NIL NIL)`},
		{"an open quote ends all", "To: a@b, \"c <d@e>, f@g\n\n", `(NIL NIL NIL NIL NIL ((NIL NIL "a" "b")) NIL NIL NIL NIL)`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := string(items(t, parse(t, crlf(tc.header)).Cache)[0])
			if got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestSummary(t *testing.T) {
	m := parse(t, crlf("Received: from x; Wed, 1 Jan 2020 00:00:00 +0000\nReceived: y; no\nDate: Wed, 12 Mar 2025 11:22:33 +0100\n"+
		"Message-ID:\n <a@b>\nSubject: s\nIn-Reply-To: <c>\nReferences: <d>\n <e>\nX-DeliveredInternalDate: now\n\nbody"))
	for _, tc := range []struct {
		name string
		got  []byte
		want string
	}{
		{"message-id", m.MessageID, "<a@b>"}, {"subject", m.Subject, "s"}, {"in-reply-to", m.InReplyTo, "<c>"},
		{"references", m.References, "<d> <e>"}, {"internal date", m.InternalDate, "now"},
		{"received", m.ReceivedDate, "Wed, 1 Jan 2020 00:00:00 +0000"}, {"date", m.Date, "Wed, 12 Mar 2025 11:22:33 +0100"},
	} {
		if strings.TrimLeft(string(tc.got), " ") != tc.want {
			t.Errorf("%s is %q, want %q", tc.name, tc.got, tc.want)
		}
	}
	if want := time.Date(2025, 3, 12, 10, 22, 33, 0, time.UTC).Unix(); int64(m.GMTime) != want {
		t.Errorf("gmtime %d, want %d", m.GMTime, want)
	}
	if m.HeaderLines != 11 || m.Limited {
		t.Errorf("%d header lines, limited %v", m.HeaderLines, m.Limited)
	}
}

func TestGivenGUID(t *testing.T) {
	opts := DefaultOptions()
	opts.GUID = &[20]byte{1, 2, 3}
	m, err := Parse([]byte("x"), opts)
	if err != nil || m.GUID != *opts.GUID {
		t.Errorf("GUID %x, %v", m.GUID, err)
	}
}

// nest makes multiparts in one another, each with a boundary that starts with
// all the boundaries around it.
func nest(depth, lines int) []byte {
	var b bytes.Buffer
	for i := 1; i <= depth; i++ {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=%s\r\n\r\n--%s\r\n", strings.Repeat("a", i), strings.Repeat("a", i))
	}
	b.WriteString("\r\n")
	for i := 0; i < lines; i++ {
		b.WriteString("--" + strings.Repeat("a", depth) + "b\r\n")
	}
	return b.Bytes()
}

// TestHostile parses messages made to be slow or deep. That they end in the
// time a test has is the point; what they yield must still be whole.
func TestHostile(t *testing.T) {
	embedded := strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 50000)
	for _, tc := range []struct {
		name    string
		b       []byte
		limited bool
	}{
		{"boundaries that are prefixes", nest(900, 10000), false},
		{"deeper than the limit", nest(1500, 10), true},
		{"messages in messages", []byte(embedded), true},
		{"many parts", []byte("Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n", 200000)), true},
		{"many addresses", []byte("To: " + strings.Repeat("a,", 300000) + "\r\n\r\n"), true},
		{"many parameters", []byte("Content-Type: a/b" + strings.Repeat(";x*0=y;x*1=z", 100000) + "\r\n\r\n"), false},
		{"many header lines", []byte(strings.Repeat("To: a\r\n", 300000) + "\r\n"), true},
		{"many content types", []byte(strings.Repeat("Content-Type: =?utf-8?q?text/plain?=\r\n", 900) + "\r\n"), false},
		{"open comments", []byte(strings.Repeat("Content-Type: ((((((((\r\n", 900) + strings.Repeat("(", 1000000)), false},
		{"encoded words", []byte("Subject: " + strings.Repeat("=?=?utf-8?q?", 100000) + "\r\n\r\n"), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := parse(t, tc.b)
			items(t, m.Cache)
			if m.Limited != tc.limited {
				t.Errorf("limited is %v", m.Limited)
			}
		})
	}
}

// TestBoundaryIndex compares the index of many boundaries with the comparison
// of a few.
func TestBoundaryIndex(t *testing.T) {
	ids := []string{"aaa", "", "b", "ab", "abc", "b", "abcd", "zz", "a", "abcde", "ab", "q"}
	lines := []string{"--", "--aaa--", "--aaax", "--ab \r\n", "--abc\r\n", "--abcde--\r\n", "--zzz", "--bb\r\n", "--b--", "--q", "--abcdx\r\n", "-", "--a\r\n"}
	for _, strict := range []bool{false, true} {
		for start := range ids {
			for _, line := range lines {
				var few, many boundaries
				few.reset(strict)
				many.reset(strict)
				many.byHash = make(map[uint64][]int32)
				for _, id := range ids[start:] {
					many.push([]byte(id))
				}
				for _, id := range ids[start:] {
					few.stack = append(few.stack, []byte(id))
				}
				a, b := few.match([]byte(line)), many.match([]byte(line))
				if a != b || few.len() != many.len() {
					t.Errorf("strict %v from %d, line %q: %v, %d left; with the index %v, %d left", strict, start, line, a, few.len(), b, many.len())
				}
			}
		}
	}
}

func TestTooLarge(t *testing.T) {
	// Address space without memory: Parse must not touch it.
	b, err := unix.Mmap(-1, 0, 1<<32, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		t.Skipf("no 4 GiB of address space: %v", err)
	}
	defer unix.Munmap(b)
	if _, err := Parse(b, DefaultOptions()); !errors.Is(err, ErrTooLarge) {
		t.Errorf("error %v", err)
	}
}

func TestEncodeBinary(t *testing.T) {
	in := crlf("Subject: s\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: (x) BINARY\n\na\x00b\n--b\n" +
		"Content-Transfer-Encoding: 7bit\n\nbinary\n--b\ncontent-transfer-encoding: binary\nContent-Type: a/b\n\n" + strings.Repeat("xyz", 20) + "\n--b--\n")
	want := crlf("Subject: s\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: (x) base64\n\nYQBi\n\n--b\n" +
		"Content-Transfer-Encoding: 7bit\n\nbinary\n--b\ncontent-transfer-encoding: base64\nContent-Type: a/b\n\n" +
		strings.Repeat("eHl6", 18) + "\neHl6eHl6\n\n--b--\n")
	if got := EncodeBinary(in, DefaultOptions()); !bytes.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := EncodeBinary(want, DefaultOptions()); got != nil {
		t.Errorf("a second time: %q", got)
	}
}

// A parser that was used before gives what a new one gives.
func TestFirstParse(t *testing.T) {
	b := []byte("From: @, x\r\n\r\n")
	fresh := func() []byte {
		parsers = sync.Pool{New: func() any { return new(parser) }}
		return parse(t, b).Cache
	}
	first := fresh()
	if again := parse(t, b).Cache; !bytes.Equal(again, first) {
		t.Errorf("first %q\nthen  %q", first, again)
	}
}

// FuzzParse checks laws that hold for any octets: no panic, sizes within the
// file, a whole record, and the same result a second time.
func FuzzParse(f *testing.F) {
	messages, _ := judged(f)
	for _, b := range messages {
		f.Add(b)
	}
	f.Add(nest(12, 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := parse(t, b)
		if m.GUID != sha1.Sum(b) || int(m.Size) != len(b) || int(m.HeaderSize) > len(b) {
			t.Errorf("size %d, header %d of %d octets", m.Size, m.HeaderSize, len(b))
		}
		for i, item := range items(t, m.Cache) {
			if i < 3 && len(item) == 0 {
				t.Errorf("item %d is empty", i)
			}
		}
		if out := EncodeBinary(b, DefaultOptions()); out != nil && len(out) < len(b) {
			t.Errorf("base64 has made %d octets of %d", len(out), len(b))
		}
		if again := parse(t, b); !bytes.Equal(again.Cache, m.Cache) || again.CacheCRC != m.CacheCRC {
			t.Error("a second parse differs")
		}
	})
}

// attachment is a mail with text, HTML and a base64 attachment of n octets.
func attachment(n int) []byte {
	var b bytes.Buffer
	b.Write(crlf(`Return-Path: <sender@example.net>
Received: from mx.example.net (mx.example.net [192.0.2.23])
	by host.example.com with LMTP id f0022; Tue, 04 Mar 2025 10:22:30 +0100
Date: Tue, 4 Mar 2025 10:22:00 +0100
From: =?utf-8?Q?J=C3=BCrgen?= Sender <sender@example.net>
To: Alice <alice@example.com>, "Bob, B." <bob@example.com>
Subject: =?iso-8859-1?Q?Gr=FC=DFe?= and an attachment
Message-ID: <bench@example.net>
MIME-Version: 1.0
X-Mailer: none
Content-Type: multipart/mixed; boundary="=_outer"

--=_outer
Content-Type: multipart/alternative; boundary="=_inner"

--=_inner
Content-Type: text/plain; charset=utf-8; format=flowed
Content-Transfer-Encoding: quoted-printable

`))
	b.WriteString(strings.Repeat("Some words of text with an =C3=BC in it and a soft line=\r\n break.\r\n", 20))
	b.Write(crlf("\n--=_inner\nContent-Type: text/html; charset=utf-8\n\n"))
	b.WriteString(strings.Repeat("<p>Some words of <b>text</b></p>\r\n", 20))
	b.Write(crlf("\n--=_inner--\n\n--=_outer\nContent-Type: application/pdf; name=\"a b.pdf\"\nContent-Transfer-Encoding: base64\n" +
		"Content-Disposition: attachment; filename=\"a b.pdf\"\n\n"))
	enc := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("0123456789abcdef\x00\xff"), n/18))
	for len(enc) > 76 {
		b.WriteString(enc[:76] + "\r\n")
		enc = enc[76:]
	}
	b.WriteString(enc + "\r\n--=_outer--\r\n")
	return b.Bytes()
}

func BenchmarkParse(b *testing.B) {
	for _, bm := range []struct {
		name string
		msg  []byte
	}{
		{"text4K", append(crlf("From: a@b.example\nTo: c@d.example\nSubject: text\nDate: Tue, 4 Mar 2025 10:22:00 +0100\nMessage-ID: <x@y>\n\n"),
			strings.Repeat("The quick brown fox jumps over the lazy dog, and again it does.\r\n", 60)...)},
		{"multipart4K", attachment(500)},
		{"multipart100K", attachment(70000)},
		{"base64-10M", attachment(7500000)},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.SetBytes(int64(len(bm.msg)))
			b.ReportAllocs()
			for b.Loop() {
				if m, _ := Parse(bm.msg, DefaultOptions()); m.Size == 0 {
					b.Fatal("no size")
				}
			}
		})
	}
	b.Run("base64-10M-guid-known", func(b *testing.B) {
		msg := attachment(7500000)
		opts := DefaultOptions()
		opts.GUID = new([20]byte)
		b.SetBytes(int64(len(msg)))
		b.ReportAllocs()
		for b.Loop() {
			if m, _ := Parse(msg, opts); m.Size == 0 {
				b.Fatal("no size")
			}
		}
	})
}

func BenchmarkTransferDecode(b *testing.B) {
	msg := attachment(1 << 20)
	dst := make([]byte, 0, len(msg))
	var d charset.Decoder
	b.SetBytes(int64(len(msg)))
	b.ReportAllocs()
	for b.Loop() {
		d.Reset(charset.Base64)
		dst = d.Decode(dst[:0], msg)
	}
}
