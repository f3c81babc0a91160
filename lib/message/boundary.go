package message

import (
	"bytes"
	"math/bits"
	"math/rand/v2"
	"slices"
)

// boundaries is the stack of multipart boundaries in force, outermost first.
//
// A line is compared with few boundaries one by one. With many, a rolling hash
// of the line finds those that are prefixes of it, so that a message made of
// nested multiparts and lines of dashes costs no more than its length.
type boundaries struct {
	strict  bool
	stack   [][]byte
	byHash  map[uint64][]int32 // positions in stack, ascending; nil while few
	lengths []int              // of the boundaries in byHash, ascending, without repeats
	counts  []int              // how many boundaries have each length
}

// few is the number of boundaries up to which comparing them all is cheap.
const few = 8

func (b *boundaries) reset(strict bool) {
	clear(b.stack)
	b.strict, b.stack, b.byHash = strict, b.stack[:0], nil
}

func (b *boundaries) len() int { return len(b.stack) }

func (b *boundaries) push(id []byte) {
	b.stack = append(b.stack, id)
	if b.byHash != nil {
		b.index(len(b.stack) - 1)
		return
	}
	if len(b.stack) > few {
		// Kept for the rest of the message: to build it anew each time a ninth
		// boundary comes would not be linear.
		b.byHash = make(map[uint64][]int32)
		b.lengths, b.counts = b.lengths[:0], b.counts[:0]
		for i := range b.stack {
			b.index(i)
		}
	}
}

func (b *boundaries) index(i int) {
	id := b.stack[i]
	h := prefixHash(0, id)
	b.byHash[h] = append(b.byHash[h], int32(i))
	at, ok := slices.BinarySearch(b.lengths, len(id))
	if !ok {
		b.lengths = slices.Insert(b.lengths, at, len(id))
		b.counts = slices.Insert(b.counts, at, 0)
	}
	b.counts[at]++
}

// unindex takes the last boundary out of the index.
func (b *boundaries) unindex(id []byte) {
	h := prefixHash(0, id)
	if rest := b.byHash[h]; len(rest) > 1 {
		b.byHash[h] = rest[:len(rest)-1] // positions ascend: ours is the last
	} else {
		delete(b.byHash, h)
	}
	at, _ := slices.BinarySearch(b.lengths, len(id))
	if b.counts[at]--; b.counts[at] == 0 {
		b.lengths = slices.Delete(b.lengths, at, at+1)
		b.counts = slices.Delete(b.counts, at, at+1)
	}
}

// truncate ends all boundaries from position n on.
func (b *boundaries) truncate(n int) {
	if b.byHash != nil {
		for i := len(b.stack) - 1; i >= n; i-- {
			b.unindex(b.stack[i])
		}
	}
	clear(b.stack[n:])
	b.stack = b.stack[:n]
}

// match says whether line, with its line end, is a boundary line of the
// outermost boundary that fits. A closing line ends that boundary and those
// inside it.
func (b *boundaries) match(line []byte) bool {
	if !bytes.HasPrefix(line, dashes) || len(b.stack) == 0 {
		return false
	}
	rest := line[2:]
	found, closing := -1, false
	if b.byHash == nil {
		for i, id := range b.stack {
			if !bytes.HasPrefix(rest, id) {
				continue
			}
			var ok bool
			if ok, closing = b.fits(rest[len(id):]); ok {
				found = i
				break
			}
		}
	} else {
		found, closing = b.search(rest)
	}
	if found < 0 {
		return false
	}
	if closing {
		b.truncate(found)
	}
	return true
}

// fits judges what follows a boundary in its line. QUIRK: some mailers make
// boundaries that start with other boundaries, so unless strict anything but
// white space after it (RFC 2046 section 5.1.1 calls it padding) means another
// boundary; a single octet is let pass.
func (b *boundaries) fits(tail []byte) (ok, closing bool) {
	if bytes.HasPrefix(tail, dashes) {
		return true, true
	}
	if !b.strict && len(tail) > 1 && tail[0] != 0 && !isSpace(tail[0]) {
		return false, false
	}
	return true, false
}

// search is match with the index: the prefixes of rest that have the length of
// some boundary are looked up; the outermost boundary that fits wins.
func (b *boundaries) search(rest []byte) (found int, closing bool) {
	found = -1
	h, hashed := uint64(0), 0
	for _, n := range b.lengths {
		if n > len(rest) {
			break
		}
		h = prefixHash(h, rest[hashed:n])
		hashed = n
		at := b.byHash[h]
		if len(at) == 0 || found >= 0 && int(at[0]) > found || !bytes.Equal(b.stack[at[0]], rest[:n]) {
			continue
		}
		if ok, c := b.fits(rest[n:]); ok {
			found, closing = int(at[0]), c
		}
	}
	return found, closing
}

// The hash is a polynomial modulo the prime 2^61-1 at a point chosen per
// process, so that senders cannot make boundaries collide.
const mersenne61 = 1<<61 - 1

var hashPoint = rand.Uint64N(mersenne61-1<<32) + 1<<32

func prefixHash(h uint64, s []byte) uint64 {
	for _, c := range s {
		h = hashStep(h, c)
	}
	return h
}

func hashStep(h uint64, c byte) uint64 {
	hi, lo := bits.Mul64(h, hashPoint)
	sum := lo&mersenne61 + (lo>>61 | hi<<3) + uint64(c) + 1
	if sum >= mersenne61 {
		sum -= mersenne61
	}
	if sum >= mersenne61 {
		sum -= mersenne61
	}
	return sum
}
