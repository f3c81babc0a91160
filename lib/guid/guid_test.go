package guid

import (
	"errors"
	"testing"
)

func TestOf(t *testing.T) {
	g := Of([]byte("abc")) // FIPS 180-1 appendix A
	const want = "a9993e364706816aba3e25717850c26c9cd0d89d"
	if g.String() != want || string(g.AppendHex(nil)) != want {
		t.Errorf("GUID of abc is %s, want %s", g, want)
	}
	if g.EmailID() != "Ma9993e364706816aba3e2571" {
		t.Errorf("EMAILID %s", g.EmailID())
	}
	if g.IsZero() || !(GUID{}).IsZero() {
		t.Error("IsZero")
	}
}

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		err      error
	}{
		{"lower case", "a9993e364706816aba3e25717850c26c9cd0d89d", nil},
		{"upper case", "A9993E364706816ABA3E25717850C26C9CD0D89D", nil},
		{"short", "a9993e364706816aba3e25717850c26c9cd0d89", ErrSyntax},
		{"long", "a9993e364706816aba3e25717850c26c9cd0d89d0", ErrSyntax},
		{"no digit", "g9993e364706816aba3e25717850c26c9cd0d89d", ErrSyntax},
		{"empty", "", ErrSyntax},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g, err := Parse(tc.in)
			if !errors.Is(err, tc.err) || (err == nil) != (g == Of([]byte("abc"))) {
				t.Errorf("Parse = %v, %v; want error %v", g, err, tc.err)
			}
		})
	}
}
