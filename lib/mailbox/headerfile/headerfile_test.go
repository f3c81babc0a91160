package headerfile

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestReal reads headers that Cyrus 3.6.1 and 3.10.3 wrote, and writes them
// octet for octet as they were.
func TestReal(t *testing.T) {
	files, err := filepath.Glob("testdata/*.header")
	if err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		h, err := Parse(b)
		if err != nil {
			t.Errorf("%s: %v", f, err)
			continue
		}
		if h.UniqueID == "" || h.Name == "" || !strings.Contains(h.ACL, "\t") {
			t.Errorf("%s: %+v", f, h)
		}
		if out := h.Append(nil); !bytes.Equal(out, b) {
			t.Errorf("%s: written as\n%q, was\n%q", f, out, b)
		}
	}
}

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     *Header // nil is ErrFormat
	}{
		{"plain", "%(T e N user.a I id Q user.a A %(a lrs anyone l) U (One NIL Two))\n",
			&Header{"e", "user.a", "id", "user.a", "a\tlrs\tanyone\tl\t", []string{"One", "", "Two"}}},
		{"any order, unknown keys", "%(J (x %(y z)) U () I id A %() N n T el)\n", &Header{"el", "n", "id", "", "", nil}},
		{"quoted and literal", "%(T e N \"user.a b\" I {2}\r\nid A %(\"-a b\" l))\n", &Header{"e", "user.a b", "id", "", "-a b\tl\t", nil}},
		{"free slots at the end", "%(T e N n I i A %() U (One NIL NIL))\n", &Header{"e", "n", "i", "", "", []string{"One"}}},
		{"old form", "user.a\tid\nOne  Two \na\tlrs\tanyone\tl\t\n", &Header{"", "", "id", "user.a", "a\tlrs\tanyone\tl\t", []string{"One", "", "Two"}}},
		{"old form, no root, no flags", "\tid\n\na\tlrs\t\n", &Header{"", "", "id", "", "a\tlrs\t", nil}},
		{"unclosed", "%(T e N n", nil},
		{"no value", "%(T)\n", nil},
		{"no list", "%T\n", nil},
		{"more behind", "%(T e) x\n", nil},
		{"too many flags", "%(U (" + strings.Repeat("f ", 129) + "f))\n", nil},
		{"old form, two lines", "user.a\tid\n", nil},
		{"nothing", "", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Parse([]byte(magic + tc.in))
			if tc.want == nil {
				if !errors.Is(err, ErrFormat) {
					t.Errorf("%+v, %v; want %v", got, err, ErrFormat)
				}
				return
			}
			if err != nil || !equal(got, tc.want) {
				t.Errorf("%+v, %v; want %+v", got, err, tc.want)
			}
		})
	}
	if _, err := Parse([]byte("%(T e)\n")); !errors.Is(err, ErrFormat) {
		t.Errorf("without magic: %v", err)
	}
}

// equal is DeepEqual, but that no flags are no flags.
func equal(a, b *Header) bool {
	c, d := *a, *b
	if len(c.Flags)+len(d.Flags) == 0 {
		c.Flags, d.Flags = nil, nil
	}
	return reflect.DeepEqual(&c, &d)
}

func TestSlot(t *testing.T) {
	h := &Header{Flags: []string{"One", "", "$Two"}}
	for flag, want := range map[string]int{"one": 0, "ONE": 0, "$two": 2, "": -1, "Three": -1} {
		if got := h.Slot(flag); got != want {
			t.Errorf("Slot(%q) = %d, want %d", flag, got, want)
		}
	}
}

// FuzzParse checks that no octets make Parse panic, and that what was read and
// written is read the same.
func FuzzParse(f *testing.F) {
	f.Add([]byte("%(T e N user.a I id Q user.a A %(a lrs) U (One NIL Two))\n"))
	f.Add([]byte("user.a\tid\nOne  Two\na\tlrs\t\n"))
	f.Add([]byte("%(T {3}\r\nabc N \"x\\\"y\" A %(NIL NIL))\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := Parse(append([]byte(magic), b...))
		if err != nil {
			return
		}
		again, err := Parse(h.Append(nil))
		if err != nil {
			t.Fatalf("%+v: %v", h, err)
		}
		// An ACL that came in the old form may be no list of pairs.
		if h.Flags = trim(h.Flags); h.Type != again.Type || h.Name != again.Name || h.UniqueID != again.UniqueID ||
			h.QuotaRoot != again.QuotaRoot || len(h.Flags) != len(again.Flags) {
			t.Errorf("%+v read back as %+v", h, again)
		}
	})
}
