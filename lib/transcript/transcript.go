// Package transcript plays written protocol sessions against a server.
//
// A script is a text file, one step a line:
//
//	# comment
//	C: a1 NOOP                  the client sends this line and CRLF
//	C- a1 APPEND x {5}          the same without CRLF
//	S: a1 OK Completed          the server's next line is exactly this
//	S~ \* (?P<n>\d+) EXISTS     it matches this regexp; n is kept as $n
//	S* a1 OK .*                 lines are passed over up to one that matches
//	S. 	                        the server closes the connection
//	C2: b1 IDLE                 the same, on a second connection
//
// In a C line, \xNN stands for an octet, and \{N}\ for N letters "a". go test -update rewrites the S: lines that differ to what the server
// said; the change is then read in the diff, like code.
package transcript

import (
	"bufio"
	"bytes"
	"flag"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite S: lines of transcripts")

// Timeout is how long a step waits for the server's line. It only bounds a test
// that has failed already.
const Timeout = 20 * time.Second

// Dial returns the client's end of a new connection.
type Dial func(*testing.T) net.Conn

var stepRE = regexp.MustCompile(`^([CS])(\d*)([-:~*.]) ?(.*)\n?$`)

// Dir plays every script in dir that matches pattern, each as a subtest. start
// makes a fresh server for each.
func Dir(t *testing.T, dir, pattern string, start func(*testing.T) Dial) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(dir, pattern))
	if len(files) == 0 {
		t.Fatalf("no script matches %s in %s", pattern, dir)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), filepath.Ext(f)), func(t *testing.T) {
			Play(t, f, start(t))
		})
	}
}

type peer struct {
	net.Conn
	*bufio.Reader
}

// player is one script under way.
type player struct {
	t     *testing.T
	file  string
	line  int
	dial  Dial
	peers map[string]*peer
	vars  map[string]string
}

// Play plays one script.
func Play(t *testing.T, file string, dial Dial) {
	script, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p := &player{t: t, file: file, dial: dial, peers: map[string]*peer{}, vars: map[string]string{}}
	defer func() {
		for _, c := range p.peers {
			c.Close()
		}
	}()
	var got bytes.Buffer
	for step := range strings.SplitAfterSeq(string(script), "\n") {
		p.line++
		got.WriteString(p.step(step))
	}
	if *update && !bytes.Equal(got.Bytes(), script) {
		if err := os.WriteFile(file, got.Bytes(), 0o666); err != nil {
			t.Error(err)
		}
	}
}

// step does one line of the script and returns it, or what -update puts in its
// place.
func (p *player) step(step string) string {
	m := stepRE.FindStringSubmatch(step)
	if m == nil {
		if s := strings.TrimSpace(step); s != "" && s[0] != '#' {
			p.t.Fatalf("%s:%d: not a step: %s", p.file, p.line, s)
		}
		return step
	}
	who, conn, how, text := m[1], m[2], m[3], m[4]
	c := p.peer(conn)
	if who == "C" {
		line := unescape(p.expand(text))
		if how != "-" {
			line += "\r\n"
		}
		// A server that has had enough may close while the client still
		// writes; the S line behind says what is expected.
		io.WriteString(c.Conn, line)
		return step
	}
	switch how {
	case ".":
		if line, err := c.ReadString('\n'); err == nil {
			p.t.Fatalf("%s:%d: want the end, got %q", p.file, p.line, line)
		}
		return step
	case "*":
		p.skip(c, text)
		return step
	}
	line := p.read(c, text)
	if p.match(how, text, line) {
		return step
	}
	if !*update {
		p.t.Errorf("%s:%d:\n want %s\n  got %s", p.file, p.line, p.expand(text), line)
	}
	return "S" + conn + ": " + line + "\n"
}

func (p *player) peer(conn string) *peer {
	c, ok := p.peers[conn]
	if !ok {
		nc := p.dial(p.t)
		c = &peer{nc, bufio.NewReader(nc)}
		p.peers[conn] = c
	}
	c.SetDeadline(time.Now().Add(Timeout))
	return c
}

func (p *player) read(c *peer, want string) string {
	line, err := c.ReadString('\n')
	if err != nil {
		p.t.Fatalf("%s:%d: want %q, got %q, %v", p.file, p.line, want, line, err)
	}
	return strings.TrimRight(line, "\r\n")
}

func (p *player) skip(c *peer, want string) {
	for !p.match("~", want, p.read(c, want)) {
	}
}

func (p *player) expand(text string) string {
	for k, v := range p.vars {
		text = strings.ReplaceAll(text, "$"+k, v)
	}
	return text
}

// match reports whether line is what a step wants, and keeps the named groups
// of a regexp step.
func (p *player) match(how, want, line string) bool {
	if how == ":" {
		return line == p.expand(want)
	}
	for k, v := range p.vars {
		want = strings.ReplaceAll(want, "$"+k, regexp.QuoteMeta(v))
	}
	re, err := regexp.Compile("^(?:" + want + ")$")
	if err != nil {
		p.t.Fatalf("%s:%d: %v", p.file, p.line, err)
	}
	m := re.FindStringSubmatch(line)
	for i, name := range re.SubexpNames() {
		if m != nil && name != "" {
			p.vars[name] = m[i]
		}
	}
	return m != nil
}

var escapeRE = regexp.MustCompile(`\\(?:x([0-9a-fA-F]{2})|\{(\d+)\}\\)`)

// unescape replaces the escapes of a C line.
func unescape(s string) string {
	return escapeRE.ReplaceAllStringFunc(s, func(e string) string {
		m := escapeRE.FindStringSubmatch(e)
		if m[1] != "" {
			n, _ := strconv.ParseUint(m[1], 16, 8)
			return string([]byte{byte(n)})
		}
		n, _ := strconv.Atoi(m[2])
		return strings.Repeat("a", n)
	})
}
