package config

import (
	"fmt"
	"slices"
)

// Warnings are remarks on the file, one text each, for the log: names and words
// that are deprecated, options that are set but not honoured here, and keys
// nobody knows.
func (c *Config) Warnings() []string { return slices.Clone(c.warnings) }

func (c *Config) warnf(format string, args ...any) {
	c.warnings = append(c.warnings, fmt.Sprintf(format, args...))
}

// warn adds what can be said once every option has its value.
func (c *Config) warn(lines map[int]setting) {
	for i := range options {
		s, ok := lines[i]
		if !ok {
			continue
		}
		o := &options[i]
		if target, ok := Lookup(o.UseInstead); ok {
			o = target
		}
		if !o.Honoured && c.differs(o) {
			c.warnf("Option '%s' on line %d of %s is not honoured by this server", options[i].Name, s.line, s.file)
		}
	}
	for _, s := range c.extra {
		if !plausible(s.key) {
			c.warnf("Option '%s' on line %d of %s is unknown", s.key, s.line, s.file)
		}
	}
	c.warnings = append(c.warnings, c.clashes()...)
}

// differs says whether o means something else than by default: unlike Changed,
// it finds no difference between 32m and 1920s.
func (c *Config) differs(o *Option) bool {
	i := optionIndex[o.Name]
	if o.Type == Duration || o.Type == ByteSize {
		return c.values[i].n != defaults[i].n
	}
	return c.Changed(o)
}

// plausible says whether a free-form key may mean something to some program: it
// matches a pattern, or is an option with what may be a service's name, a
// channel's or a host's before it. Which names those are, the file cannot tell.
func plausible(key string) bool {
	if _, ok := optionIndex[key]; ok || KnownPattern(key) {
		return true
	}
	for i := range key {
		if key[i] != '_' {
			continue
		}
		if _, ok := optionIndex[key[i+1:]]; ok || KnownPattern(key[i+1:]) {
			return true
		}
	}
	return false
}
