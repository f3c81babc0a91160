package config

import (
	"errors"
	"testing"
)

func TestParseRelease(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want Release
		err  error
	}{
		{"3.4.2", Release{3, 4, 2}, nil},
		{"3.4", Release{3, 4, 0}, nil},
		{"3", Release{3, 0, 0}, nil},
		{"cyrus-imapd 3.6.1-Debian-3.6.1-4", Release{3, 6, 1}, nil},
		{"cyrus-imapd-3.6.1", Release{3, 6, 1}, nil},
		{"3.6.1.9", Release{3, 6, 1}, nil},
		{"", Release{}, ErrRelease},
		{"x", Release{}, ErrRelease},
		{"3..1", Release{}, ErrRelease},
		{"3.256", Release{}, ErrRelease},
	} {
		if got, err := ParseRelease(tc.in); got != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("ParseRelease(%q) = %v, %v; want %v, %v", tc.in, got, err, tc.want, tc.err)
		}
	}
}
