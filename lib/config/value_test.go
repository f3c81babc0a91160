package config

import (
	"errors"
	"testing"
)

func TestParseInt(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want int64
		err  error
	}{
		{"0", 0, nil}, {"12", 12, nil}, {"-1", -1, nil}, {"+5", 5, nil}, {"0x1F", 31, nil}, {"-0X10", -16, nil}, {"077", 63, nil},
		{"2147483647", 2147483647, nil}, {"2147483648", 0, errInt},
		{"", 0, errInt}, {"-", 0, errInt}, {"08", 0, errInt}, {"1_0", 0, errInt}, {"--1", 0, errInt}, {"0x", 0, errInt}, {"0b1", 0, errInt}, {"5 ", 0, errInt},
	} {
		if got, err := parseInt(tc.in); got != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("parseInt(%q) = %d, %v; want %d, %v", tc.in, got, err, tc.want, tc.err)
		}
	}
}

func TestParseSwitch(t *testing.T) {
	for _, s := range []string{"1", "y", "yes", "t", "true", "on", "yikes"} {
		if b, err := ParseSwitch(s); !b || err != nil {
			t.Errorf("ParseSwitch(%q) = %v, %v; want true", s, b, err)
		}
	}
	for _, s := range []string{"0", "n", "no", "f", "false", "off", "of", "nope"} {
		if b, err := ParseSwitch(s); b || err != nil {
			t.Errorf("ParseSwitch(%q) = %v, %v; want false", s, b, err)
		}
	}
	for _, s := range []string{"", "o", "Yes", "2", "ja"} {
		if _, err := ParseSwitch(s); !errors.Is(err, errSwitch) {
			t.Errorf("ParseSwitch(%q): %v; want %v", s, err, errSwitch)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for _, tc := range []struct {
		in   string
		unit byte
		want int64
		err  error
	}{
		{"30", 's', 30, nil}, {"30", 'm', 1800, nil}, {"30", 0, 30, nil}, {"2", 'd', 172800, nil},
		{"1d12h", 's', 129600, nil}, {"90m", 'd', 5400, nil}, {"1h30", 'm', 5400, nil}, {"-5m", 's', -300, nil}, {"1m1m", 's', 120, nil},
		{"", 's', 0, errDuration}, {"-", 's', 0, errDuration}, {"x", 's', 0, errDuration}, {"m", 's', 0, errDuration}, {"1.5h", 's', 0, errDuration},
		{"1w", 's', 0, errDuration}, {"1 h", 's', 0, errDuration}, {"1h-5m", 's', 0, errDuration}, {"1hm", 's', 0, errDuration},
		{"2147483647", 's', 2147483647, nil}, {"2147483648", 's', 0, errDuration}, {"24856d", 's', 0, errDuration}, {"99999999999999999999", 's', 0, errDuration},
		{"2147483647s1s", 's', 0, errDuration},
	} {
		if got, err := ParseDuration(tc.in, tc.unit); got != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("ParseDuration(%q, %q) = %d, %v; want %d, %v", tc.in, tc.unit, got, err, tc.want, tc.err)
		}
	}
}

func TestParseByteSize(t *testing.T) {
	for _, tc := range []struct {
		in   string
		unit byte
		want int64
		err  error
	}{
		{"100", 'B', 100, nil}, {"100", 'K', 102400, nil}, {"100", 0, 100, nil}, {"-1", 'K', -1024, nil},
		{"1024 K", 'K', 1 << 20, nil}, {"10M", 'B', 10 << 20, nil}, {"2GiB", 'B', 2 << 30, nil}, {"3kb", 'B', 3072, nil}, {"64B", 'K', 64, nil}, {"5 mib", 'K', 5 << 20, nil},
		{"9007199254740991K", 'B', 9223372036854774784, nil}, {"9007199254740992K", 'B', 0, errByteSize}, {"-8589934593G", 'B', 0, errByteSize},
		{"", 'B', 0, errByteSize}, {"K", 'B', 0, errByteSize}, {"1T", 'B', 0, errByteSize}, {"1KK", 'B', 0, errByteSize}, {"1iB", 'B', 0, errByteSize}, {"1.5M", 'B', 0, errByteSize}, {"1 ", 'B', 1, nil},
	} {
		if got, err := ParseByteSize(tc.in, tc.unit); got != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("ParseByteSize(%q, %q) = %d, %v; want %d, %v", tc.in, tc.unit, got, err, tc.want, tc.err)
		}
	}
}
