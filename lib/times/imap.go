package times

import "time"

// AppendIMAP appends a time as an IMAP date-time without its quotes (RFC 3501
// section 9): "dd-Mon-yyyy hh:mm:ss +zzzz", the day padded with a space, in the
// server's zone.
func AppendIMAP(b []byte, seconds int64) []byte {
	return time.Unix(seconds, 0).In(time.Local).AppendFormat(b, "_2-Jan-2006 15:04:05 -0700")
}

// FormatIMAP is AppendIMAP as a string.
func FormatIMAP(seconds int64) string { return string(AppendIMAP(nil, seconds)) }

// ParseIMAP reads an IMAP date-time without its quotes: the form of RFC 3501
// section 9, and the one of IMAP2 with a two-digit year and a zone name. The
// result is in seconds since 1970; the error ErrDate.
func ParseIMAP(s string) (int64, error) {
	p := imapReader{s: s}
	var c clock
	switch {
	case p.octet(' '):
		c.day = p.digits(1)
	case len(s) > 1 && s[1] == '-':
		c.day = p.digits(1)
	default:
		c.day = p.digits(2)
	}
	p.need('-')
	c.month = month(p.take(3))
	p.need('-')
	old := len(p.s) > 2 && p.s[2] == ' '
	if old {
		c.year = 1900 + p.digits(2)
	} else {
		c.year = p.digits(4)
	}
	p.need(' ')
	c.hour = p.digits(2)
	p.need(':')
	c.min = p.digits(2)
	p.need(':')
	c.sec = p.digits(2)
	p.need(' ')
	zone, ok := 0, false
	if old {
		zone, ok = oldZone(p.s)
	} else {
		zone, ok = p.numericZone()
	}
	if p.bad || !ok || c.month == 0 || c.year < 1900 || !c.exists() {
		return 0, ErrDate
	}
	return c.utc() - int64(zone)*60, nil
}

// ParseIMAPDay reads an IMAP date, "d-Mon-yyyy", as SEARCH has it: the first
// second of that day and of the next, in the server's zone.
func ParseIMAPDay(s string) (start, end int64, err error) {
	p := imapReader{s: s}
	n := 2
	if len(s) > 1 && s[1] == '-' {
		n = 1
	}
	var c clock
	c.day = p.digits(n)
	p.need('-')
	c.month = month(p.take(3))
	p.need('-')
	c.year = p.digits(4)
	if p.bad || p.s != "" || c.month == 0 || !c.exists() {
		return 0, 0, ErrDate
	}
	start = c.midnight()
	c.day++
	return start, c.midnight(), nil
}

// imapReader takes a fixed form apart; bad is set by the first octet that does
// not fit.
type imapReader struct {
	s   string
	bad bool
}

func (p *imapReader) octet(c byte) bool {
	if len(p.s) > 0 && p.s[0] == c {
		p.s = p.s[1:]
		return true
	}
	return false
}

func (p *imapReader) need(c byte) { p.bad = !p.octet(c) || p.bad }

func (p *imapReader) take(n int) string {
	if len(p.s) < n {
		p.bad = true
		return ""
	}
	t := p.s[:n]
	p.s = p.s[n:]
	return t
}

func (p *imapReader) digits(n int) int {
	v, ok := toInt(p.take(n))
	p.bad = p.bad || !ok
	return v
}

// numericZone takes "+hhmm" and the end, in minutes.
func (p *imapReader) numericZone() (minutes int, ok bool) {
	minus := p.octet('-')
	if !minus {
		p.need('+')
	}
	minutes = p.digits(2)*60 + p.digits(2)
	if minus {
		minutes = -minutes
	}
	return minutes, !p.bad && p.s == ""
}

// oldZone is the offset of a zone name of IMAP2.
func oldZone(w string) (minutes int, ok bool) {
	switch len(w) {
	case 1:
		switch c := lower(w[0]); {
		case c < 'a' || c > 'z' || c == 'j':
			return 0, false
		case c <= 'i':
			return int(c-'a'+1) * 60, true
		case c <= 'm':
			return int(c-'a') * 60, true
		case c == 'z':
			return 0, true
		default:
			return ('m' - int(c)) * 60, true
		}
	case 2:
		return 0, lower(w[0]) == 'u' && lower(w[1]) == 't'
	case 3:
		minutes = americanZone(w)
		return minutes, minutes != 0
	}
	return 0, false
}
