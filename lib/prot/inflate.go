package prot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// errInflate is the error of compressed input that is malformed.
var errInflate = errors.New("malformed DEFLATE data")

// windowSize is how far back a copy may reach (RFC 1951 section 3.2.5).
const windowSize = 32 << 10

// An inflater decompresses DEFLATE data (RFC 1951), giving out every octet as
// soon as its last bit is there.
//
// That is why it is not compress/flate, nor the one of our compressor: those
// hold octets back until their window is full or an empty stored block comes,
// which is how zlib ends a Z_SYNC_FLUSH. A client that ends its commands with
// Z_PARTIAL_FLUSH, as mbsync does, would wait for ever.
type inflater struct {
	bits uint64 // input not used yet, the next bit lowest
	n    uint   // how many bits; those above are zero

	state inflateState
	last  bool // this is the last block
	left  int  // octets left of a stored block, or of a copy
	back  int  // distance of the copy

	lit, dist       *huffman
	ownLit, ownDist huffman

	// A dynamic block's header as it comes in.
	codes       huffman
	lens        [286 + 30 + 2]uint8
	have        int // how many of lens are read
	nLit, nDist int
	nCodes      int
	window      [windowSize]byte
	pos         int // where the next octet goes
	filled      bool
	codeLens    [19]uint8
}

type inflateState int

const (
	blockStart inflateState = iota
	storedStart
	storedData
	dynamicStart
	dynamicCodes
	dynamicLens
	symbols
	copying
	ended
)

// inflate decompresses src into dst and returns how far it came in both. It
// stops when dst is full, or when src is used up and holds no further octet.
// The error is io.EOF after the last block, or errInflate.
func (z *inflater) inflate(dst, src []byte) (nd, ns int, err error) {
	o := output{z: z, dst: dst}
	total := len(src)
	for {
		if z.state != storedData {
			src = z.refill(src)
		}
		var more bool
		if z.state == storedData {
			src, more = z.stored(&o, src)
		} else {
			more, err = z.step(&o)
		}
		if err != nil {
			return o.n, total - len(src), err
		}
		if !more && (len(src) == 0 || o.full()) {
			return o.n, total - len(src), nil
		}
	}
}

// refill takes as much of src into bits as there is room for.
func (z *inflater) refill(src []byte) (rest []byte) {
	if len(src) >= 8 {
		n := (64 - z.n) / 8 * 8
		if n == 64 {
			z.bits, z.n = binary.LittleEndian.Uint64(src), 64
			return src[8:]
		}
		z.bits |= binary.LittleEndian.Uint64(src) & (1<<n - 1) << z.n
		z.n += n
		return src[n/8:]
	}
	for z.n <= 56 && len(src) > 0 {
		z.bits |= uint64(src[0]) << z.n
		z.n += 8
		src = src[1:]
	}
	return src
}

// step does one thing. It says false when it cannot: for want of input, with
// nothing used of what there is, or of room.
func (z *inflater) step(o *output) (bool, error) {
	switch z.state {
	case blockStart:
		return z.block()
	case storedStart:
		return z.storedHeader()
	case dynamicStart:
		return z.dynamicHeader()
	case dynamicCodes:
		return z.dynamicCode()
	case dynamicLens:
		return z.dynamicLen()
	case symbols:
		return z.symbol(o)
	case copying:
		return z.copy(o), nil
	default:
		return false, io.EOF
	}
}

// take uses n bits up.
func (z *inflater) take(n uint) uint64 {
	v := z.bits & (1<<n - 1)
	z.bits >>= n
	z.n -= n
	return v
}

// block reads what kind the next block is of.
func (z *inflater) block() (bool, error) {
	if z.last {
		z.state = ended
		return true, nil
	}
	if z.n < 3 {
		return false, nil
	}
	z.last = z.take(1) == 1
	switch z.take(2) {
	case 0:
		z.take(z.n % 8)
		z.state = storedStart
	case 1:
		z.lit, z.dist = fixed()
		z.state = symbols
	case 2:
		z.state = dynamicStart
	default:
		return false, fmt.Errorf("block of type 3: %w", errInflate)
	}
	return true, nil
}

func (z *inflater) storedHeader() (bool, error) {
	if z.n < 32 {
		return false, nil
	}
	n, inverse := z.take(16), z.take(16)
	if n != inverse^0xffff {
		return false, fmt.Errorf("length of a stored block: %w", errInflate)
	}
	z.left, z.state = int(n), storedData
	return true, nil
}

// stored copies octets as they are, first those that are in bits.
func (z *inflater) stored(o *output, src []byte) (rest []byte, more bool) {
	for z.left > 0 && z.n >= 8 && !o.full() {
		o.put(byte(z.take(8)))
		z.left--
	}
	for z.left > 0 && z.n == 0 && len(src) > 0 && !o.full() {
		n := o.putAll(src[:min(z.left, len(src))])
		src = src[n:]
		z.left -= n
	}
	if z.left > 0 {
		return src, false
	}
	z.state = blockStart
	return src, true
}

// lenOrder is the order of the lengths of the code for lengths (RFC 1951
// section 3.2.7).
var lenOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

func (z *inflater) dynamicHeader() (bool, error) {
	if z.n < 14 {
		return false, nil
	}
	z.nLit, z.nDist, z.nCodes = int(z.take(5))+257, int(z.take(5))+1, int(z.take(4))+4
	if z.nLit > 286 || z.nDist > 30 {
		return false, fmt.Errorf("%d lengths and %d distances: %w", z.nLit, z.nDist, errInflate)
	}
	z.have, z.codeLens, z.state = 0, [19]uint8{}, dynamicCodes
	return true, nil
}

func (z *inflater) dynamicCode() (bool, error) {
	if z.have < z.nCodes {
		if z.n < 3 {
			return false, nil
		}
		z.codeLens[lenOrder[z.have]] = uint8(z.take(3))
		z.have++
		return true, nil
	}
	z.have, z.state = 0, dynamicLens
	return true, z.codes.init(z.codeLens[:])
}

// dynamicLen reads one symbol of the lengths of the codes of a block, and after
// the last one starts the block.
func (z *inflater) dynamicLen() (bool, error) {
	all := z.nLit + z.nDist
	if z.have == all {
		z.lit, z.dist, z.state = &z.ownLit, &z.ownDist, symbols
		if z.lens[256] == 0 {
			return false, fmt.Errorf("a block without end: %w", errInflate)
		}
		return true, errors.Join(z.lit.init(z.lens[:z.nLit]), z.dist.init(z.lens[z.nLit:all]))
	}
	sym, n := z.codes.decode(z.bits, z.n)
	switch {
	case sym == needMore:
		return false, nil
	case sym < 0:
		return false, errInflate
	case sym < 16:
		z.take(n)
		z.lens[z.have] = uint8(sym)
		z.have++
		return true, nil
	}
	var value uint8
	extra, repeat := uint(2), 3
	switch {
	case sym == 17:
		extra = 3
	case sym == 18:
		extra, repeat = 7, 11
	case z.have == 0:
		return false, fmt.Errorf("a length repeats none: %w", errInflate)
	default:
		value = z.lens[z.have-1]
	}
	if z.n < n+extra {
		return false, nil
	}
	z.take(n)
	repeat += int(z.take(extra))
	if z.have+repeat > all {
		return false, fmt.Errorf("too many lengths: %w", errInflate)
	}
	for range repeat {
		z.lens[z.have] = value
		z.have++
	}
	return true, nil
}

// Base values and further bits of lengths and distances (RFC 1951 section
// 3.2.5).
var (
	lenBase   = [29]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lenExtra  = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase  = [30]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distExtra = [30]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
)

const endOfBlock = 256

// symbol decodes literals, and then one copy as a whole: its bits are used up when
// all of them are there, at most 48.
func (z *inflater) symbol(o *output) (bool, error) {
	z.literals(o)
	sym, n := z.lit.decode(z.bits, z.n)
	switch {
	case sym == needMore:
		return false, nil
	case sym < 0 || sym-257 >= len(lenBase):
		return false, errInflate
	case sym < endOfBlock && o.full():
		return false, nil
	case sym < endOfBlock:
		z.take(n)
		o.put(byte(sym))
		return true, nil
	case sym == endOfBlock:
		z.take(n)
		z.state = blockStart
		return true, nil
	}
	bits, have := z.bits, z.n // to go back to
	z.take(n)
	extra := uint(lenExtra[sym-257])
	if z.n >= extra {
		z.left = int(lenBase[sym-257]) + int(z.take(extra))
		dsym, dn := z.dist.decode(z.bits, z.n)
		if dsym >= len(distBase) || dsym < 0 && dsym != needMore {
			return false, errInflate
		}
		if dsym >= 0 && z.n >= dn+uint(distExtra[dsym]) {
			z.take(dn)
			z.back = int(distBase[dsym]) + int(z.take(uint(distExtra[dsym])))
			if z.back > z.pos && !z.filled {
				return false, fmt.Errorf("a copy from before the start: %w", errInflate)
			}
			z.state = copying
			return true, nil
		}
	}
	z.bits, z.n = bits, have
	return false, nil
}

// literals decodes the literals of short codes that come next, as far as bits go.
func (z *inflater) literals(o *output) {
	fast, bits, have := &z.lit.fast, z.bits, z.n
	for !o.full() {
		e := fast[bits&(1<<fastBits-1)]
		length := uint(e & 15)
		if e == 0 || length > have || e>>4 >= endOfBlock {
			break
		}
		bits >>= length
		have -= length
		o.put(byte(e >> 4))
	}
	z.bits, z.n = bits, have
}

// copy copies what is z.back octets back. Where the two overlap, what is copied is
// copied again.
func (z *inflater) copy(o *output) bool {
	for z.left > 0 && !o.full() {
		from := (z.pos - z.back) & (windowSize - 1)
		n := min(z.left, z.back, windowSize-from)
		z.left -= o.putAll(z.window[from : from+n])
	}
	if z.left > 0 {
		return false
	}
	z.state = symbols
	return true
}

// output is what inflate fills.
type output struct {
	z   *inflater
	dst []byte
	n   int
}

func (o *output) full() bool { return o.n == len(o.dst) }

func (o *output) put(b byte) {
	o.dst[o.n] = b
	o.n++
	z := o.z
	z.window[z.pos] = b
	if z.pos++; z.pos == windowSize {
		z.pos, z.filled = 0, true
	}
}

// putAll is put for as much of p as there is room for, at most up to the end of
// the window. It says how much that was. p may be of the window.
func (o *output) putAll(p []byte) int {
	z := o.z
	n := copy(o.dst[o.n:], p[:min(len(p), windowSize-z.pos)])
	o.n += n
	copy(z.window[z.pos:], p[:n])
	if z.pos += n; z.pos == windowSize {
		z.pos, z.filled = 0, true
	}
	return n
}

// fixed is the code of blocks of type 1 (RFC 1951 section 3.2.6).
var fixed = sync.OnceValues(func() (lit, dist *huffman) {
	var lens [288]uint8
	for i := range lens {
		switch {
		case i < 144:
			lens[i] = 8
		case i < 256:
			lens[i] = 9
		case i < 280:
			lens[i] = 7
		default:
			lens[i] = 8
		}
	}
	var distLens [32]uint8
	for i := range distLens {
		distLens[i] = 5
	}
	lit, dist = new(huffman), new(huffman)
	if err := errors.Join(lit.init(lens[:]), dist.init(distLens[:])); err != nil {
		panic(err) // the tables above are wrong
	}
	return lit, dist
})
