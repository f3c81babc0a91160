package prot

import (
	"fmt"
	"math/bits"
)

// What huffman.decode returns in place of a symbol.
const (
	needMore = -1 // the bits at hand are the start of one
	noSymbol = -2 // they are not
)

const (
	maxCode  = 15 // bits of the longest code
	fastBits = 9  // bits that the table is looked up by
)

// huffman is a code of RFC 1951 section 3.2.2, which the lengths of its codes
// define.
type huffman struct {
	fast   [1 << fastBits]uint16 // symbol<<4 | length; 0 for longer codes
	count  [maxCode + 1]uint16   // how many codes have this length
	symbol [288]uint16           // in the order of their codes
}

// init makes the code of lengths, 0 for symbols that do not occur. As in zlib
// all codes must be used, but for a code of one symbol or none.
func (h *huffman) init(lens []uint8) error {
	*h = huffman{}
	for _, n := range lens {
		if n > 0 {
			h.count[n]++
		}
	}
	var next, code [maxCode + 2]uint16
	room, used := 1, 0
	for n := 1; n <= maxCode; n++ {
		room = room<<1 - int(h.count[n])
		if room < 0 {
			return fmt.Errorf("too many codes: %w", errInflate)
		}
		used += int(h.count[n])
		next[n+1] = next[n] + h.count[n]
		code[n+1] = (code[n] + h.count[n]) << 1
	}
	if room > 0 && (used > 1 || used == 1 && h.count[1] == 0) {
		return fmt.Errorf("codes without symbols: %w", errInflate)
	}
	for sym, n := range lens {
		if n == 0 {
			continue
		}
		h.symbol[next[n]] = uint16(sym)
		next[n]++
		if n <= fastBits {
			// The first bit of a code is the lowest one of the input.
			reversed := bits.Reverse16(code[n]) >> (16 - n)
			for i := int(reversed); i < len(h.fast); i += 1 << n {
				h.fast[i] = uint16(sym)<<4 | uint16(n)
			}
		}
		code[n]++
	}
	return nil
}

// decode finds the symbol that n bits begin with, and its length.
func (h *huffman) decode(in uint64, n uint) (sym int, length uint) {
	if e := h.fast[in&(1<<fastBits-1)]; e != 0 {
		if length := uint(e & 15); length <= n {
			return int(e >> 4), length
		}
		return needMore, 0
	}
	code, first, index := 0, 0, 0
	for length := uint(1); length <= maxCode; length++ {
		if length > n {
			return needMore, 0
		}
		code |= int(in & 1)
		in >>= 1
		count := int(h.count[length])
		if code-first < count {
			return int(h.symbol[index+code-first]), length
		}
		index += count
		first = (first + count) << 1
		code <<= 1
	}
	return noSymbol, 0
}
