package synclog

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

func TestScan(t *testing.T) {
	long := strings.Repeat("x", maxWord+1)
	for _, tc := range []struct {
		name, in string
		want     []string // of each entry, word and arguments joined with "|"
	}{
		{"one argument", "MAILBOX user.a\n", []string{"MAILBOX|user.a|"}},
		{"two", "SEEN bob id\n", []string{"SEEN|bob|id"}},
		{"word in any case", "mailBox a\n", []string{"MAILBOX|a|"}},
		{"carriage returns", "MAILBOX a\r\nSUB a b\r\n", []string{"MAILBOX|a|", "SUB|a|b"}},
		{"quotes", `SUB "a b" "c\"d\\e\{f\}"` + "\n", []string{`SUB|a b|c"d\e{f}`}},
		{"empty", `ANNOTATION ""` + "\n", []string{"ANNOTATION||"}},
		{"bad utf-8", "MAILBOX a\xff\xfe\n", []string{"MAILBOX|a\xff\xfe|"}},
		{"literals", "SUB {3}\r\na b {2+}\ncd\n", []string{"SUB|a b|cd"}},
		{"a word alone is skipped", "MAILBOX\nUSER a\n", []string{"USER|a|"}},
		{"so is an empty line", "\n\r\nUSER a\n", []string{"USER|a|"}},
		{"tab between", "USER\ta\nUSER b\n", []string{"USER|b|"}},
		{"no argument after the blank", "USER \nUSER b\n", []string{"USER|b|"}},
		{"two blanks", "USER  a\nUSER b\n", []string{"USER|b|"}},
		{"a third argument", "SUB a b c\nUSER b\n", []string{"USER|b|"}},
		{"a list", "MAILBOX (a)\nUSER b\n", []string{"USER|b|"}},
		{"a quote in an atom", "MAILBOX a\"b\nUSER b\n", []string{"USER|b|"}},
		{"a quote that is not closed", "MAILBOX \"a\nUSER b\n", []string{"USER|b|"}},
		{"a line break in a literal", "MAILBOX {3}\na\nb\nUSER b\n", []string{"USER|b|"}},
		{"NUL", "MAILBOX a\x00b\nUSER b\n", []string{"USER|b|"}},
		{"a literal that is too long", "MAILBOX {999999999999999999999}\nUSER b\n", []string{"USER|b|"}},
		{"a literal beyond the end", "USER b\nMAILBOX {100}\nabc\n", []string{"USER|b|"}},
		{"a long word", long + " a\nUSER b\n", []string{"USER|b|"}},
		{"a long argument", "USER " + long + "\nUSER b\n", []string{"USER|b|"}},
		{"a long quoted argument", "USER \"" + long + "\"\nUSER b\n", []string{"USER|b|"}},
		{"the longest", "USER " + long[1:] + "\n", []string{"USER|" + long[1:] + "|"}},
		{"the last line without its end", "USER a\nUSER b", []string{"USER|a|"}},
		{"nothing", "", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			err := scan(strings.NewReader(tc.in), func(e entry) { got = append(got, e.word+"|"+e.arg[0]+"|"+e.arg[1]) })
			if err != nil || !reflect.DeepEqual(got, tc.want) {
				t.Errorf("%.200q: %v; want %.200q", got, err, tc.want)
			}
		})
	}
}

func TestScanTellsOfErrors(t *testing.T) {
	broken := errors.New("broken")
	in := io.MultiReader(strings.NewReader("USER a\n"), iotest.ErrReader(broken))
	n := 0
	if err := scan(in, func(entry) { n++ }); !errors.Is(err, broken) || n != 1 {
		t.Errorf("%d entries, %v", n, err)
	}
}

// FuzzScan checks that whatever is in a log is read without harm, and that the
// entries that are read say the same once they are written again.
func FuzzScan(f *testing.F) {
	for _, s := range []string{
		"MAILBOX user.a\n", `SUB "a b" "c\"d\\e\{f\}"` + "\n", "SUB {3}\r\na b {2+}\ncd\n", "MAILBOX {3}\na\nb\n",
		"USER", "MAILBOX \"a\nUSER b\n", "MAILBOX a\xff\n", "ANNOTATION \"\"\n", "x \"\\", "{5}\n", "MAILBOX a\r\r\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got []entry
		if err := scan(strings.NewReader(s), func(e entry) { got = append(got, e) }); err != nil {
			t.Fatal(err)
		}
		for _, e := range got {
			n := line(e.word, e.arg[0], e.arg[1])
			if n == "" && len(e.word)+len(e.arg[0])+len(e.arg[1]) < maxLine/3 {
				t.Fatalf("%+v cannot be written", e)
			}
			var again []entry
			if err := scan(strings.NewReader(string(n)), func(e entry) { again = append(again, e) }); err != nil {
				t.Fatal(err)
			}
			if n != "" && (len(again) != 1 || again[0] != e) {
				t.Fatalf("%+v became %q, and %+v", e, n, again)
			}
		}
	})
}
