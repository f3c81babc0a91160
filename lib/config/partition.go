package config

import (
	"fmt"
	"slices"
	"strings"
)

// Partition is one place where mail is stored.
type Partition struct {
	Name    string
	Data    string // partition-NAME: the root of its spool
	Meta    string // metapartition-NAME; empty when there is none
	Archive string // archivepartition-NAME; empty when there is none or archive_enabled is off

	metaKinds []string // metapartition_files
}

// MetaDir is the root below which files of one kind are: kind is a word of
// metapartition_files, such as "header" or "cache".
func (p Partition) MetaDir(kind string) string {
	if p.Meta != "" && slices.Contains(p.metaKinds, kind) {
		return p.Meta
	}
	return p.Data
}

// Partitions are all partitions, sorted by name.
func (c *Config) Partitions() []Partition { return slices.Clone(c.parts) }

// Partition finds a partition by its name, which is in lower case.
func (c *Config) Partition(name string) (Partition, bool) {
	i, ok := slices.BinarySearchFunc(c.parts, name, func(p Partition, name string) int { return strings.Compare(p.Name, name) })
	if !ok {
		return Partition{}, false
	}
	return c.parts[i], true
}

const partitionPrefix = "partition-"

func (c *Config) partitions() []Partition {
	kinds := c.Bits("metapartition_files")
	archive := c.Bool("archive_enabled")
	var ps []Partition
	for _, s := range c.extra {
		key := s.key
		if n := len(c.service) + 1; n > 1 && strings.HasPrefix(key, strings.ToLower(c.service)+"_"+partitionPrefix) {
			key = key[n:]
		}
		name, ok := strings.CutPrefix(key, partitionPrefix)
		if !ok || slices.ContainsFunc(ps, func(p Partition) bool { return p.Name == name }) {
			continue
		}
		p := Partition{Name: name, metaKinds: kinds}
		p.Data, _ = c.Extra(partitionPrefix + name)
		p.Meta, _ = c.Extra("meta" + partitionPrefix + name)
		if archive {
			p.Archive, _ = c.Extra("archive" + partitionPrefix + name)
		}
		ps = append(ps, p)
	}
	slices.SortFunc(ps, func(a, b Partition) int { return strings.Compare(a.Name, b.Name) })
	return ps
}

// foldPartition holds defaultpartition to letters and digits, and makes them
// lower case, as keys are.
func (c *Config) foldPartition() error {
	v := &c.values[optionIndex["defaultpartition"]]
	for i := 0; i < len(v.s); i++ {
		if ch := v.s[i] | 0x20; !isDigit(v.s[i]) && (ch < 'a' || ch > 'z') {
			return &Error{File: c.path, Text: "defaultpartition option contains non-alnum character: " + v.s}
		}
	}
	v.s = strings.ToLower(v.s)
	return nil
}

// RequirePartitions is for programs that touch mail: the default partition must
// exist, or any at all when none is named. A pure frontend of a murder needs
// none. The error is an *Error.
func (c *Config) RequirePartitions() error {
	def := c.Str("defaultpartition")
	var found bool
	switch {
	case def != "":
		_, found = c.Partition(def)
	case c.IsSet("mupdate_server") && c.Enum("mupdate_config") == "standard" && !c.IsSet("proxyservers"):
		found = true
	default:
		found = len(c.parts) > 0
	}
	if !found {
		if def == "" {
			def = "<name>"
		}
		return &Error{File: c.path, Text: fmt.Sprintf("partition-%s option not specified in configuration file %s", def, c.path)}
	}
	return nil
}

// clashes names the partitions, meta, archive and others, that share their place
// with another or lie inside it. 3.10 runs with such a file, and loses mail when
// one of them is cleaned up.
func (c *Config) clashes() []string {
	var all []setting
	for _, s := range c.extra {
		if strings.Contains(s.key, partitionPrefix) {
			all = append(all, s)
		}
	}
	parts := func(s setting) []string { return strings.Split(strings.TrimRight(s.value, "/"), "/") }
	slices.SortStableFunc(all, func(a, b setting) int { return slices.Compare(parts(a), parts(b)) })
	var out []string
	for i := 1; i < len(all); i++ {
		outer, inner := parts(all[i-1]), parts(all[i])
		if len(inner) >= len(outer) && slices.Equal(inner[:len(outer)], outer) {
			out = append(out, fmt.Sprintf("%s and %s share the place %s", all[i-1].key, all[i].key, all[i-1].value))
		}
	}
	return out
}
