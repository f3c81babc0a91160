package rig

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"gocyrus/lib/cyrustest"
)

// Patience bounds the wait for one answer: longer means that the server hangs. Servers
// of a Murder wait for each other, and for etcd, up to half of it.
const Patience = cyrustest.Patience

// A Conn is a connection of which a test sees every octet.
type Conn struct {
	net.Conn
	R *bufio.Reader
}

// Dial connects to an address.
func Dial(addr string) (*Conn, error) {
	c, err := net.DialTimeout("tcp", addr, Patience)
	if err != nil {
		return nil, err
	}
	return &Conn{Conn: c, R: bufio.NewReaderSize(c, 64<<10)}, nil
}

// Send writes s.
func (c *Conn) Send(s string) error {
	c.SetWriteDeadline(time.Now().Add(Patience))
	_, err := io.WriteString(c.Conn, s)
	return err
}

// Line reads a line, without its end.
func (c *Conn) Line() (string, error) {
	c.SetReadDeadline(time.Now().Add(Patience))
	line, err := c.R.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}

// An IMAP is an IMAP session.
type IMAP struct {
	*Conn
	tag int
}

// A Reply is the answer to one command.
type Reply struct {
	Status   string // OK, NO or BAD
	Text     string // what follows it
	Untagged []Untagged
}

// OK says whether the command succeeded.
func (r *Reply) OK() bool { return r.Status == "OK" }

// Code returns the arguments of a response code of the tagged reply, such as
// APPENDUID.
func (r *Reply) Code(name string) ([]string, bool) { return code(r.Text, name) }

// UntaggedCode looks for a response code among the untagged OK replies.
func (r *Reply) UntaggedCode(name string) ([]string, bool) {
	for _, u := range r.Untagged {
		if text, ok := strings.CutPrefix(u.Text, "OK "); ok {
			if args, ok := code(text, name); ok {
				return args, true
			}
		}
	}
	return nil, false
}

func code(text, name string) ([]string, bool) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), "["+name)
	if !ok {
		return nil, false
	}
	inside, _, ok := strings.Cut(rest, "]")
	if !ok || inside != "" && inside[0] != ' ' {
		return nil, false
	}
	return strings.Fields(inside), true
}

// An Untagged is an untagged reply: its text without "* ", literals cut out
// behind their {n}.
type Untagged struct {
	Text     string
	Literals [][]byte
}

// DialIMAP connects and reads the greeting.
func DialIMAP(addr string) (*IMAP, error) {
	c, err := Dial(addr)
	if err != nil {
		return nil, err
	}
	line, err := c.Line()
	if err == nil && !strings.HasPrefix(line, "* OK") {
		err = fmt.Errorf("greeting %q", line)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return &IMAP{Conn: c}, nil
}

// Login is DialIMAP and LOGIN.
func Login(addr, user string) (*IMAP, error) {
	c, err := DialIMAP(addr)
	if err != nil {
		return nil, err
	}
	r, err := c.Do("LOGIN " + user + " secret")
	if err == nil && !r.OK() {
		err = fmt.Errorf("LOGIN %s: %s %s", user, r.Status, r.Text)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Do sends a command, whose literals are non-synchronising, and reads its
// answer.
func (c *IMAP) Do(command string) (*Reply, error) {
	tag, err := c.Start(command)
	if err != nil {
		return nil, err
	}
	return c.Await(tag)
}

// Start sends a command and returns its tag.
func (c *IMAP) Start(command string) (string, error) {
	c.tag++
	tag := "t" + strconv.Itoa(c.tag)
	return tag, c.Send(tag + " " + command + "\r\n")
}

// Await reads up to the reply with a tag.
func (c *IMAP) Await(tag string) (*Reply, error) {
	r := &Reply{}
	for {
		text, lits, err := c.response()
		if err != nil {
			return r, err
		}
		if rest, ok := strings.CutPrefix(text, "* "); ok {
			r.Untagged = append(r.Untagged, Untagged{rest, lits})
			continue
		}
		rest, ok := strings.CutPrefix(text, tag+" ")
		if !ok {
			return r, fmt.Errorf("%q instead of a reply to %s", text, tag)
		}
		r.Status, r.Text, _ = strings.Cut(rest, " ")
		return r, nil
	}
}

// response reads one reply with its literals.
func (c *IMAP) response() (string, [][]byte, error) {
	line, err := c.Line()
	var text strings.Builder
	text.WriteString(line)
	var lits [][]byte
	for n := announced(line); err == nil && n >= 0; n = announced(line) {
		lit := make([]byte, n)
		if _, err = io.ReadFull(c.R, lit); err != nil {
			break
		}
		lits = append(lits, lit)
		line, err = c.Line()
		text.WriteString(line)
	}
	return text.String(), lits, err
}

// announced is the length of the literal that a line ends with, or -1.
func announced(line string) int {
	open := strings.LastIndexByte(line, '{')
	if open < 0 || !strings.HasSuffix(line, "}") {
		return -1
	}
	n, err := strconv.Atoi(line[open+1 : len(line)-1])
	if err != nil || n < 0 {
		return -1
	}
	return n
}
