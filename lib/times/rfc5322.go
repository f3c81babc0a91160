package times

import "time"

// maxToken bounds a word of a date, and maxYear the years that are numbers.
const (
	maxToken = 32
	maxYear  = 99999
)

// Parse reads the date of a message (RFC 5322 section 3.3) in seconds since
// 1970. Of the day name only the length is looked at; dashes and dots may
// separate; a year of two digits is from 1970 to 2069; the zone may be missing,
// a number, or one of the old names. The error is ErrDate, also for dates before
// 1970.
func Parse(s []byte) (int64, error) {
	r := reader{s: s}
	c, ok := r.date()
	if !ok || !r.clock(&c) {
		return 0, ErrDate
	}
	zone := r.zone()
	t := c.utc()
	if t < 0 {
		return 0, ErrDate
	}
	return t - zone, nil
}

// ParseDay reads the day of a message's date, as it is written, and gives its
// midnight in the server's zone. What follows the year does not matter. The
// error is ErrDate.
func ParseDay(s []byte) (int64, error) {
	r := reader{s: s}
	c, ok := r.date()
	if !ok {
		return 0, ErrDate
	}
	t := c.midnight()
	if t < 0 {
		return 0, ErrDate
	}
	return t, nil
}

// SentDates gives what an index record keeps of a Date field: the day and the
// moment, each cut to 32 bits, zero if it cannot be read.
func SentDates(date []byte) (sentDate, gmTime uint32) {
	if t, err := ParseDay(date); err == nil {
		sentDate = uint32(t)
	}
	if t, err := Parse(date); err == nil {
		gmTime = uint32(t)
	}
	return sentDate, gmTime
}

// MissingDate gives what an index record keeps in place of values of SentDates
// that are zero: the internal date, and its midnight in the server's zone.
func MissingDate(internalDate int64) (sentDate, gmTime uint32) {
	t := time.Unix(internalDate, 0).In(time.Local)
	y, m, d := t.Date()
	return uint32(time.Date(y, m, d, 0, 0, 0, 0, time.Local).Unix()), uint32(internalDate)
}

// reader goes over a date, word by word.
type reader struct {
	s   []byte
	pos int
}

// cur is the octet at the reader's position, 0 at the end.
func (r *reader) cur() byte {
	if r.pos < len(r.s) {
		return r.s[r.pos]
	}
	return 0
}

func (r *reader) next() {
	if r.pos < len(r.s) {
		r.pos++
	}
}

func (r *reader) space() {
	for c := r.cur(); c == ' ' || c == '\t' || c == '\r' || c == '\n'; c = r.cur() {
		r.pos++
	}
}

// word takes letters and digits. It is false at the end of the date, for which
// Cyrus also takes an octet of 255 at the word's end.
func (r *reader) word() ([]byte, bool) {
	if r.pos >= len(r.s) {
		return nil, false
	}
	start := r.pos
	for r.pos-start < maxToken {
		// Octets from 128 on index Cyrus's table out of its bounds; seen in 3.6,
		// they spoil the word they are in.
		if c := r.cur(); !isAlpha(c) && !isDigit(c) && (c < 0x80 || c == 0xff) {
			break
		}
		r.pos++
	}
	return r.s[start:r.pos], r.cur() != 0xff
}

// number takes a word of at most two digits.
func (r *reader) number() (int, bool) {
	w, ok := r.word()
	if !ok || len(w) < 1 || len(w) > 2 {
		return 0, false
	}
	return toInt(w)
}

func toInt[T text](w T) (n int, ok bool) {
	for i := 0; i < len(w); i++ {
		if !isDigit(w[i]) {
			return 0, false
		}
		if n = n*10 + int(w[i]-'0'); n > maxYear {
			return 0, false
		}
	}
	return n, true
}

// separator takes one octet and white space after it.
func (r *reader) separator() {
	r.next()
	r.space()
}

func (r *reader) date() (c clock, ok bool) {
	r.space()
	if isAlpha(r.cur()) {
		// The name of a day: any three letters.
		if w, ok := r.word(); !ok || len(w) != 3 || r.cur() != ',' {
			return c, false
		}
		r.separator()
	}
	if c.day, ok = r.number(); !ok {
		return c, false
	}
	r.separator()
	w, ok := r.word()
	if c.month = month(w); !ok || c.month == 0 {
		return c, false
	}
	r.separator()
	w, ok = r.word()
	if !ok {
		return c, false
	}
	if c.year, ok = toInt(w); !ok {
		return c, false
	}
	switch {
	case len(w) == 2 && c.year < 70:
		c.year += 2000
	case len(w) == 2:
		c.year += 1900
	case c.year < 1900:
		return c, false
	}
	return c, true
}

func (r *reader) clock(c *clock) (ok bool) {
	r.space()
	if c.hour, ok = r.number(); !ok || !r.colon() {
		return false
	}
	if c.min, ok = r.number(); !ok {
		return false
	}
	if r.colon() {
		if c.sec, ok = r.number(); !ok {
			return false
		}
	}
	return true
}

// colon takes what separates hours, minutes and seconds.
func (r *reader) colon() bool {
	if c := r.cur(); c != ':' && c != '.' {
		return false
	}
	r.next()
	return true
}

// zone takes the zone, if there is one, in seconds east of UTC.
func (r *reader) zone() int64 {
	r.space()
	sign := r.cur()
	if sign == '+' || sign == '-' {
		r.next()
	}
	w, ok := r.word()
	if !ok {
		return 0
	}
	return int64(zoneMinutes(w, sign)) * 60
}

// zoneMinutes is the offset of a zone. Unknown ones are UTC.
//
// QUIRK: military zones (RFC 822 section 5.1) in lower case and single digits
// come out as far offsets, four digits without a sign are west of UTC. So Cyrus
// has read and stored them, and a message appended to both must get the same.
func zoneMinutes(w []byte, sign byte) int {
	switch len(w) {
	case 1:
		switch up := w[0] &^ boolBit(isAlpha(w[0])); {
		case up < 'J':
			return (int(w[0]) - 'A' + 1) * 60
		case up == 'J' || up == 'Z':
			return 0
		case up <= 'M':
			return (int(w[0]) - 'A') * 60
		default:
			return ('M' - int(w[0])) * 60
		}
	case 3:
		return americanZone(w)
	case 4:
		for i := 0; i < 4; i++ {
			if !isDigit(w[i]) {
				return 0
			}
		}
		n := (int(w[0]-'0')*10+int(w[1]-'0'))*60 + int(w[2]-'0')*10 + int(w[3]-'0')
		if sign == '+' {
			return n
		}
		return -n
	}
	return 0
}

// boolBit is the bit that tells lower case letters from upper case ones.
func boolBit(letter bool) byte {
	if letter {
		return 0x20
	}
	return 0
}

// americanZone is the offset of EST, PDT and the like (RFC 822 section 5.1),
// also those for Atlantic, Yukon, Hawaii and Bering time.
func americanZone[T text](w T) int {
	const order = "aecmpyhb" // UTC-4 to UTC-11
	if lower(w[2]) != 't' {
		return 0
	}
	for i := 0; i < len(order); i++ {
		if order[i] != lower(w[0]) {
			continue
		}
		switch lower(w[1]) {
		case 's':
			return -(4 + i) * 60
		case 'd':
			return -(3 + i) * 60
		}
	}
	return 0
}

// Format prints a time as a Date field (RFC 5322 section 3.3), in the server's
// zone, as Received fields have it.
func Format(t time.Time) string {
	return t.In(time.Local).Format("Mon, 02 Jan 2006 15:04:05 -0700")
}
