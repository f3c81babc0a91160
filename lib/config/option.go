package config

import (
	"fmt"
	"slices"
	"strings"
)

// Type says how the value of an option is written.
type Type uint8

// The types of imapd.conf.
const (
	String     Type = iota // free text
	Int                    // 32 bits, decimal, 0x or leading 0
	Switch                 // yes, no and their kin
	Enum                   // one of Allowed, "yes" standing for a listed "on"
	StringList             // one of Allowed, as text
	Bitfield               // words of Allowed, separated by blanks
	Duration               // seconds, "1d12h"
	ByteSize               // octets, "10M"
)

var typeNames = [...]string{"string", "int", "switch", "enum", "stringlist", "bitfield", "duration", "bytesize"}

func (t Type) String() string { return typeNames[t] }

// Option is one row of the table: what an option of imapd.conf is, as 3.10 has
// it.
type Option struct {
	Name    string
	Type    Type
	Unit    byte     // of a bare number: 'd', 'h', 'm', 's' or 'B', 'K'; 0 for types without
	Default string   // as one would write it; the empty string when Null
	Null    bool     // without a default: unset, which is not the same as empty
	Allowed []string // of Enum, StringList and Bitfield; "new=old" names old spellings of one word
	Since   string   // oldest release that has it; 2.3.17 stands for that or older
	Changed string   // release of the last change, what "cyr_info -s" compares with
	Help    string   // one line for the manual

	Deprecated string // the release that deprecated it, if one did
	UseInstead string // the option that took its place, if one did

	// Honoured: this server acts on it. Setting an option that is not honoured
	// to anything but its default is worth a warning.
	Honoured bool
}

//go:generate go test . -run "TestManual|TestHonoured" -update

// Options returns the table, sorted by name. Callers must not change it.
func Options() []Option { return options }

// Lookup returns the option of that name, which is in lower case.
func Lookup(name string) (*Option, bool) {
	i, ok := optionIndex[name]
	if !ok {
		return nil, false
	}
	return &options[i], true
}

var (
	options     = table()
	optionIndex = indexOf(options)
	defaults    = defaultValues(options)
)

func table() []Option {
	t := slices.Concat(aclOptions, annotationOptions, archiveOptions, authOptions, autocreateOptions,
		backupOptions, conversationsOptions, coreOptions, davOptions, dbOptions, httpOptions, imapOptions,
		jmapOptions, ldapOptions, lmtpOptions, mailboxOptions, masterOptions, murderOptions,
		namespaceOptions, nntpOptions, notifyOptions, partitionOptions, pop3Options, quotaOptions,
		replicationOptions, searchOptions, sieveOptions, tlsOptions, ownOptions)
	slices.SortFunc(t, func(a, b Option) int { return strings.Compare(a.Name, b.Name) })
	honoured := make(map[string]bool)
	for _, name := range strings.Fields(honouredNames) {
		honoured[name] = true
	}
	for i := range t {
		t[i].Honoured = honoured[t[i].Name]
	}
	return t
}

func indexOf(t []Option) map[string]int {
	m := make(map[string]int, len(t))
	for i := range t {
		m[t[i].Name] = i
	}
	return m
}

// defaultValues parses every default. A table with one that does not parse is
// a bug, found by the first test that runs.
func defaultValues(t []Option) []value {
	vs := make([]value, len(t))
	for i := range t {
		if t[i].Null {
			continue
		}
		v, _, err := t[i].parse(t[i].Default)
		if err != nil {
			panic(fmt.Sprintf("config: default of %s: %v", t[i].Name, err))
		}
		vs[i] = v
	}
	return vs
}

func words(s string) []string { return strings.Fields(s) }

// spellings splits an entry of Allowed into the preferred word and old ones.
func spellings(allowed string) (word string, old []string) {
	all := strings.Split(allowed, "=")
	return all[0], all[1:]
}
