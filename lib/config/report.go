package config

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Release is a version of Cyrus.
type Release [3]uint8

// ErrRelease is the error of a text that is no version.
var ErrRelease = errors.New("not a version")

// ParseRelease reads "3.4", "3.4.2" or "cyrus-imapd 3.4.2-Debian"; what follows
// the third number or a '-' does not count.
func ParseRelease(s string) (Release, error) {
	const product = "cyrus-imapd"
	if rest, ok := strings.CutPrefix(s, product); ok && rest != "" && (rest[0] == '-' || rest[0] == ' ') {
		s = rest[1:]
	}
	s, _, _ = strings.Cut(s, "-")
	var r Release
	for i, part := range strings.SplitN(s, ".", 4) {
		if i == len(r) {
			break
		}
		n, err := strconv.ParseUint(part, 10, 8)
		if err != nil {
			return Release{}, fmt.Errorf("%w: %q", ErrRelease, s)
		}
		r[i] = uint8(n)
	}
	return r, nil
}

// mark is what stands before an option that is newer than since: "(3.6.0) ", or
// nothing when there is no since.
func mark(o *Option, since *Release) string {
	if since == nil {
		return ""
	}
	changed, err := ParseRelease(o.Changed)
	if err != nil || slices.Compare(since[:], changed[:]) >= 0 {
		return ""
	}
	return fmt.Sprintf("(%d.%d.%d) ", changed[0], changed[1], changed[2])
}

// Print writes every option, or only those that differ from their default, as
// "name: value", then the free-form keys. Options changed after since, if it is
// not nil, are marked. It is what cyr_info prints.
func (c *Config) Print(w io.Writer, onlyChanged bool, since *Release) error {
	var b strings.Builder
	for i := range options {
		o := &options[i]
		if onlyChanged && !c.Changed(o) {
			continue
		}
		text, set := c.Text(o)
		if !set && (o.Type == Duration || o.Type == ByteSize) {
			text = "(null)" // so Cyrus prints these, and nothing for a string
		}
		writeOption(&b, mark(o, since), o, text)
	}
	for key, value := range c.Extras() {
		fmt.Fprintf(&b, "%s: %s\n", key, value)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// PrintDefaults writes the default of every option.
func PrintDefaults(w io.Writer, since *Release) error {
	var b strings.Builder
	for i := range options {
		o := &options[i]
		writeOption(&b, mark(o, since), o, o.DefaultText())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeOption ends a line without words, as Cyrus does, in the colon for lists
// and in a blank for others.
func writeOption(b *strings.Builder, mark string, o *Option, text string) {
	if o.Type == Bitfield && text == "" {
		fmt.Fprintf(b, "%s%s:\n", mark, o.Name)
		return
	}
	fmt.Fprintf(b, "%s%s: %s\n", mark, o.Name, text)
}

// Lint lists, as "key: value", the keys of the file that are not known:
// neither options, under a current name, nor patterns. services are the names
// that may stand before an option; those of replication channels are in
// sync_log_channels.
func (c *Config) Lint(services []string) []string {
	var out []string
	channels := strings.Fields(c.Str("sync_log_channels"))
	for key, value := range c.Extras() {
		if !c.lintKnows(key, services, channels) {
			out = append(out, key+": "+value)
		}
	}
	return out
}

func (c *Config) lintKnows(key string, services, channels []string) bool {
	if c.knownFreeForm(key) || strings.HasPrefix(key, "sasl_") {
		return true
	}
	for _, s := range services {
		rest, ok := strings.CutPrefix(key, strings.ToLower(s)+"_")
		if ok && (c.knownKey(rest) || strings.HasPrefix(rest, "sasl_")) {
			return true
		}
	}
	for _, ch := range channels {
		rest, ok := strings.CutPrefix(key, strings.ToLower(ch)+"_")
		if ok && strings.HasPrefix(rest, "sync_") && c.knownKey(rest) {
			return true
		}
	}
	return false
}

func (c *Config) knownKey(key string) bool {
	_, ok := optionIndex[key]
	return ok || c.knownFreeForm(key)
}

// knownFreeForm knows partitions and what belongs to one that exists.
func (c *Config) knownFreeForm(key string) bool {
	if strings.HasPrefix(key, partitionPrefix) || strings.HasPrefix(key, "xlist-") {
		return true
	}
	i := strings.Index(key, partitionPrefix)
	if i < 0 {
		return false
	}
	kind, partition := key[:i], key[i:]
	if kind != "meta" && kind != "archive" && !strings.HasSuffix(kind, "search") {
		return false
	}
	_, ok := c.Extra(partition)
	return ok
}
