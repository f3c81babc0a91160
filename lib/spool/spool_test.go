package spool

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocyrus/lib/config"
	"gocyrus/lib/message"
)

func options() Options {
	return Options{Munge8Bit: true, Parse: message.DefaultOptions()}
}

// take sends a message in pieces of n octets and gives what is stored.
func take(t testing.TB, mode Mode, opts Options, in string, n int) (string, error) {
	f := New(filepath.Join(t.TempDir(), "stage."), mode, opts)
	defer f.Close()
	for rest := []byte(in); len(rest) > 0; {
		k := min(n, len(rest))
		if _, err := f.Write(rest[:k]); err != nil {
			return "", err
		}
		rest = rest[k:]
	}
	m, err := f.Finish()
	if err != nil {
		return "", err
	}
	b, err := os.ReadFile(f.Name())
	if err != nil || !bytes.Equal(b, f.Bytes()) {
		t.Errorf("file has %q, %v; memory %q", b, err, f.Bytes())
	}
	if m.GUID != sha1.Sum(b) || int(m.Size) != len(b) {
		t.Errorf("GUID %x, size %d of %q", m.GUID, m.Size, b)
	}
	return string(b), nil
}

func TestLMTP(t *testing.T) {
	reject := options()
	reject.Reject8Bit = true
	keep := options()
	keep.Munge8Bit = false
	add := options()
	add.Missing = func(id, date bool) []byte {
		return fmt.Appendf(nil, "Missing: %v %v\r\n", id, date)
	}
	for _, tc := range []struct {
		name     string
		opts     Options
		in, want string
		err      error
	}{
		{"as it should be", options(), "A: b\r\n c\r\n\r\nbody\r\n", "A: b\r\n c\r\n\r\nbody\r\n", nil},
		{"bare LF", options(), "A: b\n c\n\nbody\n\nx\n", "A: b\r\n c\r\n\r\nbody\r\n\r\nx\r\n", nil},
		{"lone CR ends a header line", options(), "A: b\rB: c\r\n\r\n", "A: b\r\nB: c\r\n\r\n", nil},
		{"lone CR in the body goes", options(), "A: b\r\n\r\nb\rod\r\r\ny\r\n", "A: b\r\n\r\nbod\r\ny\r\n", nil},
		{"NUL", options(), "A: b\r\n\r\nx\x00y\r\n", "", ErrNUL},
		{"NUL in the header", options(), "A: b\x00\r\n\r\n", "", ErrNUL},
		{"8-bit munged in the header only", options(), "A: gr\xfc\xdfe\r\n\r\n\xfc\r\n", "A: grXXe\r\n\r\n\xfc\r\n", nil},
		{"8-bit kept", keep, "A: \xfc\r\n\r\n", "A: \xfc\r\n\r\n", nil},
		{"8-bit refused", reject, "A: \xfc\r\n\r\n", "", Err8Bit},
		{"8-bit in a name", options(), "\xfc: a\r\n\r\n", "", ErrBadHeader},
		{"no colon", options(), "A b\r\n\r\n", "", ErrBadHeader},
		{"From line", options(), "From a@b Mon\r\nA: b\r\n\r\n", "", ErrBadHeader},
		{"space before the colon", options(), "A \t: b\r\n\r\n", "A \t: b\r\n\r\n", nil},
		{"starts with a fold", options(), " a: b\r\n\r\n", "", ErrBadHeader},
		{"no name", options(), ": b\r\n\r\n", "", ErrBadHeader},
		{"Return-Path goes", options(), "A: b\r\nreturn-path: <x>\r\n y\r\nC: d\r\n\r\n", "A: b\r\nC: d\r\n\r\n", nil},
		{"only a body", options(), "\r\nbody\r\n", "\r\nbody\r\n", nil},
		{"only a header", options(), "A: b\r\n", "A: b\r\n", nil},
		{"empty line of a lone CR", options(), "A: b\r\n\rbody\r\n", "A: b\r\n\r\nbody\r\n", nil},
		{"missing line end", options(), "A: b\r\n\r\nbody", "A: b\r\n\r\nbody\r\n", nil},
		{"missing line end in the header", options(), "A: b", "A: b\r\n", nil},
		{"fields added", add, "A: b\r\n\r\nx\r\n", "A: b\r\nMissing: false false\r\n\r\nx\r\n", nil},
		{"fields there", add, "dAte: b\r\nMESSAGE-ID:\r\n <x>\r\n\r\n", "dAte: b\r\nMESSAGE-ID:\r\n <x>\r\nMissing: true true\r\n\r\n", nil},
		{"fields added to a header alone", add, "A: b", "A: b\r\nMissing: false false\r\n", nil},
		{"empty Message-ID", options(), "Message-ID: \r\nA: b\r\n\r\n", "", ErrBadHeader},
		{"empty", options(), "", "", ErrEmpty},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, n := range []int{1, 2, 3, 1000} {
				got, err := take(t, LMTP, tc.opts, tc.in, n)
				if got != tc.want || !errors.Is(err, tc.err) {
					t.Errorf("in pieces of %d: %q, %v; want %q, %v", n, got, err, tc.want, tc.err)
				}
			}
		})
	}
}

func TestAppend(t *testing.T) {
	reject := options()
	reject.Reject8Bit = true
	bin := options()
	bin.Binary = true
	for _, tc := range []struct {
		name     string
		opts     Options
		in, want string
		err      error
	}{
		{"as it should be", options(), "A: b\r\n c\r\n\r\nbo\rdy", "A: b\r\n c\r\n\r\nbo\rdy", nil},
		{"From line", options(), "From a@b Mon\r\nFrom: b\r\n\r\n", "From a@b Mon\r\nFrom: b\r\n\r\n", nil},
		{"nearly a From line", options(), "Fro m\r\n\r\n", "", ErrBadHeader},
		{"bare LF in the header", options(), "A: b\n\r\n", "", ErrBareLF},
		{"bare LF in the body", options(), "A: b\r\n\r\nx\ny", "", ErrBareLF},
		{"binary body", bin, "Content-Transfer-Encoding: Binary\r\n\r\nx\ny\x00", "Content-Transfer-Encoding: base64\r\n\r\neAp5AA==\r\n", nil},
		{"bare LF in a literal8", bin, "A: b\r\n\r\nx\ny", "A: b\r\n\r\nx\ny", nil},
		{"NUL in a body that is not binary", bin, "A: b\r\n\r\nx\ny\x00", "", ErrNUL},
		{"NUL", options(), "A: b\r\n\r\n\x00", "", ErrNUL},
		{"NUL in a binary header", bin, "A: \x00\r\n\r\n", "", ErrNUL},
		{"8-bit munged in the header only", options(), "A: \xfc\r\n\r\n\xfc", "A: X\r\n\r\n\xfc", nil},
		{"8-bit refused", reject, "A: \xfc\r\n\r\n", "", Err8Bit},
		{"no name", options(), ": b\r\n\r\n", "", ErrBadHeader},
		{"space in a name", options(), "A b: c\r\n\r\n", "", ErrBadHeader},
		{"no colon", options(), "A\r\n\r\n", "", ErrBadHeader},
		{"header cut off", options(), "A: b\r\nC: d", "", ErrBadHeader},
		{"header without a body", options(), "A: b\r\n", "A: b\r\n", nil},
		{"only a body", options(), "\r\nbody", "\r\nbody", nil},
		{"a CR first ends the checks", options(), "\rx y\r\n", "\rx y\r\n", nil},
		{"empty", options(), "", "", ErrEmpty},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, n := range []int{1, 2, 3, 1000} {
				got, err := take(t, Append, tc.opts, tc.in, n)
				if got != tc.want || !errors.Is(err, tc.err) {
					t.Errorf("in pieces of %d: %q, %v; want %q, %v", n, got, err, tc.want, tc.err)
				}
			}
		})
	}
}

// TestLarge sends a message that does not fit in memory.
func TestLarge(t *testing.T) {
	opts := options()
	opts.Memory = 1000
	in := "Subject: large\r\n\r\n" + strings.Repeat("a line of the body\r\n", 50000)
	got, err := take(t, Append, opts, in, 70000)
	if got != in || err != nil {
		t.Errorf("%d octets, %v; want %d", len(got), err, len(in))
	}
	opts.Binary = true
	got, err = take(t, Append, opts, "Content-Transfer-Encoding: binary\r\n\r\n"+strings.Repeat("\x00", 54000), 70000)
	if want := "Content-Transfer-Encoding: base64\r\n\r\n" + strings.Repeat(strings.Repeat("A", 72)+"\r\n", 1000); got != want || err != nil {
		t.Errorf("binary: %d octets, %v; want %d", len(got), err, len(want))
	}
	opts.Binary = false
	opts.MaxSize = int64(len(in)) - 1
	if _, err := take(t, Append, opts, in, 70000); !errors.Is(err, ErrTooBig) {
		t.Errorf("over the maximum: %v", err)
	}
	opts.MaxSize, opts.Memory = 100, 0
	if _, err := take(t, Append, opts, in[:101], 200); !errors.Is(err, ErrTooBig) {
		t.Errorf("over the maximum in memory: %v", err)
	}
}

func TestPrepend(t *testing.T) {
	f := New(t.TempDir(), LMTP, options())
	f.Prepend([]byte("Return-Path: <a@b>\r\n"))
	f.Prepend([]byte("Received: x\r\n"))
	if _, err := f.Write([]byte("A: b\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	m, err := f.Finish()
	if want := "Return-Path: <a@b>\r\nReceived: x\r\nA: b\r\n\r\n"; err != nil || string(f.Bytes()) != want || int(m.HeaderSize) != len(want) {
		t.Errorf("%q, %v", f.Bytes(), err)
	}
	if err := f.Sync(); err != nil {
		t.Error(err)
	}
	name := f.Name()
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Close the file is there: %v", err)
	}
	if _, err := f.Write([]byte("x")); err == nil {
		t.Error("Write after Close")
	}
}

// TestNothingOnDisk checks that a message that never comes leaves nothing.
func TestNothingOnDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "stage.")
	f := New(dir, LMTP, options())
	if _, err := f.Write([]byte("A: b\r\n")); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("stage directory: %v", err)
	}
}

func TestNoDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f := New(dir, Append, options())
	defer f.Close()
	if _, err := f.Write([]byte("A: b\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Finish(); err == nil {
		t.Error("Finish into a file as directory")
	}
}

func TestOptionsFrom(t *testing.T) {
	cfg, err := config.Parse(strings.NewReader("configdirectory: /x\npartition-default: /y\nmunge8bit: no\nreject8bit: yes\nmaxmessagesize: 1000\nrfc2046_strict: yes\n"), "test", "lmtp")
	if err != nil {
		t.Fatal(err)
	}
	o := OptionsFrom(cfg)
	if o.Munge8Bit || !o.Reject8Bit || o.MaxSize != 1000 || !o.Parse.RFC2046Strict || o.Parse.MaxHeaderLines != 1000 || o.Parse.BoundaryLimit != 1000 {
		t.Errorf("options %+v", o)
	}
}

// FuzzLMTP checks that what is stored has no NUL, no lone LF and no lone CR, is
// the same in whatever pieces it came, and passes again unchanged.
func FuzzLMTP(f *testing.F) {
	for _, s := range []string{"A: b\n c\n\nbody\r", "A: b\rB: c\r\n\r\nx\ry\r\r\n", "Return-Path: x\r\n\r\n", "\n\x00", "a : b\r\n\tc"} {
		f.Add([]byte(s), uint8(3))
	}
	f.Fuzz(func(t *testing.T, b []byte, n uint8) {
		l, err := lmtp(b, len(b)+1)
		again, err2 := lmtp(b, int(n)+1)
		if !bytes.Equal(l, again) || (err == nil) != (err2 == nil) {
			t.Fatalf("%q, %v; in pieces %q, %v", l, err, again, err2)
		}
		if err != nil {
			return
		}
		if k := bytes.Count(l, []byte("\r\n")); bytes.Count(l, []byte("\n")) != k || bytes.Count(l, []byte("\r")) != k || bytes.IndexByte(l, 0) >= 0 {
			t.Fatalf("stored %q", l)
		}
		if again, err := lmtp(l, len(l)+1); !bytes.Equal(l, again) || err != nil {
			t.Fatalf("%q again: %q, %v", l, again, err)
		}
	})
}

func lmtp(b []byte, n int) (out []byte, err error) {
	opts := options()
	l := lmtpFilter{opts: &opts}
	for len(b) > 0 && err == nil {
		k := min(n, len(b))
		out, err = l.next(out, b[:k])
		b = b[k:]
	}
	if err != nil {
		return nil, err
	}
	if out, err = l.end(out); err != nil {
		return nil, err
	}
	return out, nil
}

// FuzzAppend checks that a message is stored as it came or refused, in whatever
// pieces.
func FuzzAppend(f *testing.F) {
	for _, s := range []string{"A: b\r\n c\r\n\r\nbo\rdy", "From a\r\n", "A: b\n", "\r\n\n", ":"} {
		f.Add([]byte(s), uint8(3))
	}
	f.Fuzz(func(t *testing.T, b []byte, n uint8) {
		check := func(size int) (out []byte, err error) {
			opts := Options{}
			a := appendFilter{opts: &opts}
			for rest := b; len(rest) > 0 && err == nil; {
				k := min(size, len(rest))
				out, err = a.next(out, rest[:k])
				rest = rest[k:]
			}
			if err == nil {
				out, err = a.end(out)
			}
			return out, err
		}
		whole, err := check(len(b) + 1)
		pieces, err2 := check(int(n) + 1)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("%v; in pieces %v", err, err2)
		}
		if err == nil && (!bytes.Equal(whole, b) || !bytes.Equal(pieces, b)) {
			t.Fatalf("%q stored as %q and %q", b, whole, pieces)
		}
	})
}

func BenchmarkSpool(b *testing.B) {
	in := []byte("From: a@b.example\r\nTo: c@d.example\r\nSubject: text\r\nMessage-ID: <x@y>\r\n\r\n" + strings.Repeat("The quick brown fox jumps over the lazy dog, and again.\r\n", 70))
	dir := b.TempDir()
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		f := New(dir, LMTP, options())
		if _, err := f.Write(in); err != nil {
			b.Fatal(err)
		}
		if _, err := f.Finish(); err != nil {
			b.Fatal(err)
		}
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLMTPFilter(b *testing.B) {
	in := []byte("From: a@b.example\r\n\r\n" + strings.Repeat("The quick brown fox jumps over the lazy dog, and again.\r\n", 20000))
	var out []byte
	opts := options()
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		l := lmtpFilter{opts: &opts}
		var err error
		if out, err = l.next(out[:0], in); err != nil {
			b.Fatal(err)
		}
	}
}

// TestPark: a message whose file is closed is stored as any other, small or large.
func TestPark(t *testing.T) {
	for _, size := range []int{10, 200000} {
		opts := options()
		opts.Memory = 1000
		in := "Subject: parked\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\n\r\n" + strings.Repeat("x", size) + "\r\n"
		f := New(filepath.Join(t.TempDir(), "stage."), Append, opts)
		if _, err := f.Write([]byte(in)); err != nil {
			t.Fatal(err)
		}
		m, err := f.Finish()
		if err != nil {
			t.Fatal(err)
		}
		want := sha1.Sum([]byte(in))
		for range 2 { // the second time there is nothing to do
			if err := f.Park(m); err != nil {
				t.Fatal(err)
			}
		}
		// What was given back is used by another.
		other := New(filepath.Join(t.TempDir(), "stage."), Append, opts)
		if _, err := other.Write(bytes.Repeat([]byte("Y: y\r\n"), size/6+20)); err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		if m.GUID != want || string(m.Subject) != "parked" || string(m.Date) != "Tue, 24 Nov 2026 10:00:00 +0000" {
			t.Errorf("%d octets: %x, %q, %q", size, m.GUID, m.Subject, m.Date)
		}
		if err := f.Sync(); err != nil {
			t.Error(err)
		}
		if b, err := os.ReadFile(f.Name()); err != nil || string(b) != in {
			t.Errorf("%d octets: the file has %d, %v", size, len(b), err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(f.Name()); !os.IsNotExist(err) {
			t.Errorf("%d octets: the file stays: %v", size, err)
		}
	}
}
