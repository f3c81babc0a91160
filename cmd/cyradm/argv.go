package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

const usageText = `Usage: cyradm [args] server
  --user <user>         Connect as <user> (authentication name)
  --authz <user>        Authorize as <user>
  --[no]rc              (Do not) load the configuration files
  --systemrc <file>     Use system-wide configuration <file>
  --userrc <file>       Use user configuration <file>
  --port <port>         Connect to server on <port>
  --auth <mechanism>    Authenticate with <mechanism>
  --password <password> Use <password> instead of asking for it
  --tlskey <keyfile>    Use certificate with keyfile to authenticate with server
  --notls               Disable StartTLS negotiation
  --cafile <cacertfile> Use CA certificate file to validate server certificate
  --cadir <cacertdirectory> Use CA certificate directory to validate
                            server certificate
  --help                This help message
  --version             The version of Cyrus IMAP this utility is a part of

Defaults to interactive mode. Please see man cyradm(1) and the 'help' command
in the cyradm-shell for details.
`

// spell writes argv in the form that getopt_long knows. cyradm's own way, which
// is Getopt::Long's, has long names after a single dash too (-user), and a key
// file that may be left out (--tlskey).
func spell(flags []cli.Flag, argv []string) []string {
	out := slices.Clone(argv[:1])
	for i := 1; i < len(argv); i++ {
		w := argv[i]
		if w == "--" {
			return append(out, argv[i:]...)
		}
		if !strings.HasPrefix(w, "-") || w == "-" {
			out = append(out, w)
			continue
		}
		if len(w) > 2 && w[1] != '-' {
			w = "-" + w
		}
		name, _, attached := strings.Cut(strings.TrimLeft(w, "-"), "=")
		full := fullName(flags, name)
		takes := full != "" && !attached && takesValue(flags, full)
		switch {
		case full == "tlskey" && !attached && (i+1 == len(argv) || strings.HasPrefix(argv[i+1], "-")):
			out = append(out, "--tlskey=")
		case takes && i+1 < len(argv):
			out = append(out, w, argv[i+1])
			i++
		default:
			out = append(out, w)
		}
	}
	return out
}

// fullName is the first name of the flag that a name or its beginning means.
func fullName(flags []cli.Flag, name string) string {
	found := ""
	for _, f := range flags {
		for _, n := range f.Names() {
			if n == name {
				return f.Names()[0]
			}
			if len(name) > 1 && strings.HasPrefix(n, name) {
				if found != "" && found != f.Names()[0] {
					return ""
				}
				found = f.Names()[0]
			}
		}
	}
	return found
}

func takesValue(flags []cli.Flag, name string) bool {
	return slices.ContainsFunc(flags, func(f cli.Flag) bool {
		_, isBool := f.(*cli.BoolFlag)
		return f.Names()[0] == name && !isBool
	})
}
