package command

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// errHelp is what getopt returns on --help.
var errHelp = errors.New("help")

// parser takes argv apart as getopt_long(3) does, into words that package flag
// cannot misread: every flag by its first name, "--name" or "--name=value".
type parser struct {
	prog     string // argv[0], as the C library prints it
	flags    []cli.Flag
	out      []string
	operands []string
	err      error // the first complaint
}

// getopt rewrites argv[1:]. Operands come last, after "--". With an error, what
// could be parsed is returned all the same, as for a program that goes on.
func getopt(argv []string, flags []cli.Flag) ([]string, error) {
	p := parser{prog: argv[0], flags: flags}
	for args := argv[1:]; len(args) > 0; {
		a := args[0]
		args = args[1:]
		switch {
		case a == "--":
			p.operands = append(p.operands, args...)
			args = nil
		case len(a) < 2 || a[0] != '-':
			p.operands = append(p.operands, a)
		case strings.HasPrefix(a, "--"):
			args = p.long(a[2:], args)
		default:
			args = p.cluster(a[1:], args)
		}
	}
	return append(append(p.out, "--"), p.operands...), p.err
}

func (p *parser) complain(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(p.prog+": "+format, args...)
	}
}

func takesValue(f cli.Flag) bool {
	_, isBool := f.(*cli.BoolFlag)
	return !isBool
}

func (p *parser) add(f cli.Flag, value string) {
	w := "--" + f.Names()[0]
	if takesValue(f) {
		w += "=" + value
	}
	p.out = append(p.out, w)
}

// cluster takes the short flags of one word. It returns the words left, fewer
// by one when the last flag's value is a word of its own.
func (p *parser) cluster(word string, rest []string) []string {
	for i := 0; i < len(word); i++ {
		name := word[i : i+1]
		at := slices.IndexFunc(p.flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
		switch {
		case at < 0:
			p.complain("invalid option -- '%s'", name)
		case !takesValue(p.flags[at]):
			p.add(p.flags[at], "")
		case i+1 < len(word):
			p.add(p.flags[at], word[i+1:])
			return rest
		case len(rest) > 0:
			p.add(p.flags[at], rest[0])
			return rest[1:]
		default:
			p.complain("option requires an argument -- '%s'", name)
		}
	}
	return rest
}

// long takes one long flag, which may be cut short.
func (p *parser) long(word string, rest []string) []string {
	name, value, attached := strings.Cut(word, "=")
	f, full := p.find(name)
	switch {
	case f == nil && name == "help":
		p.err = errHelp
	case f == nil:
	case !takesValue(f) && attached:
		p.complain("option '--%s' doesn't allow an argument", full)
	case !takesValue(f) || attached:
		p.add(f, value)
	case len(rest) > 0:
		p.add(f, rest[0])
		return rest[1:]
	default:
		p.complain("option '--%s' requires an argument", full)
	}
	return rest
}

// find looks for a long name, then for one that begins so. It complains when
// there is none, or more than one flag's.
func (p *parser) find(name string) (cli.Flag, string) {
	var found cli.Flag
	var full []string
	same := true
	for _, f := range p.flags {
		for _, n := range f.Names() {
			if len(n) < 2 || !strings.HasPrefix(n, name) {
				continue
			}
			if n == name {
				return f, n
			}
			same = same && (found == nil || found == f)
			found = f
			full = append(full, n)
		}
	}
	switch {
	case len(full) == 0 && name == "help":
		return nil, ""
	case len(full) == 0:
		p.complain("unrecognized option '--%s'", name)
		return nil, ""
	case !same:
		p.complain("option '--%s' is ambiguous; possibilities: '--%s'", name, strings.Join(full, "' '--"))
		return nil, ""
	}
	return found, full[0]
}
