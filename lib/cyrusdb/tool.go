package cyrusdb

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"

	"gocyrus/lib/cyrusdb/kv"
)

// What an engine may be able to do besides.
type (
	checker interface{ Consistent() error }
	packer  interface{ Checkpoint() error }
	dumper  interface {
		Dump(w io.Writer, detail int) error
	}
)

// Tool is cyr_dbtool's actions on an open database.
type Tool struct {
	DB       kv.DB
	In       *bufio.Reader
	Out, Err io.Writer
	Base64   bool // keys and values are in base64
	OneTx    bool // one transaction for all that an action does
}

// ErrDamage is the error of the action damage, which ends the program in the
// middle of a transaction.
var ErrDamage = errors.New("stop here")

// Run does one action. Most of what goes wrong is told and is no error, as
// scripts know it of the C tool.
func (t *Tool) Run(action string, args []string) error {
	switch action {
	case "get", "set", "delete":
		return t.in(func(tx accessor) error { return t.each(tx, action, args) })
	case "show":
		prefix := ""
		if len(args) > 0 {
			prefix = args[0]
		}
		return t.show(prefix)
	case "batch":
		t.batch()
	case "consistent":
		if t.check() != nil {
			fmt.Fprintln(t.Out, "No, not consistent")
		} else {
			fmt.Fprintln(t.Out, "Yes, consistent")
		}
	case "consistency":
		if err := t.check(); err != nil {
			fmt.Fprintln(t.Out, err)
		}
	case "repack":
		if p, ok := t.DB.(packer); ok {
			return p.Checkpoint()
		}
	case "dump":
		return t.dump(args)
	case "damage":
		return t.DB.Update(func(tx kv.Tx) error {
			return errors.Join(tx.Put([]byte("INVALID"), []byte("CRASHME")), ErrDamage)
		})
	default:
		fmt.Fprintf(t.Out, "Unknown action %s\n", action)
	}
	return nil
}

// accessor is a database, where each change is a transaction, or a transaction.
type accessor interface {
	Get(key []byte) ([]byte, error)
	Put(k, v []byte) error
	Delete(k []byte) error
	Scan(prefix []byte, fn func(k, v []byte) error) error
}

// single makes each change a transaction of its own.
type single struct{ kv.DB }

func (s single) Put(k, v []byte) error {
	return s.Update(func(tx kv.Tx) error { return tx.Put(k, v) })
}

func (s single) Delete(k []byte) error {
	return s.Update(func(tx kv.Tx) error { return tx.Delete(k) })
}

// in runs fn on the database or in one transaction.
func (t *Tool) in(fn func(accessor) error) error {
	if t.OneTx {
		return t.DB.Update(func(tx kv.Tx) error { return fn(tx) })
	}
	return fn(single{t.DB})
}

// each does a verb for the key of args or for those of standard input.
func (t *Tool) each(tx accessor, verb string, args []string) error {
	if len(args) > 0 {
		if verb == "set" && len(args) < 2 {
			return errors.New("set takes a key and a value")
		}
		return t.verb(tx, verb, []byte(args[0]), []byte(append(args, "")[1]))
	}
	for {
		key, val, err := readPair(t.In)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := t.verb(tx, verb, key, val); err != nil {
			return err
		}
	}
}

func (t *Tool) verb(tx accessor, verb string, key, val []byte) (err error) {
	if key, err = t.decode(key); err != nil {
		return err
	}
	switch verb {
	case "set":
		if val, err = t.decode(val); err != nil {
			return err
		}
		return tx.Put(key, val)
	case "delete":
		return tx.Delete(key)
	}
	val, err = tx.Get(key)
	if err != nil && !errors.Is(err, kv.ErrNotFound) {
		return err
	}
	// Of a key that is not there: an empty line, as in 3.6.
	_, err = fmt.Fprintf(t.Out, "%s\n", t.encode(val))
	return err
}

// maxPair bounds a line of input, in octets.
const maxPair = 64 << 20

// readPair reads a line: a key, ended by TAB or newline, and a value.
func readPair(in *bufio.Reader) (key, val []byte, err error) {
	var b []byte
	tab := -1
	for {
		c, err := in.ReadByte()
		if err == io.EOF && len(b) > 0 || err == nil && c == '\n' {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		if c == '\t' && tab < 0 {
			tab = len(b)
			continue
		}
		if b = append(b, c); len(b) > maxPair {
			return nil, nil, kv.ErrTooLarge
		}
	}
	if tab < 0 {
		return b, nil, nil
	}
	return b[:tab], b[tab:], nil
}

func (t *Tool) decode(b []byte) ([]byte, error) {
	if !t.Base64 {
		return b, nil
	}
	return base64.StdEncoding.AppendDecode(nil, b)
}

func (t *Tool) encode(b []byte) []byte {
	if !t.Base64 {
		return b
	}
	return base64.StdEncoding.AppendEncode(nil, b)
}

func (t *Tool) show(prefix string) error {
	out := bufio.NewWriterSize(t.Out, 64<<10)
	err := t.DB.Scan([]byte(prefix), func(k, v []byte) error {
		out.Write(t.encode(k))
		out.WriteByte('\t')
		out.Write(t.encode(v))
		return out.WriteByte('\n')
	})
	return errors.Join(err, out.Flush())
}

// check is no error for an engine that cannot tell.
func (t *Tool) check() error {
	if c, ok := t.DB.(checker); ok {
		return c.Consistent()
	}
	return nil
}

func (t *Tool) dump(args []string) error {
	d, ok := t.DB.(dumper)
	if !ok {
		return nil
	}
	detail := 1
	if len(args) > 0 {
		detail, _ = strconv.Atoi(args[0])
	}
	out := bufio.NewWriter(t.Out)
	return errors.Join(d.Dump(out, detail), out.Flush())
}
