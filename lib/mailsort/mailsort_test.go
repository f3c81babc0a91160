package mailsort

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

func TestBaseSubject(t *testing.T) {
	for _, tc := range []struct {
		in, want string
		reply    bool
	}{
		{"", "", false},
		{"Hello", "HELLO", false},
		{"  re : Hello (fwd) ", "HELLO", true},
		{"Re[2]: Fw: [a] [b] x", "X", true},
		{"[list] Fwd: other", "OTHER", true},
		{"[blob]", "[BLOB]", false},
		{"[a][b]", "[B]", false},
		{"Re: [a]", "[A]", true},
		{"[Fwd: Re: x]", "X", true},
		{"[fwd:]", "", true},
		{"Re[x", "RE[X", false},
		{"rex", "REX", false},
		{"(fwd)(FWD)", "", true},
		{"[a[b] x", "[A[B] X", false},
		{"fwdx: y", "FWDX: Y", false},
		{"äé", "äé", false},
	} {
		got, reply := BaseSubject([]byte(tc.in))
		if got != tc.want || reply != tc.reply {
			t.Errorf("%q: %q, %t", tc.in, got, reply)
		}
	}
}

func TestAddress(t *testing.T) {
	for _, tc := range []struct{ in, local, display string }{
		{"", "", ""},
		{"zed zulu <alpha@example.com>", "alpha", "ZED ZULU"},
		{`"b\"q" <beta@example.com>,x <y@z>`, "beta", `B"Q`},
		{"<mike@example.com>", "mike", "MIKE@EXAMPLE.COM"},
		{"<@a,@b:mike@example.com>", "mike", "MIKE@EXAMPLE.COM"},
		{"group:<g@h>;", "group", "GROUP"},
		{"<nobody>", "nobody", "NOBODY"},
		{"broken", "", ""},
		{"x <unclosed@y", "", ""},
	} {
		if got := localPart([]byte(tc.in)); got != tc.local {
			t.Errorf("%q: local part %q", tc.in, got)
		}
		if got := displayName([]byte(tc.in)); got != tc.display {
			t.Errorf("%q: display name %q", tc.in, got)
		}
	}
}

func TestEnvelope(t *testing.T) {
	env := envelope([]byte("(NIL \"s\\\"t\" ((\"a\" NIL \"b\" \"c\")(NIL NIL {3}\r\n)(\" \"d\")) NIL NIL NIL NIL NIL \"<i@j>\" {7}\r\n<\"7\"@x>)"))
	if string(env[1]) != `s"t` || string(env[envInReplyTo]) != "<i@j>" || string(env[envMessageID]) != `<"7"@x>` {
		t.Errorf("got %q", env)
	}
}

func TestNextID(t *testing.T) {
	var got []string
	for id, rest := nextID([]byte("x <a@b> (c) <\"q\\\"r\"@s>\t<fold\r\n ed@x> <> <\"<>\"@y> <open")); id != ""; id, rest = nextID(rest) {
		got = append(got, id)
	}
	if want := `[a@b q"r@s folded@x <>@y]`; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// show writes threads as the protocol does.
func show(list []*Thread) string {
	var b strings.Builder
	for _, t := range list {
		b.WriteByte('(')
		for {
			if t.Seq != 0 {
				fmt.Fprint(&b, t.Seq)
				if len(t.Kids) > 0 {
					b.WriteByte(' ')
				}
			}
			if len(t.Kids) != 1 {
				break
			}
			t = t.Kids[0]
		}
		b.WriteString(show(t.Kids) + ")")
	}
	return b.String()
}

func TestThreads(t *testing.T) {
	// Each message: id, subject, and what it refers to; sent in this order.
	msg := func(i int, id, subject string, refs ...string) *threaded {
		base, reply := BaseSubject([]byte(subject))
		return &threaded{seq: i, date: uint64(i), arrived: uint64(100 - i), id: id, subject: base, reply: reply, refs: refs}
	}
	for _, tc := range []struct {
		name                       string
		msgs                       []*threaded
		references, refs, subjects string
	}{
		{"none", nil, "", "", ""},
		{"chain", []*threaded{msg(1, "a", "x"), msg(2, "b", "Re: x", "a"), msg(3, "c", "Re: x", "a", "b")},
			"(1 2 3)", "(1 2 3)", "(1 (2)(3))"},
		{"chain from the end", []*threaded{msg(1, "c", "3", "a", "b"), msg(2, "b", "2", "a"), msg(3, "a", "1")},
			"(3 2 1)", "(3 2 1)", "(1)(2)(3)"},
		{"absent parent", []*threaded{msg(1, "a", "1", "z"), msg(2, "b", "2", "z")},
			"((1)(2))", "((1)(2))", "(1)(2)"},
		{"absent chain", []*threaded{msg(1, "a", "1", "x", "y", "z")}, "(1)", "(1)", "(1)"},
		{"itself", []*threaded{msg(1, "a", "1", "a")}, "(1)", "(1)", "(1)"},
		{"each other", []*threaded{msg(1, "a", "1", "b"), msg(2, "b", "2", "a")}, "(2 1)", "(2 1)", "(1)(2)"},
		{"the same id", []*threaded{msg(1, "a", "1"), msg(2, "a", "2"), msg(3, "b", "3", "a")},
			"(1 3)(2)", "(2)(1 3)", "(1)(2)(3)"},
		{"a reply by its subject", []*threaded{msg(1, "a", "x"), msg(2, "b", "re: x")}, "(1 2)", "(2)(1)", "(1 2)"},
		{"two of a subject", []*threaded{msg(1, "a", "x"), msg(2, "b", "x")}, "((1)(2))", "(2)(1)", "(1 2)"},
		{"no subject", []*threaded{msg(1, "a", ""), msg(2, "b", "")}, "(1)(2)", "(2)(1)", "(1 2)"},
		{"reply before", []*threaded{msg(1, "a", "re: x"), msg(2, "b", "x")}, "(2 1)", "(2)(1)", "(1 2)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for name, want := range map[string]string{"REFERENCES": tc.references, "REFS": tc.refs, "ORDEREDSUBJECT": tc.subjects} {
				msgs := make([]*threaded, len(tc.msgs))
				for i, m := range tc.msgs {
					c := *m
					msgs[i] = &c
				}
				list, err := algorithms[name](t.Context(), msgs)
				if got := show(list); got != want || err != nil {
					t.Errorf("%s: %s, %v; want %s", name, got, err, want)
				}
			}
		})
	}
}

// TestLongThread: a thread as deep as the mailbox is long takes no time to speak
// of, and a cancelled command ends.
func TestLongThread(t *testing.T) {
	const n = 50000
	chain := func() (msgs []*threaded) {
		for i := range n {
			msgs = append(msgs, &threaded{seq: i + 1, date: uint64(i), id: fmt.Sprint(i), subject: "x", refs: []string{fmt.Sprint(i - 1)}})
		}
		return msgs
	}
	list, err := references(t.Context(), chain())
	depth := 0
	for at := list; len(at) > 0; at = at[0].Kids {
		depth++
	}
	if depth != n || err != nil {
		t.Errorf("depth %d, %v", depth, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := references(ctx, chain()); err != context.Canceled {
		t.Errorf("cancelled: %v", err)
	}
}

// FuzzThreads: whatever messages refer to, each is in exactly one place.
func FuzzThreads(f *testing.F) {
	f.Add([]byte("ab ba c"))
	f.Add([]byte("aa aa zzz"))
	f.Add([]byte("abc cba bca d"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var msgs []*threaded
		for i, w := range strings.Fields(string(b)) {
			m := &threaded{seq: i + 1, date: uint64(len(w)), id: w[:1], subject: w[len(w)-1:], reply: len(w)%2 == 0}
			for _, c := range w[1:] {
				m.refs = append(m.refs, string(c))
			}
			msgs = append(msgs, m)
		}
		for name, run := range algorithms {
			c := make([]*threaded, len(msgs))
			for i, m := range msgs {
				d := *m
				c[i] = &d
			}
			list, err := run(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			seen := map[int]int{}
			var walk func([]*Thread)
			walk = func(list []*Thread) {
				for _, th := range list {
					if th.Seq == 0 && len(th.Kids) == 0 {
						t.Errorf("%s: an empty thread", name)
					}
					seen[th.Seq]++
					walk(th.Kids)
				}
			}
			walk(list)
			for i := range msgs {
				if seen[i+1] != 1 {
					t.Errorf("%s: message %d is there %d times", name, i+1, seen[i+1])
				}
			}
		}
	})
}

// FuzzTexts: no text of a header makes the readers fail.
func FuzzTexts(f *testing.F) {
	for _, s := range []string{"re[2]: [a] x (fwd)", `"a\"b" <c@d>`, "<\"a\"@b> <", "(NIL {3}\r\nabc (", "[fwd:]]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		base, _ := BaseSubject(b)
		if again, _ := BaseSubject([]byte(base)); len(again) > len(base) {
			t.Errorf("%q grows to %q", base, again)
		}
		localPart(b)
		displayName(b)
		envelope(b)
		nstring(b)
		n := 0
		for id, rest := nextID(b); id != ""; id, rest = nextID(rest) {
			if n++; n > len(b) {
				t.Fatal("no end of ids")
			}
		}
	})
}
