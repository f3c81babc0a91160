package main

import (
	"fmt"
	"strings"

	"gocyrus/lib/backend"
)

// usageText is what Cyrus's program prints, which depends on the protocol of
// its name.
func usageText(name string) string {
	p := backend.Lookup(protocols[name])
	if p == nil {
		p = backend.IMAP
	}
	var b strings.Builder
	line := func(when bool, format string, args ...any) {
		if when {
			fmt.Fprintf(&b, format+"\n", args...)
		}
	}
	line(true, "Usage: %s [options] hostname", name)
	line(true, "  -p port  : port to use (default=standard port for protocol)")
	line(p == backend.IMAP, "  -z       : timing test")
	b.WriteString(usageCommon)
	line(p == backend.IMAP, `             ("login" for IMAP LOGIN)`)
	line(p == backend.POP3, `             ("user" for USER/PASS, "apop" for APOP)`)
	line(true, "  -f file  : pipe file into connection after authentication\n  -r realm : realm")
	line(p.TLSName != "", "  -s       : Enable %s over SSL (%s)", p.Name, p.TLSName)
	line(p != backend.MUPDATE, "  -t file  : Enable TLS. file has the TLS public and private keys\n"+
		"             (specify \"\" to not use TLS for authentication)")
	line(p.Compresses(), "  -q       : Enable %s COMPRESSion (after authentication)", p.Name)
	b.WriteString(usageEnd)
	return b.String()
}

const usageCommon = `  -k #     : minimum protection layer required
  -l #     : max protection layer (0=none; 1=integrity; etc)
  -u user  : authorization name to use
  -a user  : authentication name to use
  -w pass  : password to use (if not supplied, we will prompt)
  -v       : verbose
  -m mech  : SASL mechanism to use
`

const usageEnd = `  -c       : enable challenge prompt callbacks
             (enter one-time password instead of secret pass-phrase)
  -n       : number of auth attempts (default=1)
  -I file  : output my PID to (file) (useful with -X)
  -x file  : open the named socket for the interactive portion
  -X file  : same as -X, except close all file descriptors & daemonize
`
