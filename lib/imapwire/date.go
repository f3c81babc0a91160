package imapwire

import (
	"strings"
	"time"
)

// date reads a search date, "1-Feb-1994" bare or in quotes, as the midnight
// that begins it, local time.
func (p *Parser) date() (time.Time, error) {
	bad := Bad("Invalid date in Search command")
	s, _, err := p.str(asAtom | asQuoted)
	if err == errToken {
		return time.Time{}, bad
	}
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.ParseInLocation("_2-Jan-2006", titleMonth(s), time.Local)
	if err != nil {
		return time.Time{}, bad
	}
	return t, nil
}

// titleMonth spells the month in s as package time wants it: months are
// case-insensitive.
func titleMonth(s string) string {
	a, rest, ok := strings.Cut(s, "-")
	if !ok || len(rest) < 3 {
		return s
	}
	return a + "-" + strings.ToUpper(rest[:1]) + strings.ToLower(rest[1:3]) + rest[3:]
}

// ParseDateTime reads a date-time of APPEND, "17-Jul-1996 02:44:25 -0700", with
// the day in one or two columns (RFC 9051 section 9).
func ParseDateTime(s string) (time.Time, bool) {
	t, err := time.Parse("_2-Jan-2006 15:04:05 -0700", titleMonth(s))
	return t, err == nil
}

// AppendDateTime appends t as INTERNALDATE shows it, in quotes and in its own
// zone.
func AppendDateTime(b []byte, t time.Time) []byte {
	b = append(b, '"')
	b = t.AppendFormat(b, "_2-Jan-2006 15:04:05 -0700")
	return append(b, '"')
}
