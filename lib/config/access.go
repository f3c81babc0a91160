package config

import (
	"fmt"
	"iter"
	"strings"
	"time"
)

// of finds the value of an option that the program believes to be of one of
// these types. A name that is not in the table, is deprecated or is of another
// type is a mistake in the program, not in the file.
func (c *Config) of(name string, types ...Type) (*Option, value) {
	i, ok := optionIndex[name]
	if !ok {
		panic("config: no option " + name)
	}
	o := &options[i]
	for _, t := range types {
		if o.Type == t && o.Deprecated == "" {
			return o, c.values[i]
		}
	}
	panic(fmt.Sprintf("config: option %s is a %v (deprecated: %q)", name, o.Type, o.Deprecated))
}

// Str is the text of a String or StringList; "" when it is unset.
func (c *Config) Str(name string) string {
	_, v := c.of(name, String, StringList)
	return v.s
}

// IsSet is false of an option that has neither value nor default. Only those
// of these types can be without a default.
func (c *Config) IsSet(name string) bool {
	_, v := c.of(name, String, StringList, Duration, ByteSize)
	return v.set
}

// List is a String split at white space.
func (c *Config) List(name string) []string { return strings.Fields(c.Str(name)) }

// Bool is the value of a Switch.
func (c *Config) Bool(name string) bool {
	_, v := c.of(name, Switch)
	return v.n != 0
}

// Int is the value of an Int.
func (c *Config) Int(name string) int {
	_, v := c.of(name, Int)
	return int(v.n)
}

// Bytes is a ByteSize in octets; 0 when it is unset.
func (c *Config) Bytes(name string) int64 {
	_, v := c.of(name, ByteSize)
	return v.n
}

// Duration is a Duration; 0 when it is unset. It may be negative.
func (c *Config) Duration(name string) time.Duration {
	_, v := c.of(name, Duration)
	return time.Duration(v.n) * time.Second
}

// Enum is the word of an Enum or StringList.
func (c *Config) Enum(name string) string {
	_, v := c.of(name, Enum, StringList)
	return v.s
}

// Bits are the words of a Bitfield, in the order of the table, each in its
// preferred spelling.
func (c *Config) Bits(name string) []string {
	o, v := c.of(name, Bitfield)
	return o.bitWords(v.n)
}

// Has says whether a Bitfield has word, in its preferred spelling.
func (c *Config) Has(name, word string) bool {
	o, v := c.of(name, Bitfield)
	bit, _, ok := o.bit(word)
	return ok && v.n&(1<<bit) != 0
}

// Extra is the value of a free-form key. One with the service's name and '_'
// before it wins.
func (c *Config) Extra(key string) (string, bool) {
	key = strings.ToLower(key)
	i, ok := c.extraIdx[strings.ToLower(c.service)+"_"+key]
	if !ok {
		i, ok = c.extraIdx[key]
	}
	if !ok {
		return "", false
	}
	return c.extra[i].value, true
}

// Extras yields every free-form key as it stands in the file, prefix and all,
// in the order of the file. An option under a deprecated name is among them.
func (c *Config) Extras() iter.Seq2[string, string] {
	return func(yield func(key, value string) bool) {
		for _, s := range c.extra {
			if !yield(s.key, s.value) {
				return
			}
		}
	}
}

// Text is the value of o as cyr_info prints it: switches as yes and no, words
// in their preferred spelling, the rest as it was written; an option that is
// unset, which set tells, is the empty string.
func (c *Config) Text(o *Option) (text string, set bool) {
	v := c.values[optionIndex[o.Name]]
	return o.text(v), v.set
}

// DefaultText is the same of o's default.
func (o *Option) DefaultText() string { return o.text(defaults[optionIndex[o.Name]]) }

// Changed says whether o's value is written differently from its default.
func (c *Config) Changed(o *Option) bool {
	i := optionIndex[o.Name]
	d := defaults[i]
	if o.Type == String {
		d.s = expand(d.s, c.Dir())
	}
	return c.values[i] != d
}

// Seen says whether the file gives o a value, be it the default one.
func (c *Config) Seen(o *Option) bool { return c.origin[optionIndex[o.Name]] != notSeen }
