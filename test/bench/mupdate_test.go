package main

import (
	"errors"
	"slices"
	"testing"
)

const mupdateHello = "* AUTH \"PLAIN\"\r\n* OK MUPDATE \"mup\" \"Cyrus IMAP\" \"3\" \"(master)\"\r\nm1 OK \"Authenticated\"\r\n"

// TestMUPDATE: what a session reads of what a server says.
func TestMUPDATE(t *testing.T) {
	for _, tc := range []struct {
		name, script string
		want         []string
		err          error
	}{
		{"nothing", "m2 OK \"done\"\r\n", nil, nil},
		{"literals", "m2 MAILBOX {6+}\r\nuser.a {5+}\r\nbe1!p {2+}\r\na\t\r\nm2 RESERVE {1+}\r\nb {1}\r\nc\r\nm2 OK \"done\"\r\n",
			[]string{"MAILBOX {6+}\nuser.a {5+}\nbe1!p {2+}\na\t", "RESERVE {1+}\nb {1}\nc"}, nil},
		{"refused", "m2 NO \"no\"\r\n", nil, errAnswer},
		{"another's answer", "m3 OK \"done\"\r\n", nil, errAnswer},
	} {
		c, err := dialMUPDATE(serve(t, mupdateHello+tc.script))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		var got []string
		err = c.do("LIST", func(line []byte) { got = append(got, string(line)) })
		if !errors.Is(err, tc.err) || !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, %v; want %q, %v", tc.name, got, err, tc.want, tc.err)
		}
	}
}

// TestListSum: the sum of a list goes by what is in it, in whatever order.
func TestListSum(t *testing.T) {
	const a, b = "m2 MAILBOX {1+}\r\na {1+}\r\nx {0+}\r\n\r\n", "m2 MAILBOX {1+}\r\nb {1+}\r\nx {0+}\r\n\r\n"
	var sums []uint32
	for _, script := range []string{a + b, b + a, a + a} {
		c, err := dialMUPDATE(serve(t, mupdateHello+script+"m2 OK \"done\"\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		n, crc, err := c.list("")
		if n != 2 || err != nil {
			t.Errorf("%d mailboxes, %v", n, err)
		}
		sums = append(sums, crc)
	}
	if sums[0] != sums[1] || sums[0] == sums[2] {
		t.Errorf("sums of ab, ba, aa: %08x", sums)
	}
}

// TestShare: every mailbox has a backend, and one.
func TestShare(t *testing.T) {
	for _, all := range []int{0, 1, 3, 3000, 100_000} {
		next := 0
		for i := range listBackends {
			begin, end := share(all, i)
			if begin != next || end < begin {
				t.Errorf("%d mailboxes: backend %d has %d to %d, after %d", all, i, begin, end, next)
			}
			next = end
		}
		if next != all {
			t.Errorf("%d of %d mailboxes have a backend", next, all)
		}
	}
}
