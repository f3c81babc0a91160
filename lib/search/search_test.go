package search

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/acl"
	"gocyrus/lib/charset"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/index"
	"gocyrus/lib/index/indextest"
	"gocyrus/lib/prot"
	"gocyrus/lib/seqset"
)

// program reads a search program as a client sends it.
func program(t testing.TB, text string) *imapwire.Search {
	t.Helper()
	client, server := net.Pipe()
	defer client.Close()
	go func() {
		// A client that does not get through is seen by the parser.
		_, _ = client.Write([]byte(text + "\r\n"))
	}()
	c := prot.New(server)
	defer c.Abort()
	p := imapwire.NewParser(c, imapwire.Limits{})
	p.SetCommand("Search", "")
	w, err := p.Search(imapwire.SearchRules{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return w
}

var options = Options{Text: charset.DefaultSearchOptions()}

func run(t testing.TB, s *index.State, text string) seqset.Set {
	t.Helper()
	p, err := Compile(program(t, text), s, seqset.Set{{First: 3, Last: 5}}, options)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	var got seqset.Set
	err = p.Run(t.Context(), s, func(seq int, _ uint64) { got.Add(uint32(seq)) })
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return got
}

// TestJudged searches real mailboxes; the answers in testdata are those of Cyrus
// 3.6.1 on the same spool.
func TestJudged(t *testing.T) {
	spool := indextest.Open(t, "cyrus-3.6.1-default")
	m := spool.Mailbox(t, "user.alice.Corpus")
	s, err := index.Open(t.Context(), m, index.Who{User: "alice", Owner: true, Rights: acl.Full}, true)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join("testdata", "corpus.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(file), "\n") {
		query, want, ok := strings.Cut(line, " => ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		query = strings.NewReplacer(`\r\n`, "\r\n", `\xfc`, "\xfc").Replace(query)
		t.Run(query, func(t *testing.T) {
			if got := run(t, s, query).String(); got != strings.TrimSpace(want) {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// TestLogic: NOT and OR mean what they mean, whatever the order of the costs.
func TestLogic(t *testing.T) {
	spool := indextest.Open(t, "cyrus-3.6.1-default")
	s, err := index.Open(t.Context(), spool.Mailbox(t, "user.alice.Corpus"), index.Who{User: "alice", Owner: true, Rights: acl.Full}, true)
	if err != nil {
		t.Fatal(err)
	}
	sets := map[string]seqset.Set{}
	atoms := []string{"LARGER 500", "BODY plain", "SUBJECT fixture", "SEEN", "HEADER Message-ID 1", "1:20", "SENTON 4-Mar-2025"}
	for _, a := range atoms {
		sets[a] = run(t, s, a)
	}
	has := func(set seqset.Set, n uint32) bool {
		return slices.ContainsFunc(set, func(r seqset.Range) bool { return r.First <= n && n <= r.Last })
	}
	for _, a := range atoms {
		for _, b := range atoms {
			for _, form := range []struct {
				query string
				want  func(a, b bool) bool
			}{
				{a + " " + b, func(a, b bool) bool { return a && b }},
				{"OR " + a + " " + b, func(a, b bool) bool { return a || b }},
				{"NOT (" + a + " " + b + ")", func(a, b bool) bool { return !(a && b) }},
				{"OR NOT " + a + " NOT " + b, func(a, b bool) bool { return !a || !b }},
				{"NOT OR " + a + " " + b, func(a, b bool) bool { return !(a || b) }},
			} {
				got := run(t, s, form.query)
				for n := uint32(1); n <= uint32(s.Exists()); n++ {
					if want := form.want(has(sets[a], n), has(sets[b], n)); has(got, n) != want {
						t.Fatalf("%s: message %d: %v, want %v", form.query, n, !want, want)
					}
				}
			}
		}
	}
}

func TestErrors(t *testing.T) {
	spool := indextest.Open(t, "cyrus-3.6.1-default")
	s, err := index.Open(t.Context(), spool.Mailbox(t, "user.alice"), index.Who{User: "alice", Owner: true, Rights: acl.Full}, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		query string
		want  error
	}{
		{"CHARSET nonsense ALL", ErrCharset},
		{"THREADID Tnonsense", ErrThreadID},
		{"DELIVEREDTO x", ErrKey},
		{"NOT (SEEN OR SEEN DELIVEREDTO x)", ErrKey},
	} {
		t.Run(tc.query, func(t *testing.T) {
			if _, err := Compile(program(t, tc.query), s, nil, options); !errors.Is(err, tc.want) {
				t.Errorf("error %v, want %v", err, tc.want)
			}
		})
	}
	p, err := Compile(program(t, "BODY x"), s, nil, options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Run(ctx, s, func(int, uint64) {}); err == nil {
		t.Error("a cancelled search runs to its end")
	}
}

// TestWithin: RFC 5032.
func TestWithin(t *testing.T) {
	spool := indextest.Open(t, "cyrus-3.6.1-default")
	s, err := index.Open(t.Context(), spool.Mailbox(t, "user.alice.Corpus"), index.Who{User: "alice", Owner: true, Rights: acl.Full}, true)
	if err != nil {
		t.Fatal(err)
	}
	var date uint32
	err = s.View(t.Context(), func(r *index.Reader) error {
		raw, _ := r.Raw(10)
		date = raw.InternalDate()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	opt := options
	opt.Now = func() time.Time { return time.Unix(int64(date)+100, 0) }
	for _, tc := range []struct {
		query string
		found bool
	}{
		{"10 OLDER 100", true}, {"10 OLDER 101", false}, {"10 YOUNGER 100", true}, {"10 YOUNGER 99", false},
		{"10 OLDER 18446744073709551615", false}, {"10 YOUNGER 18446744073709551615", true},
	} {
		p, err := Compile(program(t, tc.query), s, nil, opt)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		if err := p.Run(t.Context(), s, func(int, uint64) { found = true }); err != nil {
			t.Fatal(err)
		}
		if found != tc.found {
			t.Errorf("%s: %v", tc.query, found)
		}
	}
}
