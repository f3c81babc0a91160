// Package config reads imapd.conf.
//
// A file is lines of "key: value"; @include reads another in place. Keys are
// of two kinds: the options of one table, each with a type, a unit and a
// default, and free-form keys (partition-NAME, sasl_X, CHANNEL_sync_host ...)
// that are kept as text. A key with the name of the running service before it,
// such as imap_admins, beats the plain one in that service alone.
//
// Any mistake in a file is an error that names the file, the line and the
// reason; unknown keys are none. Below the program's main, packages take what
// they need in an OptionsFrom(cfg) of theirs and ask for no option by name.
package config

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// DefaultPath is the file read when a program is given no other.
const DefaultPath = "/etc/imapd.conf"

// Config is what one program sees of imapd.conf. It does not change after it
// is loaded and may be used by any number of goroutines.
type Config struct {
	path     string
	service  string
	values   []value   // by index into the table
	origin   []seenAs  // the same
	extra    []setting // free-form keys, in file order, and deprecated options as written
	extraIdx map[string]int
	warnings []string
	parts    []Partition
}

// seenAs says how an option came by its value.
type seenAs uint8

const (
	notSeen    seenAs = iota
	seenPlain         // "admins:"
	seenPrefix        // "imap_admins:", which beats the other
)

// Load reads the file at path, or DefaultPath when that is empty. service is
// the name of the entry in cyrus.conf, or that of a tool; options that carry
// it as a prefix win. The error is an *Error.
func Load(path, service string) (*Config, error) {
	if path == "" {
		path = DefaultPath
	}
	r := reader{seen: make(map[string]bool)}
	if err := r.file(path); err != nil {
		return nil, err
	}
	return build(path, service, r.settings)
}

// Parse is Load from a reader; name stands for the file in errors.
func Parse(in io.Reader, name, service string) (*Config, error) {
	r := reader{seen: make(map[string]bool)}
	if err := r.read(in, name); err != nil {
		return nil, err
	}
	return build(name, service, r.settings)
}

func build(path, service string, settings []setting) (*Config, error) {
	c := &Config{
		path:     path,
		service:  service,
		values:   append([]value(nil), defaults...),
		origin:   make([]seenAs, len(options)),
		extraIdx: make(map[string]int),
	}
	lines := make(map[int]setting) // where each option got its value
	for _, s := range settings {
		if err := c.add(s, lines); err != nil {
			return nil, err
		}
	}
	if err := c.checkDirectory(); err != nil {
		return nil, err
	}
	c.expandDirectory()
	c.moveDeprecated()
	if err := c.foldPartition(); err != nil {
		return nil, err
	}
	c.parts = c.partitions()
	c.warn(lines)
	return c, nil
}

// add takes one setting to the option it names, or to the free-form keys.
func (c *Config) add(s setting, lines map[int]setting) error {
	i, as, ok := c.option(s.key)
	if !ok {
		return c.addExtra(s)
	}
	o := &options[i]
	switch {
	case as == c.origin[i]:
		return twice(s)
	case as == seenPlain && c.origin[i] == seenPrefix:
		return nil
	}
	c.origin[i] = as
	lines[i] = s
	if o.Deprecated != "" {
		if err := c.addExtra(s); err != nil {
			return err
		}
	}
	v, old, err := o.parse(s.value)
	if err != nil {
		return badValue(o, s, err)
	}
	for _, w := range old {
		bit, _, _ := o.bit(w)
		c.warnf("Value '%s' for option '%s' is deprecated in favor of value '%s'", w, o.Name, o.bitWords(1 << bit)[0])
	}
	c.values[i] = v
	return nil
}

func badValue(o *Option, s setting, err error) error {
	what := err.Error()
	if errors.Is(err, errDuration) || errors.Is(err, errByteSize) {
		what += " '" + s.value + "'"
	}
	return &Error{File: s.file, Line: s.line, Err: err,
		Text: fmt.Sprintf("%s for %s in line %d of configuration file %s", what, o.Name, s.line, s.file)}
}

func twice(s setting) error {
	return &Error{File: s.file, Line: s.line,
		Text: fmt.Sprintf("option '%s' was specified twice in config file %s (second occurrence on line %d)", s.key, s.file, s.line)}
}

// option finds the option that key means here.
func (c *Config) option(key string) (i int, as seenAs, ok bool) {
	if n := len(c.service); n > 0 && len(key) > n && key[n] == '_' && strings.EqualFold(key[:n], c.service) {
		if i, ok = optionIndex[key[n+1:]]; ok {
			return i, seenPrefix, true
		}
	}
	i, ok = optionIndex[key]
	return i, seenPlain, ok
}

func (c *Config) addExtra(s setting) error {
	if _, ok := c.extraIdx[s.key]; ok {
		return twice(s)
	}
	c.extraIdx[s.key] = len(c.extra)
	c.extra = append(c.extra, s)
	return nil
}

// checkDirectory says whether there is a configdirectory, which every program
// needs.
func (c *Config) checkDirectory() error {
	if c.Dir() == "" {
		return &Error{File: c.path, Text: "configdirectory option not specified in configuration file " + c.path}
	}
	return nil
}

const directoryMark = "{configdirectory}"

// expandDirectory replaces the mark at the start of any String.
func (c *Config) expandDirectory() {
	dir := c.Dir()
	for i := range options {
		if options[i].Type == String && c.values[i].set {
			c.values[i].s = expand(c.values[i].s, dir)
		}
	}
}

func expand(s, dir string) string {
	if n := len(directoryMark); len(s) >= n && strings.EqualFold(s[:n], directoryMark) {
		return dir + s[n:]
	}
	return s
}

// moveDeprecated gives each old option's value to the one that took its place,
// unless that is set itself.
func (c *Config) moveDeprecated() {
	for i := range options {
		o := &options[i]
		if o.Deprecated == "" || c.origin[i] == notSeen {
			continue
		}
		if o.UseInstead == "" {
			c.warnf("Option '%s' is deprecated in version %s.", o.Name, o.Deprecated)
			continue
		}
		c.warnf("Option '%s' is deprecated in favor of '%s' since version %s.", o.Name, o.UseInstead, o.Deprecated)
		to := optionIndex[o.UseInstead]
		if c.origin[to] != notSeen {
			continue
		}
		c.origin[to] = c.origin[i]
		c.values[to] = c.values[i]
		if c.values[i].s != "" {
			c.values[i] = value{} // as Cyrus does; numbers stay
		}
	}
}

// Path is the name of the file that was read.
func (c *Config) Path() string { return c.path }

// Service is the name whose prefixed options won.
func (c *Config) Service() string { return c.service }

// Dir is configdirectory.
func (c *Config) Dir() string { return c.values[optionIndex["configdirectory"]].s }
