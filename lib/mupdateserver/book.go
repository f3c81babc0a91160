package mupdateserver

import (
	"encoding/binary"
	"maps"
	"slices"
	"sort"
	"strings"

	"gocyrus/lib/mboxname"
)

// book is what streams know of all mailboxes, in little memory: a list of names in
// the order of their keys, each as what it has more than the one before, and beside it
// what is told of each. What has changed since is in a map, until it is worth a new list.
type book struct {
	names  []byte   // each: octets shared with the name before, octets that follow, those
	blocks []uint32 // where in names every blockNames-th begins, which shares nothing
	sums   []uint64
	at     []uint32 // of servers
	last   string   // the last key in names

	servers []string
	numbers map[string]uint32 // their places in servers
	changed map[string]later  // by key
}

// later is what is told of a mailbox since the list was made.
type later struct {
	told
	gone bool
}

const (
	// blockNames is after how many names one is whole: finding one reads half as many.
	blockNames = 16
	// fewChanges is how many are kept without a new list, whatever its length.
	fewChanges = 1024
)

func newBook() *book {
	return &book{numbers: map[string]uint32{}, changed: map[string]later{}}
}

// add adds a mailbox to a list that is being made, in the order of keys.
func (b *book) add(key string, t told) {
	shared := 0
	if len(b.sums)%blockNames == 0 {
		b.blocks = append(b.blocks, uint32(len(b.names)))
	} else {
		for shared < min(len(key), len(b.last)) && key[shared] == b.last[shared] {
			shared++
		}
	}
	b.names = binary.AppendUvarint(b.names, uint64(shared))
	b.names = binary.AppendUvarint(b.names, uint64(len(key)-shared))
	b.names = append(b.names, key[shared:]...)
	b.sums, b.at = append(b.sums, t.sum), append(b.at, b.number(t.server))
	b.last = key
}

func (b *book) number(server string) uint32 {
	n, ok := b.numbers[server]
	if !ok {
		n = uint32(len(b.servers))
		b.servers, b.numbers[server] = append(b.servers, server), n
	}
	return n
}

// set notes what is told of a mailbox.
func (b *book) set(n mboxname.Name, t told) { b.change(n, later{told: t}) }

// remove notes that it is told to be gone.
func (b *book) remove(n mboxname.Name) { b.change(n, later{gone: true}) }

func (b *book) change(n mboxname.Name, c later) {
	b.changed[n.DB()] = c
	if len(b.changed) > fewChanges+len(b.sums)/4 {
		b.renew()
	}
}

// renew makes a new list with what has changed.
func (b *book) renew() {
	next := newBook()
	next.names, next.sums, next.at = make([]byte, 0, len(b.names)), make([]uint64, 0, len(b.sums)), make([]uint32, 0, len(b.at))
	b.each(next.add)
	*b = *next
}

// get is what is told of a mailbox.
func (b *book) get(n mboxname.Name) (told, bool) {
	key := n.DB()
	if c, ok := b.changed[key]; ok {
		return c.told, !c.gone
	}
	block := sort.Search(len(b.blocks), func(i int) bool { return b.first(i) > key }) - 1
	if block < 0 {
		return told{}, false
	}
	for r := (bookReader{book: b, off: int(b.blocks[block]), i: block * blockNames}); r.next(); {
		switch strings.Compare(string(r.key), key) {
		case 0:
			return b.told(r.i - 1), true
		case 1:
			return told{}, false
		}
	}
	return told{}, false
}

// first is the key that a block begins with.
func (b *book) first(block int) string {
	r := bookReader{book: b, off: int(b.blocks[block]), i: block * blockNames}
	r.next()
	return string(r.key)
}

func (b *book) told(i int) told { return told{b.sums[i], b.servers[b.at[i]]} }

// each calls fn for all mailboxes in the order of keys. The book must not change
// meanwhile.
func (b *book) each(fn func(key string, t told)) {
	news := slices.Sorted(maps.Keys(b.changed))
	tell := func(key string) {
		if c := b.changed[key]; !c.gone {
			fn(key, c.told)
		}
	}
	for r := (bookReader{book: b}); r.next(); {
		for len(news) > 0 && news[0] < string(r.key) {
			tell(news[0])
			news = news[1:]
		}
		if len(news) > 0 && news[0] == string(r.key) {
			continue // its change comes next
		}
		fn(string(r.key), b.told(r.i-1))
	}
	for _, key := range news {
		tell(key)
	}
}

// bookReader reads the names of a book's list.
type bookReader struct {
	book *book
	off  int
	i    int // number of the next name
	key  []byte
}

func (r *bookReader) next() bool {
	if r.i == len(r.book.sums) {
		return false
	}
	shared, rest := r.number(), r.number()
	r.key = append(r.key[:shared], r.book.names[r.off:r.off+rest]...)
	r.off += rest
	r.i++
	return true
}

func (r *bookReader) number() int {
	v, n := binary.Uvarint(r.book.names[r.off:])
	r.off += n
	return int(v)
}
