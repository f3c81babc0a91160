package replication

import (
	"encoding/base64"
	"strings"

	"gocyrus/lib/cyrustest"
)

// sieveDo runs ManageSieve commands of a user's; each has to succeed.
func (a *actor) sieveDo(user string, commands ...string) {
	a.t.Helper()
	p := a.on.Dial(a.on.sieve)
	defer p.Close()
	// The greeting ends with OK as an answer does.
	for {
		line, err := p.Line()
		if err != nil {
			a.t.Fatalf("%s: greeting of timsieved: %v", a.on.name, err)
		}
		if strings.HasPrefix(line, "OK") {
			break
		}
	}
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + cyrustest.Password))
	for _, cmd := range append([]string{`AUTHENTICATE "PLAIN" "` + plain + `"`}, append(commands, "LOGOUT")...) {
		got, err := p.Command(cmd, "OK")
		if err != nil {
			a.t.Fatalf("%s: %s: %q, %v", a.on.name, cmd, got, err)
		}
	}
	for {
		if _, err := p.Line(); err != nil {
			return
		}
	}
}

func sieveScripts(a *actor) {
	main := "require [\"fileinto\"];\r\nif header :contains \"subject\" \"caf\xc3\xa9\" { fileinto \"INBOX/Sent\"; }\r\n"
	a.sieveDo("alice", `PUTSCRIPT "main" `+literal(main), `PUTSCRIPT "other" `+literal("keep;\r\n"), `SETACTIVE "main"`)
	a.sieveDo("john.doe", `PUTSCRIPT "only" `+literal("keep;\r\n"))
}

func sieveRemoved(a *actor) {
	a.sieveDo("alice", `SETACTIVE "other"`, `DELETESCRIPT "main"`, `PUTSCRIPT "other" `+literal("discard;\r\n"))
	a.sieveDo("john.doe", `SETACTIVE "only"`, `SETACTIVE ""`)
}
