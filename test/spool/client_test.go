package spool_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// client is a session that hands out what the server said as it said it: a
// client library would hide the differences that are looked for.
type client struct {
	conn net.Conn
	r    *bufio.Reader
	n    int
}

func dial(t testing.TB, addr, user string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(5 * time.Minute))
	c := &client{conn: conn, r: bufio.NewReader(conn)}
	if _, err := c.line(); err != nil {
		t.Fatalf("greeting: %v", err)
	}
	c.must(t, "AUTHENTICATE PLAIN "+base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00secret")))
	return c
}

var literalEnd = regexp.MustCompile(`\{(\d+)\}\r\n$`)

// line is the next line, with the literals in it.
func (c *client) line() ([]byte, error) {
	var out []byte
	for {
		l, err := c.r.ReadBytes('\n')
		if err != nil {
			return nil, err
		}
		out = append(out, l...)
		m := literalEnd.FindSubmatch(l)
		if m == nil {
			return bytes.TrimSuffix(out, []byte("\r\n")), nil
		}
		size, err := strconv.Atoi(string(m[1]))
		if err != nil {
			return nil, err
		}
		literal := make([]byte, size)
		if _, err := io.ReadFull(c.r, literal); err != nil {
			return nil, err
		}
		out = append(out, literal...)
	}
}

// refused is the error of a command that was not answered with OK.
type refused struct{ command, reply string }

func (e *refused) Error() string { return e.command + ": " + e.reply }

// do sends a command and returns the untagged lines and the tagged one without
// its tag. The error is a *refused or that of the connection.
func (c *client) do(command string) (untagged [][]byte, reply string, err error) {
	c.n++
	tag := fmt.Sprintf("a%d ", c.n)
	if _, err := io.WriteString(c.conn, tag+command+"\r\n"); err != nil {
		return nil, "", err
	}
	for {
		l, err := c.line()
		if err != nil {
			return untagged, "", fmt.Errorf("%s: %w", command, err)
		}
		rest, ok := bytes.CutPrefix(l, []byte(tag))
		if !ok {
			untagged = append(untagged, l)
			continue
		}
		reply := string(rest)
		if !strings.HasPrefix(reply, "OK") {
			err = &refused{command, reply}
		}
		return untagged, reply, err
	}
}

// must is do for a command that has to succeed.
func (c *client) must(t testing.TB, command string) [][]byte {
	t.Helper()
	lines, _, err := c.do(command)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// ask is do for a command that may be refused.
func (c *client) ask(t testing.TB, command string) ([][]byte, string) {
	t.Helper()
	lines, reply, err := c.do(command)
	var no *refused
	if err != nil && !errors.As(err, &no) {
		t.Fatal(err)
	}
	return lines, reply
}

// append appends a message with what stands before it: flags and date.
func (c *client) append(t testing.TB, box, options, message string) {
	t.Helper()
	c.must(t, fmt.Sprintf("APPEND %s %s{%d+}\r\n%s", quote(box), options, len(message), message))
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// octets is a string of the protocol, quoted or literal.
type octets []byte

var atomEnd = regexp.MustCompile(`^[^\s()"]+(\[[^\]]*\])?(<\d+>)?`)

// parse reads one value: a list is []any, a string octets, a number float64, NIL
// nil, any other word a string.
func parse(b []byte) (v any, rest []byte, err error) {
	b = bytes.TrimLeft(b, " ")
	switch {
	case len(b) == 0:
		return nil, nil, io.ErrUnexpectedEOF
	case b[0] == '(':
		list := []any{}
		b = b[1:]
		for {
			b = bytes.TrimLeft(b, " ")
			if len(b) > 0 && b[0] == ')' {
				return list, b[1:], nil
			}
			if v, b, err = parse(b); err != nil {
				return nil, nil, err
			}
			list = append(list, v)
		}
	case b[0] == '"':
		return parseQuoted(b[1:])
	case b[0] == '{' || bytes.HasPrefix(b, []byte("~{")):
		return parseLiteral(bytes.TrimPrefix(b, []byte("~")))
	}
	word := atomEnd.Find(b)
	if word == nil {
		return nil, nil, fmt.Errorf("no value: %.40q", b)
	}
	if n, err := strconv.ParseUint(string(word), 10, 64); err == nil {
		return float64(n), b[len(word):], nil
	}
	if string(word) == "NIL" {
		return nil, b[len(word):], nil
	}
	return string(word), b[len(word):], nil
}

func parseQuoted(b []byte) (any, []byte, error) {
	s := octets{}
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			return s, b[i+1:], nil
		case '\\':
			if i++; i == len(b) {
				return nil, nil, io.ErrUnexpectedEOF
			}
		}
		s = append(s, b[i])
	}
	return nil, nil, io.ErrUnexpectedEOF
}

func parseLiteral(b []byte) (any, []byte, error) {
	end := bytes.Index(b, []byte("}\r\n"))
	if end < 0 {
		return nil, nil, io.ErrUnexpectedEOF
	}
	n, err := strconv.Atoi(strings.TrimSuffix(string(b[1:end]), "+"))
	b = b[end+3:]
	if err != nil || n > len(b) {
		return nil, nil, fmt.Errorf("literal of %d octets, %d are there: %v", n, len(b), err)
	}
	return octets(b[:n]), b[n:], nil
}

// parseAll reads the values up to the end of a line.
func parseAll(b []byte) ([]any, error) {
	var all []any
	for len(bytes.TrimLeft(b, " ")) > 0 {
		v, rest, err := parse(b)
		if err != nil {
			return nil, err
		}
		all, b = append(all, v), rest
	}
	return all, nil
}

// plain is a value in the form that the truth files have.
func plain(v any) any {
	switch v := v.(type) {
	case octets:
		if utf8.Valid(v) {
			return string(v)
		}
		return map[string]any{"b64": base64.StdEncoding.EncodeToString(v)}
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plain(v[i])
		}
		return out
	}
	return v
}

// pairs is a list of names and values as a map.
func pairs(list []any) (map[string]any, error) {
	m := map[string]any{}
	for i := 0; i+1 < len(list); i += 2 {
		name, ok := list[i].(string)
		if o, isString := list[i].(octets); isString {
			name, ok = string(o), true
		}
		if !ok {
			return nil, fmt.Errorf("%v is no name", list[i])
		}
		m[name] = list[i+1]
	}
	return m, nil
}
