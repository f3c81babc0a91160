package imapproxy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/backend"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/prot"
	"gocyrus/lib/proxy"
)

const waitLimit = 20 * time.Second

// pipe is a socket with both its ends.
func pipe(t testing.TB) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// connTo is a connection to a backend that the test plays, which offers caps.
func connTo(t testing.TB, caps ...string) (*Conn, net.Conn) {
	near, far := pipe(t)
	b := backend.Bare(backend.IMAP, near, backend.Options{})
	b.Caps.Words = caps
	return newConn("be1.example.org", b, waitLimit), far
}

// client is a client of the proxy, which the test plays too.
func client(t testing.TB) (*prot.Conn, net.Conn) {
	near, far := pipe(t)
	in := prot.New(near)
	in.SetTimeout(waitLimit)
	return in, far
}

func longLine(n int) string {
	return "* SEARCH " + strings.Repeat("1 ", n) + "2\r\n"
}

// TestAnswer: what the backend says arrives as it is, whatever its form and wherever
// the buffers end.
func TestAnswer(t *testing.T) {
	body := strings.Repeat("t OK not the end\r\n* BYE neither {5}\r\n", 9000)
	texts := []string{
		"* 3 EXISTS\r\n",
		"* 1 FETCH (BODY[] {5}\r\nabcde FLAGS ())\r\n",
		"* 1 FETCH (BODY[HEADER] {0}\r\n BODY[TEXT] {3}\r\nx\r\n)\r\n",
		fmt.Sprintf("* 1 FETCH (BODY[] {%d}\r\n%s)\r\n", len(body), body),
		longLine(20000),
		"* OK [X {12] odd\r\n* OK {+}\r\n* OK {-1}\r\n",
	}
	for n := 16 << 10; n > 16<<10-40; n-- { // the announcement of a literal cut in two
		line := "* 1 FETCH (X " + strings.Repeat("y", n-30) + " BODY[] {12}\r\n"
		texts = append(texts, line+"hello, world)\r\n")
	}
	all := strings.Join(texts, "")
	c, be := connTo(t)
	in, cl := client(t)
	go func() {
		io.WriteString(be, all+"t OK [READ-WRITE] Completed\r\n")
	}()
	got := make(chan string)
	go func() {
		b, _ := io.ReadAll(io.LimitReader(cl, int64(len(all))))
		got <- string(b)
	}()
	reply, err := c.Answer("t", &Relay{To: in})
	if err != nil || reply != (Reply{"OK", "[READ-WRITE] Completed"}) {
		t.Errorf("%v, %v", reply, err)
	}
	in.Flush()
	if s := <-got; s != all {
		t.Errorf("%d octets of %d are not the same", len(s), len(all))
	}
}

func TestAnswerEnds(t *testing.T) {
	for _, tc := range []struct {
		says string
		want error
		said string // to the client
	}{
		{"* 1 EXISTS\r\n", ErrLost, "* 1 EXISTS\r\n"},
		{"* 1 FETCH (BODY[] {100}\r\nabc", ErrTorn, "* 1 FETCH (BODY[] {100}\r\nabc"},
		{"* BYE shutting down\r\nt OK x\r\n", ErrLost, ""},
		{"u OK Completed\r\n", ErrLost, ""},
		{"t HM\r\n", ErrLost, ""},
		{"+ what\r\n", ErrLost, ""},
	} {
		c, be := connTo(t)
		in, cl := client(t)
		io.WriteString(be, tc.says)
		be.Close()
		_, err := c.Answer("t", &Relay{To: in})
		if !errors.Is(err, tc.want) || errors.Is(err, ErrTorn) != (tc.want == ErrTorn) {
			t.Errorf("%q: %v, want %v", tc.says, err, tc.want)
		}
		if c.Err() == nil {
			t.Errorf("%q: the connection can still be used", tc.says)
		}
		in.Close()
		if b, _ := io.ReadAll(cl); string(b) != tc.said {
			t.Errorf("%q: the client has %q", tc.says, b)
		}
	}
}

// TestPass: commands with literals of each kind, as client and backend see them.
func TestPass(t *testing.T) {
	big := strings.Repeat("x", optimist+1)
	for _, tc := range []struct {
		name        string
		caps        []string
		client      string // what it says, a literal that waits after "|"
		backend     string // what it must get, after its "+" behind "|"
		refuses     string
		invitations int
	}{
		{"plain", []string{"LITERAL+"}, " 1:* FLAGS\r\n", "t FETCH 1:* FLAGS\r\n", "", 0},
		{"bare line feed", []string{"LITERAL+"}, " 1 FLAGS\n", "t FETCH 1 FLAGS\r\n", "", 0},
		{"does not wait", []string{"LITERAL+"}, " {3+}\r\nabc x\r\n", "t FETCH {3+}\r\nabc x\r\n", "", 0},
		{"small", []string{"LITERAL+"}, " {3}\r\n|abc {2}\r\n|de\r\n", "t FETCH {3+}\r\nabc {2+}\r\nde\r\n", "", 2},
		{"large", []string{"LITERAL+"}, fmt.Sprintf(" {%d}\r\n|%s\r\n", len(big), big), fmt.Sprintf("t FETCH {%d}\r\n|%s\r\n", len(big), big), "", 1},
		{"of old", nil, " {3+}\r\nabc\r\n", "t FETCH {3}\r\n|abc\r\n", "", 0},
		{"refused", []string{"LITERAL+"}, fmt.Sprintf(" {%d}\r\n", len(big)), fmt.Sprintf("t FETCH {%d}\r\n", len(big)), "NO too big", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, be := connTo(t, tc.caps...)
			in, cl := client(t)
			p := imapwire.NewParser(in, imapwire.Limits{})
			errs := make(chan error, 2)
			go func() { errs <- converse(be, strings.Split(tc.backend, "|"), tc.refuses) }()
			go func() { errs <- speak(cl, strings.Split(tc.client, "|")) }()
			c.Begin("t", "FETCH")
			refused, err := c.Pass("t", p, &Relay{To: in}, imapwire.Limits{Args: 1 << 20}, false)
			if err != nil || (refused != nil) != (tc.refuses != "") {
				t.Fatalf("%v, %v", refused, err)
			}
			if !p.Done() {
				t.Error("the line is not read to its end")
			}
			if refused == nil {
				if _, err := c.Answer("t", nil); err != nil {
					t.Error(err)
				}
			}
			for range 2 {
				if err := <-errs; err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// converse is a backend that must get the pieces, sends "+" between them and the tagged
// answer at the end.
func converse(c net.Conn, pieces []string, refuses string) error {
	for i, want := range pieces {
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
			return fmt.Errorf("the backend got %.80q, want %.80q: %v", got, want, err)
		}
		switch {
		case i < len(pieces)-1:
			io.WriteString(c, "+ go ahead\r\n")
		case refuses != "":
			io.WriteString(c, "t "+refuses+"\r\n")
		default:
			io.WriteString(c, "t OK Completed\r\n")
		}
	}
	return nil
}

// speak is a client that says the pieces, and waits for "+" between them.
func speak(c net.Conn, pieces []string) error {
	r := bufio.NewReader(c)
	for i, piece := range pieces {
		if i > 0 {
			if s, err := r.ReadString('\n'); err != nil || s != "+ go ahead\r\n" {
				return fmt.Errorf("the client got %q: %v", s, err)
			}
		}
		io.WriteString(c, piece)
	}
	return nil
}

// TestPassTooLong: what a server would not take is not passed on to one.
func TestPassTooLong(t *testing.T) {
	lim := imapwire.Limits{Args: 4000, Word: 1000, Literal: 3000}
	minus := lim
	minus.Minus, minus.Literal = true, 0
	for _, tc := range []struct {
		says string
		lim  imapwire.Limits
		free bool
		want imapwire.Fatal // "" where it is passed on
	}{
		{" {5000+}\r\n", imapwire.Limits{Args: 4096}, false, tooBig},
		{" 1" + strings.Repeat(",1", 499) + "\r\n", lim, false, ""},
		{" 1" + strings.Repeat(",1", 500) + "\r\n", lim, false, "[TOOBIG] Word too long"},
		{" (" + strings.Repeat("x", 999) + " \"" + strings.Repeat(`\"x`, 700) + "\" " + strings.Repeat("y", 800) + ")\r\n", lim, false, ""},
		{" {3000+}\r\n" + strings.Repeat("z", 3000) + "\r\n", lim, false, ""},
		{" {3001+}\r\n", lim, false, "[TOOBIG] Literal size exceeds fixed limit"},
		{" {3001+}\r\n" + strings.Repeat("z", 3001) + "\r\n", lim, true, ""},
		{" {4096+}\r\n" + strings.Repeat("z", 4096) + "\r\n", minus, true, ""},
		{" {4097+}\r\n", minus, true, "[TOOBIG] Non-synchronizing literal size exceeds 4K"},
	} {
		c, be := connTo(t, "LITERAL+")
		in, cl := client(t)
		io.WriteString(cl, tc.says)
		c.Begin("t", "FETCH")
		_, err := c.Pass("t", imapwire.NewParser(in, tc.lim), &Relay{To: in}, tc.lim, tc.free)
		if tc.want == "" {
			got := make([]byte, len("t FETCH"+tc.says))
			if _, rerr := io.ReadFull(be, got); err != nil || rerr != nil || string(got) != "t FETCH"+tc.says {
				t.Errorf("%.40q: %v, %v, %.60q", tc.says, err, rerr, got)
			}
			continue
		}
		if fatal := imapwire.Fatal(""); !errors.As(err, &fatal) || fatal != tc.want {
			t.Errorf("%.40q: %v, want %s", tc.says, err, tc.want)
		}
	}
}

func TestAgain(t *testing.T) {
	c, be := connTo(t)
	c.Begin("t", "STATUS")
	if err := c.Again([]byte(" {5}\r\nIN{3} ({4+}\r\nx\r\ny)\r\n")); err != nil {
		t.Fatal(err)
	}
	c.nc.(*net.TCPConn).CloseWrite()
	if b, _ := io.ReadAll(be); string(b) != "t STATUS {5+}\r\nIN{3} ({4+}\r\nx\r\ny)\r\n" {
		t.Errorf("%q", b)
	}
}

func TestCollect(t *testing.T) {
	c, be := connTo(t)
	in, cl := client(t)
	io.WriteString(be, "* 4 EXISTS\r\n* LIST () \"/\" {3}\r\na\"b\r\n* LISTX\r\n* list (\\Noselect) NIL x\r\n* STATUS x (MESSAGES 3)\r\nt OK x\r\n")
	var names []string
	reply, err := c.Collect("t", "LIST", &Relay{To: in}, func(line []byte) error {
		l, ok := ParseList(line)
		if !ok {
			return fmt.Errorf("%q", line)
		}
		names = append(names, l.Name)
		return nil
	})
	if err != nil || !reply.OK() || !slices.Equal(names, []string{`a"b`, "x"}) {
		t.Errorf("%v, %v, %q", reply, err, names)
	}
	in.Close()
	if b, _ := io.ReadAll(cl); string(b) != "* 4 EXISTS\r\n* LISTX\r\n* STATUS x (MESSAGES 3)\r\n" {
		t.Errorf("%q", b)
	}
}

func TestBodies(t *testing.T) {
	c, be := connTo(t)
	in, cl := client(t)
	big := strings.Repeat("0123456789", 30000)
	fmt.Fprintf(be, "* 1 FETCH (UID 7 BODY[] {3}\r\nabc)\r\n* 2 FETCH (FLAGS (\\Seen) UID 9)\r\n* 2 FETCH (FLAGS () UID 9 BODY[] {%d}\r\n%s)\r\nt OK x\r\n", len(big), big)
	got := map[uint32]*bytes.Buffer{}
	reply, err := c.Bodies("t", &Relay{To: in}, func(uid uint32, size int64) (io.Writer, error) {
		got[uid] = new(bytes.Buffer)
		return got[uid], nil
	})
	if err != nil || !reply.OK() || got[7].String() != "abc" || got[9].String() != big {
		t.Errorf("%v, %v", reply, err)
	}
	in.Close()
	if b, _ := io.ReadAll(cl); string(b) != "* 2 FETCH (FLAGS (\\Seen) UID 9)\r\n" {
		t.Errorf("%q", b)
	}
}

// drip is a connection on which octets come one by one, as they may at any place where a
// packet ends.
type drip struct{ net.Conn }

func (d drip) Read(p []byte) (int, error) { return d.Conn.Read(p[:min(1, len(p))]) }

// TestCut: an answer is what it is wherever it was cut on its way.
func TestCut(t *testing.T) {
	near, be := pipe(t)
	b := backend.Bare(backend.IMAP, drip{near}, backend.Options{})
	c := newConn("be1.example.org", b, waitLimit)
	go io.WriteString(be, "* 123 FETCH (UID 7 BODY[] {5}\r\nhello)\r\n* 124 EXISTS\r\n* 124 FETCH (UID 8 BODY[] {3}\r\nabc)\r\nt OK Completed\r\n"+
		"* METADATA \"\" (/x \"1;2\")\r\n* LIST () \"/\" x\r\nu OK Completed\r\n")
	in, cl := client(t)
	got := map[uint32]*bytes.Buffer{}
	reply, err := c.Bodies("t", &Relay{To: in}, func(uid uint32, _ int64) (io.Writer, error) {
		got[uid] = new(bytes.Buffer)
		return got[uid], nil
	})
	if err != nil || !reply.OK() || len(got) != 2 || got[7].String() != "hello" || got[8].String() != "abc" {
		t.Errorf("%v, %v: %v", reply, err, got)
	}
	var lines []string
	reply, err = c.Collect("u", "METADATA", &Relay{To: in}, func(line []byte) error {
		lines = append(lines, string(line))
		return nil
	})
	if err != nil || !reply.OK() || len(lines) != 1 {
		t.Errorf("%v, %v: %q", reply, err, lines)
	}
	in.Flush()
	const want = "* 124 EXISTS\r\n* LIST () \"/\" x\r\n"
	rest := make([]byte, len(want))
	if _, err := io.ReadFull(cl, rest); err != nil || string(rest) != want {
		t.Errorf("the client was told %q, %v", rest, err)
	}
}

func TestParse(t *testing.T) {
	for line, want := range map[string]Fetch{
		`* 1 FETCH (UID 3 FLAGS (\Seen x) INTERNALDATE " 1-Jan-2024 00:00:00 +0000")` + "\r\n": {3, `\Seen x`, " 1-Jan-2024 00:00:00 +0000"},
		`* 1 FETCH (FLAGS () MODSEQ (12) UID 4)` + "\r\n":                                      {4, "", ""},
	} {
		if f, ok := ParseFetch([]byte(line)); !ok || f != want {
			t.Errorf("%s: %+v, %v", line, f, ok)
		}
	}
	for _, bad := range []string{"", "* 1 FETCH", "* 1 FETCH (UID x)", "* 1 FETCH (FLAGS (", `* 1 FETCH (INTERNALDATE "a\"b")`, "* 1 FETCH (ENVELOPE x)"} {
		if f, ok := ParseFetch([]byte(bad)); ok {
			t.Errorf("%s: %+v", bad, f)
		}
	}
	for line, want := range map[string]string{
		`* METADATA "" ("/shared/x" "12;34")`:          "12;34",
		"* METADATA \"\" (/shared/x {5}\r\n12;34)\r\n": "12;34",
	} {
		if v, ok := ParseMetadata([]byte(line)); !ok || v != want {
			t.Errorf("%s: %q, %v", line, v, ok)
		}
	}
	if _, ok := ParseMetadata([]byte(`* METADATA "" ("/shared/x" NIL)`)); ok {
		t.Error("NIL is a value")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("* 1 FETCH (UID 3 FLAGS (x) BODY[] {3}\r\nabc)\r\n"))
	f.Add([]byte("* LIST (\\A) \"/\" {3}\r\nabc\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		ParseFetch(b)
		ParseList(b)
		ParseMetadata(b)
		bodyOf(b)
		if n, _ := literalOf(b); n >= 0 && !bytes.Contains(b, []byte("}")) {
			t.Errorf("literal of %d in %q", n, b)
		}
	})
}

// FuzzAnswer: whatever a backend says, the client gets nothing that it did not say.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("* 1 FETCH (BODY[] {5}\r\nabcde)\r\nt OK x\r\n"))
	f.Add([]byte("* BYE\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		near, far := net.Pipe()
		go func() {
			far.Write(b)
			far.Close()
		}()
		c := newConn("x", backend.Bare(backend.IMAP, near, backend.Options{}), waitLimit)
		clientNear, clientFar := net.Pipe()
		in := prot.New(clientNear)
		said := make(chan []byte)
		go func() {
			out, _ := io.ReadAll(clientFar)
			said <- out
		}()
		reply, err := c.Answer("t", &Relay{To: in})
		in.Close()
		near.Close()
		out := <-said
		if !bytes.HasPrefix(b, out) {
			t.Errorf("%q of %q", out, b)
		}
		if err == nil && reply.Status == "" {
			t.Error("no answer and no error")
		}
	})
}

// imapd is a backend that answers every command OK, and counts.
type imapd struct {
	l     net.Listener
	lines chan string
}

func newIMAPD(t testing.TB) *imapd {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &imapd{l, make(chan string, 100)}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return s
}

func (s *imapd) serve(c net.Conn) {
	defer c.Close()
	io.WriteString(c, "* OK [CAPABILITY IMAP4rev1 LITERAL+ AUTH=PLAIN SASL-IR] hello\r\n")
	r := bufio.NewReader(c)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		s.lines <- strings.TrimSpace(line)
		tag, rest, _ := strings.Cut(line, " ")
		switch {
		case strings.HasPrefix(rest, "DIE"):
			return
		case strings.HasPrefix(rest, "LOGOUT"):
			io.WriteString(c, "* BYE\r\n"+tag+" OK bye\r\n")
			return
		}
		io.WriteString(c, tag+" OK [CAPABILITY IMAP4rev1 LITERAL+ IDLE] done\r\n")
	}
}

// TestSet: one connection to a server, made again when it is gone.
func TestSet(t *testing.T) {
	s := newIMAPD(t)
	o := &proxy.Options{AuthName: "murder", Timeout: waitLimit, Address: func(*backend.Protocol, string) string { return s.l.Addr().String() }}
	set := NewSet(t.Context(), o, "alice", waitLimit, nil)
	c, err := set.Get("be1.example.org")
	if err != nil {
		t.Fatal(err)
	}
	if got := <-s.lines; !strings.HasPrefix(got, "A01 AUTHENTICATE PLAIN ") {
		t.Error(got)
	}
	if !c.Has("IDLE") {
		t.Error("no capabilities after login")
	}
	for range 2 {
		if err := set.Enable(c, "Qresync"); err != nil {
			t.Fatal(err)
		}
	}
	if got := <-s.lines; got != "PROXY0 Enable Qresync" {
		t.Error(got)
	}
	set.Put(c)
	again, err := set.Get("be1.example.org")
	if err != nil || again != c {
		t.Fatal(err, "another connection")
	}
	if _, err := set.Do(c, "DIE", nil); !errors.Is(err, ErrLost) {
		t.Error(err)
	}
	set.Put(c)
	fresh, err := set.Get("be1.example.org")
	if err != nil || fresh == c {
		t.Fatal(err, "the dead connection")
	}
	if fresh.Gone() {
		t.Error("gone")
	}
	set.Put(fresh)
	set.Close()
	for got := ""; got != "Q01 LOGOUT"; got = <-s.lines {
	}
	s.l.Close()
	if _, err := set.Get("be1.example.org"); !errors.Is(err, proxy.ErrUnavailable) {
		t.Error(err)
	}
}

// TestSetEnds: the end of the session ends what waits for a backend.
func TestSetEnds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // accepts, and never says anything
	ctx, cancel := context.WithCancel(t.Context())
	o := &proxy.Options{AuthName: "murder", Timeout: waitLimit, Address: func(*backend.Protocol, string) string { return l.Addr().String() }}
	set := NewSet(ctx, o, "alice", waitLimit, nil)
	go cancel()
	if _, err := set.Get("be1.example.org"); !errors.Is(err, proxy.ErrUnavailable) {
		t.Error(err)
	}
}
