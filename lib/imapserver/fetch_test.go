package imapserver

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/index"
	"gocyrus/lib/indexfile"
)

func TestAppendFields(t *testing.T) {
	const header = "From: a\r\nSubject: one\r\n two\r\nsubject : three\r\nX: y\r\nno field\r\n: empty\r\nSubject: four\r\n\r\nSubject: body\r\n"
	for _, tc := range []struct {
		name  string
		names string
		not   bool
		want  string
	}{
		{"one", "from", false, "From: a\r\n\r\n"},
		{"several, folded", "SUBJECT", false, "Subject: one\r\n two\r\nsubject : three\r\nSubject: four\r\n\r\n"},
		{"in the order of the message", "x from", false, "From: a\r\nX: y\r\n\r\n"},
		{"none", "to", false, "\r\n"},
		{"not", "subject x", true, "From: a\r\n\r\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := string(appendFields(nil, []byte(header), strings.Fields(tc.names), tc.not))
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// FuzzAppendFields checks that the fields asked for and the others are together
// no more than the header, and that nothing else is made up.
func FuzzAppendFields(f *testing.F) {
	for _, s := range []string{"A: b\r\n\r\n", "A", "A:\n b\n\n", ":", "\r\n", "A : b\r\n\tc\r\nB: d"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, header []byte) {
		names := []string{"a", "subject"}
		with := appendFields(nil, header, names, false)
		without := appendFields(nil, header, names, true)
		if len(with)+len(without)-4 > len(header) {
			t.Errorf("%q: %q and %q", header, with, without)
		}
		again := appendFields(nil, with, names, false)
		if !bytes.HasSuffix(with, []byte("\n\r\n")) && len(with) > 2 {
			return // the header ended within a line: what follows is part of it
		}
		if !bytes.Equal(again, with) {
			t.Errorf("%q: again %q", with, again)
		}
	})
}

func TestAppendDate(t *testing.T) {
	defer func(l *time.Location) { time.Local = l }(time.Local)
	for _, zone := range []int{0, 3600, -5*3600 - 1800, 14 * 3600} {
		time.Local = time.FixedZone("", zone)
		for _, sec := range []uint32{0, 1, 951782400, 1741082460, 1<<32 - 1} {
			want := time.Unix(int64(sec), 0).Format(`"_2-Jan-2006 15:04:05 -0700"`)
			if got := string(appendDate(nil, sec)); got != want {
				t.Errorf("zone %d, %d: got %s, want %s", zone, sec, got, want)
			}
		}
	}
}

func TestAppendFlags(t *testing.T) {
	keys := []string{"One", "", "Two"}
	var user indexfile.UserFlags
	user.Set(0, true)
	user.Set(1, true) // of a keyword that the client was not told of
	user.Set(2, true)
	f := index.Flags{System: indexfile.System, User: user, Recent: true}
	const want = `FLAGS (\Recent \Answered \Flagged \Draft \Deleted \Seen One Two)`
	text := flagText{keys: keys}
	for range 2 { // made up, then remembered
		if got := string(text.append(nil, f)); got != want {
			t.Errorf("got %s", got)
		}
	}
	if got := string(text.append(nil, index.Flags{})); got != "FLAGS ()" {
		t.Errorf("got %s", got)
	}
	rev2 := flagText{keys: keys, hide: true}
	if got := string(rev2.append(nil, f)); strings.Contains(got, "Recent") {
		t.Errorf("got %s", got)
	}
}

// TestFlagsAllocate: a FETCH of flags costs no allocation for each message.
func TestFlagsAllocate(t *testing.T) {
	text := flagText{}
	buf := make([]byte, 0, 1<<10)
	flags := []index.Flags{{System: indexfile.Seen}, {System: indexfile.Flagged}, {}}
	n := testing.AllocsPerRun(100, func() {
		for _, f := range flags {
			buf = text.append(buf[:0], f)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
