package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value any // bool, string or object
}

var formats = map[string]func(io.Writer, object) error{
	"pretty": pretty,
	"dense":  dense,
	"flat":   flat,
}

func pretty(w io.Writer, o object) error {
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(oneLine(o)), "", "  "); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, b.String())
	return err
}

func dense(w io.Writer, o object) error {
	_, err := fmt.Fprintln(w, oneLine(o))
	return err
}

// oneLine is v as JSON with a blank after each comma and colon, as Cyrus's JSON
// library writes it.
func oneLine(v any) string {
	o, ok := v.(object)
	if !ok {
		raw, _ := json.Marshal(v) // bool or string: cannot fail
		return string(raw)
	}
	s := "{"
	for i, m := range o {
		if i > 0 {
			s += ", "
		}
		s += oneLine(m.name) + ": " + oneLine(m.value)
	}
	return s + "}"
}

func flat(w io.Writer, o object) error { return flatten(w, "", o) }

func flatten(w io.Writer, prefix string, o object) error {
	for _, m := range o {
		var err error
		if inner, ok := m.value.(object); ok {
			err = flatten(w, prefix+m.name+".", inner)
		} else {
			_, err = fmt.Fprintf(w, "%s%s=%s\n", prefix, m.name, oneLine(m.value))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
