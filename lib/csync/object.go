package csync

import (
	"encoding/hex"
	"strconv"

	"gocyrus/lib/dlist"
	"gocyrus/lib/guid"
	"gocyrus/lib/mboxname"
)

// object is how a type stands on the wire: its keys in Cyrus's order.
type object[T any] []field[T]

// field is one key. at points to where the value of v is kept, in one of the
// types that appendValue and scanValue know. A field with show is left out when
// show says so; one without is always written.
type field[T any] struct {
	key  string
	at   func(v *T) any
	show func(v *T) bool
	must bool // Parse fails without
}

// nilText is a text that is NIL when it is empty.
type nilText string

// list is a value with a form of its own.
type listValue interface {
	append(dst []byte, form Form) []byte
	scan(s *dlist.Scanner) error
}

func (o object[T]) append(dst []byte, v *T, form Form) []byte {
	dst = append(dst, "%("...)
	first := true
	for i := range o {
		f := &o[i]
		if f.show != nil && !f.show(v) {
			continue
		}
		if !first {
			dst = append(dst, ' ')
		}
		first = false
		dst = append(append(dst, f.key...), ' ')
		dst = appendValue(dst, f.at(v), form)
	}
	return append(dst, ')')
}

func appendValue(dst []byte, at any, form Form) []byte {
	switch p := at.(type) {
	case *string:
		return form.AppendString(dst, *p)
	case *mboxname.Name:
		return form.AppendString(dst, string(*p))
	case *nilText:
		if *p == "" {
			return append(dst, "NIL"...)
		}
		return form.AppendString(dst, string(*p))
	case *[]byte:
		return form.text(dst, *p)
	case *uint32:
		return strconv.AppendUint(dst, uint64(*p), 10)
	case *uint64:
		return strconv.AppendUint(dst, *p, 10)
	case *int64:
		return strconv.AppendInt(dst, *p, 10)
	case *bool:
		if *p {
			return append(dst, '1')
		}
		return append(dst, '0')
	case *guid.GUID:
		return p.AppendHex(dst)
	case *[]string:
		return form.AppendList(dst, *p)
	}
	return at.(listValue).append(dst, form)
}

// parse reads all of value into v and says which fields it has. Keys may be in
// any order; of several alike the first counts. The error is ErrBadParameters.
func (o object[T]) parse(value []byte, v *T) (seen uint64, err error) {
	s := dlist.Scan(value)
	seen, err = o.scan(&s, v)
	return seen, atEnd(&s, err)
}

func (o object[T]) scan(s *dlist.Scanner, v *T) (seen uint64, err error) {
	next := 0 // where the next key is, if they come in order
	err = eachPair(s, func(key []byte) error {
		i := o.find(key, next)
		if i < 0 || seen&(1<<i) != 0 {
			return bad(s.Skip())
		}
		next = i + 1
		has, err := scanValue(s, o[i].at(v))
		if has {
			seen |= 1 << i
		}
		return err
	})
	if err == nil && !o.complete(seen) {
		err = ErrBadParameters
	}
	return seen, err
}

// find returns the index of a key, or -1; it looks at hint first.
func (o object[T]) find(key []byte, hint int) int {
	if hint < len(o) && o[hint].key == string(key) {
		return hint
	}
	for i := range o {
		if o[i].key == string(key) {
			return i
		}
	}
	return -1
}

func (o object[T]) complete(seen uint64) bool {
	for i := range o {
		if o[i].must && seen&(1<<i) == 0 {
			return false
		}
	}
	return true
}

// bit is the bit of a key in what parse says it has seen.
func (o object[T]) bit(key string) uint64 {
	if i := o.find([]byte(key), 0); i >= 0 {
		return 1 << i
	}
	return 0
}

// eachPair calls f with each key of the keyed list that stands next; f passes
// over the value.
func eachPair(s *dlist.Scanner, f func(key []byte) error) error {
	keyed, err := s.Open()
	if err != nil || !keyed {
		return ErrBadParameters
	}
	for !s.Close() {
		key, err := s.Word()
		if err != nil {
			return bad(err)
		}
		if err := f(key); err != nil {
			return err
		}
	}
	return nil
}

// scanValue reads the value that stands next into what at points to. It has none
// when it is NIL.
func scanValue(s *dlist.Scanner, at any) (has bool, err error) {
	switch k, err := s.Kind(); {
	case err != nil:
		return false, bad(err)
	case k == dlist.Nil:
		_, optional := at.(*nilText)
		return optional, bad(s.Skip())
	}
	switch p := at.(type) {
	case *[]string:
		*p, err = scanTexts(s)
		return true, err
	case listValue:
		return true, p.scan(s)
	}
	t, err := scanText(s)
	if err != nil {
		return true, err
	}
	return true, setText(at, t)
}

// setText sets what at points to from a text. Numbers too large for 32 bits are
// cut, as Cyrus does.
func setText(at any, t []byte) error {
	switch p := at.(type) {
	case *string:
		*p = string(t)
		return nil
	case *mboxname.Name:
		*p = mboxname.Name(t)
		return nil
	case *nilText:
		*p = nilText(t)
		return nil
	case *[]byte:
		*p = t
		return nil
	case *guid.GUID:
		return setGUID(p, t)
	}
	n, err := number(t)
	switch p := at.(type) {
	case *uint32:
		*p = uint32(n)
	case *uint64:
		*p = n
	case *int64:
		*p = int64(n)
	case *bool:
		*p = n != 0
	}
	return err
}

func setGUID(g *guid.GUID, t []byte) error {
	if len(t) != 2*guid.Size {
		return ErrBadParameters
	}
	_, err := hex.Decode(g[:], t)
	return bad(err)
}

func number(t []byte) (uint64, error) {
	var n uint64
	for _, c := range t {
		d := uint64(c - '0')
		if d > 9 || n > (1<<64-1-d)/10 {
			return 0, ErrBadParameters
		}
		n = n*10 + d
	}
	if len(t) == 0 {
		return 0, ErrBadParameters
	}
	return n, nil
}
