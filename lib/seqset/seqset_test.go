package seqset

import (
	"errors"
	"math"
	"slices"
	"testing"
)

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		name, in, want string
		err            error
	}{
		{"empty", "", "", nil},
		{"one", "7", "7", nil},
		{"ranges", "1:3,7,9:12", "1:3,7,9:12", nil},
		{"reversed", "3:1", "1:3", nil},
		{"touching", "1:3,4", "1:4", nil},
		{"any order", "9,1:2,2:4", "1:4,9", nil},
		{"largest", "4294967295", "4294967295", nil},
		{"too large", "4294967296", "", ErrFormat},
		{"zero", "0", "", ErrFormat},
		{"star", "1:*", "", ErrFormat},
		{"trailing comma", "1,", "", ErrFormat},
		{"sign", "+1", "", ErrFormat},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Parse(tc.in)
			if got.String() != tc.want || !errors.Is(err, tc.err) {
				t.Errorf("Parse(%q) = %q, %v; want %q, %v", tc.in, got, err, tc.want, tc.err)
			}
		})
	}
}

func TestAddRange(t *testing.T) {
	for _, tc := range []struct {
		name        string
		set         string
		first, last uint32
		want        string
	}{
		{"behind", "1:3", 5, 6, "1:3,5:6"},
		{"touching", "1:3", 4, 4, "1:4"},
		{"between", "1:3,9", 5, 6, "1:3,5:6,9"},
		{"closes a gap", "1:3,5", 4, 4, "1:5"},
		{"swallows", "2,4,6,9", 3, 7, "2:7,9"},
		{"in front", "5", 1, 2, "1:2,5"},
		{"inside", "1:9", 4, 5, "1:9"},
		{"last number", "4294967295", math.MaxUint32, math.MaxUint32, "4294967295"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := Parse(tc.set)
			if err != nil {
				t.Fatal(err)
			}
			s.AddRange(tc.first, tc.last)
			if s.String() != tc.want {
				t.Errorf("%s", s)
			}
		})
	}
}

// FuzzSet checks that a set reads back, contains what All yields, and does not
// depend on how it was put together.
func FuzzSet(f *testing.F) {
	for _, s := range []string{"1:3,7", "4294967290:4294967295,1", "5,4,3,2", "1:2,2:3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		s, err := Parse(in)
		if err != nil {
			return
		}
		if again, err := Parse(s.String()); err != nil || !slices.Equal(again, s) {
			t.Errorf("%q reads back as %q, %v", s, again, err)
		}
		if s.Len() > 10000 {
			return
		}
		var built Set
		nums := slices.Collect(s.All)
		for _, n := range slices.Backward(nums) {
			if !s.Contains(n) {
				t.Errorf("%q does not contain %d", s, n)
			}
			built.Add(n)
		}
		if !slices.Equal(built, s) || len(nums) != s.Len() {
			t.Errorf("%q built anew is %q", s, built)
		}
	})
}
