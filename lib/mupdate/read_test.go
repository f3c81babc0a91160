package mupdate

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"gocyrus/lib/mboxname"
)

var testLimits = Limits{Word: 20, Quoted: 100, Literal: 100}

// TestCommand reads one command, then another, to see that the stream is in
// step.
func TestCommand(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		min, max int
		want     []string // tag, name, arguments
		err      error
	}{
		{"no arguments", "1 noop\r\n", 0, 0, []string{"1", "NOOP"}, nil},
		{"bare LF", "1 NOOP\n", 0, 0, []string{"1", "NOOP"}, nil},
		{"quoted", "1 FIND \"user.x\"\r\n", 1, 1, []string{"1", "FIND", "user.x"}, nil},
		{"backslash", `1 FIND "a\"b\\c\d"` + "\r\n", 1, 1, []string{"1", "FIND", `a"b\cd`}, nil},
		{"literal", "1 FIND {6+}\r\nuser.x\r\n", 1, 1, []string{"1", "FIND", "user.x"}, nil},
		{"literal that waits", "1 FIND {6}\r\nuser.x\r\n", 1, 1, []string{"1", "FIND", "user.x"}, nil},
		{"literal with line ends", "1 FIND {4+}\r\na\r\nb\r\n", 1, 1, []string{"1", "FIND", "a\r\nb"}, nil},
		{"empty literal", "1 LIST {0+}\r\n\r\n", 0, 1, []string{"1", "LIST", ""}, nil},
		{"three", "X1 ACTIVATE {1+}\r\na \"b!c\" {2+}\r\nd\t\r\n", 3, 3, []string{"X1", "ACTIVATE", "a", "b!c", "d\t"}, nil},
		{"left out", "1 LIST\r\n", 0, 1, []string{"1", "LIST"}, nil},
		{"empty tag", " NOOP\r\n", 0, 0, []string{"", "NOOP"}, nil},

		// What mupdate/03 shows of Cyrus.
		{"one word", "x\r\n", 0, 0, nil, ErrNeedCommand},
		{"empty line", "\r\n", 0, 0, nil, ErrNeedCommand},
		{"no name", "6 \r\n", 0, 0, nil, ErrNullCommand},
		{"none of one", "19 FIND\r\n", 1, 1, nil, ErrMissing},
		{"atom", "21 find user.x\r\n", 1, 1, nil, ErrExtra},
		{"atoms", "20 FIND a b\r\n", 1, 1, nil, ErrExtra},
		{"atom of three", "59 ACTIVATE user.t3 be9!default \"\"\r\n", 3, 3, nil, ErrMissing},
		{"one too many", "3 LOGOUT extra\r\n", 0, 0, nil, ErrExtra},
		{"mechanism as an atom", "8 AUTHENTICATE FOO\r\n", 1, 2, nil, ErrExtra},

		{"quoted without end", "1 FIND \"user\r\n", 1, 1, nil, ErrExtra},
		{"NUL in a literal", "1 FIND {3+}\r\na\x00b\r\n", 1, 1, nil, ErrExtra},
		{"literal after what is wrong", "1 FIND a {7+}\r\n1 NOOP\n\r\n", 1, 1, nil, ErrExtra},
		{"two literals after what is wrong", "1 FIND a {2+}\r\n\r\n {3+}\r\n\n\n\n\r\n", 1, 1, nil, ErrExtra},
		{"no size", "1 FIND {+}\r\n", 1, 1, nil, ErrExtra},
		{"two pluses", "1 FIND {1++}\r\n", 1, 1, nil, ErrExtra},
		{"octets after the size", "1 FIND {1+} \r\n", 1, 1, nil, ErrExtra},
		{"no blank between", "1 ACTIVATE \"a\"\"b\" \"c\"\r\n", 3, 3, nil, ErrMissing},

		{"long tag", strings.Repeat("x", 21) + " NOOP\r\n", 0, 0, nil, ErrTooLong},
		{"long quoted", "1 FIND \"" + strings.Repeat("x", 101) + "\"\r\n", 1, 1, nil, ErrTooLong},
		{"long literal", "1 FIND {101+}\r\n", 1, 1, nil, ErrTooLong},
		{"long size", "1 FIND {00000000000000001+}\r\nx\r\n", 1, 1, nil, ErrTooLong},
		{"long rest", "1 NOOP " + strings.Repeat("x", 300) + "\r\n", 0, 0, nil, ErrTooLong},
		{"long literal in the rest", "1 NOOP {1000+}\r\n", 0, 0, nil, ErrTooLong},

		{"end in a tag", "1", 0, 0, nil, io.ErrUnexpectedEOF},
		{"end in a name", "1 NO", 0, 0, nil, io.ErrUnexpectedEOF},
		{"end in a string", "1 FIND \"us", 1, 1, nil, io.ErrUnexpectedEOF},
		{"end in a literal", "1 FIND {6+}\r\nus", 1, 1, nil, io.ErrUnexpectedEOF},
		{"end after a string", "1 FIND \"us\"", 1, 1, nil, io.ErrUnexpectedEOF},
		{"end", "", 0, 0, nil, io.EOF},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := NewReader(bufio.NewReader(strings.NewReader(tc.in+"next NOOP\r\n")), testLimits, nil)
			if errors.Is(tc.err, io.EOF) || errors.Is(tc.err, io.ErrUnexpectedEOF) {
				r = NewReader(bufio.NewReader(strings.NewReader(tc.in)), testLimits, nil)
			}
			got, err := readCommand(r, tc.min, tc.max)
			if !errors.Is(err, tc.err) || !reflect.DeepEqual(got, tc.want) {
				t.Fatalf("read %q, %v; want %q, %v", got, err, tc.want, tc.err)
			}
			if err == nil || IsSyntax(err) {
				if got, err := readCommand(r, 0, 0); err != nil || !reflect.DeepEqual(got, []string{"next", "NOOP"}) {
					t.Errorf("then %q, %v", got, err)
				}
			}
		})
	}
}

func readCommand(r *Reader, min, max int) ([]string, error) {
	tag, name, err := r.Head()
	if err != nil {
		return nil, err
	}
	args, err := r.Args(min, max)
	if err != nil {
		return nil, err
	}
	return append([]string{tag, name}, args...), nil
}

func TestHosts(t *testing.T) {
	many := strings.Repeat(` "h"`, MaxHosts)
	for _, tc := range []struct {
		in   string
		want int
		err  error
	}{
		{"", 0, nil},
		{` "be9.example.org"`, 1, nil},
		{` "a" {1+}` + "\r\nb", 2, nil},
		{many, MaxHosts, nil},
		{many + ` "h"`, 0, ErrExtra},
		{` ""`, 0, ErrBadArgs},
		{" a", 0, ErrBadArgs},
		{` "a"x`, 0, ErrExtra},
	} {
		r := NewReader(bufio.NewReader(strings.NewReader("1 UPDATE"+tc.in+"\r\nnext NOOP\r\n")), testLimits, nil)
		if _, _, err := r.Head(); err != nil {
			t.Fatal(err)
		}
		hosts, err := r.Hosts()
		if len(hosts) != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("UPDATE%s: %q, %v; want %d, %v", tc.in, hosts, err, tc.want, tc.err)
		}
		if got, err := readCommand(r, 0, 0); err != nil || got[0] != "next" {
			t.Errorf("UPDATE%s: then %q, %v", tc.in, got, err)
		}
	}
}

// TestGoAhead: whose literal waits is told to send it, after all before it has
// been read.
func TestGoAhead(t *testing.T) {
	asked := 0
	r := NewReader(bufio.NewReader(strings.NewReader("1 FIND {1}\r\na\r\n2 FIND {1+}\r\na\r\n3 FIND {101}\r\n")), testLimits,
		func() error { asked++; return nil })
	for _, want := range []int{1, 1} {
		if _, err := readCommand(r, 1, 1); err != nil || asked != want {
			t.Fatalf("asked %d times, want %d; %v", asked, want, err)
		}
	}
	if _, err := readCommand(r, 1, 1); !errors.Is(err, ErrTooLong) || asked != 1 {
		t.Errorf("asked %d times for what is too long; %v", asked, err)
	}
}

func TestResponse(t *testing.T) {
	in := "AG11cA==\r\n\r\n*\r\n{8+}\r\nAG11cA==\r\n{3}\r\nabc\r\n{0+}\r\n\r\n"
	r := NewReader(bufio.NewReader(strings.NewReader(in)), testLimits, nil)
	for _, want := range []string{"AG11cA==", "", "*", "AG11cA==", "abc", ""} {
		if got, err := r.Response(); got != want || err != nil {
			t.Errorf("read %q, %v; want %q", got, err, want)
		}
	}
}

func TestAnswer(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want Answer
		err  error
	}{
		{"U01 OK \"streaming starts\"\r\n", Answer{Tag: "U01", Kind: OK, Text: "streaming starts"}, nil},
		{"1 no {2+}\r\nhm\r\n", Answer{Tag: "1", Kind: NO, Text: "hm"}, nil},
		{"10 NO Client canceled authentication\r\n", Answer{Tag: "10", Kind: NO, Text: "Client canceled authentication"}, nil},
		{"1 OK\r\n", Answer{Tag: "1", Kind: OK}, nil},
		{"* BYE \"idle for too long\"\r\n", Answer{Tag: "*", Kind: BYE, Text: "idle for too long"}, nil},
		{"* PARTIAL-UPDATE\r\n", Answer{Tag: "*"}, nil},
		{"* AUTH \"PLAIN\"\r\n", Answer{Tag: "*"}, nil},
		{"U01 MAILBOX {6+}\r\nuser.x {4+}\r\nb!de {6+}\r\na\tlrs\t\r\n",
			Answer{Tag: "U01", Kind: About, Entry: Entry{Active, "user.x", "b!de", "a\tlrs\t"}}, nil},
		{"U01 MAILBOX {6}\r\nuser.x \"b!de\" \"\"\n", Answer{Tag: "U01", Kind: About, Entry: Entry{Active, "user.x", "b!de", ""}}, nil},
		{"2 RESERVE {1+}\r\na {1+}\r\nb\r\n", Answer{Tag: "2", Kind: About, Entry: Entry{Reserved, "a", "b", ""}}, nil},
		{"2 DELETE \"a\"\r\n", Answer{Tag: "2", Kind: About, Entry: Entry{Absent, "a", "", ""}}, nil},

		{"2 DELETE \"a\" \"b\"\r\n", Answer{}, ErrProtocol},
		{"2 RESERVE \"a\"\r\n", Answer{}, ErrProtocol},
		{"2 MAILBOX a b c\r\n", Answer{}, ErrProtocol},
		{"2 WHAT \"a\"\r\n", Answer{}, ErrProtocol},
		{"2\r\n", Answer{}, ErrProtocol},
		{"2 OK \"a", Answer{}, io.ErrUnexpectedEOF},
		{"", Answer{}, io.EOF},
	} {
		r := NewReader(bufio.NewReader(strings.NewReader(tc.in)), testLimits, nil)
		var got Answer
		err := r.Answer(&got)
		if !errors.Is(err, tc.err) || err == nil && got != tc.want {
			t.Errorf("%q: %+v, %v; want %+v, %v", tc.in, got, err, tc.want, tc.err)
		}
		if err == nil {
			if err := r.Answer(&got); !errors.Is(err, io.EOF) {
				t.Errorf("%q: something is left: %+v, %v", tc.in, got, err)
			}
		}
	}
}

// FuzzCommand checks that nothing makes the server's reader fail otherwise than
// it may, that it keeps to its limits, and that a command which is written is
// read back.
func FuzzCommand(f *testing.F) {
	for _, s := range []string{
		"1 FIND \"a\"\r\n", "1 ACTIVATE {1+}\r\na {1}\r\nb \"c\\\"\"\r\n", "x\r\n", "1 FIND a {5+}\r\nhello\r\n", "1 LIST {0+}\r\n\r\n",
		"1 UPDATE \"a\" \"b\"\r\n", "1 FIND {99999999+}\r\n", "1 FIND {1+}\n\x00\n", "* \r\n \r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		src := bytes.NewReader(in)
		r := NewReader(bufio.NewReader(src), testLimits, nil)
		for {
			got, err := readCommand(r, 0, 3)
			if err != nil && !IsSyntax(err) {
				if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, ErrTooLong) {
					t.Fatal(err)
				}
				return
			}
			if err != nil {
				continue
			}
			for i, s := range got {
				if i < 2 && len(s) > testLimits.Word || i >= 2 && len(s) > testLimits.Literal {
					t.Fatalf("string of %d octets", len(s))
				}
			}
			b := AppendCommand(nil, got[0], got[1], got[2:]...)
			back, err := readCommand(NewReader(bufio.NewReader(bytes.NewReader(b)), testLimits, nil), 0, 3)
			if err != nil || !reflect.DeepEqual(back, got) {
				t.Fatalf("%q: wrote %q, read %q, %v", got, b, back, err)
			}
		}
	})
}

// FuzzAnswer does the same for the client's reader.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		"U01 MAILBOX {1+}\r\na {1+}\r\nb {0+}\r\n\r\n", "1 OK \"x\"\r\n", "* AUTH \"PLAIN\"\r\n", "1 NO what\r\n", "2 DELETE \"a\"\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r := NewReader(bufio.NewReader(bytes.NewReader(in)), testLimits, nil)
		for {
			var a Answer
			err := r.Answer(&a)
			if err != nil {
				return
			}
			if a.Kind != About {
				continue
			}
			b := AppendEntry([]byte("T "), &a.Entry)
			var back Answer
			if err := NewReader(bufio.NewReader(bytes.NewReader(b)), testLimits, nil).Answer(&back); err != nil || back.Entry != a.Entry {
				t.Fatalf("%+v: wrote %q, read %+v, %v", a.Entry, b, back.Entry, err)
			}
		}
	})
}

func TestAppendQuoted(t *testing.T) {
	for in, want := range map[string]string{
		`done`: `"done"`, `a "b" \c`: `"a \"b\" \\c"`, "a\r\nb\x00": `"a  b "`,
	} {
		if got := string(AppendQuoted(nil, in)); got != want {
			t.Errorf("AppendQuoted(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestValid(t *testing.T) {
	for name, want := range map[string]bool{
		"user.alice": true, "user.dave^smith.x": true, "example.org!user.zoe": true, "DELETED.user.alice.Bar.6B02721D": true, "user.a b": true,
		"user.alice.#sieve": true, "": false, "a\x00": false, "a\r\nb": false, "a\x1fb": false, strings.Repeat("x", 2000): false,
	} {
		if got := ValidName(mboxname.Name(name)); got != want {
			t.Errorf("ValidName(%q) = %v", name, got)
		}
	}
	for where, want := range map[string]bool{"be1!default": true, "be1!": true, "nobang": true, "": false, "a\nb": false} {
		if got := ValidLocation(where); got != want {
			t.Errorf("ValidLocation(%q) = %v", where, got)
		}
	}
}

// BenchmarkAnswer reads what a slave reads of a mailbox.
func BenchmarkAnswer(b *testing.B) {
	line := AppendEntry([]byte("U01 "), &Entry{Active, "user.alice.Archive.2024", "be1.example.org!default", "alice\tlrswipkxtecdan\tanyone\tp\t"})
	in := bytes.NewReader(nil)
	br := bufio.NewReader(in)
	r := NewReader(br, clientLimits, nil)
	var a Answer
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		in.Reset(line)
		br.Reset(in)
		if err := r.Answer(&a); err != nil {
			b.Fatal(err)
		}
	}
}
