package times

import (
	"errors"
	"testing"
	"time"
)

// inZone runs a test as a server in a zone.
func inZone(t *testing.T, z *time.Location) {
	old := time.Local
	time.Local = z
	t.Cleanup(func() { time.Local = old })
}

// TestParse has dates as Cyrus 3.6.1 read them into index records, and some that
// follow from its table of zones.
func TestParse(t *testing.T) {
	at := func(s string) int64 {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v.Unix()
	}
	for _, tc := range []struct {
		name, in string
		want     int64
		err      error
	}{
		{"plain", "Wed, 12 Mar 2025 11:22:33 +0100", at("2025-03-12T10:22:33Z"), nil},
		{"no day name, no seconds", "12 Mar 2025 11:22 -0730", at("2025-03-12T18:52:00Z"), nil},
		{"folded, comment", "Wed,\r\n 12 Mar 2025\t11:22:33 +0100 (CET)", at("2025-03-12T10:22:33Z"), nil},
		{"wrong day name", "Xyz, 12 Mar 2025 11:22:33 +0000", at("2025-03-12T11:22:33Z"), nil},
		{"dashes, dots, odd case", "Wed,12-mAR-2025 1.2.3 GMT", at("2025-03-12T01:02:03Z"), nil},
		{"two digits, this century", "12 Mar 25 11:22 EST", at("2025-03-12T16:22:00Z"), nil},
		{"two digits, last century", "1 Jan 70 00:00 +0000", 0, nil},
		{"PDT", "1 Jan 2000 0:0 PDT", at("2000-01-01T07:00:00Z"), nil},
		{"zone missing", "1 Jan 2000 00:00:00", at("2000-01-01T00:00:00Z"), nil},
		{"unknown zone", "1 Jan 2000 00:00:00 CET", at("2000-01-01T00:00:00Z"), nil},
		{"military", "1 Jan 2000 00:00:00 K", at("1999-12-31T14:00:00Z"), nil},
		{"no sign is west", "1 Jan 2000 00:00:00 0100", at("2000-01-01T01:00:00Z"), nil},
		{"runs over", "Wed, 31 Feb 2025 25:61:61 +0000", at("2025-03-04T02:02:01Z"), nil},
		{"after 2038", "1 Jan 2100 00:00:00 +0000", at("2100-01-01T00:00:00Z"), nil},
		{"before 1970", "1 Jan 1960 00:00:00 +0000", 0, ErrDate},
		{"long day name", "Wednesday, 05-Mar-25 11:22:33 EST", 0, ErrDate},
		{"no date", "not a date at all", 0, ErrDate},
		{"no clock", "1 Jan 2000", 0, ErrDate},
		{"empty", "", 0, ErrDate},
		{"8-bit in a word", "4 Mar\xe9 2025 10:44:00 +0100", 0, ErrDate},
		{"year with three digits", "1 Jan 100 00:00:00 +0000", 0, ErrDate},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Parse([]byte(tc.in))
			if got != tc.want || !errors.Is(err, tc.err) {
				t.Errorf("Parse(%q) = %d, %v; want %d, %v", tc.in, got, err, tc.want, tc.err)
			}
		})
	}
}

func TestSentDates(t *testing.T) {
	inZone(t, time.FixedZone("", 2*3600))
	sent, gm := SentDates([]byte("Wed, 12 Mar 2025 23:22:33 -0800"))
	if want := time.Date(2025, 3, 12, 0, 0, 0, 0, time.Local).Unix(); int64(sent) != want {
		t.Errorf("sent date %d, want midnight here of the day as written, %d", sent, want)
	}
	if want := time.Date(2025, 3, 13, 7, 22, 33, 0, time.UTC).Unix(); int64(gm) != want {
		t.Errorf("moment %d, want %d", gm, want)
	}
	if sent, gm = SentDates([]byte("12 Mar 2025")); sent == 0 || gm != 0 {
		t.Errorf("without a clock: %d, %d", sent, gm)
	}
	sent, gm = MissingDate(time.Date(2025, 3, 12, 23, 0, 0, 0, time.UTC).Unix())
	if want := time.Date(2025, 3, 13, 0, 0, 0, 0, time.Local).Unix(); int64(sent) != want || gm == 0 {
		t.Errorf("missing date %d, %d", sent, gm)
	}
}

func TestIMAP(t *testing.T) {
	inZone(t, time.FixedZone("", -(5*3600+30*60)))
	moment := time.Date(2025, 3, 2, 6, 7, 8, 0, time.UTC).Unix()
	if got := FormatIMAP(moment); got != " 2-Mar-2025 00:37:08 -0530" {
		t.Errorf("printed %q", got)
	}
	for _, tc := range []struct {
		name, in string
		want     int64
		err      error
	}{
		{"padded day", " 2-Mar-2025 00:37:08 -0530", moment, nil},
		{"two digits", "02-MAR-2025 06:07:08 +0000", moment, nil},
		{"bare digit", "2-Mar-2025 06:07:08 +0000", moment, nil},
		{"old form", " 2-Mar-99 01:07:08 EST", time.Date(1999, 3, 2, 6, 7, 8, 0, time.UTC).Unix(), nil},
		{"old form, military", "02-Mar-99 07:07:08 A", time.Date(1999, 3, 2, 6, 7, 8, 0, time.UTC).Unix(), nil},
		{"no such day", "31-Feb-2025 00:00:00 +0000", 0, ErrDate},
		{"no such hour", "01-Feb-2025 24:00:00 +0000", 0, ErrDate},
		{"no zone", "01-Feb-2025 00:00:00", 0, ErrDate},
		{"more after it", "01-Feb-2025 00:00:00 +0000 ", 0, ErrDate},
		{"long zone", "01-Feb-2025 00:00:00 +00000", 0, ErrDate},
		{"bad month", "01-Feg-2025 00:00:00 +0000", 0, ErrDate},
		{"empty", "", 0, ErrDate},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseIMAP(tc.in)
			if got != tc.want || !errors.Is(err, tc.err) {
				t.Errorf("ParseIMAP(%q) = %d, %v; want %d, %v", tc.in, got, err, tc.want, tc.err)
			}
		})
	}
}

func TestIMAPDay(t *testing.T) {
	inZone(t, time.FixedZone("", 3600))
	start, end, err := ParseIMAPDay("1-Mar-2025")
	if want := time.Date(2025, 2, 28, 23, 0, 0, 0, time.UTC).Unix(); err != nil || start != want || end != want+86400 {
		t.Errorf("day %d to %d, %v; want %d", start, end, err, want)
	}
	for _, in := range []string{"", "1-Mar-25", "32-Mar-2025", "1-Mar-2025 ", "x"} {
		if _, _, err := ParseIMAPDay(in); !errors.Is(err, ErrDate) {
			t.Errorf("ParseIMAPDay(%q): %v", in, err)
		}
	}
}

func TestFormat(t *testing.T) {
	inZone(t, time.FixedZone("", 3600))
	got := Format(time.Date(2025, 3, 2, 6, 7, 8, 0, time.UTC))
	if got != "Sun, 02 Mar 2025 07:07:08 +0100" {
		t.Errorf("printed %q", got)
	}
}

func TestParseAllocates(t *testing.T) {
	date := []byte("Wed, 12 Mar 2025 11:22:33 +0100")
	if n := testing.AllocsPerRun(100, func() { SentDates(date) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzParse checks that what Format prints of a date, Parse reads back.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"Wed, 12 Mar 2025 11:22:33 +0100", "1 jAN 2000 0:0 PDT", "x", "1 1 1"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := Parse(b)
		if _, errDay := ParseDay(b); err == nil && errDay != nil && v > 86400 {
			t.Errorf("%q has a moment but no day", b)
		}
		if tm := time.Unix(v, 0); err == nil && v > 0 && tm.UTC().Year() < 9999 {
			if again, err := Parse([]byte(Format(tm))); err != nil || again != v {
				t.Errorf("%q is %d, read back %d, %v", b, v, again, err)
			}
		}
	})
}

// FuzzParseIMAP checks that what FormatIMAP prints, ParseIMAP reads back.
func FuzzParseIMAP(f *testing.F) {
	for _, s := range []string{" 2-Mar-2025 00:37:08 -0530", "02-Mar-99 07:07:08 A", "2-Mar-2025 06:07:08 +0000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseIMAP(s)
		if _, _, errDay := ParseIMAPDay(s); errDay == nil && err == nil {
			t.Errorf("%q is both a day and a moment", s)
		}
		if year := time.Unix(v, 0).UTC().Year(); err == nil && year > 1900 && year < 9999 {
			if again, err := ParseIMAP(FormatIMAP(v)); err != nil || again != v {
				t.Errorf("%q is %d, read back %d, %v", s, v, again, err)
			}
		}
	})
}
