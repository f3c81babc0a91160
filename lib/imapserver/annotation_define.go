package imapserver

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"gocyrus/lib/annotate"
	"gocyrus/lib/config"
	"gocyrus/lib/log"
)

// annotOptions say which annotations there are beside the built-in ones.
type annotOptions struct {
	File      string // annotation_definitions
	Undefined bool   // annotation_allow_undefined: others may be set, too
	Legacy    bool   // annotation_enable_legacy_commands
}

func annotOptionsFrom(cfg *config.Config) annotOptions {
	return annotOptions{
		File:      cfg.Str("annotation_definitions"),
		Undefined: cfg.Bool("annotation_allow_undefined"),
		Legacy:    cfg.Bool("annotation_enable_legacy_commands"),
	}
}

// annotDefs are the annotations that are defined, by what they are of.
type annotDefs struct {
	server, mailbox, message []entry
	undefined                bool
}

// anyEntry stands for what is not defined where that may be set.
var anyEntry = entry{set: forBoth}

// defineAnnotations reads what the site defines. As in Cyrus, a file that cannot be
// read is no reason not to serve, but one to complain.
func defineAnnotations(o annotOptions) *annotDefs {
	d := &annotDefs{
		server: slices.Clone(serverEntries), mailbox: slices.Clone(mailboxEntries), message: slices.Clone(messageEntries),
		undefined: o.Undefined,
	}
	if o.File == "" {
		return d
	}
	f, err := os.Open(o.File)
	if err != nil {
		log.Err("%s: could not open annotation definition file: %v", o.File, err)
		return d
	}
	defer f.Close()
	all, err := annotate.ParseDefinitions(f, func(line int, err error) { log.Err("%s:%d: error: %v", o.File, line, err) })
	if err != nil {
		log.Err("%s: reading annotation definitions: %v", o.File, err)
	}
	for i := range all {
		d.add(&all[i])
	}
	return d
}

func (d *annotDefs) add(def *annotate.Definition) {
	e := entry{name: def.Name, kind: def.Kind, rights: def.Rights}
	if def.Shared {
		e.set |= forAll
	}
	if def.Own {
		e.set |= forOne
	}
	table := map[annotate.Place]*[]entry{
		annotate.OfServer: &d.server, annotate.OfMailbox: &d.mailbox, annotate.OfMessage: &d.message,
	}[def.Place]
	*table = append(*table, e)
}

// find is the entry of a table by which a value may be set, and the form in which the
// value is stored; none is "", as Cyrus has it. The error is errPermission for what
// is not defined or cannot be set, or annotate.ErrValue.
func (d *annotDefs) find(table []entry, name string, which values, value string) (*entry, string, error) {
	e := &anyEntry
	if i := slices.IndexFunc(table, func(e entry) bool { return e.name == name }); i >= 0 {
		e = &table[i]
	} else if !d.undefined || strings.HasPrefix(name, vendor) {
		return nil, "", fmt.Errorf("%s: not defined: %w", name, errPermission)
	}
	if e.set&which == 0 {
		return nil, "", fmt.Errorf("%s: cannot be set: %w", name, errPermission)
	}
	if value == "" {
		return e, "", nil
	}
	value, err := e.kind.Canonical(value)
	return e, value, err
}
