package cyrusdb

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"gocyrus/lib/cyrusdb/kv"
)

// told is an error of a batch, in the words of Cyrus's IMAP error table.
type told string

func (t told) Error() string { return string(t) }

const (
	errSyntax  = told("Syntax error in parameters")
	errInTx    = told("Mailbox is locked")
	errNoTx    = told("Item does not exist")
	errCommand = told("Mailbox does not exist")
)

// errAbort ends a transaction that shall leave nothing.
var errAbort = errors.New("aborted")

// batcher reads commands, a line each:
//
//	BEGIN | COMMIT | ABORT | SHOW [prefix] | GET key | SET key value | DELETE key
//
// Arguments are IMAP strings: atoms, quoted, literals.
type batcher struct {
	*Tool
	line int
	word string
}

// batch runs commands until the end of input or the first that fails, which is
// told on Err. A transaction still open then is undone.
func (t *Tool) batch() {
	b := &batcher{Tool: t}
	if err := b.outside(); err != io.EOF {
		fmt.Fprintf(t.Err, "FAILED: line %d at cmd %s with error %s\n", b.line, b.word, err)
	}
}

// outside runs commands that are no part of a transaction, up to an error or
// io.EOF.
func (b *batcher) outside() error {
	for {
		args, err := b.command()
		if err != nil {
			return err
		}
		switch b.word {
		case "BEGIN":
			err = b.DB.Update(func(tx kv.Tx) error { return b.inside(tx) })
			if errors.Is(err, errAbort) {
				err = nil
			}
		case "COMMIT", "ABORT":
			err = errNoTx
		default:
			err = b.run(single{b.DB}, args)
		}
		if err != nil {
			return err
		}
	}
}

// inside runs commands up to COMMIT. Its error undoes what they did.
func (b *batcher) inside(tx kv.Tx) error {
	for {
		args, err := b.command()
		if err != nil {
			return err
		}
		switch b.word {
		case "COMMIT":
			return nil
		case "ABORT":
			return errAbort
		case "BEGIN":
			return errInTx
		}
		if err := b.run(tx, args); err != nil {
			return err
		}
	}
}

func (b *batcher) run(tx accessor, args [2][]byte) error {
	var err error
	if b.word != "SHOW" {
		if args[0], err = b.decode(args[0]); err != nil {
			return errSyntax
		}
	}
	switch b.word {
	case "":
		return nil
	case "SHOW":
		prefix, err := b.decode(args[0])
		if err != nil {
			return errSyntax
		}
		return tx.Scan(prefix, b.print)
	case "GET":
		v, err := tx.Get(args[0])
		if errors.Is(err, kv.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return b.print(args[0], v)
	case "SET":
		v, err := b.decode(args[1])
		if err != nil {
			return errSyntax
		}
		return tx.Put(args[0], v)
	case "DELETE":
		return tx.Delete(args[0])
	}
	return errCommand
}

func (b *batcher) print(k, v []byte) error {
	line := appendAString(nil, b.encode(k))
	line = appendAString(append(line, ' '), b.encode(v))
	_, err := b.Out.Write(append(line, '\n'))
	return err
}

// command reads a line into word and arguments.
func (b *batcher) command() (args [2][]byte, err error) {
	b.line++
	b.word = ""
	word, c, err := b.atom(0)
	if err != nil && (err != io.EOF || len(word) > 0) {
		return args, err
	}
	if err == io.EOF {
		return args, io.EOF
	}
	b.word = string(word)
	for i := range args {
		if c == ' ' {
			if args[i], c, err = b.aString(); err != nil {
				return args, err
			}
		}
	}
	if c == '\r' {
		if c, err = b.In.ReadByte(); err != nil {
			return args, errSyntax
		}
	}
	if c != '\n' {
		return args, errSyntax
	}
	return args, nil
}

// atom reads up to a space or the end of the line, and returns what ended it.
func (b *batcher) atom(first byte) (word []byte, end byte, err error) {
	if first != 0 {
		word = append(word, first)
	}
	for {
		c, err := b.In.ReadByte()
		if err != nil {
			return word, 0, err
		}
		if c == ' ' || c == '\r' || c == '\n' {
			return word, c, nil
		}
		if word = append(word, c); len(word) > maxPair {
			return nil, 0, errSyntax
		}
	}
}

func (b *batcher) aString() (s []byte, end byte, err error) {
	c, err := b.In.ReadByte()
	if err != nil {
		return nil, 0, errSyntax
	}
	switch c {
	case '"':
		s, err = b.quoted()
	case '{':
		s, err = b.literal()
	case ' ', '\r', '\n':
		return nil, c, nil
	default:
		return b.atom(c)
	}
	if err == nil {
		end, err = b.In.ReadByte()
	}
	if err != nil {
		return nil, 0, errSyntax
	}
	return s, end, nil
}

func (b *batcher) quoted() (s []byte, err error) {
	for len(s) < maxPair {
		c, err := b.In.ReadByte()
		switch {
		case err != nil:
			return nil, err
		case c == '"':
			return s, nil
		case c == '\r' || c == '\n':
			return nil, errSyntax
		case c == '\\':
			if c, err = b.In.ReadByte(); err != nil {
				return nil, err
			}
		}
		s = append(s, c)
	}
	return nil, errSyntax
}

// literal reads {n}CRLF or {n+}CRLF and n octets.
func (b *batcher) literal() ([]byte, error) {
	head, err := b.In.ReadString('\n')
	if err != nil {
		return nil, err
	}
	digits := 0
	for digits < len(head) && head[digits] >= '0' && head[digits] <= '9' {
		digits++
	}
	n, err := strconv.Atoi(head[:digits])
	rest := head[digits:]
	if err != nil || n > maxPair || rest != "}\r\n" && rest != "+}\r\n" {
		return nil, errSyntax
	}
	s := make([]byte, n)
	_, err = io.ReadFull(b.In, s)
	return s, err
}

// appendAString appends s as atom, quoted string or literal.
func appendAString(dst, s []byte) []byte {
	atom, quotable := len(s) > 0 && len(s) < 1024, len(s) < 1024
	for _, c := range s {
		switch {
		case c >= 0x80 || c == 0 || c == '\r' || c == '\n' || c == '"' || c == '%' || c == '\\':
			return append(append(strconv.AppendInt(append(dst, '{'), int64(len(s)), 10), "}\r\n"...), s...)
		case c <= ' ' || c == 0x7f || c == '(' || c == ')' || c == '{' || c == '*':
			atom = c == 0x1f && atom
		}
	}
	switch {
	case atom && !(len(s) == 3 && s[0]|32 == 'n' && s[1]|32 == 'i' && s[2]|32 == 'l'):
		return append(dst, s...)
	case quotable:
		return append(append(append(dst, '"'), s...), '"')
	}
	return append(append(strconv.AppendInt(append(dst, '{'), int64(len(s)), 10), "}\r\n"...), s...)
}
