package prot

import (
	"bytes"
	"compress/flate"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

// inflateAll decompresses with room for so many octets, and input in pieces of
// so many.
func inflateAll(in []byte, room, piece int) ([]byte, error) {
	var z inflater
	var all []byte
	for {
		now := min(piece, len(in))
		dst := make([]byte, room)
		n, used, err := z.inflate(dst, in[:now])
		all, in = append(all, dst[:n]...), in[used:]
		switch {
		case err == io.EOF:
			return all, nil
		case err != nil:
			return all, err
		case n < room && used == now && len(in) == 0:
			return all, io.ErrUnexpectedEOF
		}
	}
}

// Commands that zlib 1.3 ended with Z_PARTIAL_FLUSH, as mbsync does, come out
// with the last octet of each, and not with a later one's.
func TestPartialFlush(t *testing.T) {
	var z inflater
	for _, tc := range []struct{ in, want string }{
		{"3256f073f4750d0e707476e5e50208", "3 NAMESPACE\r\n"},
		{"2013051fcfe010052525052d5e2e8000", "4 LIST \"\" *\r\n"},
		{"3245960108", "5 NAMESPACE\r\n"},
	} {
		in, err := hex.DecodeString(tc.in)
		if err != nil {
			t.Fatal(err)
		}
		dst := make([]byte, 100)
		n, used, err := z.inflate(dst, in)
		if string(dst[:n]) != tc.want || used != len(in) || err != nil {
			t.Errorf("%s: %q, %d octets used, %v; want %q", tc.in, dst[:n], used, err, tc.want)
		}
	}
}

// A client that flushes in part gets through a Conn's layer.
func TestDeflatePartialFlush(t *testing.T) {
	c, peer := pair(t)
	if err := c.StartDeflate(); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ in, want string }{
		{"3256f073f4750d0e707476e5e50208", "NAMESPACE"},
		{"2013051fcfe010052525052d5e2e8000", "*"},
	} {
		in, err := hex.DecodeString(tc.in)
		if err != nil {
			t.Fatal(err)
		}
		peer.Write(in)
		line := make([]byte, 13)
		if _, err := io.ReadFull(iotest.OneByteReader(c), line); err != nil {
			t.Fatal(err)
		}
		if got := strings.Fields(string(line)); got[len(got)-1] != tc.want {
			t.Errorf("got %q, want the end %s", line, tc.want)
		}
	}
}

func TestInflateBad(t *testing.T) {
	for _, tc := range []struct{ name, in string }{
		{"type 3", "07"},
		{"stored length", "010000ff00"},
		{"copy from before the start", "0302"},
	} {
		in, err := hex.DecodeString(tc.in)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := inflateAll(in, 100, 100); !errors.Is(err, errInflate) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

// FuzzInflate checks that any input comes out as compress/flate has it,
// whatever the pieces.
func FuzzInflate(f *testing.F) {
	for _, level := range []int{0, 1, 6, 9, flate.HuffmanOnly} {
		var b bytes.Buffer
		w, err := flate.NewWriter(&b, level)
		if err != nil {
			f.Fatal(err)
		}
		io.WriteString(w, strings.Repeat("the quick brown fox jumps over the lazy dog; ", 20))
		w.Flush()
		io.WriteString(w, "and a bit more")
		w.Close()
		f.Add(b.Bytes(), uint8(100), uint8(7))
	}
	f.Add([]byte("\x03\x02"), uint8(1), uint8(1))
	f.Fuzz(func(t *testing.T, in []byte, room, piece uint8) {
		const most = 1 << 20
		want, wantErr := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(in)), most))
		if len(want) == most {
			t.Skip("a bomb")
		}
		got, err := inflateAll(in, int(room)+1, int(piece)+1)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("error %v, compress/flate's is %v", err, wantErr)
		}
		if err == nil && !bytes.Equal(got, want) {
			t.Fatalf("%d octets, want %d", len(got), len(want))
		}
		if !bytes.HasPrefix(got, want) {
			t.Fatalf("%d octets before the error are not compress/flate's %d", len(got), len(want))
		}
	})
}

// TestInflateWindow goes many times around the window, with copies from as far back
// as it reaches, and of every length and overlap.
func TestInflateWindow(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var text []byte
	for len(text) < 20*windowSize {
		switch back := 1 + r.IntN(windowSize); {
		case len(text) < windowSize || r.IntN(3) == 0:
			for range r.IntN(400) {
				text = append(text, byte(r.Uint32()))
			}
		case r.IntN(2) == 0:
			text = append(text, bytes.Repeat(text[len(text)-1-r.IntN(9):], 1+r.IntN(60))...)
		default:
			from := len(text) - back
			text = append(text, text[from:min(len(text), from+r.IntN(300))]...)
		}
	}
	for _, level := range []int{0, 1, 6, 9, flate.HuffmanOnly} {
		var b bytes.Buffer
		w, err := flate.NewWriter(&b, level)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(text)
		w.Close()
		for range 4 {
			room, piece := 1+r.IntN(3*windowSize), 1+r.IntN(3*windowSize)
			got, err := inflateAll(b.Bytes(), room, piece)
			if err != nil || !bytes.Equal(got, text) {
				t.Errorf("level %d, room %d, pieces of %d: %d octets of %d, %v", level, room, piece, len(got), len(text), err)
			}
		}
	}
}

func BenchmarkInflate(b *testing.B) {
	var in bytes.Buffer
	w, err := flate.NewWriter(&in, 6)
	if err != nil {
		b.Fatal(err)
	}
	text := strings.Repeat(`* 17 FETCH (UID 1234 FLAGS (\Seen) RFC822.SIZE 5678)`+"\r\n", 2000)
	io.WriteString(w, text)
	w.Close()
	dst := make([]byte, 4096)
	var z inflater
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		z = inflater{}
		for rest, err := in.Bytes(), error(nil); err == nil; {
			var used int
			_, used, err = z.inflate(dst, rest)
			rest = rest[used:]
		}
	}
}
