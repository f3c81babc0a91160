// Package times reads and prints dates as mail and the protocols write them:
// the Date field of messages, IMAP's date-time, and what an index record keeps
// of a Date.
//
// Which odd dates can be read decides how mailboxes are sorted and searched and
// is stored on disk, so the reader takes exactly what Cyrus 3.6 and 3.10 take
// (lib/times.c). Times without a zone are in the server's zone, time.Local.
package times

import (
	"errors"
	"time"
)

// ErrDate is the error of a text that is not a date.
var ErrDate = errors.New("not a date")

var months = [12]string{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}

// text is what the small parsers read.
type text interface{ string | []byte }

// month is the number of a month name in any case, 1 to 12, or 0.
func month[T text](s T) int {
	if len(s) != 3 {
		return 0
	}
	for i, m := range months {
		if lower(s[0]) == lower(m[0]) && lower(s[1]) == m[1] && lower(s[2]) == m[2] {
			return i + 1
		}
	}
	return 0
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isAlpha(c byte) bool { return 'a' <= lower(c) && lower(c) <= 'z' }

// clock is a date and time as written; fields may be out of range.
type clock struct{ year, month, day, hour, min, sec int }

// utc is the moment of c as if its zone were UTC. What runs over, such as 31
// February or 25:00, counts on.
func (c clock) utc() int64 {
	return time.Date(c.year, time.Month(c.month), c.day, c.hour, c.min, c.sec, 0, time.UTC).Unix()
}

// exists says whether there is such a day and time; a leap second does exist.
func (c clock) exists() bool {
	t := time.Date(c.year, time.Month(c.month), c.day, 0, 0, 0, 0, time.UTC)
	return t.Day() == c.day && c.hour <= 23 && c.min <= 59 && c.sec <= 60
}

// midnight is the start of the day of c in the server's zone; a day that a month
// does not have is one of the next.
func (c clock) midnight() int64 {
	return time.Date(c.year, time.Month(c.month), c.day, 0, 0, 0, 0, time.Local).Unix()
}
