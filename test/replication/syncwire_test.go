package replication

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"gocyrus/lib/cyrustest"
)

// A peer speaks the protocol of replication to a server, to ask it what it has.
// It is written from the description of the protocol alone.
type peer struct {
	conn net.Conn
	r    *bufio.Reader
}

// dialPeer connects and authenticates as the administrator.
func dialPeer(addr string) (*peer, error) {
	conn, err := net.DialTimeout("tcp", addr, cyrustest.Patience)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(cyrustest.Patience))
	p := &peer{conn, bufio.NewReaderSize(conn, 64<<10)}
	if err := p.login(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("%s: %w", addr, err)
	}
	return p, nil
}

func (p *peer) login() error {
	for {
		line, err := p.line()
		if err != nil {
			return fmt.Errorf("greeting: %w", err)
		}
		if strings.HasPrefix(line, "* OK") {
			break
		}
	}
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + cyrustest.Admin + "\x00" + cyrustest.Password))
	if _, err := p.do("AUTHENTICATE PLAIN " + plain); err != nil {
		return err
	}
	_, err := p.do("APPLY CAPABILITIES (SIEVE-MAILBOX)")
	return err
}

func (p *peer) close() {
	p.do("EXIT")
	p.conn.Close()
}

func (p *peer) line() (string, error) {
	line, err := p.r.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}

// do sends a command and returns the items of its answer.
func (p *peer) do(command string) ([]*node, error) {
	p.conn.SetDeadline(time.Now().Add(cyrustest.Patience))
	if _, err := io.WriteString(p.conn, command+"\r\n"); err != nil {
		return nil, err
	}
	var items []*node
	for {
		start, err := p.r.Peek(2)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", command, err)
		}
		if string(start) == "* " {
			p.r.Discard(2)
			n, err := readItem(p.r)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", command, err)
			}
			items = append(items, n)
			continue
		}
		line, err := p.line()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", command, err)
		}
		if !strings.HasPrefix(line, "OK ") {
			return items, fmt.Errorf("%s: %w", command, refusal(line))
		}
		return items, nil
	}
}

// A refusal is an answer that is not OK.
type refusal string

func (r refusal) Error() string { return string(r) }

// A node is a value of the protocol: text, list, or pairs.
type node struct {
	key  string // of an item, and in pairs
	text string // of a string or number
	list []*node
	kind byte // 'a' atom, 's' other string, '(' list, '%' pairs, 'f' file, 'N' NIL
}

// readItem reads a named value and the end of its line.
func readItem(r *bufio.Reader) (*node, error) {
	key, err := atom(r)
	if err != nil {
		return nil, err
	}
	if err := skipBlanks(r); err != nil {
		return nil, err
	}
	n, err := readValue(r)
	if err != nil {
		return nil, err
	}
	n.key = key
	rest, err := r.ReadString('\n')
	if err == nil && strings.Trim(rest, "\r\n") != "" {
		err = fmt.Errorf("%q after the value of %s", rest, key)
	}
	return n, err
}

func skipBlanks(r *bufio.Reader) error {
	for {
		c, err := r.ReadByte()
		if err != nil {
			return err
		}
		if c != ' ' {
			return r.UnreadByte()
		}
	}
}

func atom(r *bufio.Reader) (string, error) {
	var b strings.Builder
	for {
		c, err := r.ReadByte()
		if err != nil {
			return "", err
		}
		if strings.IndexByte(" ()\r\n", c) >= 0 {
			return b.String(), r.UnreadByte()
		}
		b.WriteByte(c)
	}
}

func readValue(r *bufio.Reader) (*node, error) {
	start, err := r.Peek(2)
	if err != nil {
		return nil, err
	}
	switch {
	case start[0] == '(':
		r.Discard(1)
		return readList(r, &node{kind: '('})
	case string(start) == "%(":
		r.Discard(2)
		return readList(r, &node{kind: '%'})
	case string(start) == "%{":
		r.Discard(1)
		return readFile(r)
	case start[0] == '{':
		text, err := readLiteral(r)
		return &node{kind: 's', text: text}, err
	case start[0] == '"':
		text, err := readQuoted(r)
		return &node{kind: 's', text: text}, err
	}
	text, err := atom(r)
	if text == "" && err == nil {
		err = errors.New("no value")
	}
	if text == "NIL" {
		return &node{kind: 'N'}, err
	}
	return &node{kind: 'a', text: text}, err
}

func readList(r *bufio.Reader, n *node) (*node, error) {
	for {
		if err := skipBlanks(r); err != nil {
			return nil, err
		}
		c, err := r.ReadByte()
		if err != nil {
			return nil, err
		}
		if c == ')' {
			return n, nil
		}
		r.UnreadByte()
		key := ""
		if n.kind == '%' {
			if key, err = atom(r); err != nil {
				return nil, err
			}
			if err := skipBlanks(r); err != nil {
				return nil, err
			}
		}
		v, err := readValue(r)
		if err != nil {
			return nil, err
		}
		v.key = key
		n.list = append(n.list, v)
	}
}

func readLiteral(r *bufio.Reader) (string, error) {
	head, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	head = strings.TrimRight(head, "\r\n")
	n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(head, "{"), "}"))
	if err != nil || n < 0 {
		return "", fmt.Errorf("literal %q", head)
	}
	text := make([]byte, n)
	_, err = io.ReadFull(r, text)
	return string(text), err
}

func readQuoted(r *bufio.Reader) (string, error) {
	r.ReadByte()
	var b strings.Builder
	for {
		c, err := r.ReadByte()
		if err != nil {
			return "", err
		}
		switch c {
		case '"':
			return b.String(), nil
		case '\\':
			if c, err = r.ReadByte(); err != nil {
				return "", err
			}
		}
		b.WriteByte(c)
	}
}

// readFile reads "{partition guid size}" CRLF and the octets.
func readFile(r *bufio.Reader) (*node, error) {
	head, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	f := strings.Fields(strings.Trim(head, "{}\r\n"))
	if len(f) != 3 {
		return nil, fmt.Errorf("file %q", head)
	}
	n, err := strconv.ParseUint(f[2], 10, 32)
	if err != nil {
		return nil, fmt.Errorf("file %q: %w", head, err)
	}
	text := make([]byte, n)
	_, err = io.ReadFull(r, text)
	return &node{kind: 'f', text: string(text)}, err
}

// get is the value of a key in pairs, or nil.
func (n *node) get(key string) *node {
	for _, v := range n.list {
		if v.key == key {
			return v
		}
	}
	return nil
}

// str is the text of a key in pairs, "" when it is not there.
func (n *node) str(key string) string {
	if v := n.get(key); v != nil {
		return v.text
	}
	return ""
}

// String is the value in one form whatever form it came in.
func (n *node) String() string {
	switch n.kind {
	case 'N':
		return "NIL"
	case 'f':
		return fmt.Sprintf("file of %d octets", len(n.text))
	case '(', '%':
		var all []string
		for _, v := range n.list {
			if text := v.String(); n.kind == '%' {
				all = append(all, v.key+"="+text)
			} else {
				all = append(all, text)
			}
		}
		return "(" + strings.Join(all, " ") + ")"
	}
	return strconv.Quote(n.text)
}

// quote is a name as the protocol takes it from a client, if it has no line
// ends.
func quote(name string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
}
