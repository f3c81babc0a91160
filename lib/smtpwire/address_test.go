package smtpwire

import (
	"bytes"
	"testing"
)

func TestPath(t *testing.T) {
	for _, tc := range []struct {
		name, in   string
		mask       bool
		path, rest string
		ok         bool
	}{
		{"null", "<>", false, "<>", "", true},
		{"address", "<a.b+c@example.org>", false, "<a.b+c@example.org>", "", true},
		{"with parameters", "<a> SIZE=1", false, "<a>", " SIZE=1", true},
		{"literal", "<a@[10.0.0.1]>", false, "<a@[10.0.0.1]>", "", true},
		{"source route", "<@a,@b.c:d@e>", false, "<@a,@b.c:d@e>", "", true},
		{"quoted", `<"a \"b\" >"@c>`, false, `<"a \"b\" >"@c>`, "", true},
		{"escaped", `<a\@b@c>`, false, `<a\@b@c>`, "", true},
		{"empty domain", "<a@>", false, "<a@>", "", true},
		{"8 bits masked", "<d\xe4ve>", true, "<dXve>", "", true},
		{"8 bits", "<d\xe4ve>", false, "", "", false},
		{"no brackets", "a@b", false, "", "", false},
		{"not closed", "<a@b", false, "", "", false},
		{"blank before", " <a@b>", false, "", "", false},
		{"blank in it", "<a b>", false, "", "", false},
		{"text behind", "<a>x", false, "", "", false},
		{"route without address", "<@a>", false, "", "", false},
		{"route and comma", "<@a,b>", false, "", "", false},
		{"text behind the quotes", `<"a"b@c>`, false, "", "", false},
		{"open quotes", `<"a>`, false, "", "", false},
		{"backslash at the end", `<a\`, false, "", "", false},
		{"underscore in the domain", "<a@b_c>", false, "", "", false},
		{"nothing", "", false, "", "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path, rest, err := Path([]byte(tc.in), tc.mask)
			if string(path) != tc.path || string(rest) != tc.rest || (err == nil) != tc.ok {
				t.Errorf("Path(%q) = %q, %q, %v", tc.in, path, rest, err)
			}
		})
	}
}

func TestMailbox(t *testing.T) {
	for in, want := range map[string]string{"<>": "", "<a@b>": "a@b", "<@x,@y:a@b>": "a@b", `<"a:b"@c>`: `"a:b"@c`} {
		if got := Mailbox([]byte(in)); string(got) != want {
			t.Errorf("Mailbox(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestXText(t *testing.T) {
	for _, tc := range []struct{ in, value, rest string }{
		{"<>", "", ""},
		{"<> SIZE=1", "", " SIZE=1"},
		{"bob", "bob", ""},
		{"<bob>", "bob", ""},
		{"a+2Bb+40c x", "a+b@c", " x"},
		{"a+2", "", ""},
		{"a+2g", "", ""},
		{"a+2b", "", ""}, // RFC 4954 section 5: capitals
		{"a=b", "", ""},
		{"", "", ""},
	} {
		value, rest := XText([]byte(tc.in))
		if string(value) != tc.value || string(rest) != tc.rest {
			t.Errorf("XText(%q) = %q, %q, want %q, %q", tc.in, value, rest, tc.value, tc.rest)
		}
	}
}

// FuzzPath checks that a path and what follows are the input, and that a path
// can be read again.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"<>", "<a@b> X", "<@a,@b:c@d>", `<"\"">`, "<a@[1.2]>", "<\xff@x>", `<a\`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		path, rest, err := Path(in, false)
		if err != nil {
			return
		}
		if !bytes.Equal(append(bytes.Clone(path), rest...), in) {
			t.Errorf("%q is not %q and %q", in, path, rest)
		}
		if again, rest, err := Path(path, true); err != nil || len(rest) > 0 || !bytes.Equal(again, path) {
			t.Errorf("%q again: %q, %q, %v", path, again, rest, err)
		}
		Mailbox(path)
		XText(rest)
	})
}
