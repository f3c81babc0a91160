package smtpwire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestLine(t *testing.T) {
	r := NewReader(strings.NewReader("one\r\ntwo\n" + strings.Repeat("x", 3*bufferSize) + "\r\n\r\nend"))
	for _, want := range []struct {
		line string
		err  error
	}{{"one", nil}, {"two", nil}, {"", ErrLong}, {"", nil}, {"", io.EOF}} {
		line, err := r.Line(100)
		if string(line) != want.line || !errors.Is(err, want.err) {
			t.Errorf("got %q, %v; want %q, %v", line, err, want.line, want.err)
		}
	}
}

func TestText(t *testing.T) {
	for _, tc := range []struct {
		name, in, want, rest string
		err                  error
	}{
		{"empty", ".\r\nQUIT\r\n", "", "QUIT\r\n", nil},
		{"lines", "a\r\nb\r\n.\r\n", "a\r\nb\r\n", "", nil},
		{"dots", "..\r\n...a\r\n.b\r\n.\r\n", ".\r\n..a\r\nb\r\n", "", nil},
		{"bare LF", "a\n.\n..\n.\r\nb\r\n.\r\n", "a\n.\n..\n.\r\nb\r\n", "", nil},
		{"bare LF behind the dot", "a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n", "", nil},
		{"bare CR", "a\r.\r\r\n.\r\n", "a\r.\r\r\n", "", nil},
		{"a dot and CR", ".\rx\r\n.\r\n", "\rx\r\n", "", nil},
		{"dot within a line", "a.\r\n.\r\nx", "a.\r\n", "x", nil},
		{"no end", "a\r\n", "a\r\n", "", io.ErrUnexpectedEOF},
		{"no end behind the dot", "a\r\n.\r", "a\r\n", ".\r", io.ErrUnexpectedEOF},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, src := range []io.Reader{strings.NewReader(tc.in), iotest.OneByteReader(strings.NewReader(tc.in))} {
				r := NewReader(src)
				var got bytes.Buffer
				n, err := r.Text(&got)
				if got.String() != tc.want || n != int64(len(tc.want)) || !errors.Is(err, tc.err) {
					t.Errorf("got %q, %d, %v", got.String(), n, err)
				}
				if rest, _ := io.ReadAll(r.reader()); string(rest) != tc.rest {
					t.Errorf("rest %q, want %q", rest, tc.rest)
				}
			}
		})
	}
}

// A writer that fails does not keep the text from being read.
func TestTextWriterFails(t *testing.T) {
	r := NewReader(iotest.OneByteReader(strings.NewReader("abc\r\n.\r\nNOOP\r\n")))
	n, err := r.Text(failing{})
	var werr *WriteError
	if n != 5 || !errors.As(err, &werr) || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("%d, %v", n, err)
	}
	if line, err := r.Line(10); string(line) != "NOOP" || err != nil {
		t.Errorf("%q, %v", line, err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// FuzzText checks that text comes through as it was before the dots were put
// in, whatever pieces it comes in.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", ".", ".\r\n", "a\r\n.\r\n.b", "\n.\r\n", strings.Repeat("x\r\n.", 9)} {
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, text []byte, size int) {
		if size < 16 || size > 1000 {
			size = 16
		}
		stuffed := bytes.ReplaceAll(text, []byte("\r\n."), []byte("\r\n.."))
		if bytes.HasPrefix(text, []byte(".")) {
			stuffed = append([]byte("."), stuffed...)
		}
		want := text
		if len(text) > 0 && !bytes.HasSuffix(text, []byte("\r\n")) {
			stuffed = append(stuffed, "\r\n"...)
			want = append(bytes.Clone(text), "\r\n"...)
		}
		stuffed = append(stuffed, ".\r\nrest"...)
		r := &Reader{buf: bufio.NewReaderSize(bytes.NewReader(stuffed), size)}
		var got bytes.Buffer
		if _, err := r.Text(&got); err != nil || !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%q: got %q, %v", text, got.Bytes(), err)
		}
		if rest, _ := io.ReadAll(r.buf); string(rest) != "rest" {
			t.Errorf("%q: rest %q", text, rest)
		}
	})
}

func BenchmarkText(b *testing.B) {
	text := strings.Repeat(strings.Repeat("lorem ipsum ", 6)+"\r\n", 1000) + ".\r\n"
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	src := strings.NewReader(text)
	for b.Loop() {
		src.Reset(text)
		r := NewReader(src)
		if _, err := r.Text(io.Discard); err != nil {
			b.Fatal(err)
		}
		r.Drop()
	}
}
