package csync

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// readAll reads commands up to the end and says what came of each.
func readAll(in string, limits Limits, may bool) []string {
	r := NewReader(Buffered(bufio.NewReaderSize(strings.NewReader(in), 16)), limits)
	var out []string
	for {
		var bodies []string
		cmd, err := r.ReadCommand(may, func(f FileLiteral, r io.Reader) error {
			if f.Partition == "full" {
				return io.ErrShortWrite
			}
			b, err := io.ReadAll(r)
			bodies = append(bodies, string(b))
			return err
		})
		var bad BadLine
		switch {
		case errors.As(err, &bad):
			out = append(out, string(bad))
		case err == io.EOF:
			return out
		case err != nil:
			return append(out, "end: "+err.Error())
		default:
			out = append(out, describe(cmd, bodies))
		}
	}
}

func describe(cmd *Command, bodies []string) string {
	s := cmd.Verb
	if len(cmd.Args) > 0 {
		s += fmt.Sprintf(" %q", cmd.Args)
	}
	if cmd.Value != nil {
		s += " " + cmd.Name + " " + string(cmd.Value)
	}
	if len(bodies) > 0 {
		s += fmt.Sprintf(" %q", bodies)
	}
	if cmd.FileErr != nil {
		s += " " + cmd.FileErr.Error()
	}
	return s
}

const (
	badGet   = "BAD IMAP_PROTOCOL_ERROR Failed to parse GET line"
	badApply = "BAD IMAP_PROTOCOL_ERROR Failed to parse APPLY line"
	zeros    = "0000000000000000000000000000000000000000"
)

// TestReadCommand: each input is followed by NOOP, which must be seen for what it
// is, whatever was wrong before.
func TestReadCommand(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"plain", "noop\r\n", "NOOP"},
		{"words", "Authenticate PLAIN AHJl=\r\n", `AUTHENTICATE ["PLAIN" "AHJl="]`},
		{"IMAP", "C01 CAPABILITY\r\n", `C01 ["CAPABILITY"]`},
		{"IMAP with a literal", "L01 LOGIN repl {6+}\r\nNOOP\r\n\r\n", `L01 ["LOGIN" "repl" "{6+}"]`},
		{"IMAP with a literal that waits", "L01 LOGIN repl {6}\r\n", `L01 ["LOGIN" "repl" "{6}"]`},
		{"empty", "\r\n", "BAD Null command"},
		{"blank first", " NOOP\r\n", "BAD Null command"},
		{"bare line feed", "GET USER alice\n", "GET USER alice"},
		{"verb and name in any case", "get user alice\r\n", "GET USER alice"},
		{"two blanks after the verb", "GET  USER alice\r\n", badGet},
		{"two blanks after the name", "GET USER  alice\r\n", "GET USER alice"},
		{"no blank", "GET\r\n", badGet},
		{"no value", "APPLY FORCE\r\n", badApply},
		{"two values", "GET META alice extra\r\n", badGet},
		{"blank at the end", "GET META alice \r\n", badGet},
		{"white space in lists", "GET MAILBOXES ( a\tb\r\n c)\r\n", "GET MAILBOXES (a b c)"},
		{"no white space between items", `GET MAILBOXES (a"b"(c)d)` + "\r\n", `GET MAILBOXES (a "b" (c) d)`},
		{"keys in quotes", `APPLY SUB %("USERID"  alice MBOXNAME x )` + "\r\n", `APPLY SUB %("USERID" alice MBOXNAME x)`},
		{"key without value", "APPLY SUB %(USERID)\r\n", badApply},
		{"list as a key", "APPLY SUB %((a) b)\r\n", badApply},
		{"escapes", `GET META "al\ice\""` + "\r\n", `GET META "al\ice\""`},
		{"line end in quotes", "GET META \"al\r\nNOOP\r\n", badGet + "\nNOOP"},
		{"escaped line end", "GET META \"al\\\r\n", badGet},
		{"NUL in an atom", "GET META a\x00b\r\n", badGet},
		{"NUL in a literal", "APPLY ANNOTATION %(VALUE {3+}\r\na\x00b)\r\n", "APPLY ANNOTATION %(VALUE {3}\r\na\x00b)"},
		{"literal", "GET META {5+}\r\nal\r\ne\r\n", "GET META {5}\r\nal\r\ne"},
		{"literal that waits", "GET META {5}\r\n", badGet},
		{"literal without number", "GET META {+}\r\n", badGet},
		{"literal of more than 32 bits", "GET META {4294967296}\r\n", badGet},
		{"literal too large", "GET META {21+}\r\n" + strings.Repeat("\n", 21) + " x {3+}\r\nNO\n\r\n", badGet},
		{"atom too long", "GET META " + strings.Repeat("a", 21) + "\r\n", badGet},
		{"string too long", `GET META "` + strings.Repeat("a", 21) + "\"\r\n", badGet},
		{"deep", "GET META " + strings.Repeat("(", 65) + "\r\n", badGet},
		{"too much", "GET MAILBOXES (" + strings.Repeat("a ", 200) + ")\r\n", badGet},
		{"percent", "GET META %x\r\n", badGet},
		{"closing only", "GET META )\r\n", badGet},
		{"literal in a line that is eaten", "GET META a b {6+}\r\nNOOP\r\n\r\n", badGet},
		{"file in a line that is eaten", "GET META a b %{default " + zeros + " 6}\r\nNOOP\r\n {2+}\r\n\n\n\r\n", badGet},
		{"braces in a line that is eaten", "GET META a b {x+} {6+} \r\n", badGet},
		{"file", "APPLY MESSAGE (%{default " + zeros + " 6}\r\nNOOP\r\n NIL)\r\n",
			"APPLY MESSAGE (%{default " + zeros + ` 6} NIL) ["NOOP\r\n"]`},
		{"empty file, bare line feed", "APPLY MESSAGE (%{\"b c\" " + zeros + " 0}\n)\n", "APPLY MESSAGE (%{\"b c\" " + zeros + ` 0}) [""]`},
		{"file that cannot be kept", "APPLY MESSAGE (%{full " + zeros + " 6}\r\nNOOP\r\n)\r\n", "APPLY MESSAGE (%{full " + zeros + " 6}) short write"},
		{"file with a bad GUID", "APPLY MESSAGE (%{default xyz 6}\r\nNOOP\r\n)\r\n", badApply},
		{"file without size", "APPLY MESSAGE (%{default " + zeros + "}\r\n)\r\n", badApply + "\nBAD Null command"},
		{"cut in a list", "GET MAILBOXES (a", "end: EOF"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := tc.in
			if !strings.HasPrefix(tc.name, "cut") {
				in, tc.want = in+"NOOP\r\n", tc.want+"\nNOOP"
			}
			got := strings.Join(readAll(in, Limits{Literal: 20, Quoted: 20, Word: 20, Total: 300}.forTest(tc.name), true), "\n")
			if got != strings.TrimPrefix(tc.want, "end: EOF") {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
		})
	}
}

// forTest widens the limits for what has a GUID in it.
func (l Limits) forTest(name string) Limits {
	if strings.Contains(name, "file") {
		l.Word = 40
	}
	return l
}

// TestReadCommandBefore: before login nothing is kept of what is sent.
func TestReadCommandBefore(t *testing.T) {
	in := "GET USER alice\r\nAPPLY MESSAGE (%{default " + zeros + " 6}\r\nNOOP\r\n)\r\nNOOP\r\n"
	if got := fmt.Sprint(readAll(in, Limits{}, false)); got != "[GET APPLY NOOP]" {
		t.Errorf("%s", got)
	}
}

func TestCheckArgs(t *testing.T) {
	for _, tc := range []struct {
		args     []string
		min, max int
		want     error
	}{
		{nil, 0, 0, nil},
		{[]string{"x"}, 0, 0, BadLine("BAD Unexpected extra arguments to Noop")},
		{nil, 1, 2, BadLine("BAD Missing required argument to Noop")},
	} {
		if got := (&Command{Verb: Noop, Args: tc.args}).CheckArgs(tc.min, tc.max); got != tc.want {
			t.Errorf("%v: %v", tc.args, got)
		}
	}
}

// FuzzReadCommand: nothing a client sends makes the reader fail otherwise than by
// BadLine or the end of the stream, and what it hands out is in normal form:
// reading that again changes nothing.
func FuzzReadCommand(f *testing.F) {
	for _, s := range []string{
		"NOOP\r\n", "GET USER alice\r\n", "GET MAILBOXES (a \"b c\" {3+}\r\nx\r\n)\r\n", "C01 CAPABILITY\r\n",
		"APPLY MESSAGE (%{default " + zeros + " 3}\r\nabc NIL)\r\nRESTART\r\n", "APPLY X %(A (%(B NIL) \\Seen))\r\n",
		"GET META a b {3+}\r\nabc %{a b 2}\r\nab\r\nEXIT\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r := NewReader(Buffered(bufio.NewReaderSize(strings.NewReader(string(in)), 16)), Limits{Literal: 100, Quoted: 100, Word: 100, Total: 1000})
		for {
			cmd, err := r.ReadCommand(true, nil)
			var bad BadLine
			if errors.As(err, &bad) {
				continue
			}
			if err != nil {
				if err != io.EOF && err != io.ErrUnexpectedEOF {
					t.Errorf("%v", err)
				}
				return
			}
			if cmd.Value != nil {
				checkNormal(t, cmd.Value)
			}
		}
	})
}

// checkNormal reads a value in normal form as a server would send it.
func checkNormal(t *testing.T, value []byte) {
	if strings.Contains(string(value), "%{") {
		return // the octets of the files are not there
	}
	l := &lexer{src: Buffered(bufio.NewReader(strings.NewReader(string(value) + "\r\n"))), limits: DefaultLimits, peer: FromServer}
	if err := l.itemValue(); err != nil || string(l.buf) != string(value) {
		t.Errorf("%q read again is %q, %v", value, l.buf, err)
	}
}

// FuzzResponses: the same for what a server sends.
func FuzzResponses(f *testing.F) {
	for _, s := range []string{
		"* LSUB (a b)\r\nOK success\r\n", "* MESSAGE %{default " + zeros + " 3}\r\nabc\r\nOK success\r\n", "* BYE x\r\n", "NO IMAP_SYNC_CHECKSUM Checksum Failure\r\n",
		"* A {3}\r\nabc\r\n* B {3+}\r\nabc\r\nOK\r\n", "* Fatal error: x\r\n", "* A b c {3}\r\nOK\n\r\nOK x\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r := &responses{src: Buffered(bufio.NewReaderSize(strings.NewReader(string(in)), 16)), limits: Limits{100, 100, 100, 1000}}
		for {
			item, line, err := r.next(nil)
			switch {
			case errors.Is(err, errSyntax):
			case err != nil:
				if err != io.EOF && err != io.ErrUnexpectedEOF && !errors.Is(err, ErrLost) {
					t.Errorf("%v", err)
				}
				return
			case item != nil:
				checkNormal(t, item.Value)
			default:
				fromLine(line)
			}
		}
	})
}
